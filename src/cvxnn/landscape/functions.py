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


def dimension_of_functions(directions: FloatArray, outputs: FloatArray, moves: FloatArray) -> int:
    """How many of the moves of the weights change the function on R^d, up to combination.

    With ``(x'u)_+ = (|x'u| + x'u) / 2`` a network is a sum of ``|x'u|``, which are
    linearly independent for different lines, and a linear function. An intercept changes
    only with one of them: where they stay the output on the data does.

    Parameters
    ----------
    directions : ndarray, shape (k, d)
    outputs : ndarray, shape (k, c)
        Unit output weights.
    moves : ndarray, shape (k, q)

    Returns
    -------
    int
        Rank of the map from moves to functions.

    Examples
    --------
    Weight that moves from one neuron to its opposite changes the linear part:

    >>> u = np.array([[1.0], [-1.0]])
    >>> dimension_of_functions(u, np.ones((2, 1)), np.array([[1.0], [-1.0]]))
    1
    """
    if moves.shape[1] == 0:
        return 0
    lines = _lines(directions)
    k, c = outputs.shape
    bends = np.zeros((int(lines.max()) + 1, c, k))
    bends[lines, :, np.arange(k)] = outputs
    linear = outputs.T[:, None, :] * directions.T
    every = np.vstack([bends.reshape(-1, k), linear.reshape(-1, k)])
    change = every @ (moves / np.abs(moves).max())
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
    neurons: tuple[FloatArray, FloatArray],
    activations: FloatArray,
    fit: FloatArray,
    sizes: tuple[float, float],
) -> float:
    """The largest of three relative errors; see :meth:`OptimalSet.violation`.

    Parameters
    ----------
    network : TwoLayerNetwork
    neurons : pair of ndarray, shapes (k, d) and (k, c)
        Unit hidden and output weights that optimal networks can have.
    activations : ndarray, shape (n, k) or (n, c, k)
        Of these neurons, times their output weights.
    fit : ndarray, shape (n,) or (n, c)
        The values of every optimal network, less the intercept of this one.
    sizes : pair of float
        The sum of the weights of an optimal network, and the size of what its neurons fit;
        0 if it has none, and then the size of `network` is returned as it is.
    """
    (directions, outputs), (total, size) = neurons, sizes
    output = network.output_weights.reshape(network.n_neurons, outputs.shape[1])
    lengths, heights = (np.linalg.norm(w, axis=1) for w in (network.hidden_weights, output))
    unit = total if total > 0.0 else 1.0
    unbalanced = float(np.sqrt(0.5 * np.sum((lengths - heights) ** 2) / unit))
    products = heights[:, None] * network.hidden_weights
    if len(outputs) == 0 or total == 0.0:
        missed = float(np.linalg.norm(fit)) / (size or 1.0)
        return max(unbalanced, float(np.sqrt(np.sum(lengths * heights))), missed)
    heads = output / np.where(heights > 0.0, heights, 1.0)[:, None]
    # A direction of another output weight, as of the other sign, is no place for a neuron.
    along = np.maximum(products @ directions.T, 0.0) * np.maximum(heads @ outputs.T, 0.0)
    nearest = np.argmax(along, axis=1)
    parts = along[np.arange(len(along)), nearest]
    own = products[:, :, None] * heads[:, None, :]
    theirs = directions[nearest][:, :, None] * outputs[nearest][:, None, :]
    off = np.linalg.norm(own - parts[:, None, None] * theirs, axis=(1, 2))
    weights = np.bincount(nearest, weights=parts, minlength=len(outputs))
    missed = float(np.linalg.norm(activations @ weights - fit) / size)
    return max(unbalanced, float(off.sum()) / total, missed)
