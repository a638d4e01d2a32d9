"""Settings of models and methods: frozen, and known to scikit-learn by their names."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Self

from cvxnn.errors import InputError


class Settings:
    """Base of frozen dataclasses that are parameters of an estimator, with parameters of their own.

    What scikit-learn would change is replaced: ``set_params(model__slope=0.1)`` of an
    estimator gives it another model.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def replaced(self, **settings: Any) -> Self:
        """The same with other values of some settings.

        Raises
        ------
        InputError
            If there is no such setting, or a value is not as described.

        Examples
        --------
        >>> from cvxnn.methods import Sampled
        >>> Sampled(100).replaced(scheme="gaussian")
        Sampled(n_samples=100, scheme='gaussian', patterns=None)
        """
        known = self.get_params()
        for name in settings:
            if name not in known:
                names = ", ".join(known) or "none"
                raise InputError(f"{type(self).__name__} has no setting {name!r}; it has {names}.")
        return replace(self, **settings)  # type: ignore[type-var]

    def __sklearn_clone__(self) -> Self:
        # Nobody can change it.
        return self
