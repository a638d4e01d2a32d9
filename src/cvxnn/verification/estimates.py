"""Over-estimators of functions on cones, and what they prove."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.cones import Cones, Splits
from cvxnn.verification.rounding import U, gamma, norms_up
from cvxnn.verification.shortest import Corrals

# Vectors that are not shortened by more than this share are the shortest, and coordinates
# below minus it are outside.
_STUCK, _OUTSIDE = 1e-14, 1e-13
_REFINEMENTS = 1


class Estimates(ABC):
    """Over-estimators of a function on cones, and what they prove.

    Kinds of them are made of a function and cones.

    Parameters
    ----------
    cones : Cones
    errors : ndarray, shape (L, r)
        What numbers of :meth:`at` may be too small by, for each generator.

    Notes
    -----
    For u in the cone of ``w_1, ..., w_r``, ``u = sum_j t_j w_j`` with ``t >= 0``, a function that
    is at most ``sum_j t_j c_j`` there is, for any z,

        f(u) <= sum_j t_j c_j <= z'u + sum_j t_j max(c_j - w_j'z, 0)
             <= ||z|| + sqrt(r) max_j max(c_j - w_j'z, 0) / ||w_j||_1      for ||u|| <= 1,

    since ``sum_j t_j ||w_j||_1 = ||u||_1 <= sqrt(r)``: all w_j lie in one orthant. Nothing is
    asked of z, which :meth:`shortened` looks for, and mixtures of several c are as good. Linear
    over-estimators on simplices are those of R. Horst and H. Tuy, Global Optimization, 3rd ed.,
    1996, section IV.3.
    """

    def __init__(self, cones: Cones, errors: FloatArray) -> None:
        W = cones.generators
        self._cones, self._errors, self._r = cones, errors, W.shape[1]
        self._lengths = norms_up(W)
        self._sizes = norms_up(W * cones.units)

    @abstractmethod
    def at(self, share: FloatArray, of: BoolArray) -> tuple[FloatArray, FloatArray]:
        """A c, shape (k, r), that is small at ``sum_j share_j w_j``, and its value there.

        Of some of the cones.
        """

    @abstractmethod
    def splits(self, of: BoolArray) -> Splits:
        """The edge of each along which over-estimators are farthest above the function."""

    def middles(self, of: BoolArray) -> FloatArray:
        """The shares of generators in a unit vector in the middle of each."""
        share = 1.0 / self._sizes[of]
        middles = np.einsum("lj,ljk->lk", share, self._cones.generators[of])
        return np.asarray(share / norms_up(middles)[:, None])

    def widest(self, gaps: FloatArray, of: BoolArray) -> Splits:
        """The edge of the largest gap, of shape (k, edges); where there is none, the longest."""
        # In the coordinates in which the middle is taken.
        units = self._cones.generators[of] * self._cones.units / self._sizes[of][:, :, None]
        widths = [norms_up(units[:, i] - units[:, j]) for i, j in self._cones.edges]
        none = gaps.max(axis=1, keepdims=True) <= 0.0
        return np.argmax(np.where(none, np.stack(widths, axis=1), gaps), axis=1).astype(np.uint8)

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

    def shortened(self, target: float) -> FloatArray:
        """Proven bounds on all cones, shape (L,), shortened until they are `target` or best.

        inf for a cone on which no over-estimator is below the target.
        """
        W = self._cones.generators
        found, of = np.full(len(W), np.inf), np.ones(len(W), dtype=bool)
        totals, values = self.at(self.middles(of), of)
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
