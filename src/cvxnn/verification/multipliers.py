"""A bound from multipliers of products of rows, of neurons and of pairs of rows: any numbers do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.rounding import TINY, U, gamma, norms_up

# Multiples of the size of the data between which shifts are looked for, and how finely.
_SMALLEST, _LARGEST, _TRIALS, _ROUNDS = 1e-8, 1e2, 10, 7
_HALVINGS = 60


# Finds m and lambda for which ``diag(m I, lambda I)`` is above a matrix.
Over = Callable[[FloatArray], tuple[float, float]]


class Multipliers(NamedTuple):
    """For B blocks of b rows and ``p = (Xu)_+``, ``q = (-Xu)_+``; any numbers.

    Attributes
    ----------
    p, q : ndarray, shape (B, b)
        Of p and q.
    up, uq : ndarray, shape (B, d, b)
        Of products of u with p and q.
    pp, pq, qq : ndarray, shape (B, b, b)
        Of products of p and q.
    """

    p: FloatArray
    q: FloatArray
    up: FloatArray
    uq: FloatArray
    pp: FloatArray
    pq: FloatArray
    qq: FloatArray

    def inside(self) -> Multipliers:
        """The nearest that may be used, where products that are not negative get no negative ones.

        For ``p_i q_i = 0`` any will do.
        """
        pp, qq = (np.maximum(0.5 * (part + part.mT), 0.0) for part in (self.pp, self.qq))
        same = np.eye(self.p.shape[1], dtype=bool)
        pq = np.where(same, self.pq, np.maximum(self.pq, 0.0))
        # In the head of p the weights of the dual point are as free as the multiplier.
        p, up = _in_cone(self.p, self.up, 2.0)
        q, uq = _in_cone(self.q, self.uq, 1.0)
        return Multipliers(p, q, up, uq, pp, pq, qq)


def _in_cone(head: FloatArray, tail: FloatArray, weight: float) -> tuple[FloatArray, FloatArray]:
    """A pair with ``head_i >= ||tail_i||`` next to one, whose squares are weighted."""
    lengths = np.sqrt((tail * tail).sum(axis=1))
    between = np.maximum((weight * head + lengths) / (weight + 1.0), 0.0)
    share = np.where(lengths <= head, 1.0, between / np.where(lengths > 0.0, lengths, 1.0))
    tail = tail * share[:, None, :]
    return np.maximum(np.maximum(head, norms_up(tail.mT)), 0.0), tail


@final
@dataclass(frozen=True)
class Blocks:
    """Rows in blocks.

    Attributes
    ----------
    places : ndarray of int, shape (N,)
        Where each row is in the B b places.
    count, size : int
        B and b.
    """

    places: NDArray[np.int64]
    count: int
    size: int

    @classmethod
    def of(cls, places: Any, head: FloatArray) -> Self:
        """Those of an array with a number for each place, shape (B, b)."""
        return cls(np.asarray(places, dtype=np.int64), *head.shape)

    @classmethod
    def read(cls, places: Array, count: int, size: int) -> Self:
        """As a file holds them; ValueError if damaged."""
        if places.ndim != 1 or places.dtype.kind != "i":
            raise ValueError("places that are none")
        return cls(places.astype(np.int64), count, size)

    def check(self, n_rows: int) -> None:
        """InputError if they are not of so many rows."""
        places, total = self.places, self.count * self.size
        distinct = len(np.unique(places)) == len(places)
        inside = bool(((places >= 0) & (places < total)).all())
        if not (len(places) == n_rows and distinct and inside):
            raise InputError("The blocks of the certificate are not those of the rows of X.")

    def scattered(self, values: FloatArray) -> FloatArray:
        """Numbers, or vectors, of the rows in blocks, with zeros in the places of none."""
        whole = np.zeros((self.count * self.size, *values.shape[1:]))
        whole[self.places] = values
        return whole.reshape(self.count, self.size, *values.shape[1:])


def relaxation_bound(
    rows: FloatArray, weights: FloatArray, base: FloatArray, given: Multipliers
) -> float:
    r"""An upper bound on ``max_{||u|| <= 1} base'u + sum_i w_i (x_i'u)_+``, rounding included.

    Parameters
    ----------
    rows : ndarray, shape (B, b, d)
        Of size one.
    weights : ndarray, shape (B, b)
        The w, of size one.
    base : ndarray, shape (d,)
    given : Multipliers

    Notes
    -----
    For every u of the ball ``p_i >= 0``, ``p_i (1 -+ u'c) >= 0`` for ``||c|| <= 1``, the same
    with q, products of entries of p and q are ``>= 0``, and ``p_i q_i = 0``. So the form L of the
    multipliers at ``(1, u, p, q)`` - each of them counts twice, as in a symmetric matrix - is
    not negative, and with ``a = p + q = |Xu|``, ``p - q = Xu``, for any numbers ``t_b, m`` and
    ``lambda >= 0``,

        base'u + w'p <= base'u + w'p + L(1, u, p, q) + sum_b t_b (||X_b u||^2 - ||a_b||^2)
                      = z'Q z <= m + lambda - z'N z,        z = (1, u, a),

    where ``N = diag(m, lambda I, 0) - Q`` (products of rows: H. Sherali and W. Adams, SIAM J.
    Discrete Math. 3, 1990; dual bounds from any multipliers: C. Jansson, D. Chaykin and C. Keil,
    SIAM J. Numer. Anal. 46, 2007). For any K,

        -z'Nz = -||K z||^2 - z'(N - K'K) z <= h'|N - K'K| h

    with h the largest moduli of z: 1 for 1 and for entries of u, ``||x_i||`` for ``a_i``. With K
    a factor of N as computed that is rounding, if N is positive semidefinite.

    Every entry of N - K'K is a sum of products: of T, L and T, where T takes z to (1, u, p, q),
    and of K and K, with k roundings each at most; what the sum errs by is ``gamma_k`` times the
    same form of the moduli, ``g'|L|g + ||K|h||^2 + ...`` with ``g = |T| h``.

    O(B (b + d)^3).
    """
    return form_bound(rows, weights, base, given, given.inside())


def form_bound(
    rows: FloatArray,
    weights: FloatArray,
    base: FloatArray,
    given: Multipliers,
    inside: Multipliers,
) -> float:
    """The same with the multipliers that are used in the place of those given.

    Any will do whose form at ``(1, u, p, q)`` is not negative for the u of the maximum, which
    may be fewer than those of the ball.
    """
    if not all(np.isfinite(part).all() for part in given):
        return np.inf
    with np.errstate(all="ignore"):
        form = _form_of(rows, weights, base, inside)
        bound = form.proven(*form.chosen(_over_ball))
    return bound if np.isfinite(bound) else np.inf


def _form_of(rows: FloatArray, weights: FloatArray, base: FloatArray, L: Multipliers) -> ArrowForm:
    count, b, d = rows.shape
    m = 1 + d
    whole, extra = np.zeros((count, m + 2 * b, m + 2 * b)), np.zeros((m, m))
    p, q = slice(m, m + b), slice(m + b, m + 2 * b)
    for one, other, part in (
        (0, p, L.p + 0.5 * weights), (0, q, L.q), (slice(1, m), p, L.up),
        (slice(1, m), q, L.uq), (p, q, L.pq),
    ):  # fmt: skip
        whole[:, one, other] = part
        whole[:, other, one] = part if one == 0 else part.mT
    whole[:, p, p], whole[:, q, q] = L.pp, L.qq
    extra[0, 1:] = extra[1:, 0] = 0.5 * base
    return ArrowForm(rows, whole, extra, head=1)


@final
class ArrowForm:
    """Q, block by block, and what it proves.

    Parameters
    ----------
    rows : ndarray, shape (B, b, d)
    whole : ndarray, shape (B, m + 2 b, m + 2 b)
        The symmetric form at ``(head, u, p, q)``, ``m = head + d``.
    extra : ndarray, shape (m, m)
        What is added at ``(head, u)``.
    head : int
        Entries before u, of a vector of length 1: of the number 1, or an output direction.
    """

    def __init__(
        self, rows: FloatArray, whole: FloatArray, extra: FloatArray, *, head: int
    ) -> None:
        count, b, d = rows.shape
        self._m, self._head = (m := head + d), head
        self._rows, self._lengths, self._extra = rows, norms_up(rows), extra
        # T: (head, u, a) to (head, u, p, q).
        T = np.zeros((count, m + 2 * b, m + b))
        T[:, :m, :m] = np.eye(m)
        T[:, m : m + b, head:m], T[:, m + b :, head:m] = 0.5 * rows, -0.5 * rows
        T[:, m : m + b, m:] = T[:, m + b :, m:] = 0.5 * np.eye(b)
        self.Q = T.mT @ whole @ T
        h = np.concatenate([np.ones((count, m)), self._lengths], axis=1)
        g = (np.abs(T) @ h[:, :, None])[:, :, 0]
        self._h = h
        self._moduli = float(np.einsum("ki,kij,kj", g, np.abs(whole), g))
        self._moduli += float(np.abs(self._extra).sum())
        self._roundings = 8 * (b + m - 1) + 4 * count + 64

    def chosen(self, over: Over) -> tuple[FloatArray, float, float]:
        """Shifts t_b, and the m and lambda of the least sum; nothing of it is relied upon.

        `over` finds the last two for a form of (head, u). All blocks have the same distance from
        their largest eigenvalue; the bound is convex in the shifts. The a_b are eliminated: what
        is left is such a form.
        """
        m, rows = self._m, self._rows
        values, vectors = np.linalg.eigh(self.Q[:, m:, m:])
        pulls = vectors.mT @ self.Q[:, m:, :m]
        corner = self.Q[:, :m, :m].sum(axis=0) + self._extra
        squares = rows.mT @ rows
        scale = float(np.abs(values).max()) or 1.0

        def form(distance: float) -> FloatArray:
            gaps = values[:, -1:] - values + distance
            flat = (pulls / np.sqrt(gaps)[:, :, None]).reshape(-1, m)
            total = corner + flat.T @ flat
            total[self._head :, self._head :] += np.tensordot(values[:, -1] + distance, squares, 1)
            return total

        low, high = scale * _SMALLEST, scale * _LARGEST
        for _ in range(_ROUNDS):
            trials = np.geomspace(low, high, _TRIALS)
            best = trials[np.argmin([sum(over(form(t))) for t in trials])]
            step = (high / low) ** (1.0 / (_TRIALS - 1))
            low, high = best / step, best * step
        return values[:, -1] + best, *over(form(best))

    def proven(self, shifts: FloatArray, level: float, ball: float) -> float:
        """``m + lambda`` and what rounding leaves of ``-z'Nz``, upwards."""
        m, b, head = self._m, self._rows.shape[1], self._head
        ball = max(ball, 0.0)
        left, factors = 0.0, 0.0
        diagonal = np.concatenate([np.full(head, level), np.full(m - head, ball)])
        top = np.diag(diagonal) - self._extra
        moduli = np.abs(top)
        for k, shift in enumerate(shifts):
            Q, X, h = self.Q[k], self._rows[k], self._h[k]
            inner = shift * np.eye(b) - Q[m:, m:]
            values, vectors = np.linalg.eigh(inner)
            roots = np.sqrt(np.maximum(values, 1e-300))
            R = roots[:, None] * vectors.T
            S = -(vectors.T @ Q[m:, :m]) / roots[:, None]
            top = top - Q[:m, :m] - S.T @ S
            top[head:, head:] -= shift * (X.T @ X)
            left += float(h[m:] @ np.abs(inner - R.T @ R) @ h[m:])
            left += 2.0 * float(h[m:] @ np.abs(Q[m:, :m] + R.T @ S) @ h[:m])
            reach = np.abs(R) @ h[m:] + np.abs(S) @ h[:m]
            factors += float(reach @ reach)
            # Of the shift, in a and in u.
            factors += abs(shift) * float(h[m:] @ h[m:] + (np.abs(X).sum(axis=1) ** 2).sum())
        values, vectors = np.linalg.eigh(0.5 * (top + top.T))
        R = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
        left += float(np.abs(top - R.T @ R).sum())
        factors += float((np.abs(R).sum(axis=1) ** 2).sum()) + float(moduli.sum())
        charge = left + gamma(self._roundings) * (self._moduli + factors)
        total = level + ball + charge * (1.0 + 1e-6) + self._h.size * TINY
        return float(total + 8.0 * U * (abs(level) + ball + charge))


def _over_ball(S: FloatArray) -> tuple[float, float]:
    """The m and lambda of the smallest sum with ``[m, 0; 0, lambda I] >= S``, about.

    ``m = s + b'(lambda I - C)^-1 b``, whose derivative in lambda is -1 at the best one.
    """
    if not np.isfinite(S).all():
        return np.inf, 0.0
    values, vectors = np.linalg.eigh(S[1:, 1:])
    squares = (vectors.T @ S[1:, 0]) ** 2
    length = float(np.sqrt(squares.sum()))
    size = float(np.abs(values).max(initial=0.0)) + length
    low = max(float(values[-1]), 0.0) + 1e-15 * size
    high = low + length
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        short = float((squares / (middle - values) ** 2).sum()) > 1.0
        low, high = (middle, high) if short else (low, middle)
    # A little more, where rounding would make N indefinite.
    ball = high * (1.0 + 1e-12) + 1e-14 * size
    gaps = ball - values
    level = S[0, 0] + float((squares / np.where(gaps > 0.0, gaps, 1.0)).sum())
    return float(level), float(ball)
