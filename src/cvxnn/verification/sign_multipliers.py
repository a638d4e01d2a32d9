"""Bounds on ``u'N v`` over vectors of signs: by multipliers, or by a tree over the signs of u."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.eigenvalues import largest_eigenvalue
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.rounding import TINY, U, gamma, power_of_two, sum_up

# Sums of columns that are looked at together.
_BLOCK = 4096
# Starts and steps of climbs, and sweeps for multipliers.
_STARTS, _STEPS, _SWEEPS = 64, 30, 3000


@final
@dataclass(frozen=True)
class Quadratic:
    """``u'N v`` with ``N = sum_i v_i x_i x_i'`` as computed, for data divided by powers of two.

    Attributes
    ----------
    matrix : ndarray, shape (d, d)
    error : float
        By how much a value may err over vectors of signs.
    unit : float
        What values are to be multiplied by.
    """

    matrix: FloatArray
    error: float
    unit: float

    @classmethod
    def of(cls, X: FloatArray, v: FloatArray) -> Self:
        """For rows of shape (n, d) and a dual point of shape (n,); O(n d^2).

        An entry is a sum of n products of three numbers.
        """
        side, weight = power_of_two(X), power_of_two(v)
        X, v = X / side, v / weight
        matrix = np.einsum("i,ij,ik->jk", v, X, X, optimize=True)
        matrix = (matrix + matrix.T) / 2.0
        moduli = np.abs(v) * np.abs(X).sum(axis=1) ** 2
        error = gamma(len(X) + 2 * X.shape[1] + 16) * sum_up(moduli) + matrix.size * TINY
        return cls(matrix, error, side * side * weight)

    def scaled(self, bound: float) -> float:
        """A bound on values of the matrix as one on those of the data, rounded up."""
        total = (bound + self.error) * (1.0 + 8.0 * U)
        return float(np.nextafter(total * self.unit, np.inf)) if self.matrix.any() else 0.0


@final
@dataclass(frozen=True, eq=False)
class SignMultipliers(Evidence):
    """Multipliers m with ``-Diag(m) <= N <= Diag(m)`` up to rounding, whatever they are.

    Attributes
    ----------
    values : ndarray, shape (d,)

    Examples
    --------
    >>> X, v = np.eye(2), np.array([1.0, -2.0])
    >>> round(SignMultipliers(np.array([1.0, 2.0])).bound(Pieces(X, v, 0.0 * v), 3.0), 9)
    3.0
    """

    kind: ClassVar[str] = "sign multipliers"
    words: ClassVar[str] = "multipliers of signs"

    values: FloatArray

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        """On ``u'N v`` for the rows and the weights of `pieces`: of their kinks there is none."""
        found = Quadratic.of(pieces.rows, pieces.weights)
        if len(self.values) != len(found.matrix):
            raise InputError("The certificate has multipliers of signs, but X has other columns.")
        return found.scaled(by_multipliers(found.matrix, self.values / found.unit))

    @property
    def arrays(self) -> dict[str, Array]:
        return {"values": self.values}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        values = arrays["values"]
        if values.ndim != 1 or values.dtype != np.float64 or not np.isfinite(values).all():
            raise ValueError("multipliers that are none")
        return cls(values)

    def in_units(self, rows: float, weights: float) -> SignMultipliers:
        return SignMultipliers(self.values * (rows * weights))


def by_multipliers(N: FloatArray, multipliers: FloatArray) -> float:
    """A bound on ``u'N v``: ``sum m + d t`` with t above the eigenvalues of ``+-N - Diag m``.

    ``u'N v - sum m`` is a quarter of ``p'(N - Diag m) p + q'(-N - Diag m) q`` with p = u + v and
    q = u - v, as ``p_i^2 + q_i^2 = 4``; and ``||p||^2 + ||q||^2 = 4 d``.

    Examples
    --------
    >>> N = np.array([[1.0, 2.0], [2.0, -1.0]])
    >>> round(by_multipliers(N, np.array([3.0, 3.0])), 9)
    6.0
    """
    d, shift = len(N), np.diag(multipliers)
    parts = (N - shift, -N - shift)
    unit = max(power_of_two(part) for part in parts)
    top = max(largest_eigenvalue(part / unit) for part in parts) * unit
    moduli = sum_up(np.abs(multipliers)) + sum_up(np.abs(np.diag(N)))
    rounding = gamma(d + 8) * (moduli + d * top)
    return float(multipliers.sum()) + d * top + rounding * (1.0 + 8.0 * U) + d * TINY


def own_multipliers(N: FloatArray) -> FloatArray:
    """Multipliers that are nearly the best: of unit vectors that are the best for one another."""
    d = len(N)
    rank = min(d, 2 * int(np.sqrt(d)) + 2)
    vectors = np.random.default_rng(0).standard_normal((d, rank))
    total = -np.inf
    for _ in range(_SWEEPS):
        pulled = N @ vectors
        lengths = np.sqrt((pulled * pulled).sum(axis=1))
        vectors = pulled / np.where(lengths > 0.0, lengths, 1.0)[:, None]
        reached = float(lengths.sum())
        if reached <= total * (1.0 + 1e-13):
            break
        total = reached
    pulled = N @ vectors
    return np.asarray(0.5 * (lengths + np.sqrt((pulled * pulled).sum(axis=1))))


def by_tree(N: FloatArray, level: float, deadline: Deadline) -> float:
    """``max ||N u||_1`` over vectors u of signs, or `level` if that is larger; inf out of time.

    A tree over the signs, a block of nodes at a time: a sum c of some columns is at most
    ``||c||_1`` plus the maximum over the columns that are left, which is found before.
    ``O(2^d)`` in the worst case.

    Examples
    --------
    >>> round(by_tree(np.array([[1.0, 2.0], [2.0, -1.0]]), 0.0, FOREVER), 12)
    4.0
    """
    d = len(N)
    columns = N[np.argsort(-np.abs(N).sum(axis=1))]
    rest = np.zeros(d + 1)
    for first in range(d - 1, -1, -1):
        known = _climbed(columns[first:])
        found = _doll(columns, first, max(known, level) if first == 0 else known, rest, deadline)
        if not np.isfinite(found):
            return np.inf
        rest[first] = found
    return float(rest[0]) + gamma(4 * d + 16) * sum_up(np.abs(N).ravel())


def _doll(
    columns: FloatArray, first: int, best: float, rest: FloatArray, deadline: Deadline
) -> float:
    d = len(columns)
    blocks = [(first + 1, columns[first][None])]
    while blocks:
        if deadline.passed:
            return np.inf
        depth, sums = blocks.pop()
        if depth == d:
            best = max(best, float(np.abs(sums).sum(axis=1).max()))
            continue
        sums = np.concatenate([sums + columns[depth], sums - columns[depth]])
        lengths = np.abs(sums).sum(axis=1)
        kept = lengths + rest[depth + 1] > best
        # The longest last: they are looked at first.
        order = np.argsort(lengths[kept], kind="stable")
        sums = sums[kept][order]
        for start in range(0, len(sums), _BLOCK):
            blocks.append((depth + 1, sums[start : start + _BLOCK]))
    return best


def _climbed(columns: FloatArray) -> float:
    """The length of some sum of the columns with signs."""
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(_STARTS, len(columns)))
    for _ in range(_STEPS):
        sums = signs @ columns
        signs = np.where(np.where(sums >= 0.0, 1.0, -1.0) @ columns.T >= 0.0, 1.0, -1.0)
    return float(np.abs(signs @ columns).sum(axis=1).max())
