"""What a certificate is about: a network, with the table and the objective of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.options import Loss
from cvxnn.cli.tables import Features


@dataclass(frozen=True)
class Problem:
    """What a network is certified on.

    Attributes
    ----------
    network : TwoLayerNetwork or estimator
    features : Features
        The columns of X.
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    """

    network: Any
    features: Features
    X: FloatArray
    y: Array
    beta: float
    loss: Loss
