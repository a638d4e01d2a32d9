"""Directions in which many rows would be fitted better, found on some of them."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.solvers.descent.settings import SETTINGS


@final
class RowAscent:
    """Climbs on ``s v'(X u)_+`` for both signs s, over a part of the rows drawn anew each time.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
    to_direction : ndarray, shape (d, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator

    Notes
    -----
    O(m d) for a start and step, on m rows.
    """

    def __init__(
        self, rows: FloatArray, to_direction: FloatArray, random_state: np.random.Generator
    ) -> None:
        self._rows, self._to_direction, self._random_state = rows, to_direction, random_state
        few = len(rows) <= SETTINGS.ascent_rows
        self._all = rows.astype(np.float32) if few else None

    def drawn(self, count: int) -> FloatArray:
        """Unit directions, spread evenly over the hyperplanes of the data."""
        drawn = self._random_state.standard_normal((count, self._to_direction.shape[1]))
        return unit(drawn @ self._to_direction.T)

    def found(self, v: FloatArray, starts: int, least: float) -> tuple[FloatArray, FloatArray]:
        """Directions and signs of distinct ends of climbs, best first, shapes (k, d) and (k,).

        Parameters
        ----------
        v : ndarray, shape (n,)
        starts : int
        least : float
            Of the value that an end has on all rows, judged by the part.
        """
        n, most = len(v), SETTINGS.ascent_rows
        if self._all is None:
            rows = self._random_state.choice(n, most, replace=False)
            X, w = self._rows[rows].astype(np.float32), v[rows].astype(np.float32)
        else:
            X, w = self._all, v.astype(np.float32)
        signs = alternating(starts)
        start = self.drawn(starts).astype(np.float32)
        ends, values = climbed(X, w, start, signs.astype(np.float32), SETTINGS.ascent_steps)
        worth = values * (n / len(w)) > least
        kept = distinct(ends, signs, np.where(worth, values, -np.inf), SETTINGS.most_new)
        return unit(ends[kept].astype(np.float64)), signs[kept]


def climbed(X: Array, v: Array, U: Array, signs: Array, steps: int) -> tuple[Array, Array]:
    """Unit directions with larger ``s v'(X u)_+``, after a few steps from those of `U`; values.

    A step goes to the gradient, which is the maximiser over a cell where no row holds it back;
    every other one to the mean of that and the best point so far, which ends going to and fro.
    """
    best, top = U.copy(), np.full(len(U), -np.inf, U.dtype)
    for step in range(steps):
        slopes = ((X @ U.T > 0.0) * v[:, None]).T @ X
        values = signs * np.einsum("ij,ij->i", slopes, U)
        better = values > top
        top[better], best[better] = values[better], U[better]
        U = unit(signs[:, None] * slopes)
        if step % 2:
            U = unit(U + best)
    return best, top


def distinct(directions: Array, signs: Array, values: Array, most: int) -> list[int]:
    """Those of finite values, best first, without such as nearly are one that is better."""
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > -np.inf]
    rays = directions[order]
    same = (rays @ rays.T > SETTINGS.same) & (signs[order][:, None] == signs[order])
    left = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for i in range(len(order)):
        if left[i]:
            kept.append(int(order[i]))
            if len(kept) == most:
                break
            left &= ~same[i]
    return kept


def alternating(count: int) -> FloatArray:
    """Signs 1, -1, 1, ..."""
    return np.where(np.arange(count) % 2 == 0, 1.0, -1.0)


def unit(rows: Array) -> Array:
    """Rows of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
