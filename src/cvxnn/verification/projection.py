"""Dual points beside a free linear part: moved onto what vanishes on it, in rational numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.rounding import U, float_up, norms_up

# Products of rational numbers that are formed at most: seconds.
_MOST = 2_000_000
# Shares of v S that are rounding, and of v by which it is moved far.
_ROUNDING, _FAR = 1e-10, 1e-6

Row = list[Fraction]


@final
@dataclass(frozen=True)
class Projection:
    """``v' = v - W S c`` with ``S'v' = 0`` exactly, W the weights of the rows.

    A linear part ``S w`` that costs nothing is harmless to a bound only if the dual point
    vanishes on all its columns. With ``S'W S c = S'v`` it does, and

        sum_i v'_i^2 / w_i = sum_i v_i^2 / w_i - (S'v)'c,      v''y = v'y - (S'W y)'c.

    Attributes
    ----------
    square, product : Fraction
        What these two numbers differ by.
    moved : ndarray, shape (n,)
        Upper bounds on ``|v'_i - v_i|``.
    """

    square: Fraction
    product: Fraction
    moved: FloatArray

    @classmethod
    def of(cls, S: FloatArray, v: FloatArray, y: FloatArray, weights: FloatArray) -> Self:
        """O(n p^2) products of rational numbers.

        Raises
        ------
        InputError
            If there are too many of them, or v vanishes on S but for rounding and the vectors that
            vanish on it exactly are far from it.
        """
        n, p = S.shape
        if n * p * (p + 3) > _MOST:
            raise InputError(
                "A certificate beside a free skip connection with so many columns and rows cannot "
                "be checked independently yet."
            )
        rows, (v_, y_, w_) = _exact(S), (_exact(part[None])[0] for part in (v, y, weights))
        gram = [[Fraction(0)] * p for _ in range(p)]
        pull, target = [Fraction(0)] * p, [Fraction(0)] * p
        for row, a, b, w in zip(rows, v_, y_, w_, strict=True):
            for i in range(p):
                pull[i] += row[i] * a
                target[i] += row[i] * w * b
                for j in range(i + 1):
                    gram[i][j] += row[i] * w * row[j]
        for i in range(p):
            for j in range(i):
                gram[j][i] = gram[i][j]
        c = _solved(gram, pull)
        square = -sum((a * b for a, b in zip(pull, c, strict=True)), Fraction(0))
        product = -sum((a * b for a, b in zip(target, c, strict=True)), Fraction(0))
        # Not by the moduli of c: on columns that nearly depend on each other it is large, and
        # S c is not.
        reached = (sum((a * b for a, b in zip(row, c, strict=True)), Fraction(0)) for row in rows)
        moved = [float_up(abs(w * a)) for w, a in zip(w_, reached, strict=True)]
        found = cls(square, product, np.array(moved))
        is_near = (np.abs(v @ S) <= _ROUNDING * (np.abs(v) @ np.abs(S))).all()
        if is_near and found.moved.max(initial=0.0) > _FAR * np.abs(v).max(initial=0.0):
            # Whoever made it has taken a combination of columns for zero, which is not.
            raise InputError(
                "A certificate beside a free skip connection on columns that depend on each other "
                "but for rounding cannot be checked independently yet."
            )
        return found

    def reach(self, rows: FloatArray) -> float:
        """By how much ``|v'(Xu)_+|`` may be above that of v, for leaky slopes up to 1."""
        unit = float(np.abs(rows).max(initial=0.0)) or 1.0
        lengths = norms_up(rows / unit) * unit
        return float((self.moved @ lengths) * (1.0 + 4.0 * len(rows) * U))


def _exact(matrix: FloatArray) -> list[Row]:
    return [[Fraction(number) for number in row] for row in matrix.tolist()]


def _solved(matrix: list[Row], right: Row) -> Row:
    """A solution of a linear system that has one, by elimination, in rational numbers.

    0 for unknowns that any number would do for: of normal equations on columns that depend on
    each other there is more than one solution, all with the same S c.
    """
    p = len(right)
    rows = [[*row, number] for row, number in zip(matrix, right, strict=True)]
    pivots: list[int] = []
    for k in range(p):
        at = len(pivots)
        pivot = next((i for i in range(at, p) if rows[i][k] != 0), None)
        if pivot is None:
            continue
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for i in range(p):
            if i != at and rows[i][k] != 0:
                share = rows[i][k] / rows[at][k]
                rows[i] = [a - share * b for a, b in zip(rows[i], rows[at], strict=True)]
        pivots.append(k)
    found = [Fraction(0)] * p
    for at, k in enumerate(pivots):
        found[k] = rows[at][p] / rows[at][k]
    return found
