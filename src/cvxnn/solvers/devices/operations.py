"""Products of matrices of rows and neurons, leaf by leaf, by functions of the array API standard.

Rows come in leaves, X of shape (L, r, d); a neuron is a row of U, shape (k, d), with outputs in a
row of A, shape (k, c). What belongs to rows has the shape (L, r, c). Results are sums over the rows
of each of the L leaves.
"""

from __future__ import annotations

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import namespace_of


def activations(X: Array, U: Array) -> Array:
    """``(x'u)_+``, shape (L, r, k)."""
    xp = namespace_of(X)
    return xp.maximum(X @ xp.matrix_transpose(U), 0.0)


def gradients(X: Array, active: Array, A: Array, G: Array) -> tuple[Array, Array]:
    """Of the weights of both layers, from G in the predictions; (L, k, d) and (L, k, c).

    Parameters
    ----------
    X : array, shape (L, r, d)
    active : array, shape (L, r, k)
        The activations.
    A : array, shape (k, c)
    G : array, shape (L, r, c)
    """
    xp = namespace_of(X)
    turned = xp.matrix_transpose
    inner = (G @ turned(A)) * xp.astype(active > 0.0, X.dtype)
    return turned(inner) @ X, turned(active) @ G


def pulls(active: Array, V: Array, H: Array) -> tuple[Array, Array]:
    """``V'(X u)_+`` and ``H'(X u)_+^2`` for the activations, shape (L, c, k) each."""
    turned = namespace_of(active).matrix_transpose
    return turned(V) @ active, turned(H) @ active**2


def curved(active: Array, h: Array, V: Array) -> tuple[Array, Array, Array]:
    """``C'HC``, ``C'V`` and ``C'h`` for the activations C, shapes (L, k, k), (L, k, c), (L, k).

    Parameters
    ----------
    active : array, shape (L, r, k)
    h : array, shape (L, r, 1)
        Curvatures, one for each row.
    V : array, shape (L, r, c)
    """
    xp = namespace_of(active)
    root = xp.sqrt(h)
    scaled = active * root
    across = xp.matrix_transpose(scaled)
    return across @ scaled, xp.matrix_transpose(active) @ V, (across @ root)[:, :, 0]
