"""A proven bound on the oracle from any multipliers of the relaxation, rounding included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.relaxation.leaf import Fixed
from cvxnn.relaxation.level import Arrow, best_level
from cvxnn.relaxation.moments import Moments, adjoint, second_order

# Products that leave the range of float64 below change a bound by less, in units of the data:
# each is off by 1e-323 at most, and multiplied by a few numbers below 1e4.
UNDERFLOW = 1e-290
# The same for the square of a length, whose root is taken.
SHORT = 1e-150


def safe_bound(
    X: FloatArray, weights: FloatArray, multipliers: Moments, fixed: Fixed | None = None
) -> float:
    r"""Upper bound on ``max_{||u|| <= 1} sum_i w_i (x_i'u)_+``, from any multipliers.

    Parameters
    ----------
    X : ndarray, shape (B, b, d)
        Blocks of rows; rows of zeros do not matter.
    weights : ndarray, shape (B, b)
        The w: for a dual point v and an output sign s, ``s v``.
    multipliers : Moments
        Any numbers, of which the nearest in the dual cone are taken; their corner is not used.
    fixed : Fixed, optional
        The maximum is over u with ``x_i'u >= 0`` where ``q_i`` is 0, and ``x_i'u <= 0`` where
        ``p_i`` is.

    Returns
    -------
    float
        At least 0; inf where a number is not finite.

    Notes
    -----
    *The inequality.* Let ``p = (Xu)_+``, ``q = (-Xu)_+``, ``||u|| <= 1``, and Lambda be
    multipliers, symmetric in pp and qq, with

        ``||Lambda_up,i|| <= Lambda_p,i``, ``||Lambda_uq,i|| <= Lambda_q,i``,
        ``Lambda_pp, Lambda_qq >= 0``, ``Lambda_pq,ij >= 0`` for i != j.

    Then ``Lambda_p,i p_i + p_i u'Lambda_up,i >= 0``, the same with q, and all products of
    entries of p and q are ``>= 0``, while ``p_i q_i = 0`` whatever ``Lambda_pq,ii``. Where the
    sign of a row is fixed, q_i or p_i is 0 for all u, so that its terms are 0 whatever their
    multipliers: those need not be in the cone. Nothing below depends on it. So the
    quadratic form of Lambda at (1, u, p, q) is not negative, and

        w'p <= w'p + <Lambda, (1, u, p, q)(1, u, p, q)'> = sum_b z_b'Q_b z_b,

    with ``z_b = (1, u, a_b)``, ``a = |Xu|`` and ``Q_b = T_b'(Lambda_b + sym(w_b)) T_b``
    (:func:`~cvxnn.relaxation.moments.adjoint`). Let m and ``lambda >= 0`` be any numbers, and
    N be ``diag(m, lambda I, 0) - sum_b Q_b`` as a matrix over (1, u, a_1, ..., a_B). For any
    matrix R of this size, ``z'N z = ||R z||^2 + z'(N - R'R) z``, so that

        w'p <= m + lambda ||u||^2 - z'N z <= m + lambda + |z'(N - R'R) z|.

    This holds for *every* R; where N is positive definite and R a factor of it as computed,
    what is left over is rounding. It is bounded with ``|a_i| = |x_i'u| <= l_i = ||x_i||``. No
    theorem about a factorisation is needed (with one, N plus a shift would be shown to be
    positive definite: S. M. Rump, BIT 46, 2006); that moments are bounded turns residuals
    into bounds: C. Jansson, D. Chaykin and C. Keil, SIAM J. Numer. Anal. 46 (2007).

    *What is computed.* R has the rows ``[R_b, S_b]`` of each block, with columns of a_b and of
    the corner (1, u), and those of the corner, ``[0, R_c]``. So N - R'R consists of

        E_b = -Q_b,aa - R_b'R_b,   F_b = -Q_b,ac - R_b'S_b,
        H = diag(m, lambda I) - sum_b Q_b,cc - sum_b S_b'S_b - R_c'R_c

    and ``|z'(N - R'R) z| <= sum_b (l'|E_b|l + 2 l'|F_b,0| + 2 sum_i l_i ||F_b,iu||) + |H_00| +
    2 ||H_0u|| + ||H_uu||_F``.

    *Rounding.* Every entry of E, F and H is a sum of products of entries of Lambda, w, X, m,
    lambda and R, in some order, each with k roundings at most (with fused multiplications,
    fewer): ``k <= 2 b + 2 B + d + 32``, since the longest way is through ``X'(.)X``, a sum over
    blocks, and ``S'S``. The sum as computed errs by ``gamma_k = k u / (1 - k u)`` times the
    sum of the moduli of the products at most (N. J. Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd ed., 2002, section 3.1), u = EPS / 2; here ``2 k EPS`` is charged. In the
    form of |z| these moduli are, because ``(|x_i|'|u|)^2 <= l_i^2`` too and so all of p, q, a
    are at most l,

        A_1 = |m| + lambda + sum_i l_i (|w_i| + 2 (|Lambda_p,i| + |Lambda_q,i| + ||Lambda_up,i||
              + ||Lambda_uq,i||)) + l'(|Lambda_pp| + 2 |Lambda_pq| + |Lambda_qq|) l,
        A_2 = sum_b || |R_b| l + |S_b,0| + (||S_b,ku||)_k ||^2 + || |R_c,0| + (||R_c,ku||)_k ||^2.

    Lengths are rounded up, and so is the final sum of non-negative numbers. The cone is entered
    the same way: ``Lambda_p,i`` is raised to a length that is rounded up. Data are divided by
    powers of two, so that their largest entries lie in [1, 2): that rounds nothing but what
    leaves the range of float64, which is charged as `UNDERFLOW`.

    O(B (b^2 (b + d) + b d^2)).

    Examples
    --------
    >>> X, w = np.eye(2)[None], np.array([[3.0, -4.0]])
    >>> none = Moments(*(np.zeros((1, *s)) for s in
    ...     [(3, 3), (2,), (2,), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2)]))
    >>> bool(5.0 <= safe_bound(X, w, none) < 5.1)  # better multipliers give 3
    True
    """
    # The shift of a block would be paid for by rows of zeros, too.
    weights = np.where(X.any(axis=2), weights, 0.0)
    if not weights.any():
        return 0.0
    with np.errstate(all="ignore"):
        unit, weight_unit = unit_of(X), unit_of(weights)
        X, weights = X / unit, weights / weight_unit
        scaled = in_units(multipliers, unit, weight_unit)
        inside = in_dual_cone(scaled, fixed)
        chosen = best_level(X, weights, inside)
        if chosen is None:
            return np.inf
        bound = proven(X, weights, chosen)
        # Up, where the number itself leaves the range below.
        value = float(np.nextafter(bound * unit * weight_unit, np.inf))
    return value if value >= 0.0 else np.inf


def in_dual_cone(L: Moments, fixed: Fixed | None = None) -> Moments:
    """The nearest multipliers of the dual cone, certainly inside.

    In the head of p the weights, as the dual point of the loss, count as much as the
    multiplier, so that its error weighs twice. Those of moments that are 0 stay as they are, but
    for halves that make them symmetric.
    """
    # Exactly symmetric, as the adjoint takes them to be: a sum of two does not depend on order.
    pp, qq = (0.5 * (part + part.mT) for part in (L.pp, L.qq))
    L = L._replace(corner=0.0 * L.corner, pp=pp, qq=qq)
    inside = _all_in_dual_cone(L)
    if fixed is None or fixed.is_nothing:
        return inside
    # Every entry is one of the two: sums with 0 round nothing.
    return fixed.kept(inside).combined(lambda a, b, c: a + (b - c), L, fixed.kept(L))


def _all_in_dual_cone(L: Moments) -> Moments:
    p, up = second_order(L.p, L.up, 2.0, np)
    q, uq = second_order(L.q, L.uq, 1.0, np)
    pq = np.maximum(L.pq, 0.0)
    pairs = np.arange(pq.shape[1])
    pq[:, pairs, pairs] = L.pq[:, pairs, pairs]
    heads = np.maximum(p, lengths_of(up, 1)), np.maximum(q, lengths_of(uq, 1))
    return Moments(L.corner, *heads, up, uq, np.maximum(L.pp, 0.0), pq, np.maximum(L.qq, 0.0))


def proven(X: FloatArray, weights: FloatArray, arrow: Arrow) -> float:
    """The bound that numbers prove, for data of size one, see :func:`safe_bound`.

    Parameters
    ----------
    arrow : Arrow
        Multipliers in the dual cone; all else may be any numbers, lambda not negative.
    """
    _, b, d = X.shape
    gamma = 2.0 * (2 * b + 2 * len(X) + d + 32) * EPS
    lengths = lengths_of(X, 2)
    left = residual_form(X, weights, arrow).at(lengths)
    moduli = _moduli(weights, arrow, lengths) + _factor_moduli(arrow, lengths)
    charge = (left + gamma * moduli) * (1.0 + 4.0 * (b * d + len(X) + 32) * EPS) + UNDERFLOW
    parts = abs(arrow.level) + arrow.ball + charge
    return max(arrow.level + arrow.ball + charge + 8.0 * EPS * parts, 0.0)


@final
@dataclass(frozen=True)
class Form:
    """What is left of N beside a factor: E, F and H."""

    blocks: FloatArray
    beside: FloatArray
    corner: FloatArray

    def at(self, lengths: FloatArray) -> float:
        """The largest modulus of the form, where ``|a_i| <= l_i``."""
        E, F, H = self.blocks, self.beside, self.corner
        inner = np.einsum("ki,kij,kj", lengths, np.abs(E), lengths)
        along = np.einsum("ki,ki", lengths, np.abs(F[:, :, 0]) + lengths_of(F[:, :, 1:], 2))
        corner = abs(H[0, 0]) + np.linalg.norm(H[0, 1:]) + np.linalg.norm(H[1:, 0])
        return float(inner + 2.0 * along + corner + np.linalg.norm(H[1:, 1:]) + SHORT)


def residual_form(X: FloatArray, weights: FloatArray, arrow: Arrow) -> Form:
    """``N - R'R``, as computed."""
    L, m = arrow.multipliers, arrow.multipliers.corner.shape[1]
    Q = adjoint(L._replace(p=L.p + weights / 2), X, np)
    R, S, corner = arrow.factors, arrow.beside, arrow.corner
    total = Q[:, :m, :m].sum(axis=0) + (S.mT @ S).sum(axis=0)
    return Form(
        -Q[:, m:, m:] - R.mT @ R, -Q[:, m:, :m] - R.mT @ S, arrow.top - total - corner.T @ corner
    )


def _moduli(weights: FloatArray, arrow: Arrow, lengths: FloatArray) -> float:
    """``A_1``."""
    L = arrow.multipliers
    heads = np.abs(L.p) + np.abs(L.q) + lengths_of(L.up, 1) + lengths_of(L.uq, 1)
    pairs = np.abs(L.pp) + 2.0 * np.abs(L.pq) + np.abs(L.qq)
    along = np.einsum("ki,ki", lengths, np.abs(weights) + 2.0 * heads)
    inner = np.einsum("ki,kij,kj", lengths, pairs, lengths)
    return abs(arrow.level) + arrow.ball + float(along + inner)


def _factor_moduli(arrow: Arrow, lengths: FloatArray) -> float:
    """``A_2``."""
    S, corner = arrow.beside, arrow.corner
    inner = (np.abs(arrow.factors) @ lengths[:, :, None])[:, :, 0]
    inner += np.abs(S[:, :, 0]) + lengths_of(S[:, :, 1:], 2)
    outer = np.abs(corner[:, 0]) + lengths_of(corner[:, 1:], 1)
    return float((inner**2).sum() + (outer**2).sum())


def lengths_of(vectors: FloatArray, axis: int) -> FloatArray:
    """Norms along an axis, rounded up."""
    count = vectors.shape[axis]
    lengths = np.sqrt((vectors * vectors).sum(axis=axis))
    return np.asarray(lengths * (1.0 + (count + 8) * EPS) + count * SHORT)


def unit_of(array: FloatArray) -> float:
    """The power of two by which the largest modulus lies in [1, 2)."""
    return float(np.ldexp(1.0, int(np.frexp(np.abs(array).max())[1]) - 1))


def in_units(L: Moments, unit: float, weight_unit: float) -> Moments:
    """Multipliers for X and weights divided by their units."""
    heads = (part / weight_unit for part in (L.p, L.q, L.up, L.uq))
    pairs = (part / weight_unit * unit for part in (L.pp, L.pq, L.qq))
    return Moments(L.corner, *heads, *pairs)
