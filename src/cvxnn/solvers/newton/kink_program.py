"""A convex quadratic program with kinks: the local model of objective (2).

    minimise  1/2 d'Hd + g'd + sum_i ( a_i p_i + b_i/2 p_i^2 ),   p_i = (-(t_i + n_i'd_j(i)))_+

over moves ``d = (d_1, ..., d_k)``, one for each neuron. The i-th term is what
crossing the hyperplane of a row costs: it touches the neuron j(i) only, so that
an interior-point step factors H plus a block diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import scipy.linalg
import scipy.sparse

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.solvers.newton.newton_settings import SETTINGS


@dataclass(frozen=True)
class Kinks:
    """The terms of the model, sorted by neuron.

    Attributes
    ----------
    rows : ndarray, shape (m, r)
        Normals ``n_i``, turned so that the neuron is on their positive side.
    owner : ndarray of int, shape (m,)
        Non-decreasing: the neuron j(i) of each term.
    slack : ndarray, shape (m,)
        Distances ``t_i >= 0``.
    price : ndarray, shape (m,)
        ``a_i > 0``.
    curvature : ndarray, shape (m,)
        ``b_i >= 0``.
    """

    rows: FloatArray
    owner: IntArray
    slack: FloatArray
    price: FloatArray
    curvature: FloatArray

    def products(self, moves: FloatArray) -> FloatArray:
        """``n_i'd_j(i)`` for moves of shape (k, r)."""
        return np.einsum("ij,ij->i", self.rows, moves[self.owner])

    def cost(self, moves: FloatArray) -> float:
        """``sum_i a_i p_i + b_i/2 p_i^2``."""
        p = np.maximum(-(self.slack + self.products(moves)), 0.0)
        return float(self.price @ p + 0.5 * (self.curvature @ p**2))

    def spread(self, weights: FloatArray, k: int) -> FloatArray:
        """``sum_i weights_i n_i`` for every neuron, shape (k, r)."""
        return np.asarray(self._incidence(weights, k) @ self.rows)

    def outer(self, weights: FloatArray, k: int) -> FloatArray:
        """``sum_i weights_i n_i n_i'`` for every neuron, shape (k, r, r)."""
        m, r = self.rows.shape
        products = (self.rows[:, :, None] * self.rows[:, None, :]).reshape(m, r * r)
        return np.asarray(self._incidence(weights, k) @ products).reshape(k, r, r)

    def _incidence(self, weights: FloatArray, k: int) -> scipy.sparse.csr_array:
        """The matrix (k, m) that adds up what belongs to a neuron, weighted."""
        starts = np.searchsorted(self.owner, np.arange(k + 1))
        return scipy.sparse.csr_array(
            (weights, np.arange(len(weights)), starts), shape=(k, len(weights))
        )


@dataclass
class _Point:
    """Primal and dual variables: moves d, slacks s, excesses p, multipliers of both."""

    moves: FloatArray
    s: FloatArray
    p: FloatArray
    lam: FloatArray
    mu: FloatArray

    @property
    def gap(self) -> float:
        return float(self.s @ self.lam + self.p @ self.mu) / (2 * len(self.s))

    def longest_step(self, step: _Point) -> float:
        """Up to 1, as long as nothing turns negative."""
        longest = 1.0
        for at, rate in zip(
            (self.s, self.p, self.lam, self.mu), (step.s, step.p, step.lam, step.mu), strict=True
        ):
            falling = rate < 0.0
            if falling.any():
                longest = min(longest, float((-at[falling] / rate[falling]).min()))
        return longest

    def moved(self, step: _Point, length: float) -> _Point:
        names = (field.name for field in fields(self))
        return _Point(*(getattr(self, name) + length * getattr(step, name) for name in names))


@dataclass(frozen=True)
class KinkSolution:
    """The minimiser, and which kinks it lies on.

    Attributes
    ----------
    moves : ndarray, shape (k, r)
    tight : ndarray of bool, shape (m,)
        Terms whose hyperplane the minimiser lies on: the multiplier is strictly
        between 0 and the price.
    """

    moves: FloatArray
    tight: BoolArray


def minimise_with_kinks(
    H: FloatArray, g: FloatArray, kinks: Kinks, deadline: Deadline = UNLIMITED
) -> KinkSolution:
    """Solve the model by Mehrotra's predictor-corrector method.

    Parameters
    ----------
    H : ndarray, shape (k r, k r)
        Positive definite.
    g : ndarray, shape (k, r)
    kinks : Kinks
    deadline : Deadline, optional

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the end.

    Notes
    -----
    O((k r)^3 / 3) for each of some 10 iterations. Stops where rounding does:
    the caller's line search judges the step.
    """
    if len(kinks.owner) == 0:
        return KinkSolution(-_solve(H, g), np.zeros(0, dtype=bool))
    point = _start(g, kinks)
    first = point.gap
    size = float(np.abs(g).max()) + float(kinks.price.max())
    before = point
    for _ in range(SETTINGS.model_iterations):
        deadline.check()
        # Rounding next to the boundary may send a step beyond float64: then it is none.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            dual = (H @ point.moves.ravel()).reshape(g.shape) + g - kinks.spread(point.lam, len(g))
            primal = kinks.slack + kinks.products(point.moves) + point.p - point.s
            if not (np.isfinite(dual).all() and np.isfinite(primal).all()):
                point = before
                break
            done = point.gap <= 1e-15 * first and float(np.abs(dual).max()) <= 1e-13 * size
            if done or point.gap <= 1e-18 * first:
                break
            stepped = _iterate(H, kinks, point, dual, primal)
        if stepped is None:
            break
        before, point = point, stepped
    inside = (point.lam > 1e-6 * point.mu) & (point.mu > 1e-6 * point.lam)
    near = np.maximum(point.s, point.p)
    reach = float(np.abs(point.moves).max()) + float(kinks.slack.max())
    return KinkSolution(point.moves, inside & (near <= 1e-6 * reach))


def _start(g: FloatArray, kinks: Kinks) -> _Point:
    positive = kinks.slack[kinks.slack > 0.0]
    typical = 0.1 * float(np.median(positive)) if len(positive) else 1e-3
    s = np.maximum(kinks.slack, typical)
    p = np.full(len(s), typical)
    lam = 0.5 * kinks.price
    return _Point(np.zeros_like(g), s, p, lam, kinks.price + kinks.curvature * p - lam)


def _iterate(
    H: FloatArray, kinks: Kinks, point: _Point, dual: FloatArray, primal: FloatArray
) -> _Point | None:
    """One predictor-corrector step; None where rounding makes it impossible."""
    k, r = dual.shape
    # Eliminating s, p and mu leaves lam with theta_i = s/lam + p/(mu + b p).
    stiff = point.mu + kinks.curvature * point.p
    theta = point.s / point.lam + point.p / stiff
    matrix = H.copy()
    blocks = matrix.reshape(k, r, k, r)
    every = np.arange(k)
    blocks[every, :, every, :] += kinks.outer(1.0 / theta, k)
    try:
        factor = scipy.linalg.cho_factor(matrix, check_finite=False, overwrite_a=True)
    except np.linalg.LinAlgError:
        return None

    def direction(rs: FloatArray, rp: FloatArray) -> _Point:
        b = (-primal - rp / stiff + rs / point.lam) / theta
        rhs = kinks.spread(b, k) - dual
        moves = scipy.linalg.cho_solve(factor, rhs.ravel(), check_finite=False).reshape(k, r)
        lam = b - kinks.products(moves) / theta
        p = (rp + point.p * lam) / stiff
        s = (rs - point.s * lam) / point.lam
        return _Point(moves, s, p, lam, kinks.curvature * p - lam)

    # The equation mu = a + b p - lam is linear, so it holds at every iterate.
    rs, rp = -point.s * point.lam, -point.p * point.mu
    predictor = direction(rs, rp)
    if not np.isfinite(predictor.moves).all():
        return None
    ahead = point.moved(predictor, point.longest_step(predictor)).gap
    centre = point.gap * min(1.0, (ahead / point.gap) ** 3)
    corrector = direction(
        rs + centre - predictor.s * predictor.lam, rp + centre - predictor.p * predictor.mu
    )
    if not np.isfinite(corrector.moves).all():
        return None
    return point.moved(corrector, min(1.0, SETTINGS.to_boundary * point.longest_step(corrector)))


def _solve(H: FloatArray, g: FloatArray) -> FloatArray:
    try:
        factor = scipy.linalg.cho_factor(H, check_finite=False)
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(H, g.ravel(), rcond=1e-14)[0]
    else:
        solution = scipy.linalg.cho_solve(factor, g.ravel(), check_finite=False)
    return np.asarray(solution, dtype=np.float64).reshape(g.shape)
