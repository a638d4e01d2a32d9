"""The exact oracle for several outputs on data of rank two at most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.circle import CircularRows
from cvxnn.oracle.outputs.rank_two_kernels import add_rows, evaluate, locate, walk
from cvxnn.oracle.price import Price, Proposals
from cvxnn.oracle.rank_two_kernels import end_walk, start_walk

# Products that one kernel call works through: some 10 ms.
_CHUNK_WORK = 1 << 19
_BUFFER = 4096
# Where the bound on the rounding is a larger share of the result, it is worth twice the
# precision.
_NEGLIGIBLE = 1e-10
# Values below it, where V and the rows are of size one, are not told apart.
_LEAST = 1e-250
# Arcs are cut into pieces narrower than this, below a quarter of pi: see the notes.
_WIDEST = 0.7


@final
@dataclass(frozen=True)
class RankTwoOutputsPrice(Price):
    """A bound on the norm, and the local maxima, in the coordinates of X."""

    kind: ClassVar[str] = "rank two"
    is_exact: ClassVar[bool] = True

    found: Proposals

    @property
    def proposals(self) -> Proposals:
        """What was found."""
        return self.found


@dataclass(frozen=True)
class _Arcs:
    """Normals around half the circle, those between wide arcs without rows.

    Attributes
    ----------
    leaders : ndarray, shape (p, 2)
        Vectors along them, in order.
    starts : ndarray of int, shape (2 p + 1,)
        As of :class:`CircularRows`.
    """

    leaders: FloatArray
    starts: IntArray

    @classmethod
    def of(cls, leaders: FloatArray, starts: IntArray) -> _Arcs:
        """Cut arcs that are too wide."""
        after = np.vstack([leaders[1:], -leaders[:1]])
        cross = leaders[:, 0] * after[:, 1] - leaders[:, 1] * after[:, 0]
        angles = np.abs(np.arctan2(cross, (leaders * after).sum(axis=1)))
        pieces = np.maximum(np.ceil(angles / _WIDEST), 1.0).astype(np.int64)
        place = np.repeat(np.arange(1, len(leaders) + 1), pieces - 1)
        if len(place) == 0:
            return cls(np.ascontiguousarray(leaders), starts)
        shares = np.concatenate([np.arange(1, m) / m for m in pieces if m > 1])
        turns = np.arctan2(leaders[:, 1], leaders[:, 0])[place - 1] + shares * angles[place - 1]
        between = np.column_stack([np.cos(turns), np.sin(turns)])
        counts = np.insert(np.diff(starts).reshape(2, -1), place, 0, axis=1)
        return cls(
            np.insert(leaders, place, between, axis=0),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        )


@final
class RankTwoOutputsOracle:
    """Prices all directions at once by prefix sums over the rows sorted by angle.

    Parameters
    ----------
    X : ndarray, shape (n, d), or CircularRows
        Data of rank two at most.
    most : int
        How many local maxima to propose, the largest ones.
    depth : float
        Of maxima between which the function does not fall by this share of their excess over
        the threshold, only the largest counts; 0 for all.

    Attributes
    ----------
    circle : CircularRows
        The sorted rows.
    rows : ndarray, shape (m, 2)
        The same in a unit that is a power of two.

    Notes
    -----
    O(n log n) once, O(n c) per pricing. On an arc between neighbouring hyperplanes the
    function is ``||G'u||`` with a 2 x c matrix G, the sum of ``x_i v_i'`` over the active
    rows, and at the angle t its square is ``A + R cos 2 (t - top)``. Arcs are cut into pieces
    no wider than a quarter of pi. There the largest value is ``(A + R)^(1/2)``, the largest
    singular value, if the square rises at the beginning and falls at the end, else it is at
    an end point.

    *Rounding.* Let ``e = eps/2 sum_i ||v_i|| ||x_i||``. As for one output, a sum G errs by
    ``5 e`` in the Frobenius norm, and the rows by ``6 e`` against unit normals that are
    rounded, besides the distances that :class:`CircularRows` knows of. The vectors ``z = G't``
    at an end t of a piece and y, at t turned left, err by ``5 e`` more each, and are those of
    a matrix ``G + D`` with ``||D|| <= 12.1 e`` exactly. Twice ``z'y`` is the slope of the
    square. Where its sign is wrong by the rounding of the product itself, ``(c + 2) eps/2
    ||z|| ||y||``, and a maximum lies in the piece at an angle a <= pi/4 from t, then
    ``||y|| <= ||z||``, and the maximum of the square is above ``||z||^2`` by ``|z'y| tan a``
    at most, a share of ``(c + 2) eps/2``. So the largest end value is below the maximum of
    the piece for ``G + D`` at t by a share of ``c eps``, and below that for G by ``3 * 12.1
    e`` besides: 43 e in all, ``22 eps``, of which the rows count 16. A singular value errs by
    a share of ``(c + 8) eps``.

    Where that is no small share of the result - rows that are nearly parallel, or a small
    beta - the walk is repeated in twice the precision, from rows instead of unit normals. In
    units of ``eps^2 sum_i ||v_i|| ||x_i||`` total and prefix sum of m rows err by
    ``1.6 m + 2``, z and y by 6 more, all of it three times: less than ``8 (m + 8)``. The
    final roundings are relative to the value.

    Examples
    --------
    >>> import numpy as np
    >>> oracle = RankTwoOutputsOracle(np.eye(2))
    >>> price = oracle.price(np.array([[3.0, 0.0], [0.0, -4.0]]))
    >>> round(price.bound, 9), price.directions[0].round(9), price.outputs[0].round(9)
    (4.0, array([0., 1.]), array([ 0., -1.]))
    """

    def __init__(
        self, X: FloatArray | CircularRows, *, most: int = 200, depth: float = 0.0
    ) -> None:
        self.circle = X if isinstance(X, CircularRows) else CircularRows.of(X)
        self.most, self.depth = most, depth
        self._unit = power_of_two(self.circle.rows)
        self.rows = np.ascontiguousarray(self.circle.rows / self._unit)

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> RankTwoOutputsPrice:
        """Price V, shape (n, c), see :class:`~cvxnn.oracle.price.Oracle`.

        It takes no time to speak of: whatever the deadline, the price is there.
        """
        V = V[self.circle.order]
        unit, n_outputs = power_of_two(V), V.shape[1]
        V = np.ascontiguousarray(V / unit)
        sizes = np.hypot.reduce(V, axis=1)
        largest = float((sizes * self._lengths).max(initial=0.0))
        if largest < _LEAST:
            bound = len(V) * _LEAST * unit * self._unit if V.any() else 0.0
            return self._price(bound, np.zeros(0), np.zeros((0, 2)), np.zeros((0, n_outputs)))
        # Rows that matter get the size 1: squares of a small one would vanish.
        scale = power_of_two(np.array([largest]))
        allowed = self.circle.allows_precision
        for precise in (False, True):
            walked = _Walk(self, V, 1.0 / scale, precise=precise)
            top = walked.run(threshold / unit / self._unit / scale)
            error = (self._precise_error if precise else self._error)(sizes) / scale
            bound = top * (1.0 + 8.0 * (n_outputs + 8) * EPS) + error * (1.0 + 1e-9)
            if precise or not allowed or error <= _NEGLIGIBLE * bound:
                break
        values, directions, outputs = walked.best()
        bound = float(np.nextafter(bound * scale * unit * self._unit, np.inf))
        return self._price(bound, values * scale * unit * self._unit, directions, outputs)

    def _price(
        self, bound: float, values: FloatArray, points: FloatArray, outputs: FloatArray
    ) -> RankTwoOutputsPrice:
        directions = points[:, : self.circle.rank] @ self.circle.basis.T
        lengths = np.sqrt((directions**2).sum(axis=1, keepdims=True))
        found = Proposals(directions / np.where(lengths > 0.0, lengths, 1.0), outputs, values)
        return RankTwoOutputsPrice(np.array([bound]), True, found)

    @cached_property
    def _lengths(self) -> FloatArray:
        return self.circle.lengths / self._unit

    def _error(self, sizes: FloatArray) -> float:
        """Rounding and displaced rows of a walk."""
        error = self.circle.row_error / self._unit + 8.0 * EPS * self._lengths
        return float(sizes @ error)

    def _precise_error(self, sizes: FloatArray) -> float:
        """The same in twice the precision."""
        rounding = 8.0 * (len(sizes) + 8) * EPS**2 * self._lengths
        return float(sizes @ (self.circle.displacement / self._unit + rounding))

    @cached_property
    def plain_arcs(self) -> _Arcs:
        """Between unit normals."""
        return _Arcs.of(self.circle.normals, self.circle.starts)

    @cached_property
    def precise_arcs(self) -> _Arcs:
        """Between rows."""
        return _Arcs.of(self.circle.leaders / self._unit, self.circle.starts)


class _Walk:
    """One walk around the circle."""

    def __init__(
        self, oracle: RankTwoOutputsOracle, V: FloatArray, unit: float, *, precise: bool
    ) -> None:
        self._most, self._depth = oracle.most, oracle.depth
        arcs = oracle.precise_arcs if precise else oracle.plain_arcs
        self._data = oracle.rows, arcs.starts, arcs.leaders, V, unit, precise
        self._totals = self._sums()

    def _sums(self) -> FloatArray:
        """A and -B: sums over the rows along and against the normals, (2, 2, c, 2)."""
        rows, starts, leaders, V, unit, precise = self._data
        totals = np.zeros((2, 2, V.shape[1], 2))
        half, step = int(starts[len(leaders)]), max(1, _CHUNK_WORK // V.shape[1])
        for sums, begin, end in zip(totals, (0, half), (half, len(V)), strict=True):
            for at in range(begin, end, step):
                add_rows(rows, V, unit, at, min(at + step, end), precise, sums)
                check_interrupt()
        totals[1] *= -1.0
        return totals

    def run(self, threshold: float) -> float:
        """The largest value; maxima above the threshold are kept."""
        leaders, V, precise = self._data[2], self._data[3], self._data[5]
        x, y = leaders[-1]
        opening = np.array([evaluate(G, x, y, precise)[1] for G in self._totals])
        state = start_walk(np.zeros(2))
        prefix, G = np.zeros(self._totals.shape[1:]), self._totals.copy()
        values, points = np.empty(_BUFFER + 2 * self._most), np.empty((_BUFFER + 2 * self._most, 3))
        self._kept = np.zeros(0), np.zeros((0, 3))
        at, p, step = 0, len(leaders), max(1, _CHUNK_WORK // V.shape[1])
        while at < p:
            at, found = walk(
                *self._data, self._totals, prefix, G, opening, at, min(at + step, p),
                threshold, self._depth, state, values, points,
            )  # fmt: skip
            check_interrupt()
            self._keep(values[:found], points[:found])
        found = end_walk(threshold, state, values, points)
        self._keep(values[:found], points[:found])
        return float(state[4])

    def _keep(self, values: FloatArray, points: FloatArray) -> None:
        values = np.concatenate([self._kept[0], values])
        points = np.concatenate([self._kept[1], points])
        best = np.argsort(-values, kind="stable")[: self._most]
        self._kept = values[best], points[best]

    def best(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Values, directions and unit outputs of the maxima, best first."""
        values, points = self._kept
        classes = np.abs(points[:, 0]).astype(np.int64) - 1
        order = np.argsort(classes, kind="stable")
        directions = np.empty((len(values), 2))
        outputs = np.empty((len(values), self._data[3].shape[1]))
        kinds = np.abs(points[:, 1])
        located = np.empty_like(directions), np.empty_like(outputs)
        locate(
            *self._data, self._totals, np.zeros(self._totals.shape[1:]), self._totals.copy(),
            classes[order], (points[order, 0] < 0.0).astype(np.int64), kinds[order], *located,
        )  # fmt: skip
        directions[order], outputs[order] = located
        return values, directions, outputs
