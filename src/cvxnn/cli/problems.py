"""What a certificate is about: a network, with the table and the objective of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.options import NetworkLoss
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
    y : ndarray, shape (n,), or (n, c) for several targets
    outputs : tuple of str
        Names of the outputs of the network: targets, or classes.
    beta : float
    loss : NetworkLoss
    parameters : mapping
        Numbers of the loss by name, such as the level of a quantile.
    """

    network: Any
    features: Features
    X: FloatArray
    y: Array
    outputs: tuple[str, ...]
    beta: float
    loss: NetworkLoss
    parameters: Mapping[str, float] = field(default_factory=dict)
