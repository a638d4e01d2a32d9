"""Convex losses ``l(f, y)``: value, gradient, curvature, conjugate."""

from __future__ import annotations

from collections.abc import Callable

from cvxnn.errors import InputError
from cvxnn.losses.base import Loss
from cvxnn.losses.composed import WeightedLoss
from cvxnn.losses.counts import GammaLoss, PoissonLoss
from cvxnn.losses.kinked import AbsoluteLoss, HingeLoss, QuantileLoss
from cvxnn.losses.margin import LogisticLoss, SquaredHingeLoss
from cvxnn.losses.regression import HuberLoss, SquaredLoss
from cvxnn.losses.skip import SkipLoss
from cvxnn.losses.softmax import SoftmaxLoss

__all__ = [
    "AbsoluteLoss",
    "GammaLoss",
    "HingeLoss",
    "HuberLoss",
    "LogisticLoss",
    "Loss",
    "PoissonLoss",
    "QuantileLoss",
    "SkipLoss",
    "SoftmaxLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "WeightedLoss",
    "as_loss",
]

LOSSES: dict[str, Callable[[], Loss]] = {
    "squared": SquaredLoss,
    "huber": HuberLoss,
    "absolute": AbsoluteLoss,
    "quantile": QuantileLoss,
    "logistic": LogisticLoss,
    "squared_hinge": SquaredHingeLoss,
    "hinge": HingeLoss,
    "softmax": SoftmaxLoss,
    "poisson": PoissonLoss,
    "gamma": GammaLoss,
}


def as_loss(loss: object) -> Loss:
    """A loss from its name, or as it is; InputError if it is neither.

    Examples
    --------
    >>> type(as_loss("logistic")).__name__
    'LogisticLoss'
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    names = ", ".join(repr(name) for name in LOSSES)
    raise InputError(f"loss must be one of {names}, or a Loss, got {loss!r}.")
