"""The rows of X up to scale and rank: what decides the arrangement, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline

# Unit rows closer than this (after whitening) are one hyperplane. Data that
# went through a standardisation carries errors of about 1e-16 times a modest
# condition number, so exact equality would split hyperplanes into slivers.
PARALLEL_TOLERANCE = 1e-10
# Ratio of singular values below which rows nearly lie in fewer dimensions.
_THIN = 1e-4
# Dimension up to which a tree finds neighbours in logarithmic time.
_TREE_DIMENSION = 3
# Products of an SVD from which on rows of full rank are whitened by QR, which takes a
# tenth of the time; and how far beyond the tolerance the rank has to be full.
_SVD_WORK, _CLEARLY = 1 << 27, 10.0


@dataclass(frozen=True)
class Reduction:
    """``x_i ~ scale_i * basis @ normals[class_of_row_i]`` for every row of X.

    Attributes
    ----------
    basis : ndarray, shape (d, r)
        Orthonormal basis of the row space; the identity when r = d, unless it is turned.
    normals : ndarray, shape (p, r)
        One unit normal for each hyperplane (class of parallel rows).
    coordinates : ndarray, shape (p, r)
        The same hyperplanes in coordinates where they are spread evenly.
    to_direction : ndarray, shape (d, r)
        Maps a point of those coordinates to a ``u`` in R^d on the same sides.
    class_of_row : ndarray of int, shape (n,)
        -1 for zero rows.
    scale : ndarray, shape (n,)
        Signed length; negative where the row points against its normal.
    row_error : ndarray, shape (n,)
        Upper bound on ``||x_i - scale_i * basis @ normals[class]||``, rounding
        of its own computation included.
    """

    basis: FloatArray
    normals: FloatArray
    coordinates: FloatArray
    to_direction: FloatArray
    class_of_row: IntArray
    scale: FloatArray
    row_error: FloatArray

    @property
    def rank(self) -> int:
        """Numerical rank of X."""
        return self.normals.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of distinct hyperplanes."""
        return len(self.normals)

    def weighted(self, scales: FloatArray) -> Reduction:
        """The same for the rows of X multiplied by `scales` > 0, shape (n,).

        Their hyperplanes are the same; every product rounds once, here and in the data.
        """
        scale = self.scale * scales
        error = self.row_error * scales * (1.0 + 8.0 * EPS) + 4.0 * EPS * np.abs(scale)
        return replace(self, scale=scale, row_error=error)

    @property
    def representatives(self) -> IntArray:
        """The first row of each class; all of them have positive scale."""
        rows = np.flatnonzero(self.class_of_row >= 0)
        _, first = np.unique(self.class_of_row[rows], return_index=True)
        return rows[first]


def reduce_rows(
    X: FloatArray, deadline: Deadline = UNLIMITED, *, turned: bool = False
) -> Reduction:
    """Merge parallel rows of X and reduce it to its rank; O(n d m + n log n), m = min(n, d).

    Parameters
    ----------
    X : ndarray, shape (n, d)
    deadline : Deadline, optional
    turned : bool
        Whether rows that nearly lie in fewer dimensions get the coordinates of their
        singular vectors, also where the rank is d: what tells such hyperplanes apart then
        has columns of its own, and is no small difference of large entries. Every row is
        rounded once for it.

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the end.
    """
    lengths = np.linalg.norm(X, axis=1)
    alive = np.flatnonzero(lengths > np.finfo(float).tiny)
    basis, to_direction = row_space(X, turned=turned)
    rank = to_direction.shape[1]
    coordinates = _unit_rows(_unit_rows(X[alive]) @ to_direction)
    deadline.check()
    labels, first, signs = _merge_parallel(coordinates, deadline)

    class_of_row = np.full(len(X), -1, dtype=np.int64)
    class_of_row[alive] = labels
    normals = X[alive[first]] @ basis
    normals = _unit_rows(normals)
    scale = np.zeros(len(X))
    scale[alive] = signs * lengths[alive]
    error = X - (scale[:, None] * normals[class_of_row]) @ basis.T if rank else X
    rounding = 8 * (sum(X.shape) - len(X) + rank + 4) * EPS
    row_error = np.linalg.norm(error, axis=1) * (1 + rounding) + rounding * lengths
    return Reduction(
        basis, normals, coordinates[first], to_direction, class_of_row, scale, row_error
    )


def row_space(X: FloatArray, *, turned: bool = False) -> tuple[FloatArray, FloatArray]:
    """Basis of the row space of X, and the directions that its hyperplanes are spread over.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    turned : bool
        As for :func:`reduce_rows`.

    Returns
    -------
    basis, to_direction : ndarray, shape (d, r)
        As of :class:`Reduction`.
    """
    alive = np.flatnonzero(np.linalg.norm(X, axis=1) > np.finfo(float).tiny)
    column_scale, space, whitening = _row_space(X[alive])
    rank = whitening.shape[1]
    # Where the whitening has columns of singular vectors, these are 1 / singular value long.
    reach = np.linalg.norm(whitening, axis=0)
    thin = reach.min(initial=1.0) <= _THIN * reach.max(initial=1.0)
    plain = rank == X.shape[1] and not (turned and thin)
    basis = np.eye(rank) if plain else np.linalg.qr(column_scale[:, None] * space)[0]
    return basis, whitening / column_scale[:, None]


def _row_space(X: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Column scales, and bases of the row space of the scaled unit rows, shape (d, r).

    The first is orthonormal, products with the second have orthonormal columns. Scaling
    first makes the rank a property of the data, not of its units.
    """
    column_scale = np.abs(X).max(axis=0, initial=0.0)
    column_scale[column_scale == 0.0] = 1.0
    scaled = X / column_scale
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    scaled /= np.where(lengths > 0, lengths, 1)
    tolerance = 64 * max(X.shape, default=0) * EPS
    if X.size * min(X.shape, default=0) > _SVD_WORK:
        bases = _full_row_space(scaled, tolerance)
        if bases is not None:
            return column_scale, *bases
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    rank = int(np.count_nonzero(singular > tolerance * singular.max(initial=0.0)))
    return column_scale, right[:rank].T, right[:rank].T / singular[:rank]


def _full_row_space(scaled: FloatArray, tolerance: float) -> tuple[FloatArray, FloatArray] | None:
    """Both bases by QR, if the rank is clearly min(n, d); else None.

    The condition number of the triangle, in the 1-norm, is at most m times that in the
    2-norm, and this one is estimated.
    """
    n, d = scaled.shape
    if n < d:
        space, triangle = np.linalg.qr(scaled.T)
    else:
        space = np.eye(d)
        triangle = scipy.linalg.qr(scaled, mode="r", check_finite=False)[0][:d]
    reciprocal, _ = scipy.linalg.lapack.dtrcon(triangle, norm="1", uplo="U")
    if reciprocal <= _CLEARLY * min(n, d) * tolerance:
        return None
    inverse, _ = scipy.linalg.lapack.dtrtri(triangle)
    inverse = np.triu(inverse)
    return space, space @ inverse.T if n < d else inverse


def _unit_rows(rows: FloatArray) -> FloatArray:
    """Rows of length 1, whatever their length was; zero rows stay zero."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    # The largest entry first: the squares of small entries would underflow.
    rows = rows / np.where(largest > 0.0, largest, 1.0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))


def _close_pairs(points: FloatArray) -> IntArray:
    """Pairs of points closer than the tolerance, shape (k, 2)."""
    d = points.shape[1]
    if d <= _TREE_DIMENSION:
        return cKDTree(points).query_pairs(PARALLEL_TOLERANCE, output_type="ndarray")
    # A tree of high dimension looks at every pair. A projection brings no two points
    # farther apart, and few together by chance: those are sorted out afterwards.
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((d, _TREE_DIMENSION)))[0]
    radius = PARALLEL_TOLERANCE + 8 * d * EPS
    pairs = cKDTree(points @ axes).query_pairs(radius, output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    return np.asarray(pairs[apart <= PARALLEL_TOLERANCE])


def _merge_parallel(rows: FloatArray, deadline: Deadline) -> tuple[IntArray, IntArray, FloatArray]:
    """Classes of unit rows equal up to sign: labels, first row of each class, signs."""
    n = len(rows)
    if rows.shape[1] == 0 or n == 0:
        return np.zeros(n, dtype=np.int64), np.arange(min(n, 1)), np.ones(n)
    # One row for each box of a grid: pairs of equal rows would be quadratically many.
    leading = np.abs(rows).argmax(axis=1)
    positive = rows * np.sign(rows[np.arange(n), leading])[:, None]
    width = 0.25 * PARALLEL_TOLERANCE / np.sqrt(rows.shape[1])
    _, member, box = np.unique(
        np.floor(positive / width), axis=0, return_index=True, return_inverse=True
    )
    box, m = box.reshape(n), len(member)
    deadline.check()
    pairs = _close_pairs(np.vstack([rows[member], -rows[member]])) % m
    deadline.check()
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(m, m))
    labels = connected_components(graph, directed=False)[1][box]
    # Number the classes by their first row, so that the result follows the data.
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    labels, first = position[inverse], first[order]
    signs = np.where(np.einsum("ij,ij->i", rows, rows[first[labels]]) < 0, -1.0, 1.0)
    return labels.astype(np.int64), first.astype(np.int64), signs


@dataclass(frozen=True)
class HyperplaneWeights:
    """``v'(Xu)_+ = unit * sum_k a_k (n_k'w)_+ + b_k (-n_k'w)_+`` at ``w = basis'u``.

    Attributes
    ----------
    positive, negative : ndarray, shape (p,)
        The weights ``a_k`` and ``b_k``, sums over the rows of a class.
    error : float
        For unit vectors u the two sides differ by `unit` times this at most:
        rows that are not exactly parallel, and the rounding of the sums.
    unit : float
        A power of two, so exact; without it squares of a small v would vanish.
    """

    positive: FloatArray
    negative: FloatArray
    error: float
    unit: float

    @classmethod
    def of(cls, reduction: Reduction, v: FloatArray) -> HyperplaneWeights:
        """The weights of a dual point v; O(n)."""
        largest = float(np.abs(v).max(initial=0.0))
        unit = float(np.exp2(np.floor(np.log2(largest)))) if largest > 0.0 else 1.0
        v = v / unit
        scale, row_error = reduction.scale, reduction.row_error
        weights = v * scale
        # A row may err by its distance from the reduced row, in its value and
        # once more where its sign differs from that of its hyperplane.
        error = 2.0 * float(np.abs(v) @ row_error) * (1.0 + 1e-12)
        # The sums over a class err by a rounding for each of its rows.
        most = int(np.bincount(reduction.class_of_row + 1)[1:].max(initial=0))
        error += 2.0 * (most + 2) * EPS * float(np.abs(weights).sum())
        return cls(
            _sum_by_class(reduction, np.where(scale > 0, weights, 0.0)),
            _sum_by_class(reduction, np.where(scale < 0, -weights, 0.0)),
            error,
            unit,
        )


def _sum_by_class(reduction: Reduction, weights: FloatArray) -> FloatArray:
    alive = reduction.class_of_row >= 0
    return np.bincount(
        reduction.class_of_row[alive], weights=weights[alive], minlength=reduction.n_classes
    ).astype(np.float64)
