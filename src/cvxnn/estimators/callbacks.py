"""Callbacks of scikit-learn, where it has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cvxnn.estimators.training import OnRound
from cvxnn.results import Progress

__all__ = ["CallbackSupportMixin", "report_rounds", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Older versions have no callbacks to support."""

    def with_callbacks(method: Method) -> Method:
        """Older versions have no callbacks to tear down."""
        return method


@contextmanager
def report_rounds(estimator: Any, X: Any, y: Any) -> Iterator[OnRound]:
    """A task of its own for every round, inside the one of the fit.

    Parameters
    ----------
    estimator : estimator
    X, y : array-like
        As `fit` was given them.

    Yields
    ------
    callable or None
        To be called after every round; it raises KeyboardInterrupt, which ends a run
        with the best network so far, where a callback wants the fit to stop. None
        where there are no callbacks.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield None
        return
    fit = estimator._init_callback_context(max_subtasks=None)
    fit.call_on_fit_task_begin(estimator=estimator, X=X, y=y)

    def report(progress: Progress) -> None:
        task = fit.subcontext(task_name="round").call_on_fit_task_begin(estimator=estimator)
        if task.call_on_fit_task_end(estimator=estimator):
            raise KeyboardInterrupt

    yield report
    fit.call_on_fit_task_end(estimator=estimator, X=X, y=y)
