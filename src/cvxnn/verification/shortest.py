"""Short vectors of many polyhedra at a time, by Wolfe's algorithm; nothing here is relied upon."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray

# Beside unit vectors, so that no system is singular.
_RIDGE = 1e-15
# Weights that are nothing.
_NOTHING = 1e-14


@final
class Corrals:
    """For each of L polyhedra some points and rays, and the shortest vector of what they span.

    ``z = sum_k weights_k items_k``, over points with weights of the sum 1 and rays, all weights
    not negative: P. Wolfe, Finding the nearest point in a polytope, Math. Programming 11 (1976).

    Parameters
    ----------
    points : ndarray, shape (L, r)
        The first of each.

    Attributes
    ----------
    items : ndarray, shape (L, r + 2, r)
    weights : ndarray, shape (L, r + 2)
        0 for items that are none.
    is_ray : ndarray of bool, shape (L, r + 2)
    z : ndarray, shape (L, r)
    """

    def __init__(self, points: FloatArray) -> None:
        count, r = points.shape
        self.items = np.zeros((count, r + 2, r))
        self.weights = np.zeros((count, r + 2))
        self.is_ray = np.zeros((count, r + 2), dtype=bool)
        self.items[:, 0], self.weights[:, 0] = points, 1.0
        self.z = points.copy()

    @property
    def sizes(self) -> FloatArray:
        """What rounding of z is relative to, shape (L,): rays of a narrow cone nearly cancel."""
        lengths = np.sqrt((self.items * self.items).sum(axis=2))
        return np.asarray((np.abs(self.weights) * lengths).sum(axis=1))

    def take(self, index: BoolArray) -> None:
        """Keep some of the polyhedra."""
        for name in ("items", "weights", "is_ray", "z"):
            setattr(self, name, getattr(self, name)[index])

    def free(self) -> IntArray:
        """A place for one more item in each, shape (L,)."""
        return np.asarray(np.argmin(self.weights != 0.0, axis=1))

    def add(self, items: FloatArray, is_ray: BoolArray) -> IntArray:
        """One more item for each, shape (L, r), and the shortest z then; where it was put."""
        place, every = self.free(), np.arange(len(items))
        self.items[every, place], self.is_ray[every, place] = items, is_ray
        alive = self.weights > 0.0
        alive[every, place] = True
        self._reduce(alive)
        self.z = np.einsum("lk,lkr->lr", self.weights, self.items)
        return place

    def _reduce(self, alive: BoolArray) -> None:
        """Wolfe's minor cycles: towards the shortest of the affine hull, without what blocks."""
        open_ = np.arange(len(alive))
        for _ in range(alive.shape[1]):
            best = self._affine(open_, alive[open_])
            own, on = self.weights[open_], alive[open_]
            blocked = on & (best <= _NOTHING)
            way = np.where(blocked & (own > best), own - best, 1.0)
            falls = np.where(blocked, np.minimum(own / way, 1.0), 1.0)
            step = np.clip(falls.min(axis=1), 0.0, 1.0)
            moved = own + step[:, None] * (best - own)
            gone = blocked & (falls <= step[:, None])
            self.weights[open_] = np.where(on & ~gone, np.maximum(moved, 0.0), 0.0)
            alive[open_] &= ~gone
            open_ = open_[gone.any(axis=1)]
            if len(open_) == 0:
                break
        total = np.where(self.is_ray, 0.0, self.weights).sum(axis=1)
        self.weights /= np.where(total > 0.0, total, 1.0)[:, None]

    def _affine(self, where: IntArray, alive: BoolArray) -> FloatArray:
        """The weights of the shortest vector of each affine hull.

        Least squares for a point and what leads from it to the others, by QR: normal equations
        would lose half of the digits.
        """
        items, count, k = self.items[where], len(where), alive.shape[1]
        r, every = items.shape[2], np.arange(count)
        points = alive & ~self.is_ray[where]
        first = points.argmax(axis=1)
        origin = items[every, first]
        steps = np.where(points[:, :, None], items - origin[:, None], items)
        used = alive.copy()
        used[every, first] = False
        sizes = np.sqrt((steps * steps).sum(axis=2))
        sizes = np.where(used & (sizes > 0.0), sizes, 1.0)
        # The point to be reached is one more column, so that the other factor is not needed.
        system = np.zeros((count, r + k, k + 1))
        system[:, :r, :k] = (steps / sizes[:, :, None] * used[:, :, None]).transpose(0, 2, 1)
        system[:, r + np.arange(k), np.arange(k)] = np.where(used, _RIDGE, 1.0)
        system[:, :r, k] = -origin
        triangle = np.asarray(np.linalg.qr(system, mode="r"))
        weights = triangle[:, :k, k].copy()
        for j in range(k - 1, -1, -1):
            weights[:, j] /= triangle[:, j, j]
            weights[:, :j] -= triangle[:, :j, j] * weights[:, j, None]
        weights = weights / sizes
        weights = np.where(used, weights, 0.0)
        weights[every, first] = 1.0 - (weights * points).sum(axis=1)
        return weights
