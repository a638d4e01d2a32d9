"""What a certificate is about: a network, with the table and the objective of its training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.options import Loss
from cvxnn.cli.tables import Features
from cvxnn.errors import InputError


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


def check_one_output(n_outputs: int, model: Path, command: str) -> None:
    """Raise InputError for a network of several outputs, which a command cannot judge."""
    if n_outputs > 1:
        raise InputError(
            f"{model} has a network of {n_outputs} outputs; 'cvxnn {command}' is for those of one."
        )
