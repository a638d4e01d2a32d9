"""Arrays of other libraries in and out of estimators, where scikit-learn lets them through."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sklearn import get_config

from cvxnn.backends.namespaces import is_foreign
from cvxnn.backends.results import placed_like

Method = TypeVar("Method", bound=Callable[..., Any])


def dispatches() -> bool:
    """Whether ``sklearn.set_config(array_api_dispatch=True)`` is in force."""
    return bool(get_config()["array_api_dispatch"])


def like_dispatched(method: Method) -> Method:
    """A method of data X whose result is of the library of X then, on its device."""

    @wraps(method)
    def called(self: Any, X: Any) -> Any:
        values = method(self, X)
        return placed_like(values, X) if dispatches() and is_foreign(X) else values

    return called  # type: ignore[return-value]
