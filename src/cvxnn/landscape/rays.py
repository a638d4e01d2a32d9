"""One row for all rows on a ray: the same optima, without the misfit that no network can avoid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cvxnn.array_types import FloatArray, IntArray


@dataclass(frozen=True)
class RowsOnRays:
    """The training problem with one row for each ray from the origin.

    A network without biases is positively homogeneous: for rows ``x_i = t_i x`` of
    one ray, ``f(x_i) = t_i f(x)``. With ``t = sqrt(sum_i t_i^2)`` the row ``t x``
    and the target ``sum_i t_i y_i / t`` take their place: objective (2) changes by
    a constant, for every network. Repeated rows with different targets make that
    constant large, and beside it float64 does not see the penalty.

    Beside an intercept b this holds for ``(x_i, 1)``, on one ray where rows are equal: b
    counts t times in the row that takes their place.

    Attributes
    ----------
    X : ndarray, shape (g, d)
        No row zero, unless all rows were or there is an intercept.
    y : ndarray, shape (g,), or (g, c) for c outputs
    groups : ndarray of int, shape (n,)
        The row of X that took the place of each row.
    shares : ndarray, shape (n,)
        ``t_i / t``; 0 for rows that are zero.
    misfit : ndarray, shape (n,) or (n, c)
        ``y_i - shares_i y_g``: the part of the residual that all networks share.
    constant : ndarray, shape (g,), or None
        How often an intercept counts in each row of X; None without an intercept.
    """

    X: FloatArray
    y: FloatArray
    groups: IntArray
    shares: FloatArray
    misfit: FloatArray
    constant: FloatArray | None = None

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray) -> RowsOnRays:
        """Find the rays, up to the last bit; O(n d log n).

        Examples
        --------
        >>> rays = RowsOnRays.of(np.array([[3.0], [4.0], [0.0]]), np.array([1.0, 0.5, 2.0]))
        >>> rays.X, rays.y, rays.residual(np.zeros(1))
        (array([[5.]]), array([1.]), array([ 0.4, -0.3,  2. ]))
        """
        lengths = np.abs(X).max(axis=1)
        used = lengths > 0.0
        if not used.any():
            nothing = np.zeros(len(X))
            none = np.zeros((1, *y.shape[1:]))
            return cls(X[:1], none, nothing.astype(np.int64), nothing, y)
        # Division rounds x and 2 x to the same; adding 0 makes one zero of both.
        units = X[used] / lengths[used, None] + 0.0
        _, first, labels = np.unique(units, axis=0, return_index=True, return_inverse=True)
        groups = np.zeros(len(X), dtype=np.int64)
        groups[used] = labels.ravel()
        sizes = np.sqrt(np.bincount(groups, weights=lengths**2))
        shares = lengths / sizes[groups]
        heads = np.flatnonzero(used)[first]
        targets = _summed(groups, shares, y)
        rows = X[heads] / shares[heads, None]
        return cls(rows, targets, groups, shares, y - (shares * targets[groups].T).T)

    @classmethod
    def beside_intercept(cls, X: FloatArray, y: FloatArray) -> RowsOnRays:
        """The same of networks that have one.

        Examples
        --------
        >>> rays = RowsOnRays.beside_intercept(np.array([[3.0], [6.0], [3.0]]), np.ones(3))
        >>> rays.X.ravel().round(3), rays.constant.round(3)
        (array([6.   , 4.243]), array([1.   , 1.414]))
        """
        rays = cls.of(np.column_stack([X, np.ones(len(X))]), y)
        rows, constant = np.ascontiguousarray(rays.X[:, :-1]), rays.X[:, -1]
        return replace(rays, X=rows, constant=constant)

    def residual(self, residual: FloatArray) -> FloatArray:
        """That of the rows as they were, shape (n,) or (n, c), from that of the rays."""
        own: FloatArray = (self.shares * residual[self.groups].T).T
        return self.misfit + own


def _summed(groups: IntArray, shares: FloatArray, y: FloatArray) -> FloatArray:
    """``sum_i shares_i y_i`` over the rows of each group, for each output."""
    if y.ndim == 2:
        return np.stack([_summed(groups, shares, column) for column in y.T], axis=1)
    return np.bincount(groups, weights=shares * y).astype(np.float64)
