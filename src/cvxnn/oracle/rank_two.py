"""The exact oracle for data of rank two at most: one feature and a bias, or two features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.compensated import dot
from cvxnn.interrupts import check_interrupt
from cvxnn.oracle.circle import CircularRows
from cvxnn.oracle.price import BOTH, Price, Proposals, VectorOracle, Wanted
from cvxnn.oracle.rank_two_kernels import (
    end_walk,
    precise_sum,
    start_walk,
    walk_circle,
    walk_precisely,
    weighted_sum,
)

# Rows that one kernel call works through: some 10 ms.
_CHUNK_ROWS = 1 << 20
_BUFFER = 4096
# Where the bound on the rounding is a larger share of the result, it is worth twice the
# precision.
_NEGLIGIBLE = 1e-9


@final
@dataclass(frozen=True)
class RankTwoPrice(Price):
    """One bound for both signs, and the local maxima.

    Attributes
    ----------
    found : Proposals
        Local maxima, in the coordinates of X.
    points : ndarray, shape (m, r)
        The same directions in reduced coordinates.
    planes : ndarray of int, shape (m,)
        Where it is known: ``k + 1`` or ``-(k + 1)`` for the normal of hyperplane k, turned
        left or right, which is the point without its rounding; else 0.
    """

    kind: ClassVar[str] = "rank two"
    is_exact: ClassVar[bool] = True

    found: Proposals
    points: FloatArray
    planes: IntArray

    @property
    def proposals(self) -> Proposals:
        """What was found."""
        return self.found


@final
class RankTwoOracle(VectorOracle[RankTwoPrice]):
    """Prices all directions at once by prefix sums over the rows sorted by angle.

    Parameters
    ----------
    X : ndarray, shape (n, d), or CircularRows
        Data of rank two at most.
    most : int
        How many local maxima to propose, the largest ones.
    depth : float
        Of maxima of one sign between which the function does not fall by this share of
        their excess over the threshold, only the largest counts; 0 for all. Noise gives
        every hill a thousand summits.

    Attributes
    ----------
    circle : CircularRows
        The sorted rows.
    is_complete : bool
        True: the bound covers all of space.
    basis : ndarray, shape (d, r)
        Reduced coordinates ``w = basis' u``.

    Notes
    -----
    O(n log n) once, O(n) per pricing. On each of the 2 p arcs between
    neighbouring hyperplanes the function is linear, ``g'u``; its largest value
    on the closed arc is ``||g||`` if g points into the arc, else it is at an
    end point.

    Rounding: the bound is the largest value met plus ``sum_i |v_i| e_i`` for the
    ``row_error`` e of the sorted rows. Besides the distances of rows from their
    place this has ``16 eps ||x_i||`` for, in units of ``eps/2 sum_i |v_i| ||x_i||``:
    1 for the products, 1 for a compensated sum (Ogita, Rump and Oishi 2005, of
    second order in ``n eps``), both in total and prefix sum, and 1 for their
    difference: 5; 5 for the rounding of norms and of products with unit normals,
    which err by 3 themselves; and 10 + 5 where these errors send the maximum of
    an arc to its end point, which costs at most the error of the slope: 30 in
    all, including 5 for the unit normals against the rows they come from. The
    order of the normals is proven by cross products.

    Where that is no small share of the result - rows that are nearly parallel, as
    timestamps are, beside a small beta - the walk is repeated in twice the precision,
    from the rows instead of unit normals. In units of ``eps^2 sum_i |v_i| ||x_i||`` one
    addition errs by less than 0.8, for the three roundings of its low part, so that total and
    prefix sum of m rows err by ``1.6 m + 2``; their difference and a product by 6 more, all
    of it twice with slopes as above: less than ``8 (m + 8)``. The final roundings are
    relative to the value.

    Examples
    --------
    >>> import numpy as np
    >>> oracle = RankTwoOracle(np.eye(2))
    >>> price = oracle.price(np.array([[3.0], [-4.0]]))
    >>> round(price.bound, 9), price.values, price.signs
    (4.0, array([4., 3.]), array([-1.,  1.]))
    """

    def __init__(
        self, X: FloatArray | CircularRows, *, most: int = 200, depth: float = 0.0
    ) -> None:
        self.circle = X if isinstance(X, CircularRows) else CircularRows.of(X)
        self._most, self._depth = most, depth
        self.is_complete = True
        self.basis = self.circle.basis

    def price_vector(self, v: FloatArray, wanted: Wanted) -> RankTwoPrice:
        """Price v, shape (n,).

        It takes no time to speak of: whatever the deadline, the price is there.
        """
        price = self.price_sorted(v[self.circle.order], wanted.threshold, wanted.signs)
        return replace(price, bounds=wanted.bounds(price.bound))

    def price_sorted(
        self, v: FloatArray, threshold: float = 0.0, signs: tuple[float, ...] = BOTH
    ) -> RankTwoPrice:
        """The same for the entries of v at the rows of `circle`, in their order."""
        circle = self.circle
        largest = float(np.abs(v).max(initial=0.0))
        if circle.n_classes == 0 or largest == 0.0:
            return self._price(0.0, np.zeros(0), np.zeros((0, 3)))
        unit = float(np.exp2(np.floor(np.log2(largest))))
        wanted = (1.0 / unit, threshold / unit, signs)
        if circle.frame is None or not circle.allows_precision:
            error = float(np.abs(v) @ circle.row_error) * (1.0 + 1e-9)
            top, values, points = self._walk(v, *wanted, precise=False)
            price = self._price(top * unit + error, values * unit, points)
            if error <= _NEGLIGIBLE * price.bound or not circle.allows_precision:
                return price
        top, values, points = self._walk(v, *wanted, precise=True)
        error = self._precise_error(v) + 16.0 * EPS * top * unit
        return self._price(top * unit + error, values * unit, points)

    def _precise_error(self, v: FloatArray) -> float:
        """Rounding and displaced rows, for the walk in twice the precision."""
        circle, sizes = self.circle, np.abs(v)
        rounding = 8.0 * (len(v) + 8) * EPS**2 * float(sizes @ circle.lengths)
        return float(sizes @ circle.displacement) * (1.0 + 1e-9) + rounding

    def _price(self, bound: float, values: FloatArray, points: FloatArray) -> RankTwoPrice:
        on = np.abs(points[:, 0]) > 1.5
        planes = np.zeros(len(points), dtype=np.int64)
        if on.any():
            points = points.copy()
            turns, k = np.sign(points[on, 0]), np.abs(points[on, 0]).astype(np.int64) - 2
            planes[on] = turns.astype(np.int64) * (k + 1)
            normals = self.circle.normals[k]
            points[on, 0], points[on, 1] = -turns * normals[:, 1], turns * normals[:, 0]
        reduced = points[:, : self.circle.rank]
        found = Proposals(reduced @ self.basis.T, points[:, 2:], values)
        return RankTwoPrice(np.full(2, bound), True, found, reduced, planes)

    def _totals(self, v: FloatArray, unit: float, precise: bool) -> FloatArray:
        """A and -B: sums over the rows along and against the normals, each with its rest."""
        circle = self.circle
        add_rows = precise_sum if precise else weighted_sum
        half = int(circle.starts[circle.n_classes])
        totals = np.zeros((2, 4))
        for sums, begin, end in zip(totals, (0, half), (half, len(v)), strict=True):
            for at in range(begin, end, _CHUNK_ROWS):
                add_rows(circle.rows, v, unit, at, min(at + _CHUNK_ROWS, end), sums)
                check_interrupt()
        return totals * np.array([[1.0], [-1.0]])

    def _walk(
        self, v: FloatArray, unit: float, threshold: float, signs: tuple[float, ...], *,
        precise: bool,
    ) -> tuple[float, FloatArray, FloatArray]:  # fmt: skip
        """The largest value on the circle, and the largest local maxima, best first."""
        sides = (0 if 1.0 in signs else 1, 2 if -1.0 in signs else 1)
        circle, most = self.circle, self._most
        totals = self._totals(v, unit, precise)
        if precise:
            walk: Any = walk_precisely
            normals = circle.leaders
            slopes = -np.array([dot(*total, *normals[-1]) for total in totals])
        else:
            walk, normals = walk_circle, circle.normals
            totals = totals[:, ::2] + totals[:, 1::2]
            slopes = -(totals[:, 0] * normals[-1, 0] + totals[:, 1] * normals[-1, 1])
        state = start_walk(slopes)
        values, points = np.empty(_BUFFER + 2 * most), np.empty((_BUFFER + 2 * most, 3))
        kept = np.zeros(0), np.zeros((0, 3))
        at, p = 0, circle.n_classes
        while at < p:
            at, found = walk(
                circle.rows, circle.starts, normals, v, unit, totals,
                at, min(at + _CHUNK_ROWS, p), threshold, self._depth, *sides, state, values, points,
            )  # fmt: skip
            check_interrupt()
            kept = _best(*_joined(kept, values[:found], points[:found]), most)
        found = end_walk(threshold, state, values, points)
        kept_values, kept_points = _joined(kept, values[:found], points[:found])
        best = np.argsort(-kept_values, kind="stable")[:most]
        return float(state[4]), kept_values[best], kept_points[best]


def _joined(
    kept: tuple[FloatArray, FloatArray], values: FloatArray, points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([kept[0], values]), np.concatenate([kept[1], points])


def _best(values: FloatArray, points: FloatArray, most: int) -> tuple[FloatArray, FloatArray]:
    """The largest `most`, in the order they were met."""
    if len(values) <= most:
        return values, points
    keep = np.sort(np.argpartition(-values, most)[:most])
    return values[keep], points[keep]
