"""Directions in which many rows would be fitted better, found on some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.solvers.descent.settings import SETTINGS

# Some of the rows, and what a dual point is on them.
Sample: TypeAlias = Callable[[slice | NDArray[np.intp]], tuple[FloatArray, FloatArray]]


@final
class RowAscent:
    """Climbs on ``a'V'(X u)_+`` for unit outputs a, over a part of the rows drawn anew each time.

    Parameters
    ----------
    n_rows : int
    to_direction : ndarray, shape (d, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator

    Notes
    -----
    O(m (d + c)) for a start and step, on m rows, for c outputs.
    """

    def __init__(
        self, n_rows: int, to_direction: FloatArray, random_state: np.random.Generator
    ) -> None:
        self._n, self._to_direction, self._random_state = n_rows, to_direction, random_state

    def drawn(self, count: int) -> FloatArray:
        """Unit directions, spread evenly over the hyperplanes of the data."""
        drawn = self._random_state.standard_normal((count, self._to_direction.shape[1]))
        return unit(drawn @ self._to_direction.T)

    def found(self, sample: Sample, starts: int, least: float) -> tuple[FloatArray, FloatArray]:
        """Directions and outputs of distinct ends of climbs, best first, (k, d) and (k, c).

        Parameters
        ----------
        sample : Sample
        starts : int
        least : float
            Of the value that an end has on all rows, judged by the part.
        """
        part: slice | NDArray[np.intp] = slice(None)
        if self._n > SETTINGS.ascent_rows:
            part = self._random_state.choice(self._n, SETTINGS.ascent_rows, replace=False)
        X, w = (values.astype(np.float32) for values in sample(part))
        pull = pull_of(X, w, alternating(starts).astype(np.float32)[:, None])
        start = self.drawn(starts).astype(np.float32)
        ends, outputs, values = climbed(pull, start, SETTINGS.ascent_steps)
        worth = values * (self._n / len(w)) > least
        kept = distinct(ends, outputs, np.where(worth, values, -np.inf), SETTINGS.most_new)
        return unit(ends[kept].astype(np.float64)), unit(outputs[kept].astype(np.float64))


def sample_of(X: FloatArray, v: FloatArray) -> Sample:
    """Rows in memory, and a dual point of shape (n,) or (n, c)."""
    return lambda rows: (X[rows], v[rows])


class Pull(Protocol):
    """The function that directions climb on, and its slopes."""

    def at(self, U: Array) -> tuple[Array, Array, Array]:
        """Values, outputs and slopes for unit directions U; shapes (k,), (k, c) and (k, d)."""


@final
class SignedPull:
    """``s v'(X u)_+`` of one output, for a sign s of each direction that stays."""

    def __init__(self, X: Array, v: Array, signs: Array) -> None:
        self._X, self._v, self._signs = X, v, signs

    def at(self, U: Array) -> tuple[Array, Array, Array]:
        slopes = self._signs * (((self._X @ U.T > 0.0) * self._v[:, None]).T @ self._X)
        return np.einsum("ij,ij->i", slopes, U), self._signs, slopes


@final
class NormPull:
    """``||V'(X u)_+||`` of several outputs, which is ``a'V'(X u)_+`` for the best output a."""

    def __init__(self, X: Array, V: Array) -> None:
        self._X, self._V = X, V

    def at(self, U: Array) -> tuple[Array, Array, Array]:
        active = self._X @ U.T
        on = active > 0.0
        outputs = np.maximum(active, 0.0, out=active).T @ self._V
        values = np.linalg.norm(outputs, axis=1)
        outputs = unit(outputs)
        return values, outputs, (on * (self._V @ outputs.T)).T @ self._X


def pull_of(X: Array, v: Array, outputs: Array) -> Pull:
    """What directions with these outputs climb on, for a dual point of shape (n,) or (n, c).

    On one output each sign has tops of its own; several outputs turn with the direction.
    """
    return SignedPull(X, v, outputs) if v.ndim == 1 else NormPull(X, v)


def climbed(pull: Pull, U: Array, steps: int) -> tuple[Array, Array, Array]:
    """Unit directions of a larger pull, after a few steps from those of `U`; outputs and values.

    A step goes to the gradient, which is the maximiser over a cell where no row holds it back;
    every other one to the mean of that and the best point so far, which ends going to and fro.
    """
    values, at, slopes = pull.at(U)
    best, top, outputs = U.copy(), values.copy(), at.copy()
    for step in range(steps - 1):
        U = unit(slopes)
        if step % 2:
            U = unit(U + best)
        values, at, slopes = pull.at(U)
        better = values > top
        top[better], best[better], outputs[better] = values[better], U[better], at[better]
    return best, outputs, top


def distinct(directions: Array, outputs: Array, values: Array, most: int) -> list[int]:
    """Those of finite values, best first, without such as nearly are one that is better."""
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > -np.inf]
    rays, heads = directions[order], outputs[order]
    same = (rays @ rays.T > SETTINGS.same) & (heads @ heads.T > SETTINGS.same)
    left = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for i in range(len(order)):
        if left[i]:
            kept.append(int(order[i]))
            if len(kept) == most:
                break
            left &= ~same[i]
    return kept


def first_outputs(pulls: Array) -> Array:
    """Unit outputs for neurons that start together, with ``V'(X u_j)_+`` of shape (k,) or (c, k).

    Both signs in turn, or where each would be of most use.
    """
    return alternating(len(pulls))[:, None] if pulls.ndim == 1 else unit(pulls.T)


def along(outputs: Array, pulls: Array) -> Array:
    """``a_j'z_j`` for the rows a_j of outputs (k, c) and pulls z_j: shape (k,), else (c, k)."""
    return np.asarray((outputs.T * pulls).sum(axis=0))


def alternating(count: int) -> FloatArray:
    """Signs 1, -1, 1, ..."""
    return np.where(np.arange(count) % 2 == 0, 1.0, -1.0)


def unit(rows: Array) -> Array:
    """Rows of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
