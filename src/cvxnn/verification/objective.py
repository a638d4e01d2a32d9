"""The objective of a network, between two numbers, from its weights and the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.kinds import CheckedModel
from cvxnn.verification.loss_values import losses_between
from cvxnn.verification.models import CHECKED
from cvxnn.verification.rounding import gamma

_NONE = "network must be a Network of cvxnn."


@final
@dataclass(frozen=True, eq=False)
class GivenNetwork:
    """A network as a checker sees it: what it is, and nothing of a certificate.

    Attributes
    ----------
    name : str
        Of its class.
    model : CheckedModel or None
        The kind of networks that it is one of, by its own settings; None for kinds that
        cannot be checked.
    arrays : mapping
        Its weights by name.
    intercept : ndarray, shape () or (c,)
    outputs : tuple of int
        The shape of its values in a row: () for one output, (c,) for several.

    Examples
    --------
    >>> from cvxnn.networks import TwoLayerNetwork
    >>> given = GivenNetwork.of(TwoLayerNetwork([[1.0]], [2.0], slope=0.5))
    >>> given.difference(CHECKED["relu"].read({"slope": 0.0, "skip": None}, {}), False)
    'The network has the slope 0.5, and the certificate is about networks with the slope 0.0.'
    """

    name: str
    model: CheckedModel | None
    arrays: Mapping[str, FloatArray]
    intercept: FloatArray
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, network: object) -> Self:
        """Read it; InputError if it is no network."""
        state: Any = getattr(network, "__getstate__", dict)()
        if not isinstance(state, Mapping) or not {"arrays", "settings"} <= set(state):
            raise InputError(_NONE)
        arrays, settings = state["arrays"], state["settings"]
        if not all(_is_finite(array) for array in arrays.values()):
            raise InputError(_NONE)
        name = type(network).__name__
        kinds = [kind for kind in CHECKED.values() if kind.network == name]
        model = kinds[0].of_network(settings, arrays) if kinds else None
        outputs = () if model is None else model.outputs_of(arrays)
        intercept = np.asarray(settings.get("intercept", 0.0), dtype=np.float64)
        is_shaped = model is None or intercept.shape in ((), outputs)
        if not (is_shaped and _is_finite(intercept)):
            raise InputError(_NONE)
        return cls(name, model, arrays, intercept, outputs)

    def difference(
        self, stated: CheckedModel, has_intercept: bool, outputs: tuple[int, ...] = ()
    ) -> str:
        """What it has that networks of a certificate have not, in a sentence; or nothing."""
        if type(self.model) is not type(stated):
            return (
                f"The network is a {self.name}, and the certificate is about networks of the "
                f"kind {stated.network}."
            )
        if self.outputs != outputs:
            given, known = (
                f"(n, {shape[0]})" if shape else "(n,)" for shape in (self.outputs, outputs)
            )
            return (
                f"The network has values of shape {given}, and the certificate is about networks "
                f"with values of shape {known}."
            )
        if self.intercept.any() and not has_intercept:
            numbers = ", ".join(f"{number:.9g}" for number in self.intercept.ravel())
            return (
                f"The network has the intercept {numbers}, and the certificate is about "
                "networks without one."
            )
        return stated.difference(self.model)

    def objective_between(
        self,
        data: FloatArray,
        y: FloatArray,
        weights: FloatArray,
        loss: Mapping[str, Any],
        beta: float,
    ) -> tuple[float, float]:
        """Bounds on ``l(f(X), y) + beta penalty``, from below and from above.

        Parameters
        ----------
        data, y, weights
            Rows of a weight above 0; y of shape (n,), or (n, c).
        loss : mapping
            Its name and parameters.
        beta : float

        Raises
        ------
        InputError
            If the network does not suit the data, or is of no kind that can be checked.
        """
        if self.model is None:
            raise InputError(f"A {self.name} cannot be checked independently yet.")
        with np.errstate(all="ignore"):
            found = self.model.values(data, self.arrays).shifted(self.intercept)
            if found.values.shape != y.shape:
                raise InputError("The network has another number of outputs than y.")
            best, worst = losses_between(loss, found.values, found.errors, y)
        prices, rounding = self.model.penalty(self.arrays), gamma(y.size + 64)
        low, high = (
            float(weights @ part) + beta * price
            for part, price in zip((best, worst), prices, strict=True)
        )
        return low * (1.0 - 2.0 * rounding), high * (1.0 + rounding)


def _is_finite(array: Array) -> bool:
    return array.dtype == np.float64 and bool(np.isfinite(array).all())
