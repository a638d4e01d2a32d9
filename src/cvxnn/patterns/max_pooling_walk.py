"""All cells of max pooling, by a walk from each to its neighbours, and a proof that they are all.

A filter u that is not positive on any patch of an image has the output 0: with 0 as one
more patch, number 0, the output is the largest product of K + 1 patches. A cell is
then the set of u for which a given patch of each image has it; it is the normal cone of
a vertex of the Minkowski sum of the hulls of these patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import EPS, BoolArray, FloatArray, IntArray
from cvxnn.errors import TooManyPatternsError
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.patterns.cone_kernels import project_all
from cvxnn.patterns.reduction import reduce_rows

# Cells that are listed at most, some milliseconds each, and bytes of all differences of patches.
_MOST_CELLS, _MOST_BYTES = 30_000, 1 << 31
# Directions that tell whether cells are more, so many at a time, and how many of them may share
# one by chance before the last; products of patches and directions that are held at a time.
_N_PROBES, _AT_A_TIME, _BY_CHANCE, _ENTRIES = 1_000, 128, 16, 1 << 22
# A row that cuts off less than this from the cone of the others is no facet.
_REDUNDANT = 1e-9


@dataclass(frozen=True)
class MaxCells:
    """Cells as the patches that win, 0 where none is positive.

    Attributes
    ----------
    winners : ndarray of int, shape (M, n)
        The first of equal patches.
    directions : ndarray, shape (M, h)
        One interior u of each.
    reach : ndarray, shape (M,)
        Every u in the unit ball is in one of the cones ``{u : g'u >= -reach_c ||g||}``
        over the rows g of cone c.
    """

    winners: IntArray
    directions: FloatArray
    reach: FloatArray


class MaxCellWalk:
    """Walks over the facets of cells until there is none with an unknown other side.

    The cells that were found prove themselves that none is missing. Let ``p_c`` be the sum
    of the winners of cell c, and call a row ``g_j`` of its cone *flippable* if a listed
    cell c' has ``p_c - p_c' = lambda (g_j + e)`` with lambda > 0 and ``||e|| <= t``. Take
    any u in the unit ball and any cell. While a flippable row has ``g_j'u < -t``, go over
    to that c': ``p_c''u > p_c'u``, and so this ends, in a cell whose flippable rows
    are all violated by t at most. Any other row k of its cone is
    ``sum_j rho_j g_j + e_k`` over flippable ones with rho >= 0, the best by projection, and
    violated by ``||e_k|| + t sum rho`` at most. The largest of these, and what parallel
    rows that are taken for one differ by, is the reach of the cell. What is missing or too
    thin for rounding thus shows as a large reach, never as a wrong one.

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    deadline : Deadline, optional
    most : int, optional
        Cells to list, 30 000 by default.

    Raises
    ------
    TooManyPatternsError
        If the differences of patches do not fit into memory.

    Notes
    -----
    O(n K^2 h) memory; for each of M cells a projection for each of at most n K rows.

    References
    ----------
    K. Fukuda, From the zonotope construction to the Minkowski addition of convex
    polytopes, J. Symbolic Comput. 38(4), 2004.

    Examples
    --------
    >>> import numpy as np
    >>> cells = MaxCellWalk(np.array([[[1.0, 0.0], [0.0, 1.0]]])).list_cells()
    >>> sorted(cells.winners[:, 0].tolist()), bool(cells.reach.max() < 1e-12)
    ([0, 1, 2], True)
    """

    def __init__(
        self, patches: FloatArray, deadline: Deadline = UNLIMITED, most: int | None = None
    ) -> None:
        self._deadline, self._most = deadline, _MOST_CELLS if most is None else most
        n, n_patches, h = patches.shape
        needed = 4 * n * h * n_patches * (n_patches + 1)
        if needed > _MOST_BYTES:
            raise TooManyPatternsError(
                f"max pooling over {n_patches} patches of {n} images has {needed / 8 / h:.3g} "
                "hyperplanes, too many to list their cells: use method='global'."
            )
        self._patches = np.concatenate([np.zeros((n, 1, h)), patches], axis=1)
        self._images = np.arange(n)
        self._first = first_equal(self._patches, deadline)

    def _sort_differences(self) -> None:
        """Hyperplane, side and length of the difference of any two patches of an image."""
        n, size, h = self._patches.shape
        a, b = np.triu_indices(size, 1)
        rows = (self._patches[:, a] - self._patches[:, b]).reshape(-1, h)
        reduction = reduce_rows(rows, self._deadline)
        lengths, classes = np.linalg.norm(rows, axis=1), reduction.class_of_row
        self._normals = reduction.normals @ reduction.basis.T
        self._planes = np.full((n, size, size), -1, dtype=np.int64)
        self._sides, self._lengths = np.zeros((n, size, size)), np.zeros((n, size, size))
        signs = np.sign(reduction.scale)
        for i, j, sign in ((a, b, 1.0), (b, a, -1.0)):
            self._planes[:, i, j] = classes.reshape(n, -1)
            self._sides[:, i, j] = sign * signs.reshape(n, -1)
            self._lengths[:, i, j] = lengths.reshape(n, -1)
        alive = classes >= 0
        errors = reduction.row_error[alive] / lengths[alive]
        # The product of normals and basis rounds.
        self._error = float(errors.max(initial=0.0)) + 4.0 * EPS * (h + 8)

    def list_cells(self) -> MaxCells:
        """All cells.

        Raises
        ------
        TooManyPatternsError
            If they are more than `most`: at once, if hardly any two of a thousand random
            directions share a cell, else when the walk has found as many.
        """
        # Before the differences, which take longer than to see that there are too many cells.
        first, direction = self._start()
        self._sort_differences()
        self._known = {first.tobytes(): 0}
        self._winners, self._directions = [first], [direction]
        reaches: list[float] = []
        while len(reaches) < len(self._winners):
            reaches.append(self._visit(len(reaches)))
            self._deadline.check()
            _refuse_more_than(self._most, len(self._winners))
        # Nothing in the unit ball is farther than 1 from a hyperplane.
        reach = np.minimum(np.array(reaches), 1.0) * (1.0 + 1e-12)
        return MaxCells(np.stack(self._winners), np.stack(self._directions), reach)

    def _start(self) -> tuple[IntArray, FloatArray]:
        """The cell of a direction that is on no hyperplane."""
        probes = np.random.default_rng(0).standard_normal((_N_PROBES, self._patches.shape[2]))
        seen: set[bytes] = set()
        first = np.zeros(0, dtype=np.int64)
        for begin in range(0, _N_PROBES, _AT_A_TIME):
            drawn = probes[begin : begin + _AT_A_TIME]
            winners = self._winners_of(drawn)
            first = first if begin else winners[0].copy()
            seen.update(row.tobytes() for row in winners)
            count = begin + len(drawn)
            # Of N equally likely cells k directions share one in k^2 / 2N cases; of others in more.
            least = 1 if count == _N_PROBES else _BY_CHANCE
            _refuse_more_than(self._most, count**2 / (2 * max(count - len(seen), least)))
        return first, probes[0] / np.linalg.norm(probes[0])

    def _winners_of(self, directions: FloatArray) -> IntArray:
        """The patch of each image that wins, shape (k, n)."""
        n, size, h = self._patches.shape
        winners = np.empty((len(directions), n), dtype=np.int64)
        for part in self._deadline.chunks(n, _ENTRIES // (size * len(directions))):
            patches = self._patches[part]
            products = (patches.reshape(-1, h) @ directions.T).reshape(len(patches), size, -1)
            winners[:, part] = products.argmax(axis=1).T
        return np.ascontiguousarray(self._first[self._images, winners])

    def _cone(self, winners: IntArray) -> tuple[IntArray, FloatArray]:
        """The hyperplanes of a cell's cone, shape (p,), and its rows, shape (p, h)."""
        planes = self._planes[self._images, winners].reshape(-1)
        sides = self._sides[self._images, winners].reshape(-1)
        # A cone too thin for rounding may have both sides of a hyperplane: two rows.
        _, first = np.unique(2 * planes + (sides > 0.0), return_index=True)
        first = first[planes[first] >= 0]
        return planes[first], np.asarray(sides[first, None] * self._normals[planes[first]])

    def _visit(self, cell: int) -> float:
        """Put the neighbours of a cell on the list; the reach of the cell."""
        winners = self._winners[cell]
        planes, cone = self._cone(winners)
        # Behind the hyperplane of each row, on the right side of all others.
        heights, _, beyond = _project_rows(cone, cone, 1.0 - np.eye(len(cone)))
        is_facet = heights > _REDUNDANT
        centre = self._centred(self._directions[cell], cone, beyond, is_facet)
        errors = np.full(len(cone), np.inf)
        for j in np.flatnonzero(is_facet):
            other = self._across(winners, planes[j], cone[j])
            errors[j] = self._flip_error(winners, other, cone[j])
            if errors[j] < np.inf and other.tobytes() not in self._known:
                self._known[other.tobytes()] = len(self._winners)
                self._winners.append(other)
                self._directions.append(self._direction(other, centre, cone[j], beyond[j]))
        return self._reach(cone, errors)

    def _centred(
        self, direction: FloatArray, cone: FloatArray, beyond: FloatArray, is_facet: BoolArray
    ) -> FloatArray:
        """The middle of where the ways from an interior direction leave, if that is better."""
        middle = np.zeros_like(direction)
        for row, point in zip(cone[is_facet], beyond[is_facet], strict=True):
            middle += _on_hyperplane(direction, point, row)
        length = float(np.linalg.norm(middle))
        if length < 1e-6:
            return direction
        middle /= length
        better = (cone @ middle).min() > (cone @ direction).min()
        return middle if better else direction

    def _across(self, winners: IntArray, plane: int, row: FloatArray) -> IntArray:
        """The winners behind a facet: of the patches that tie on it the farthest."""
        side = np.sign(row @ self._normals[plane])
        ties = self._planes[self._images, winners] == plane
        ties &= self._sides[self._images, winners] == side
        lengths = np.where(ties, self._lengths[self._images, winners], 0.0)
        others = np.where(ties.any(axis=1), lengths.argmax(axis=1), winners)
        return self._first[self._images, others]

    def _flip_error(self, winners: IntArray, others: IntArray, row: FloatArray) -> float:
        """By how much the change of the sum of winners is no multiple of a row, per length."""
        changed = np.flatnonzero(winners != others)
        steps = self._patches[changed, winners[changed]] - self._patches[changed, others[changed]]
        step = steps.sum(axis=0)
        along = float(step @ row)
        if along <= 0.0:
            return np.inf
        lengths = float(np.linalg.norm(steps, axis=1).sum())
        rounding = EPS * (len(changed) + len(row) + 8) * lengths
        return (float(np.linalg.norm(step - along * row)) + rounding) / along

    def _direction(
        self, winners: IntArray, centre: FloatArray, row: FloatArray, point: FloatArray
    ) -> FloatArray:
        """Half of the way through a cell, on the line from the centre of its neighbour."""
        start, move = _on_hyperplane(centre, point, row), point / np.linalg.norm(point)
        _, cone = self._cone(winners)
        at, rate = cone @ start, cone @ move
        falls = rate < 0.0
        step = float((at[falls] / -rate[falls]).min(initial=2.0))
        direction = start + 0.5 * max(step, 0.0) * move
        return np.asarray(direction / max(float(np.linalg.norm(direction)), 1e-300))

    def _reach(self, cone: FloatArray, errors: FloatArray) -> float:
        """How far a u that violates flippable rows by `errors` is outside the cone, at most."""
        flippable = errors < np.inf
        flips = float(errors[flippable].max(initial=0.0))
        others = cone[~flippable]
        counts = np.broadcast_to(flippable.astype(np.float64), (len(others), len(cone)))
        norms, totals, _ = _project_rows(others, cone, counts)
        rounding = 2.0 * EPS * (cone.shape[1] + 4) * (1.0 + totals)
        most = float((norms + rounding + flips * totals).max(initial=flips))
        return most + self._error


def _refuse_more_than(most: int, n_cells: float) -> None:
    if n_cells > most:
        raise TooManyPatternsError(
            f"max pooling has more than {most} patterns on these images: "
            "use method='global' or method='sampled'."
        )


def first_equal(patches: FloatArray, deadline: Deadline = UNLIMITED) -> IntArray:
    """For each patch the first one of its image that is equal, shape (n, K).

    OutOfTimeError if the deadline passes before the end.

    Examples
    --------
    >>> first_equal(np.array([[[1.0], [2.0], [1.0]]]))
    array([[0, 1, 0]])
    """
    first = np.empty(patches.shape[:2], dtype=np.int64)
    for row, image in zip(first, patches, strict=True):
        deadline.check()
        _, index, inverse = np.unique(image, axis=0, return_index=True, return_inverse=True)
        row[:] = index[inverse.reshape(-1)]
    return first


def _project_rows(
    rows: FloatArray, cone: FloatArray, counts: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Project ``-row`` on the rows of a cone that count for it: norm, multipliers' sum, point."""
    # Copies, because the kernel is compiled for each layout, and for arrays that are read only.
    cones = np.array(np.broadcast_to(cone, (len(rows), *cone.shape)), order="C")
    counts, enough = np.array(counts, order="C"), np.zeros((1, len(rows)))
    norms, totals, points = project_all(-rows[np.newaxis], cones, counts, enough)
    return norms[0], totals[0], points[0]


def _on_hyperplane(inner: FloatArray, outer: FloatArray, row: FloatArray) -> FloatArray:
    """Where the way from one side of a hyperplane to the other meets it, length 1 or 0."""
    point = -float(row @ outer) * inner + float(row @ inner) * outer
    length = float(np.linalg.norm(point))
    return point / length if length > 1e-12 else 0.0 * point
