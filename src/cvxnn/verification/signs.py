"""A tree of signs of rows, for few rows in any dimension: searched, and followed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import U, gamma, norms_up
from cvxnn.verification.shortest import Corrals
from cvxnn.verification.workers import on_all_cores

Splits = NDArray[np.uint16]
Signs = NDArray[np.int8]

LEAF = 65535
# Entries of (cells x rows x dimensions) that exist at a time.
_CHUNK = 1 << 20
_STUCK, _OUTSIDE = 1e-14, 1e-13


@final
class _Regions:
    """Linear over-estimators on regions where some rows have fixed signs, and what they prove.

    Parameters
    ----------
    function : Kinked
    signs : ndarray of {-1, 0, 1}, shape (L, N)
        Where ``sign_i y_i'u >= 0``; 0 for any.

    Notes
    -----
    In such a region a term of sign 1 is ``omega_i y_i'u``, one of sign -1 is 0. Of the others,
    for u in the unit ball, one of a negative weight is at most ``omega_i s_i y_i'u`` for any s_i in
    [0, 1], and ``(t)_+ = (t + |t|) / 2`` makes those of a positive weight

        sum_i omega_i (y_i'u)_+ <= 1/2 sum_i omega_i y_i'u
                                   + 1/2 (sum_i omega_i l_i)^(1/2) ||A||^(1/2)

    with ``A = sum_i omega_i y_i y_i' / l_i``, ``l_i = ||y_i||``, by Cauchy and Schwarz, where the
    Frobenius norm of A takes the place of the spectral one. As ``rho_i sign_i y_i'u >= 0`` for
    any ``rho >= 0``, for g the sum of the linear terms

        f(u) <= ||g + sum_i rho_i sign_i y_i|| + 1/2 (...).

    Nothing is asked of rho and s. Errors are relative to ``mass + sum_i rho_i l_i``.
    """

    def __init__(self, function: Kinked, signs: Signs) -> None:
        self._function, self._signs = function, signs
        weights, rows = function.weights, function.rows
        self._lengths = norms_up(rows)
        free = signs == 0
        half = free & (weights > 0.0)
        linear = np.where(signs > 0, weights, 0.0) + np.where(half, 0.5 * weights, 0.0)
        self._linear = linear @ rows + function.base
        self._falling = free & (weights < 0.0)
        # l_i omega_i, and the squares of cosines: ||A||_F^2 = m'H m.
        sizes = half * (weights * self._lengths)
        cosines = rows / self._lengths[:, None]
        squares = (cosines @ cosines.T) ** 2
        norm = np.sqrt(np.einsum("li,ij,lj->l", sizes, squares, sizes))
        # Lengths are rounded up, so that cosines are too small by as much.
        self._curved = 0.5 * np.sqrt(sizes.sum(axis=1) * norm) * (1.0 + gamma(8 * rows.size + 64))

    def slope(self, u: FloatArray, of: BoolArray) -> FloatArray:
        """The linear over-estimator that is tight at u where weights are negative, (k, r)."""
        on = self._falling[of] & (u @ self._function.rows.T > 0.0)
        return np.asarray(self._linear[of] + (on * self._function.weights) @ self._function.rows)

    def shortened(self, target: float) -> tuple[FloatArray, FloatArray]:
        """Proven bounds of all, shape (L,), and where the shortest vectors point, (L, r)."""
        function, signs = self._function, self._signs
        count, r = len(signs), function.rank
        found, of = np.full(count, np.inf), np.ones(count, dtype=bool)
        points = self.slope(self._linear, of)
        corrals, ends = Corrals(points), points.copy()
        units = function.rows / self._lengths[:, None]
        for _ in range(8 * r + 16):
            rho = np.where(corrals.is_ray, corrals.weights, 0.0).sum(axis=1)
            found[of] = np.minimum(found[of], self._bounds(corrals.z, rho, of))
            ends[of] = corrals.z
            heights = (corrals.z @ units.T) * signs[of]
            worst, every = heights.argmin(axis=1), np.arange(len(heights))
            size = np.sqrt((corrals.z**2).sum(axis=1))
            outside = heights[every, worst] < -_OUTSIDE * corrals.sizes
            new = self.slope(corrals.z, of)
            tight = np.einsum("lk,lk->l", new, corrals.z) >= size * size * (1.0 - _STUCK)
            going = (found[of] > target) & (outside | ~tight)
            of[of] = going
            if not of.any():
                break
            rays = units[worst] * signs[of.nonzero()[0][np.cumsum(going) - 1], worst][:, None]
            items = np.where(outside[:, None], rays, new)
            corrals.take(going)
            before = size[going]
            corrals.add(items[going], outside[going])
            shorter = np.sqrt((corrals.z**2).sum(axis=1)) < before * (1.0 - _STUCK)
            of[of] = shorter
            corrals.take(shorter)
            if not of.any():
                break
        return found, ends

    def _bounds(self, z: FloatArray, rho: FloatArray, of: BoolArray) -> FloatArray:
        """z is the sum of a mixture of slopes, and of unit rows with weights of the sum rho."""
        function = self._function
        share = 2.0 * gamma(len(function.rows) + 4 * function.rank + 32)
        bounds = norms_up(z) + self._curved[of] + share * (function.mass + rho * (1.0 + 1e-9))
        return np.where(np.isfinite(bounds), bounds * (1.0 + 8.0 * U), np.inf)

    def splits(self, ends: FloatArray, of: BoolArray) -> Splits:
        """The row of each whose sign matters most at the end of its shortest vector.

        Rows of a negative weight only where there are no others: then it is rounding that hides
        the best slopes.
        """
        rows, weights = self._function.rows, self._function.weights
        size = np.sqrt((ends[of] ** 2).sum(axis=1))
        along = np.abs(ends[of] @ rows.T) / np.where(size > 0.0, size, 1.0)[:, None]
        apart = np.maximum(self._lengths - along, 1e-9 * self._lengths) * np.abs(weights)
        free, rising = self._signs[of] == 0, weights > 0.0
        worth = np.where(free & rising, apart, -1.0)
        none = worth.max(axis=1, keepdims=True) < 0.0
        worth = np.where(none & free, apart, worth)
        return np.argmax(worth, axis=1).astype(np.uint16)


@final
class SignTree:
    """The largest value of a function of kinks on the unit ball, by signs of rows.

    Parameters
    ----------
    function : Kinked
    target : float
        Regions with a bound of no more are not divided.
    deadline : Deadline
        After which no region is looked at.

    Examples
    --------
    >>> function = Kinked(np.eye(3), np.array([3.0, -4.0, 1.0]), np.zeros(3))
    >>> bound, splits = SignTree(function, 3.1623).searched(1000)
    >>> round(bound, 4)  # the root of 10
    3.1623
    >>> SignTree(function, 3.1623).followed(splits) == bound
    True
    """

    def __init__(self, function: Kinked, target: float, deadline: Deadline = FOREVER) -> None:
        self._function, self._target, self._deadline = function, target, deadline
        self.n_cones, self._is_beyond = 0, False

    def searched(self, most: int) -> tuple[float, Splits]:
        """A bound, and the rows of the splits, level after level; after so many regions, worse."""
        signs, levels, bound = self._root(), [], 0.0
        known = np.full(len(signs), self._function.mass)
        while len(signs):
            bounds, splits = self._looked_at(signs, choose=True)
            # What holds in a region holds in its halves.
            bounds = np.minimum(bounds, known)
            if self.n_cones >= most or self._is_beyond or self._deadline.passed:
                splits[:] = LEAF
            inner = splits != LEAF
            bound = max(bound, float(bounds[~inner].max(initial=0.0)))
            levels.append(splits)
            signs, known = self._divided(signs[inner], splits[inner]), np.repeat(bounds[inner], 2)
        return bound, np.concatenate(levels)

    def followed(self, splits: Splits) -> float:
        """The bound that splits prove, the sum of all moduli where the time is up before.

        InputError if they are none of a tree of these rows.
        """
        signs, bound, at = self._root(), 0.0, 0
        while len(signs):
            if self._deadline.passed:
                return self._function.mass
            level = splits[at : at + len(signs)]
            at += len(signs)
            leaves = level == LEAF
            if len(level) < len(signs) or not (leaves | (level < signs.shape[1])).all():
                raise InputError("The splits of the certificate are none of a tree.")
            bounds, _ = self._looked_at(signs[leaves], choose=False)
            bound = max(bound, float(bounds.max(initial=0.0)))
            signs = self._divided(signs[~leaves], level[~leaves])
        if at != len(splits):
            raise InputError("The splits of the certificate are none of a tree.")
        return bound

    def _root(self) -> Signs:
        return np.zeros((1, len(self._function.rows)), dtype=np.int8)

    def _divided(self, signs: Signs, splits: Splits) -> Signs:
        """Either side of a row."""
        halves, every = np.repeat(signs, 2, axis=0), np.arange(len(signs))
        halves[2 * every, splits], halves[2 * every + 1, splits] = 1, -1
        return halves

    def _looked_at(self, signs: Signs, *, choose: bool) -> tuple[FloatArray, Splits]:
        bounds, splits = np.full(len(signs), np.inf), np.full(len(signs), LEAF, dtype=np.uint16)

        def look(part: slice) -> bool:
            if self._deadline.passed:
                return False
            regions = _Regions(self._function, signs[part])
            bounds[part], ends = regions.shortened(self._target)
            free = (signs[part] == 0).any(axis=1)
            above = (bounds[part] > self._target) & free
            if choose and above.any():
                splits[part][above] = regions.splits(ends, above)
            units = ends / np.maximum(norms_up(ends), 1e-300)[:, None]
            return choose and self._function.exceeds(self._target, units)

        self._is_beyond |= any(on_all_cores(look, list(self._parts(len(signs)))))
        self.n_cones += len(signs)
        return np.minimum(bounds, self._function.mass), splits

    def _parts(self, count: int) -> Iterator[slice]:
        each = max(1, _CHUNK // max(1, self._function.rows.size))
        for start in range(0, count, each):
            yield slice(start, min(start + each, count))
