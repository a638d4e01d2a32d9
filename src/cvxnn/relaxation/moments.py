"""Moments of (h, u, p, q) with ``p = (Xu)_+`` and ``q = (-Xu)_+``, and the cones they are in.

The head h is 1 for one output, and for several the output weights a, shape (c,), of a neuron
with ``||a|| = ||u||``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

# Of the library whose arrays are worked with: numpy, or one with the same names.
Array = Any
Namespace = Any


class Moments(NamedTuple):
    """Blocks of a symmetric matrix over (h, u, p, q), for B blocks of b rows.

    The moments of a unit neuron u are the products of these numbers; those of neurons of
    sizes s_j are sums. A multiplier has the same parts, one number for each entry of the
    symmetric matrix: it pairs with moments by the Frobenius product.

    Attributes
    ----------
    corner : ndarray, shape (B, 1 + d, 1 + d), or (B, c + d, c + d) for several outputs
        Of (h, u).
    p, q : ndarray, shape (B, b), or (B, c, b) for several outputs
        Of h with p and with q.
    up, uq : ndarray, shape (B, d, b)
    pp, pq, qq : ndarray, shape (B, b, b)
    """

    corner: Array
    p: Array
    q: Array
    up: Array
    uq: Array
    pp: Array
    pq: Array
    qq: Array

    def combined(self, function: Callable[..., Array], *others: Moments) -> Moments:
        """A function of the parts of several."""
        return Moments(*map(function, self, *others))


def moments(F: Array, X: Array) -> Moments:
    """``T F T'`` for moments F of (h, u, s), ``s = |Xu|``: p and q are ``(s +- Xu) / 2``.

    Parameters
    ----------
    F : ndarray, shape (B, 1 + d + b, 1 + d + b), or (B, c + d + b, c + d + b)
    X : ndarray, shape (B, b, d)

    Notes
    -----
    O(B b (d + c) (b + d)).
    """
    h = F.shape[1] - X.shape[1] - X.shape[2]
    m = h + X.shape[2]
    Xt = X.mT
    # Products with t = Xu, of which everything is made.
    h_t, h_s = _of_head((X @ F[:, h:m, :h]).mT), _of_head(F[:, :h, m:])
    u_t, t_s = F[:, h:m, h:m] @ Xt, X @ F[:, h:m, m:]
    t_t, s_s, s_t = X @ u_t, F[:, m:, m:], t_s.mT
    u_s = F[:, h:m, m:]
    even, odd = s_s + t_t, t_s + s_t
    return Moments(
        F[:, :m, :m],
        (h_s + h_t) / 2, (h_s - h_t) / 2,
        (u_s + u_t) / 2, (u_s - u_t) / 2,
        (even + odd) / 4, (s_s - t_t + t_s - s_t) / 4, (even - odd) / 4,
    )  # fmt: skip


def adjoint(G: Moments, X: Array, xp: Namespace) -> Array:
    """``T' G T``, symmetric, of the shape of F: the adjoint of :func:`moments`.

    The quadratic form of (h, u, s) that G is as one of (h, u, p, q).
    """
    Xt, m = X.mT, G.corner.shape[1]
    h = m - X.shape[2]
    total, turn = G.pp + G.qq, G.pq.mT
    difference = (G.up - G.uq) @ X / 2
    u_u = difference + difference.mT + Xt @ ((total - G.pq - turn) / 4) @ X
    u_s = (G.up + G.uq) / 2 + Xt @ ((G.pp - G.qq + G.pq - turn) / 4)
    u_h = Xt @ as_rows((G.p - G.q) / 2).mT
    F = xp.empty((X.shape[0], m + X.shape[1], m + X.shape[1]), dtype=X.dtype, device=X.device)
    F[:, :m, :m] = G.corner
    F[:, :h, h:m] += u_h.mT
    F[:, h:m, :h] += u_h
    F[:, h:m, h:m] += u_u
    F[:, :h, m:] = as_rows((G.p + G.q) / 2)
    F[:, m:, :h] = F[:, :h, m:].mT
    F[:, h:m, m:] = u_s
    F[:, m:, h:m] = u_s.mT
    F[:, m:, m:] = (total + G.pq + turn) / 4
    return F


def as_rows(part: Array) -> Array:
    """Moments of h with p or q as rows of a matrix, shape (B, h, b)."""
    return part[:, None, :] if part.ndim == 2 else part


def _of_head(rows: Array) -> Array:
    """The way back: shape (B, b) where the head is 1."""
    return rows[:, 0] if rows.shape[1] == 1 else rows


def second_order(head: Array, tail: Array, weight: float, xp: Namespace) -> tuple[Array, Array]:
    """The nearest pair with ``||tail|| <= head``, the head's error weighted.

    Parameters
    ----------
    head : ndarray, shape (B, b)
    tail : ndarray, shape (B, d, b)
    weight : float
        Of a square in the head against one in the tail; for the dual cone 1 / weight.
    """
    length = xp.sqrt((tail * tail).sum(1))
    between = (weight * head + length) / (weight + 1.0)
    zero = xp.zeros_like(head)
    new = xp.where(length <= head, head, xp.where(weight * head <= -length, zero, between))
    share = xp.where(length <= head, zero + 1.0, new / xp.where(length > 0.0, length, zero + 1.0))
    return new, tail * share[:, None, :]


def within_ball(corner: Array, xp: Namespace) -> Array:
    """The nearest moments of (1, u), shape (1 + d, 1 + d), with ``tr of u u' <= that of 1``."""
    m = corner.shape[0]
    excess = xp.maximum(xp.trace(corner) - 2.0 * corner[0, 0], 0.0 * corner[0, 0]) / m
    sides = xp.ones(m, dtype=corner.dtype, device=corner.device)
    sides[0] = -1.0
    return corner - excess * xp.diag(sides)


def without_diagonal(pairs: Array, xp: Namespace) -> Array:
    """Pairs of different rows, shape (B, b, b): p_i q_i is 0 for every u."""
    return pairs * (1.0 - xp.eye(pairs.shape[-1], dtype=pairs.dtype, device=pairs.device))


def in_cone(G: Moments, xp: Namespace) -> Moments:
    """The nearest moments that rows and pairs allow; the corner is left as it is.

    The head of p counts once, not twice, where it has been averaged with another copy of it.
    Output weights may have any sign, so that of several outputs only pairs are in a cone.
    """
    zero = 0.0 * G.pp[0, 0, 0]
    pq = without_diagonal(xp.maximum(G.pq, zero), xp)
    G = G._replace(pp=xp.maximum(G.pp, zero), pq=pq, qq=xp.maximum(G.qq, zero))
    if G.p.ndim == 3:
        return G
    p, up = second_order(G.p, G.up, 2.0, xp)
    q, uq = second_order(G.q, G.uq, 1.0, xp)
    return G._replace(p=p, q=q, up=up, uq=uq)
