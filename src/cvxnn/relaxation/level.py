"""The best numbers for a proven bound, in floating point: nothing here is relied upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.relaxation.balls import over_ball, over_balls
from cvxnn.relaxation.moments import Moments, adjoint

# Multiples of the size of data between which the shift of a block is looked for.
_SMALLEST, _LARGEST = 1e-8, 1e2
# Numbers whose squares stay in the range of float64; the data have size one.
_LARGEST_FORM = 1e100
_TRIALS = 16
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)


@final
@dataclass(frozen=True)
class Arrow:
    """Multipliers, and an approximate factor of the matrix N of :func:`safe_bound`.

    Attributes
    ----------
    multipliers : Moments
        Those given, with other numbers for the products ``p_i q_i``.
    level, ball : float
        m and lambda; of several outputs lambda and mu.
    factors : ndarray, shape (B, b, b)
        The R_b.
    beside : ndarray, shape (B, b, 1 + d), or (B, b, c + d) for several outputs
        The S_b.
    corner : ndarray, shape (1 + d, 1 + d), or (c + d, c + d)
        The R_c.
    """

    multipliers: Moments
    level: float
    ball: float
    factors: FloatArray
    beside: FloatArray
    corner: FloatArray

    @property
    def head(self) -> int:
        """The order of the head: 1, or c."""
        return len(self.corner) - self.multipliers.up.shape[1]

    @property
    def top(self) -> FloatArray:
        """``diag(m I, lambda I)`` over the corner."""
        return np.diag(_of_both(self.level, self.ball, self.head, len(self.corner)))


@final
class _Eliminated:
    """``sum_b z_b'Q_b z_b`` with the a_b eliminated, as a function of the shifts tau_b.

    Since ``||a_b|| = ||X_b u||``, ``tau_b (u'X_b'X_b u - a_b'a_b) = 0`` may be added. For tau_b
    above the largest eigenvalue of Q_b,aa the form has a maximum over a_b; what is left is a
    form of (1, u), or of the output weights and u.
    """

    def __init__(self, X: FloatArray, weights: FloatArray, L: Moments) -> None:
        m = L.corner.shape[1]
        self.head = m - X.shape[2]
        Q = adjoint(L._replace(p=L.p + weights / 2), X, np)
        self.is_usable = bool((np.abs(Q) < _LARGEST_FORM).all())
        if not self.is_usable:
            return
        self.values, self.vectors = np.linalg.eigh(Q[:, m:, m:])
        self.pulls = self.vectors.mT @ Q[:, m:, :m]
        self.fixed = Q[:, :m, :m].sum(axis=0)
        self.squares = X.mT @ X
        size = np.sqrt((X * X).sum(axis=2))
        each = np.abs(weights) if weights.ndim == 2 else np.sqrt((weights**2).sum(axis=1))
        self.scale = float((each * size).sum() / (size**2).sum()) or 1.0

    def distances(self, distance: float) -> FloatArray:
        """Of the shifts from the largest eigenvalues, shape (B,).

        The multipliers contain shifts already, those that the iteration has come to. Of several
        outputs none is taken back, since the largest eigenvalues of blocks differ: on two blocks
        of four rows that lowers the bound from 0.59 to 0.50. One block can have any shift.
        """
        is_free = self.head == 1 or len(self.values) == 1
        least = -np.inf if is_free else -self.values[:, -1]
        return np.maximum(np.full(len(self.values), distance), least)

    def gaps(self, distance: float) -> FloatArray:
        """``tau_b - eigenvalues``, shape (B, b)."""
        return np.asarray(self.values[:, -1:] - self.values + self.distances(distance)[:, None])

    def shifts(self, distance: float) -> FloatArray:
        """The tau_b, shape (B,)."""
        return np.asarray(self.values[:, -1] + self.distances(distance))

    def corner(self, distance: float) -> FloatArray:
        """What is left, shape (1 + d, 1 + d) or (c + d, c + d)."""
        pulls = self.pulls / np.sqrt(self.gaps(distance))[:, :, None]
        flat = pulls.reshape(-1, pulls.shape[2])
        corner = self.fixed + flat.T @ flat
        corner[self.head :, self.head :] += np.tensordot(self.shifts(distance), self.squares, 1)
        return corner

    def least(self, corner: FloatArray) -> tuple[float, float]:
        """The m and lambda of the smallest bound."""
        return over_ball(corner) if self.head == 1 else over_balls(corner, self.head)


def best_level(X: FloatArray, weights: FloatArray, L: Moments) -> Arrow | None:
    """The shift, m and lambda of the smallest ``m + lambda``, and factors of N.

    The bound is convex in the shifts, of which blocks get the same distance from their
    eigenvalues: by a golden section of its logarithm. None where a number is out of range.
    """
    form = _Eliminated(X, weights, L)
    if not form.is_usable:
        return None
    distance = _best_distance(form)
    corner = form.corner(distance)
    if not (np.abs(corner) < _LARGEST_FORM**1.5).all():
        return None
    level, ball = form.least(corner)
    roots = np.sqrt(form.gaps(distance))
    pairs = np.arange(L.pq.shape[1])
    pq = L.pq.copy()
    # The shift is a multiplier: a_i^2 - (x_i'u)^2 = 4 p_i q_i, which stands there twice.
    pq[:, pairs, pairs] -= 2.0 * form.shifts(distance)[:, None]
    return Arrow(
        L._replace(pq=pq),
        level,
        ball,
        roots[:, :, None] * form.vectors.mT,
        -form.pulls / roots[:, :, None],
        _root(np.diag(_of_both(level, ball, form.head, len(corner))) - corner),
    )


def _best_distance(form: _Eliminated) -> float:
    """The distance of the lowest bound, to some per cent."""

    def bound(logarithm: float) -> float:
        corner = form.corner(float(np.exp(logarithm)))
        if not (np.abs(corner) < _LARGEST_FORM**1.5).all():
            return np.inf
        return sum(form.least(corner))

    low, high = np.log(form.scale * np.array([_SMALLEST, _LARGEST]))
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    values = [bound(x) for x in inner]
    for _ in range(_TRIALS - 2):
        if values[0] <= values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - _GOLDEN * (high - low)
            values[0] = bound(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + _GOLDEN * (high - low)
            values[1] = bound(inner[1])
    return float(np.exp(inner[int(np.argmin(values))]))


def _of_both(level: float, ball: float, head: int, order: int) -> FloatArray:
    """The diagonal over the corner, shape (order,)."""
    return np.repeat([level, ball], [head, order - head])


def _root(N: FloatArray) -> FloatArray:
    """R with R'R next to a symmetric matrix that is nearly positive semidefinite."""
    values, vectors = np.linalg.eigh(0.5 * (N + N.T))
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)
