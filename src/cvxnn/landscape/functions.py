"""Optimal networks as functions, and how far any network is from the set of them."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.networks import TwoLayerNetwork

# A move of the weights that changes the function by less, relative, does not change it:
# on ill-conditioned data the moves themselves err by 1e-7.
_CHANGE = 1e-5
# Directions closer than this, up to their sign, are on one line.
_SAME_LINE = 1e-7


def dimension_of_functions(directions: FloatArray, signs: FloatArray, moves: FloatArray) -> int:
    """How many of the moves of the weights change the function on R^d, up to combination.

    With ``(x'u)_+ = (|x'u| + x'u) / 2`` a network is a sum of ``|x'u|``, which are
    linearly independent for different lines, and a linear function.

    Parameters
    ----------
    directions : ndarray, shape (k, d)
    signs : ndarray, shape (k,)
    moves : ndarray, shape (k, q)

    Returns
    -------
    int
        Rank of the map from moves to functions.

    Examples
    --------
    Weight that moves from one neuron to its opposite changes the linear part:

    >>> u = np.array([[1.0], [-1.0]])
    >>> dimension_of_functions(u, np.ones(2), np.array([[1.0], [-1.0]]))
    1
    """
    if moves.shape[1] == 0:
        return 0
    lines = _lines(directions)
    bends = np.zeros((int(lines.max()) + 1, len(signs)))
    bends[lines, np.arange(len(signs))] = signs
    linear = (signs[:, None] * directions).T
    change = np.vstack([bends, linear]) @ (moves / np.abs(moves).max())
    return int(np.count_nonzero(np.linalg.svd(change, compute_uv=False) > _CHANGE))


def _lines(directions: FloatArray) -> IntArray:
    """For every direction the number of its line through the origin."""
    labels = np.arange(len(directions))
    for j, u in enumerate(directions):
        apart = np.minimum(
            np.linalg.norm(directions[:j] - u, axis=1), np.linalg.norm(directions[:j] + u, axis=1)
        )
        if (apart <= _SAME_LINE).any():
            labels[j] = labels[int(np.argmin(apart))]
    return np.unique(labels, return_inverse=True)[1]


def violation(
    network: TwoLayerNetwork,
    directions: FloatArray,
    signs: FloatArray,
    activations: FloatArray,
    fit: FloatArray,
    sizes: tuple[float, float],
) -> float:
    """The largest of three relative errors; see :meth:`OptimalSet.violation`.

    Parameters
    ----------
    network : TwoLayerNetwork
    directions, signs : ndarray, shapes (k, d) and (k,)
        Of the neurons that optimal networks can have.
    activations : ndarray, shape (n, k)
        Their signed activations.
    fit : ndarray, shape (n,)
        The values of every optimal network, less the intercept of this one.
    sizes : pair of float
        The sum of the weights of an optimal network, and the size of what its neurons fit;
        0 if it has none, and then the size of `network` is returned as it is.
    """
    total, size = sizes
    lengths = np.linalg.norm(network.hidden_weights, axis=1)
    heights = np.abs(network.output_weights)
    unit = total if total > 0.0 else 1.0
    unbalanced = float(np.sqrt(0.5 * np.sum((lengths - heights) ** 2) / unit))
    products = heights[:, None] * network.hidden_weights
    if len(signs) == 0 or total == 0.0:
        missed = float(np.linalg.norm(fit)) / (size or 1.0)
        return max(unbalanced, float(np.sqrt(np.sum(lengths * heights))), missed)
    along = products @ directions.T
    # A direction of the other sign is no place for a neuron.
    allowed = np.sign(network.output_weights)[:, None] == signs
    along = np.where(allowed, np.maximum(along, 0.0), -1.0)
    nearest = np.argmax(along, axis=1)
    parts = np.maximum(along[np.arange(len(along)), nearest], 0.0)
    off = np.linalg.norm(products - parts[:, None] * directions[nearest], axis=1)
    weights = np.bincount(nearest, weights=parts, minlength=len(signs))
    missed = float(np.linalg.norm(activations @ weights - fit) / size)
    return max(unbalanced, float(off.sum()) / total, missed)
