"""Networks and weights that fit the data of a problem, or one sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.validation import check_targets


def check_network(
    network: object, name: str, X: FloatArray, y: FloatArray, *, intercept: bool = True
) -> TwoLayerNetwork:
    """A plain network that reads X and has the outputs that y has; InputError if it is none.

    Without an intercept if there is to be none.
    """
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    plain = check_plain(network, name, X.shape[1], intercept=True, n_outputs=n_outputs)
    if not intercept and np.any(plain.intercept):
        raise InputError(
            f"{name} must have no intercept, got {plain!r}: OptimalSet(..., intercept=True) is "
            "the set of networks with one."
        )
    return plain


def check_criterion(c: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Weights of predictions of this shape, one after the other; InputError for another shape."""
    weights = check_targets(c, shape[0], "c")
    if weights.shape != shape:
        raise InputError(
            f"c must be of shape {shape}, an entry for each prediction, got shape {weights.shape}."
        )
    return weights.ravel()
