"""Which optimal networks are different functions."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray, IntArray

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
