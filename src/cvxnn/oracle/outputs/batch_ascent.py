"""Climbs from many starts together, by products of matrices: quicker on wide rows."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.oracle.outputs.ascent_kernels import LEAST_GAIN, LEAST_STEP


def climb_together(
    X: FloatArray, V: FloatArray, directions: FloatArray, steps: FloatArray, n_steps: int
) -> FloatArray:
    """Raise ``||V'(Xu)_+||`` from every row of `directions`, in place; the values reached.

    The steps are those of :func:`~cvxnn.oracle.outputs.ascent_kernels.climb`.

    Parameters
    ----------
    X : ndarray, shape (n, r)
    V : ndarray, shape (n, c)
    directions : ndarray, shape (m, r)
        Unit vectors.
    steps : ndarray, shape (m,)
        Lengths of steps, 1 at the beginning.
    n_steps : int
        Evaluations for each start at most, O(n (r + c)) each; memory O(n m).
    """
    values, targets = _evaluate(X, V, directions)
    alive = np.flatnonzero(targets.any(axis=1))
    for _ in range(n_steps):
        if len(alive) == 0:
            break
        trials = _moved(directions[alive], targets[alive], steps[alive])
        reached, ahead = _evaluate(X, V, trials)
        gains = reached - values[alive]
        rose = gains > 0.0
        accepted = alive[rose]
        directions[accepted], targets[accepted] = trials[rose], ahead[rose]
        values[accepted] = reached[rose]
        steps[alive] = np.where(rose, np.minimum(2.0 * steps[alive], 1.0), 0.5 * steps[alive])
        alive = alive[np.where(rose, gains > LEAST_GAIN * reached, steps[alive] >= LEAST_STEP)]
    return values


def _evaluate(
    X: FloatArray, V: FloatArray, directions: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Norms, and unit vectors along their gradients; zeros where these vanish."""
    active = np.maximum(X @ directions.T, 0.0)
    sums = V.T @ active
    pull = V @ sums
    pull[active <= 0.0] = 0.0
    return np.linalg.norm(sums, axis=0), _units(pull.T @ X)


def _moved(directions: FloatArray, targets: FloatArray, steps: FloatArray) -> FloatArray:
    return _units((1.0 - steps[:, None]) * directions + steps[:, None] * targets)


def _units(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
