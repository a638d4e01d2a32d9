"""A proven bound on the oracle of several outputs from any multipliers, rounding included."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.relaxation.level import Arrow, best_level
from cvxnn.relaxation.moments import Moments
from cvxnn.relaxation.safe_bound import (
    SHORT,
    UNDERFLOW,
    Form,
    in_units,
    lengths_of,
    residual_form,
    unit_of,
)


def safe_outputs_bound(X: FloatArray, weights: FloatArray, multipliers: Moments) -> float:
    r"""Upper bound on ``max_{||u|| <= 1} ||sum_i w_i (x_i'u)_+||``, from any multipliers.

    Parameters
    ----------
    X : ndarray, shape (B, b, d)
        Blocks of rows; rows of zeros do not matter.
    weights : ndarray, shape (B, c, b)
        The w_i in R^c: those of a dual point V.
    multipliers : Moments
        Any numbers, of which the nearest in the dual cone are taken; only those of pairs of p and
        q are used.

    Returns
    -------
    float
        At least 0; inf where a number is not finite.

    Notes
    -----
    *The inequality.* Let ``p = (Xu)_+``, ``q = (-Xu)_+``, ``||u|| <= 1``, ``||a|| = 1``, and
    Lambda be multipliers of pairs with ``Lambda_pp, Lambda_qq >= 0`` symmetric, and
    ``Lambda_pq,ij >= 0`` for i != j. All products of entries of p and q are ``>= 0``, and
    ``p_i q_i = 0`` whatever ``Lambda_pq,ii``. So, with ``s = |Xu|`` and ``z_b = (a, u, s_b)``,

        sum_i a'w_i p_i <= sum_i a'w_i p_i + <Lambda, (p, q)(p, q)'> = sum_b z_b'Q_b z_b,

    ``Q_b = T_b'(Lambda_b + sym(w_b)) T_b`` (:func:`~cvxnn.relaxation.moments.adjoint`). Let
    lambda and ``mu >= 0`` be any numbers, and N be ``diag(lambda I, mu I, 0) - sum_b Q_b`` over
    (a, u, s_1, ..., s_B). For any matrix R of this size

        sum_i a'w_i p_i <= lambda ||a||^2 + mu ||u||^2 - z'N z <= lambda + mu + |z'(N - R'R) z|,

    and the largest left side over unit vectors a is ``||sum_i w_i p_i||``. This is the
    argument of :func:`~cvxnn.relaxation.safe_bound.safe_bound`, the head of z being a instead
    of 1, and so are the shifts: ``tau_b (u'X_b'X_b u - s_b's_b) = 0`` is a part of
    ``Lambda_pq,ii``.

    *What is computed.* As there, with rows ``[R_b, S_b]`` and ``[0, R_c]`` of R,

        E_b = -Q_b,ss - R_b'R_b,   F_b = -Q_b,sc - R_b'S_b,
        H = diag(lambda I, mu I) - sum_b Q_b,cc - sum_b S_b'S_b - R_c'R_c,

    c standing for (a, u). With ``|s_i| <= l_i = ||x_i||`` the form ``|z'(N - R'R) z|`` is at most
    ``sum_b (l'|E_b|l + 2 sum_i l_i (||F_b,ia|| + ||F_b,iu||)) + ||H_aa||_F + ||H_au||_F +
    ||H_ua||_F + ||H_uu||_F``.

    *Rounding.* Entries are sums of products as there, of at most ``2 b + 2 B + c + d + 32``
    roundings each, since ``S'S`` and R_c'R_c have c more columns. In the form of |z| the moduli
    of the products are at most

        A_1 = |lambda| + mu + sum_i l_i ||w_i|| + l'(|Lambda_pp| + 2 |Lambda_pq| + |Lambda_qq|) l,
        A_2 = sum_b || |R_b| l + (||S_b,ka|| + ||S_b,ku||)_k ||^2 + || (||R_c,ka|| +
              ||R_c,ku||)_k ||^2,

    since ``sum_k |a_k| |w_ik| <= ||w_i||``. Data are divided by powers of two before.

    O(B (b^2 (b + c + d) + b (c + d)^2)).

    Examples
    --------
    >>> X, W = np.eye(2)[None], np.array([[[3.0, 0.0], [0.0, -4.0]]])
    >>> none = Moments(*(np.zeros((1, *s)) for s in
    ...     [(4, 4), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2)]))
    >>> bool(4.0 <= safe_outputs_bound(X, W, none) < 4.4)  # better multipliers give 4
    True
    """
    # The shift of a block would be paid for by rows of zeros, too.
    weights = np.where(np.asarray(X.any(axis=2))[:, None, :], weights, 0.0)
    if not weights.any():
        return 0.0
    with np.errstate(all="ignore"):
        unit, weight_unit = unit_of(X), unit_of(weights)
        X, weights = X / unit, weights / weight_unit
        inside = pairs_in_dual_cone(in_units(multipliers, unit, weight_unit))
        chosen = best_level(X, weights, inside)
        if chosen is None:
            return np.inf
        bound = proven_of_outputs(X, weights, chosen)
        # Up, where the number itself leaves the range below.
        value = float(np.nextafter(bound * unit * weight_unit, np.inf))
    return value if value >= 0.0 else np.inf


def pairs_in_dual_cone(L: Moments) -> Moments:
    """The nearest multipliers of the dual cone; those that are not of pairs are 0."""
    # Exactly symmetric, as the adjoint takes them to be: a sum of two does not depend on order.
    pp, qq = (np.maximum(0.5 * (part + part.mT), 0.0) for part in (L.pp, L.qq))
    pq, pairs = np.maximum(L.pq, 0.0), np.arange(L.pq.shape[1])
    pq[:, pairs, pairs] = L.pq[:, pairs, pairs]
    none = L.combined(np.zeros_like)
    return none._replace(pp=pp, pq=pq, qq=qq)


def proven_of_outputs(X: FloatArray, weights: FloatArray, arrow: Arrow) -> float:
    """The bound that numbers prove, for data of size one, see :func:`safe_outputs_bound`.

    Parameters
    ----------
    arrow : Arrow
        Multipliers in the dual cone; all else may be any numbers, mu not negative.
    """
    B, b, d = X.shape
    gamma = 2.0 * (2 * b + 2 * B + arrow.head + d + 32) * EPS
    lengths = lengths_of(X, 2)
    left = _form_at(residual_form(X, weights, arrow), lengths, arrow.head)
    moduli = _moduli(weights, arrow, lengths) + _factor_moduli(arrow, lengths)
    # Of sums of all entries of E, F and H, in any order.
    roundings = B * b * (b + arrow.head + d) + (arrow.head + d) ** 2 + 32
    charge = (left + gamma * moduli) * (1.0 + 4.0 * roundings * EPS) + UNDERFLOW
    parts = abs(arrow.level) + arrow.ball + charge
    return max(arrow.level + arrow.ball + charge + 8.0 * EPS * parts, 0.0)


def _form_at(form: Form, lengths: FloatArray, head: int) -> float:
    """The largest modulus of the form, where ``|s_i| <= l_i``."""
    inner = np.einsum("ki,kij,kj", lengths, np.abs(form.blocks), lengths)
    along = np.einsum("ki,ki", lengths, _both_lengths(form.beside, head))
    halves = [part for rows in (form.corner[:head], form.corner[head:])
              for part in (rows[:, :head], rows[:, head:])]  # fmt: skip
    return float(inner + 2.0 * along + sum(np.linalg.norm(part) for part in halves) + SHORT)


def _moduli(weights: FloatArray, arrow: Arrow, lengths: FloatArray) -> float:
    """``A_1``."""
    L = arrow.multipliers
    pairs = np.abs(L.pp) + 2.0 * np.abs(L.pq) + np.abs(L.qq)
    along = np.einsum("ki,ki", lengths, lengths_of(weights, 1))
    inner = np.einsum("ki,kij,kj", lengths, pairs, lengths)
    return abs(arrow.level) + arrow.ball + float(along + inner)


def _factor_moduli(arrow: Arrow, lengths: FloatArray) -> float:
    """``A_2``."""
    inner = (np.abs(arrow.factors) @ lengths[:, :, None])[:, :, 0]
    inner += _both_lengths(arrow.beside, arrow.head)
    outer = _both_lengths(arrow.corner, arrow.head)
    return float((inner**2).sum() + (outer**2).sum())


def _both_lengths(rows: FloatArray, head: int) -> FloatArray:
    """Of each row, the length of the part of a and of that of u."""
    return lengths_of(rows[..., :head], -1) + lengths_of(rows[..., head:], -1)
