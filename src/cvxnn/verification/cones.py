"""Cones of generators that cover all of space, halved exactly, and bounds on each of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import U, gamma, norms_up
from cvxnn.verification.shortest import Corrals

Splits = NDArray[np.uint8]

# Vectors that are not shortened by more than this share are the shortest, and coordinates
# below minus it are outside.
_STUCK, _OUTSIDE = 1e-14, 1e-13
_REFINEMENTS = 1


@final
@dataclass(frozen=True)
class Cones:
    """Simplicial cones in R^r.

    Attributes
    ----------
    generators : ndarray, shape (L, r, r)
        Rows are generators w_j, those of a cone in one orthant.
    units : ndarray, shape (r,)
        Powers of two: the largest modulus of ``units w_j`` lies in [1, 2). Cones are halved in
        the middle as these coordinates have it, in which columns of rows are of one size.

    Examples
    --------
    >>> cones = Cones.orthants(np.ones(2))
    >>> halves, exact = cones.halved(np.zeros(4, dtype=np.uint8))
    >>> len(cones), len(halves), halves.generators[0].tolist()
    (4, 8, [[1.0, 1.0], [0.0, 1.0]])
    """

    generators: FloatArray
    units: FloatArray

    def __len__(self) -> int:
        return len(self.generators)

    @classmethod
    def orthants(cls, units: FloatArray) -> Cones:
        """All of space."""
        corners = np.array(list(product((1.0, -1.0), repeat=len(units))))
        return cls(corners[:, :, None] * np.diag(1.0 / units), units)

    def take(self, index: BoolArray | slice) -> Cones:
        """Some of them."""
        return Cones(self.generators[index], self.units)

    @property
    def centres(self) -> FloatArray:
        """A unit vector in the middle of each, shape (L, r)."""
        sums = self.generators.sum(axis=1)
        return np.asarray(sums / norms_up(sums)[:, None])

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs of generators: what the numbers of splits count."""
        return list(combinations(range(self.generators.shape[1]), 2))

    def halved(self, splits: Splits) -> tuple[Cones, BoolArray]:
        """Both halves of each at an edge, one after the other; whether they are exactly that.

        The cones of ``w_i + w_j, w_j, ...`` and of ``w_i, w_i + w_j, ...`` together are that of
        ``w_i, w_j, ...``. A sum of two generators is rounded only where their last digits are
        too far apart: what a two-sum leaves (D. Knuth 1969) tells.
        """
        pairs, every = np.array(self.edges).reshape(-1, 2)[splits], np.arange(len(self))
        left, right = (self.generators[every, pairs[:, k]] for k in (0, 1))
        new = left + right
        back = new - left
        exact = ((left - (new - back)) + (right - back) == 0.0).all(axis=1)
        scale = np.ldexp(1.0, 1 - np.frexp(np.abs(new * self.units).max(axis=1))[1])
        halves = np.repeat(self.generators, 2, axis=0)
        middle = new * scale[:, None]
        halves[2 * every, pairs[:, 0]] = halves[2 * every + 1, pairs[:, 1]] = middle
        return Cones(halves, self.units), exact


@final
class Estimates:
    """Over-estimators of a function on cones, and what they prove.

    Parameters
    ----------
    function : Kinked
    cones : Cones

    Notes
    -----
    For u in the cone of ``w_1, ..., w_r``, ``u = sum_j t_j w_j`` with ``t >= 0``: terms of a
    positive weight are convex and positively homogeneous, so at most ``sum_j t_j omega_i
    (y_i'w_j)_+``; terms of a negative weight are at most ``omega_i s_i y_i'u`` for any slope
    s_i in [0, 1]. With ``c_j`` the sum of these at w_j, and any z,

        f(u) <= sum_j t_j c_j <= z'u + sum_j t_j max(c_j - w_j'z, 0)
             <= ||z|| + sqrt(r) max_j max(c_j - w_j'z, 0) / ||w_j||_1      for ||u|| <= 1,

    since ``sum_j t_j ||w_j||_1 = ||u||_1 <= sqrt(r)``: all w_j lie in one orthant. Nothing is
    asked of slopes and z, which :meth:`shortened` looks for. Linear over-estimators on simplices
    are those of R. Horst and H. Tuy, Global Optimization, 3rd ed., 1996, section IV.3.

    Every c_j is a sum of products of three numbers, whose moduli add up to ``|w_j|'(|base| +
    sum_i |omega_i| |y_i|)`` at most, and so is a mixture of several.
    """

    def __init__(self, function: Kinked, cones: Cones) -> None:
        W, r = cones.generators, function.rank
        rising = function.weights > 0.0
        self._cones, self._r = cones, r
        self._weights = {True: function.weights[rising], False: function.weights[~rising]}
        self._rising, self._falling = (
            (W.reshape(-1, r) @ function.rows[side].T).reshape(len(W), r, -1)
            for side in (rising, ~rising)
        )
        chords = np.maximum(self._rising, 0.0) @ self._weights[True]
        self._fixed = W @ function.base + chords
        self._lengths = norms_up(W)
        share = 2.0 * gamma(len(function.rows) + 3 * r + 16)
        self._errors = share * (np.abs(W) @ function.moduli)
        self._sizes = norms_up(W * cones.units)

    def at(self, share: FloatArray, of: BoolArray) -> tuple[FloatArray, FloatArray]:
        """The c, shape (k, r), tight at ``sum_j share_j w_j``, and their value there.

        Of some of the cones; no slopes give a smaller value there.
        """
        falling = self._falling[of]
        where = np.einsum("lj,ljn->ln", share, falling)
        slopes = np.where(where > 0.0, self._weights[False], 0.0)
        totals = self._fixed[of] + (falling @ slopes[:, :, None])[:, :, 0]
        return totals, np.einsum("lj,lj->l", share, totals)

    def bounds(self, totals: FloatArray, z: FloatArray, of: BoolArray) -> FloatArray:
        """What c and z prove of some of the cones, shape (k,)."""
        lengths, r = self._lengths[of], self._r
        W, sizes = self._cones.generators[of], norms_up(z)
        reached = np.einsum("ljk,lk->lj", W, z)
        rounding = gamma(r + 4) * np.einsum("ljk,lk->lj", np.abs(W), np.abs(z))
        short = totals - reached + self._errors[of] + rounding
        # The 1-norm is not below the 2-norm, nor so its lower bounds.
        short = short / lengths * (1.0 + gamma(2 * r + 32))
        beyond = np.maximum(short.max(axis=1), 0.0) * np.sqrt(r) * (1.0 + 1e-9)
        bounds = (sizes + beyond) * (1.0 + 8.0 * U)
        return np.where(np.isfinite(bounds), bounds, np.inf)

    def splits(self, of: BoolArray) -> Splits:
        """The edge of each along which chords are farthest above the function, or the longest."""
        # In the coordinates in which the middle is taken.
        sizes = self._sizes[of][:, :, None]
        products = self._rising[of] / sizes
        units = self._cones.generators[of] * self._cones.units / sizes
        gaps, widths = [], []
        for i, j in self._cones.edges:
            one, other = products[:, i], products[:, j]
            apart = np.minimum(np.abs(one), np.abs(other)) * (one * other < 0.0)
            gaps.append(apart @ self._weights[True])
            widths.append(norms_up(units[:, i] - units[:, j]))
        by_gap, by_width = np.stack(gaps, axis=1), np.stack(widths, axis=1)
        none = by_gap.max(axis=1, keepdims=True) <= 0.0
        return np.argmax(np.where(none, by_width, by_gap), axis=1).astype(np.uint8)

    def shortened(self, target: float) -> FloatArray:
        """Proven bounds on all cones, shape (L,), shortened until they are `target` or best.

        inf for a cone on which no over-estimator is below the target.
        """
        W = self._cones.generators
        found, of = np.full(len(W), np.inf), np.ones(len(W), dtype=bool)
        middles = np.einsum("lj,ljk->lk", 1.0 / self._sizes, W)
        share = 1.0 / self._sizes / norms_up(middles)[:, None]
        totals, values = self.at(share, of)
        of[values > target] = False
        if not of.any():
            return found
        inverses, totals = _inverses(W[of]), totals[of]
        corrals = Corrals(_solutions(W[of], inverses, totals))
        cuts = np.zeros_like(corrals.items)
        cuts[:, 0] = totals
        for _ in range(6 * self._r + 12):
            points = np.where(corrals.is_ray, 0.0, corrals.weights)
            mixed = np.einsum("lk,lkj->lj", points, cuts)
            found[of] = np.minimum(found[of], self.bounds(mixed, corrals.z, of))
            items, new, facets, values = self._next(corrals, inverses, of)
            length = np.sqrt((corrals.z**2).sum(axis=1))
            stuck = (values > target) | (~facets & (values >= length * (1.0 - _STUCK)))
            going = (found[of] > target) & ~stuck
            of[of] = going
            if not of.any():
                break
            inverses, cuts, length = inverses[going], cuts[going], length[going]
            corrals.take(going)
            place = corrals.add(items[going], facets[going])
            cuts[np.arange(len(cuts)), place] = np.where(facets[going, None], 0.0, new[going])
            shorter = np.sqrt((corrals.z**2).sum(axis=1)) < length * (1.0 - _STUCK)
            of[of] = shorter
            inverses, cuts = inverses[shorter], cuts[shorter]
            corrals.take(shorter)
            if not of.any():
                break
        return found

    def _next(
        self, corrals: Corrals, inverses: FloatArray, of: BoolArray
    ) -> tuple[FloatArray, FloatArray, BoolArray, FloatArray]:
        """A ray where z is outside its cone, else the point of the c that is tight at z."""
        z, W, every = corrals.z, self._cones.generators[of], np.arange(len(corrals.z))
        normals = inverses.transpose(0, 2, 1)
        normals = normals / norms_up(normals)[:, :, None]
        heights = np.einsum("ljk,lk->lj", normals, z)
        worst = heights.argmin(axis=1)
        outside = heights[every, worst] < -_OUTSIDE * corrals.sizes
        share = np.maximum(np.einsum("lk,lkj->lj", z, inverses), 0.0)
        reached = np.sqrt((np.einsum("lj,ljk->lk", share, W) ** 2).sum(axis=1))
        share = share / np.where(reached > 0.0, reached, 1.0)[:, None]
        totals, values = self.at(share, of)
        points = _solutions(W, inverses, totals)
        return np.where(outside[:, None], normals[every, worst], points), totals, outside, values


def _inverses(matrices: FloatArray) -> FloatArray:
    """Inverses, about; of singular ones anything."""
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(matrices))


def _solutions(matrices: FloatArray, inverses: FloatArray, right: FloatArray) -> FloatArray:
    """``W z = c``, about, with a residual of rounding.

    Of the narrow cones about a maximum on a kink the inverse alone leaves a residual that is as
    large as what is gained by halving them.
    """
    z = (inverses @ right[:, :, None])[:, :, 0]
    for _ in range(_REFINEMENTS):
        z = z + (inverses @ (right[:, :, None] - matrices @ z[:, :, None]))[:, :, 0]
    return np.asarray(z)
