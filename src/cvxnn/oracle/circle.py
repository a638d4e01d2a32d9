"""Rows of rank two in circular order: their arrangement is a sorted list of angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from cvxnn.array_types import EPS, BoolArray, FloatArray, IntArray
from cvxnn.compensated import cross_products, map_rows
from cvxnn.layers.rows import power_of_two
from cvxnn.patterns.reduction import PARALLEL_TOLERANCE

# Neighbouring normals keep their order in float64 if their cross product is above this.
_DISTINCT = 16.0 * EPS
# Roundings in a sum over the rows, as a multiple of eps: see RankTwoOracle.
_ROUNDING = 16.0
# Rows that show how the angles are spread, where they suffice.
_SAMPLE = 4096
# Above this ratio of singular values the Gram matrix tells them apart.
_WELL_CONDITIONED = 1e-3
# Roundings of the first axis that are put right from the rows, and one more.
_FRAME_STEPS = 3
# A spread across the first axis below this share is taken for this: squares of its inverse
# would overflow.
_THINNEST = 1e-100
# Lengths of rows whose products neither overflow nor lose digits.
_SHORTEST, _LONGEST = 1e-70, 1e140


@dataclass(frozen=True)
class CircularRows:
    """The rows of X of rank two at most, sorted by angle over the full circle.

    Rows whose lines are closer than ``PARALLEL_TOLERANCE`` (after whitening)
    are one hyperplane, a *class*. The p normals lie in one half of the circle,
    in counterclockwise order; position k < p of the circle holds the rows along
    normal k, position p + k those against it. A neuron is active on the rows of
    p consecutive positions.

    Attributes
    ----------
    basis : ndarray, shape (d, r)
        Orthonormal basis of the row space, r <= 2; the identity when r = d.
    order : ndarray of int, shape (m,)
        The rows of X that are not zero, in circular order.
    rows : ndarray, shape (m, 2)
        Those rows in reduced coordinates ``w = basis' u``; the second is zero in
        rank one.
    starts : ndarray of int, shape (2 p + 1,)
        Rows ``starts[q]:starts[q + 1]`` are at position q.
    normals : ndarray, shape (p, 2)
        Unit normals of the hyperplanes.
    row_error : ndarray, shape (m,)
        For unit u, row i of X and its place here give the ReLU values that
        differ by this at most: distance from the plane, from the normal where
        their signs differ, and rounding.
    outside : ndarray, shape (m,) or (0,)
        The part of it that reducing the rows to the plane adds; empty if nothing.
    frame : ndarray, shape (2, 2), or None
        Coordinates ``z = frame' x`` in which rows that are nearly parallel, or columns
        of different units, are spread evenly, see :func:`_frame`; None where they are so.
    """

    basis: FloatArray
    order: IntArray
    rows: FloatArray
    starts: IntArray
    normals: FloatArray
    row_error: FloatArray
    outside: FloatArray
    frame: FloatArray | None = None

    @property
    def n_classes(self) -> int:
        """Number of distinct hyperplanes p."""
        return len(self.normals)

    @property
    def rank(self) -> int:
        """Numerical rank of X."""
        return self.basis.shape[1]

    def class_of_row(self) -> IntArray:
        """The hyperplane of each sorted row, shape (m,)."""
        return np.repeat(np.arange(2 * self.n_classes), np.diff(self.starts)) % max(
            self.n_classes, 1
        )

    def weighted(self, scales: FloatArray) -> CircularRows:
        """The rows of X multiplied by `scales` > 0, shape (n,): the same order and normals.

        A product rounds once, here and in the data, which also turns the row a little
        away from its normal.
        """
        own = scales[self.order]
        rows = self.rows * own[:, None]
        rounding = 4.0 * EPS * _lengths(rows)
        error = own * self.row_error * (1.0 + 8.0 * EPS) + rounding
        outside = self.outside
        if len(outside):
            outside = own * outside * (1.0 + 8.0 * EPS) + rounding
        return replace(self, rows=rows, row_error=error, outside=outside)

    @cached_property
    def leaders(self) -> FloatArray:
        """A row along each normal, shape (p, 2): the first of its class, or minus it."""
        return _first_of_classes(self.rows, self.starts)

    @cached_property
    def lengths(self) -> FloatArray:
        """Lengths of the sorted rows, shape (m,)."""
        return _lengths(self.rows)

    @cached_property
    def displacement(self) -> FloatArray:
        """The part of `row_error` that is no rounding, shape (m,): zero for parallel rows."""
        leaders = self.leaders[self.class_of_row()]
        distance = np.abs(cross_products(self.rows, leaders)) / _lengths(leaders)
        distance *= 1.0 + 1e-12
        return distance + self.outside if len(self.outside) else distance

    @cached_property
    def allows_precision(self) -> bool:
        """Whether the leaders are proven to be in order, and their products keep all digits."""
        if self.n_classes == 0 or not (
            self.lengths.min() > _SHORTEST and self.lengths.max() < _LONGEST
        ):
            return False
        leaders = self.leaders
        crosses = cross_products(leaders, np.vstack([leaders[1:], -leaders[:1]]))
        return self.rank == 1 or bool((crosses > 0.0).all())

    def framed(self) -> CircularRows:
        """The same rows in the coordinates of `frame`, for searches: no errors are proven."""
        if self.frame is None:
            return self
        leaders = map_rows(self.leaders, self.frame)
        normals = leaders / _lengths(leaders)[:, None]
        return replace(self, rows=map_rows(self.rows, self.frame), normals=normals)

    @classmethod
    def of(cls, X: FloatArray) -> CircularRows:
        """Sort the rows of X; O(n d^2 + n log n).

        Raises
        ------
        ValueError
            If the rank of X is above two.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.array([3.0, -1.0, 2.0, -1.0])
        >>> CircularRows.of(np.column_stack([x, np.ones(4)])).order  # equal rows are one class
        array([1, 3, 0, 2])
        """
        alive = np.flatnonzero(_lengths(X))
        points = X if len(alive) == len(X) else X[alive]
        basis, whiten = _plane(points)
        if basis.shape[1] > 2:
            raise ValueError(f"the rows of X have rank {basis.shape[1]}, above 2")
        if basis.shape[1] == 0:
            empty, none = np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
            return cls(
                basis, none, empty, np.zeros(1, dtype=np.int64), empty, np.zeros(0), np.zeros(0)
            )
        rows = pad(points if basis.shape[1] == X.shape[1] else points @ basis)
        units = rows / _lengths(rows)[:, None]
        square = _square(basis.T @ whiten)
        frame = None
        if basis.shape[1] < 2 or np.linalg.cond(square) * _WELL_CONDITIONED < 1.0:
            order, against, labels = _sort(units @ square, partial(_crosses, units, precise=False))
        else:
            scaled = rows / power_of_two(rows)
            frame = _frame(scaled)
            order, against, labels = _sort(
                map_rows(scaled, frame), partial(_crosses, scaled, precise=True)
            )
        order, starts = _by_position(order, against, labels)
        sorted_rows, units = rows.take(order, axis=0), units.take(order, axis=0)
        normals, row_error = _normals(sorted_rows, units, starts)
        outside = np.zeros(0)
        if basis.shape[1] < X.shape[1]:
            rest = points[order] - sorted_rows[:, : basis.shape[1]] @ basis.T
            outside = _lengths(rest) * (1.0 + 1e-12)
            outside += 16 * (sum(basis.shape) + 4) * EPS * _lengths(sorted_rows)
            row_error += outside
        return cls(basis, alive[order], sorted_rows, starts, normals, row_error, outside, frame)


def _lengths(X: FloatArray) -> FloatArray:
    """Lengths of the rows; no square of a small entry vanishes."""
    lengths = np.zeros(len(X))
    for j in range(X.shape[1]):
        lengths = np.hypot(lengths, X[:, j])
    return lengths


def pad(rows: FloatArray) -> FloatArray:
    """Two columns, whatever the rank."""
    if rows.shape[1] == 2:
        return rows
    return np.column_stack([rows, np.zeros(len(rows))])


def _square(whiten: FloatArray) -> FloatArray:
    """A 2 x 2 map, whatever the rank."""
    square = np.eye(2)
    square[: len(whiten), : len(whiten)] = whiten
    return square


def _plane(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Basis (d, r) of the row space, and a map (d, r) that spreads the rows' angles evenly.

    Scaling the columns first makes the rank a property of the data, not of its units.
    """
    n, d = X.shape
    if d == 2 and n > 2 * _SAMPLE:
        basis, whiten = _plane(X[:: n // _SAMPLE])
        if basis.shape[1] == 2 and np.linalg.cond(whiten) < 1.0 / _WELL_CONDITIONED:
            return basis, whiten
    column_scale = np.abs(X).max(axis=0, initial=0.0)
    column_scale[column_scale == 0.0] = 1.0
    scaled = X / column_scale
    lengths = _lengths(scaled)
    singular, right = _singular(scaled / np.where(lengths > 0.0, lengths, 1.0)[:, None])
    tolerance = 64 * max(n, d) * EPS * singular.max(initial=0.0)
    rank = int(np.count_nonzero(singular > tolerance))
    right, singular = right[:, :rank], singular[:rank]
    basis = np.eye(d) if rank == d else np.linalg.qr(column_scale[:, None] * right)[0]
    whiten = right / singular / column_scale[:, None]
    # Counterclockwise in both coordinates.
    if rank == 2 and np.linalg.det(basis.T @ whiten) < 0.0:
        whiten[:, 1] *= -1.0
    return basis, whiten


def _singular(units: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Singular values, largest first, and right singular vectors as columns."""
    squares, right = np.linalg.eigh(units.T @ units)
    if squares.size == 0 or squares[0] > _WELL_CONDITIONED**2 * squares[-1]:
        return np.sqrt(squares[::-1]), right[:, ::-1]
    _, singular, transposed = np.linalg.svd(np.linalg.qr(units, mode="r"), full_matrices=False)
    return singular, transposed.T


def _frame(rows: FloatArray) -> FloatArray:
    """Orthogonal columns, the first along most rows, scaled so that the rows spread evenly.

    The length of ``frame @ w`` then has no cancellation.
    """
    lengths = _lengths(rows)[:, None]
    along = _singular(rows / lengths)[1][:, 0]
    for _ in range(_FRAME_STEPS):
        axes = np.column_stack([along, [-along[1], along[0]]])
        z = map_rows(rows, axes) / lengths
        along = along + (z[:, 0] @ z[:, 1]) / (z[:, 0] @ z[:, 0]) * axes[:, 1]
        along /= np.hypot(along[0], along[1])
    sizes = np.sqrt((z**2).mean(axis=0))
    return np.asarray(axes / np.maximum(sizes, _THINNEST * sizes.max()))


def _sort(
    z: FloatArray, crosses: Callable[[IntArray, BoolArray], FloatArray]
) -> tuple[IntArray, BoolArray, IntArray]:
    """Order by angle in a half circle, which rows point the other way, and their classes."""
    against = (z[:, 1] < 0.0) | ((z[:, 1] == 0.0) & (z[:, 0] < 0.0))
    z[against] *= -1.0
    angle = np.arctan2(z[:, 1], z[:, 0])
    order = np.argsort(angle, kind="stable")
    angle, against = angle[order], against[order]
    far = np.diff(angle) > PARALLEL_TOLERANCE
    if angle[0] + np.pi - angle[-1] <= PARALLEL_TOLERANCE and far.any():
        # The last class goes on at the beginning, on the other side.
        cut = int(np.flatnonzero(far)[-1]) + 1
        against[cut:] ^= True
        order, against = np.roll(order, len(order) - cut), np.roll(against, len(order) - cut)
        far = np.concatenate([far[cut:], [False], far[: cut - 1]])
    labels = np.zeros(len(order), dtype=np.int64)
    np.cumsum(far & (crosses(order, against) > 0.0), out=labels[1:])
    return order, against, labels


def _crosses(rows: FloatArray, order: IntArray, against: BoolArray, *, precise: bool) -> FloatArray:
    """Cross products of neighbours: where they are positive, the order is proven.

    From the rows themselves, `precise`, signs are right however small the angle is.
    """
    rows = rows.take(order, axis=0)
    if precise:
        crosses, least = cross_products(rows[:-1], rows[1:]), 0.0
    else:
        crosses, least = rows[:-1, 0] * rows[1:, 1] - rows[:-1, 1] * rows[1:, 0], _DISTINCT
    return np.where(against[:-1] != against[1:], -crosses, crosses) - least


def _by_position(
    order: IntArray, against: BoolArray, labels: IntArray
) -> tuple[IntArray, IntArray]:
    """The rows along the normals first, those against them last; starts of the positions."""
    p = int(labels[-1]) + 1
    counts = np.bincount(labels + p * against, minlength=2 * p)
    if against.any():
        order = np.concatenate([order[~against], order[against]])
    return order, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _first_of_classes(rows: FloatArray, starts: IntArray) -> FloatArray:
    """The first of the sorted rows of each class, or minus it where it is against the normal."""
    p = len(starts) // 2
    along = starts[1 : p + 1] > starts[:p]
    first = np.where(along, starts[:p], starts[p : 2 * p])
    return np.asarray(rows[first] * np.where(along, 1.0, -1.0)[:, None])


def _normals(
    rows: FloatArray, units: FloatArray, starts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """The first unit row of each class, and the error of taking it for the others."""
    p, normals = len(starts) // 2, _first_of_classes(units, starts)
    row_error = _ROUNDING * EPS * _lengths(rows)
    counts = np.diff(starts)
    shared = np.tile(counts[:p] + counts[p:] > 1, 2)
    if shared.any():
        members = np.flatnonzero(np.repeat(shared, counts))
        own = np.repeat(np.vstack([normals, -normals])[shared], counts[shared], axis=0)
        own *= _lengths(rows[members])[:, None]
        row_error[members] += _lengths(rows[members] - own)
    return normals, row_error
