"""The objective of a network, between two numbers, from its weights and the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.kinds import CheckedModel
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
    intercept : float

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
    intercept: float

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
        return cls(name, model, arrays, float(settings.get("intercept", 0.0)))

    def difference(self, stated: CheckedModel, has_intercept: bool) -> str:
        """What it has that networks of a certificate have not, in a sentence; or nothing."""
        if type(self.model) is not type(stated):
            return (
                f"The network is a {self.name}, and the certificate is about networks of the "
                f"kind {stated.network}."
            )
        if self.intercept != 0.0 and not has_intercept:
            return (
                f"The network has the intercept {self.intercept:.9g}, and the certificate is about "
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

        The losses are convex: over an interval of predictions each is largest at an end of it,
        and least at the other, or 0.

        Parameters
        ----------
        data, y, weights
            Rows of a weight above 0.
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
        ends = (found.values - found.errors, found.values + found.errors)
        losses = [_LOSSES[loss["name"]](end, y, loss) for end in ends]
        # Of a margin they are monotone; of a residual they are 0 between two signs of it.
        between = (ends[0] <= y) & (y <= ends[1])
        worst, best = np.maximum(*losses), np.where(between, 0.0, np.minimum(*losses))
        prices, rounding = self.model.penalty(self.arrays), gamma(len(y) + 64)
        low, high = (
            float(weights @ part) + beta * price
            for part, price in zip((best, worst), prices, strict=True)
        )
        return low * (1.0 - 2.0 * rounding), high * (1.0 + rounding)


def _is_finite(array: Array) -> bool:
    return array.dtype == np.float64 and bool(np.isfinite(array).all())


def _squared(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return 0.5 * (f - y) ** 2


def _huber(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    delta = float(loss["delta"])
    size = np.abs(f - y)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def _logistic(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return np.logaddexp(0.0, -y * f)


def _squared_hinge(f: FloatArray, y: FloatArray, loss: Mapping[str, Any]) -> FloatArray:
    return 0.5 * np.maximum(1.0 - y * f, 0.0) ** 2


# As computed: with a few roundings, and of a difference of floats one, relative to it.
_LOSSES: dict[str, Callable[[FloatArray, FloatArray, Mapping[str, Any]], FloatArray]] = {
    "squared": _squared,
    "huber": _huber,
    "logistic": _logistic,
    "squared_hinge": _squared_hinge,
}
