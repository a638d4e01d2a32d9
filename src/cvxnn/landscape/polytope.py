"""The polytope ``{w >= 0 : A w = A w0}``: its dimension, vertices, extremes and points."""

from __future__ import annotations

from functools import cached_property
from math import comb

import numpy as np
import scipy.linalg
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.errors import InputError

# Singular values below this share of the largest are 0; columns have length 1.
_RANK = 1e-9
# Weights below this share of their sum are 0.
_ZERO = 1e-9
# Directions of moves shorter than this are none.
_FLAT = 1e-9
# Of the simplex method: the next is tried where it cannot meet the first.
_TOLERANCES = (1e-10, 1e-8, 1e-7)


class Polytope:
    """The non-negative weights on given columns that have the sum of one of them.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        A, no column zero.
    point : ndarray, shape (k,)
        A member w0.

    Notes
    -----
    ``A w = A w0`` is held as ``V'(w - w0) = 0`` with orthonormal rows V' of the
    row space of A: equations without redundancy, as well conditioned as can be.
    Linear programs are solved by the dual simplex method of HiGHS, so that each
    answer is a vertex, which is then recomputed from its support.

    Examples
    --------
    >>> square = Polytope(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]), np.ones(4) / 2)
    >>> square.dimension, len(square.vertices(most=10))
    (2, 4)
    >>> square.maximise(np.array([1.0, 0.0, 0.0, 2.0]))
    array([1., 0., 0., 1.])
    """

    def __init__(self, columns: FloatArray, point: FloatArray) -> None:
        self.lengths = np.linalg.norm(columns, axis=0)
        self.unit = float(point @ self.lengths) or 1.0
        # Weights of columns of length 1 with the sum 1.
        self._columns = columns / self.lengths
        self._point = point * self.lengths / self.unit
        _, singular, right = np.linalg.svd(self._columns, full_matrices=True)
        rank = int(np.count_nonzero(singular > _RANK * singular.max(initial=0.0)))
        self._rows, self._null = right[:rank], right[rank:].T

    @property
    def size(self) -> int:
        """The number k of weights."""
        return len(self._point)

    @cached_property
    def extremes(self) -> FloatArray:
        """For every weight a vertex where it is largest, shape (k, k)."""
        return self._weights(self._extremes)

    @cached_property
    def _extremes(self) -> FloatArray:
        found = [self._maximise(row) for row in np.eye(self.size)]
        return np.reshape(found, (self.size, self.size))

    @cached_property
    def support(self) -> BoolArray:
        """Which weights are positive somewhere on the polytope, shape (k,)."""
        return np.diag(self._extremes) > _ZERO

    @cached_property
    def centre(self) -> FloatArray:
        """The mean of the extremes: inside, so positive on all of the support."""
        return self._weights(self._centre)

    @cached_property
    def _centre(self) -> FloatArray:
        return self._extremes[self.support].mean(axis=0) if self.support.any() else self._point

    @cached_property
    def moves(self) -> FloatArray:
        """Orthonormal basis of the directions of the polytope, shape (k, dimension).

        In weights of columns of length 1; see :meth:`move_of`.
        """
        inside = np.flatnonzero(self.support)
        if self._null.shape[1] == 0 or len(inside) == 0:
            return np.zeros((self.size, 0))
        basis = scipy.linalg.null_space(self._columns[:, inside], rcond=_RANK)
        moves = np.zeros((self.size, basis.shape[1]))
        moves[inside] = basis
        return moves

    @property
    def dimension(self) -> int:
        """Of the smallest affine space that holds it."""
        return int(self.moves.shape[1])

    def variation(self, values: FloatArray) -> FloatArray:
        """How linear functions of the weights change along the moves.

        Parameters
        ----------
        values : ndarray, shape (q, k)
            Row i is the function ``w -> values[i] @ w``.

        Returns
        -------
        ndarray, shape (q, dimension)
            Relative to the size of the function on columns of length 1.
        """
        scaled = values / self.lengths
        size = np.abs(scaled).max(axis=1, keepdims=True, initial=0.0)
        change: FloatArray = (scaled / np.where(size > 0.0, size, 1.0)) @ self.moves
        return np.where(np.abs(change) > _FLAT, change, 0.0)

    def maximise(self, values: FloatArray) -> FloatArray:
        """A vertex w where ``values @ w`` is largest, shape (k,); one linear program."""
        return self._weights(self._maximise(values / self.lengths))

    def sample(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Points of the polytope by hit and run from its centre, shape (count, k).

        Its stationary distribution is uniform. Directions are combinations of the
        extremes, so that a flat polytope is crossed lengthwise as well.
        """
        spread = self._extremes[self.support] - self._centre
        steps = 8 * self.dimension + 8
        point, points = self._centre, np.empty((count, self.size))
        for i in range(count):
            if self.dimension:
                for _ in range(steps):
                    point = self._step(point, rng.standard_normal(len(spread)) @ spread, rng)
            points[i] = point
        return self._weights(points)

    def vertices(self, most: int) -> FloatArray:
        """All vertices, shape (v, k), sorted by support.

        Raises
        ------
        InputError
            If McMullen's bound allows more than `most` of them.
        """
        inside = np.flatnonzero(self.support)
        bound = _most_vertices(len(inside), self.dimension)
        if bound > most:
            raise InputError(
                f"The optimal set has dimension {self.dimension} and up to {bound:.3g} vertices, "
                f"more than max_vertices = {most}: raise it, or use sample() or optimise()."
            )
        if self.dimension == 0:
            return self._weights(self._centre[None])
        corners = {
            np.flatnonzero(vertex > _ZERO).tobytes(): vertex
            for vertex in map(self._exact, self._corners(inside))
            if vertex is not None
        }
        found = np.array(list(corners.values()))
        return self._weights(found[np.lexsort(-(found > _ZERO).T[::-1].astype(int))])

    def on_support(self, support: BoolArray) -> FloatArray | None:
        """The member whose weights are 0 off the support, if there is just one; else None."""
        exact = self._solve_on(np.flatnonzero(support))
        return None if exact is None else self._weights(exact)

    def equations(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``(rows, right_side, upper)`` of the polytope in weights of length 1 and sum 1."""
        return self._rows, self._rows @ self._point, np.diag(self._extremes).copy()

    def _weights(self, scaled: FloatArray) -> FloatArray:
        return scaled * self.unit / self.lengths

    def _maximise(self, values: FloatArray) -> FloatArray:
        if self._null.shape[1] == 0:
            return self._point
        scale = float(np.abs(values).max(initial=0.0)) or 1.0
        for tolerance in _TOLERANCES:
            result = linprog(
                -values / scale,
                A_eq=self._rows,
                b_eq=self._rows @ self._point,
                method="highs-ds",
                options={
                    "primal_feasibility_tolerance": tolerance,
                    "dual_feasibility_tolerance": tolerance,
                },
            )
            if result.x is not None and (exact := self._exact(np.asarray(result.x))) is not None:
                return exact
        raise RuntimeError(f"HiGHS found no vertex of a feasible program: {result.message}")

    def _exact(self, vertex: FloatArray) -> FloatArray | None:
        """The same vertex without the tolerances of the program; None if it is none."""
        return self._solve_on(np.flatnonzero(vertex > _ZERO))

    def _solve_on(self, support: IntArray) -> FloatArray | None:
        if len(support) == 0 or len(support) > len(self._rows):
            return None
        rows, target = self._rows[:, support], self._rows @ self._point
        weights, _, rank, _ = np.linalg.lstsq(rows, target, rcond=_RANK)
        missed = float(np.linalg.norm(rows @ weights - target))
        if rank < len(support) or missed > _ZERO or weights.min() < -_ZERO:
            return None
        exact = np.zeros(self.size)
        exact[support] = np.maximum(weights, 0.0)
        return exact

    def _step(self, point: FloatArray, move: FloatArray, rng: np.random.Generator) -> FloatArray:
        """A uniform point of the chord through a point along a move."""
        inside = self.support
        p, m = point[inside], move[inside]
        if not m.any():
            return point
        with np.errstate(divide="ignore", invalid="ignore"):
            times = -p / m
        lowest = times[m > 0.0].max(initial=-np.inf)
        highest = times[m < 0.0].min(initial=np.inf)
        return np.maximum(point + rng.uniform(lowest, highest) * move, 0.0)

    def _corners(self, inside: IntArray) -> FloatArray:
        """Vertices up to rounding, by Qhull in the coordinates of the moves."""
        moves, centre = self.moves[inside], self._centre[inside]
        if self.dimension == 1:
            times = -centre / np.where(moves[:, 0] == 0.0, np.nan, moves[:, 0])
            ends = [np.nanmax(times[times < 0.0]), np.nanmin(times[times > 0.0])]
            coordinates = np.array(ends)[:, None]
        else:
            lengths = np.linalg.norm(moves, axis=1)
            faces = lengths > _FLAT
            halves = np.column_stack([-moves, -centre])[faces] / lengths[faces, None]
            coordinates = HalfspaceIntersection(halves, np.zeros(self.dimension)).intersections
        corners = np.zeros((len(coordinates), self.size))
        corners[:, inside] = centre + coordinates @ moves.T
        return corners[np.isfinite(corners).all(axis=1)]


def _most_vertices(facets: int, dimension: int) -> int:
    """McMullen's upper bound for a polytope of that many facets."""
    if dimension <= 1:
        return dimension + 1
    half, other = (dimension + 1) // 2, (dimension + 2) // 2
    return comb(facets - half, dimension // 2) + comb(facets - other, (dimension - 1) // 2)
