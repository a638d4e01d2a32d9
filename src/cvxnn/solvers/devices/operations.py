"""Sums over the rows of leaves, by functions of the array API standard.

Rows come in leaves, X of shape (L, r, d); a neuron is a row of U, shape (k, d), with outputs in a
row of A, shape (k, c). What belongs to rows has the shape (L, r, c). Each result has L sums, one
for each leaf: they are added up in double precision.
"""

from __future__ import annotations

from typing import NamedTuple

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import namespace_of
from cvxnn.losses import Loss


class Slopes(NamedTuple):
    """The loss of leaves, and its gradients.

    Attributes
    ----------
    value : array, shape (L,)
    hidden : array, shape (L, k, d)
    output : array, shape (L, k, c)
    intercept : array, shape (L, c)
    """

    value: Array
    hidden: Array
    output: Array
    intercept: Array


def activations(X: Array, U: Array) -> Array:
    """``(x'u)_+``, shape (L, r, k)."""
    xp = namespace_of(X)
    return xp.maximum(X @ U.mT, 0.0)


def predictions(X: Array, U: Array, A: Array) -> Array:
    """``sum_j (x'u_j)_+ a_j``, shape (L, r, c)."""
    return activations(X, U) @ A


def value_and_gradient(X: Array, U: Array, A: Array, b: Array, loss: Loss, y: Array) -> Slopes:
    """The loss of predictions beside an intercept b, shape (c,), and its gradients.

    Parameters
    ----------
    X, U, A : array
    b : array, shape (c,)
    loss : Loss
        Of the L r rows.
    y : array, shape (L r,) or (L r, c)
        The targets, as the loss takes them.

    Notes
    -----
    O(L r k (d + c)), three products of matrices.
    """
    xp = namespace_of(X)
    active = activations(X, U)
    f = active @ A + b
    flat = xp.reshape(f, y.shape)
    pull = xp.reshape(loss.gradient(flat, y), f.shape)
    inner = (pull @ A.mT) * xp.astype(active > 0.0, X.dtype)
    values = xp.reshape(loss.values(flat, y), (X.shape[0], -1))
    return Slopes(
        xp.sum(values, axis=1), inner.mT @ X, active.mT @ pull, xp.sum(pull, axis=1)
    )  # fmt: skip


def reach(X: Array, U: Array, V: Array, H: Array) -> tuple[Array, Array]:
    """``V'(X u)_+`` and ``H'(X u)_+^2`` for the directions u, shape (L, c, k) each.

    Parameters
    ----------
    X, U : array
    V, H : array, shape (L, r, c)
    """
    active = activations(X, U)
    return V.mT @ active, H.mT @ active**2


def grams(X: Array, U: Array, h: Array, V: Array) -> tuple[Array, Array, Array]:
    """``C'HC``, ``C'V`` and ``C'h`` for the activations C, shapes (L, k, k), (L, k, c), (L, k).

    Parameters
    ----------
    X, U : array
    h : array, shape (L, r)
        Curvatures, one for each row.
    V : array, shape (L, r, c)
    """
    xp = namespace_of(X)
    active, root = activations(X, U), xp.sqrt(h)[:, :, None]
    scaled = active * root
    return scaled.mT @ scaled, active.mT @ V, (scaled.mT @ root)[:, :, 0]
