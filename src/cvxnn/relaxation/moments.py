"""Moments of (1, u, p, q) with ``p = (Xu)_+`` and ``q = (-Xu)_+``, and the cones they are in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

# Of the library whose arrays are worked with: numpy, or one with the same names.
Array = Any
Namespace = Any


class Moments(NamedTuple):
    """Blocks of a symmetric matrix over (1, u, p, q), for B blocks of b rows.

    The moments of a unit neuron u are the products of these numbers; those of neurons of
    sizes s_j are sums. A multiplier has the same parts, one number for each entry of the
    symmetric matrix: it pairs with moments by the Frobenius product.

    Attributes
    ----------
    corner : ndarray, shape (B, 1 + d, 1 + d)
        Of (1, u).
    p, q : ndarray, shape (B, b)
        Of 1 with p and with q.
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
    """``T F T'`` for moments F of (1, u, a), ``a = |Xu|``: p and q are ``(a +- Xu) / 2``.

    Parameters
    ----------
    F : ndarray, shape (B, 1 + d + b, 1 + d + b)
    X : ndarray, shape (B, b, d)

    Notes
    -----
    O(B b d (b + d)).
    """
    m = 1 + X.shape[2]
    Xt = X.mT
    # Products with t = Xu, of which everything is made.
    one_t = (X @ F[:, 1:m, :1])[:, :, 0]
    u_t, t_a = F[:, 1:m, 1:m] @ Xt, X @ F[:, 1:m, m:]
    t_t, a_a, a_t = X @ u_t, F[:, m:, m:], t_a.mT
    one_a, u_a = F[:, 0, m:], F[:, 1:m, m:]
    even, odd = a_a + t_t, t_a + a_t
    return Moments(
        F[:, :m, :m],
        (one_a + one_t) / 2, (one_a - one_t) / 2,
        (u_a + u_t) / 2, (u_a - u_t) / 2,
        (even + odd) / 4, (a_a - t_t + t_a - a_t) / 4, (even - odd) / 4,
    )  # fmt: skip


def adjoint(G: Moments, X: Array, xp: Namespace) -> Array:
    """``T' G T``, symmetric, shape (B, 1 + d + b, 1 + d + b): the adjoint of :func:`moments`.

    The quadratic form of (1, u, a) that G is as one of (1, u, p, q).
    """
    Xt, m = X.mT, 1 + X.shape[2]
    total, turn = G.pp + G.qq, G.pq.mT
    difference = (G.up - G.uq) @ X / 2
    u_u = difference + difference.mT + Xt @ ((total - G.pq - turn) / 4) @ X
    u_a = (G.up + G.uq) / 2 + Xt @ ((G.pp - G.qq + G.pq - turn) / 4)
    one_u, one_a = (Xt @ ((G.p - G.q) / 2)[:, :, None])[:, :, 0], (G.p + G.q) / 2
    F = xp.empty((X.shape[0], m + X.shape[1], m + X.shape[1]), dtype=X.dtype)
    F[:, :m, :m] = G.corner
    F[:, 0, 1:m] += one_u
    F[:, 1:m, 0] += one_u
    F[:, 1:m, 1:m] += u_u
    F[:, 0, m:] = F[:, m:, 0] = one_a
    F[:, 1:m, m:] = u_a
    F[:, m:, 1:m] = u_a.mT
    F[:, m:, m:] = (total + G.pq + turn) / 4
    return F


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
    sides = xp.ones(m, dtype=corner.dtype)
    sides[0] = -1.0
    return corner - excess * xp.diag(sides)


def without_diagonal(pairs: Array, xp: Namespace) -> Array:
    """Pairs of different rows, shape (B, b, b): p_i q_i is 0 for every u."""
    return pairs * (1.0 - xp.eye(pairs.shape[-1], dtype=pairs.dtype))


def in_cone(G: Moments, xp: Namespace) -> Moments:
    """The nearest moments that rows and pairs allow; the corner is left as it is.

    The head of p counts once, not twice, where it has been averaged with another copy of it.
    """
    p, up = second_order(G.p, G.up, 2.0, xp)
    q, uq = second_order(G.q, G.uq, 1.0, xp)
    zero = 0.0 * G.pp[0, 0, 0]
    pq = without_diagonal(xp.maximum(G.pq, zero), xp)
    return Moments(G.corner, p, q, up, uq, xp.maximum(G.pp, zero), pq, xp.maximum(G.qq, zero))
