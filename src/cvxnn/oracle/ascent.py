"""The ascent oracle: many local maxima of |v'(Xu)_+| on the sphere, without a proof."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.oracle.ascent_kernels import climb
from cvxnn.oracle.price import BOTH, Proposals
from cvxnn.patterns.cone_kernels import project_on_cell
from cvxnn.problems import Neurons


@dataclass(frozen=True)
class Settings:
    """The numbers that ascents go by.

    Attributes
    ----------
    short_steps, climb_steps : int
        Evaluations of the first, short climb of every start, and of the survivors'.
    promising : float
        Share of the threshold that a short climb has to reach to be worth a long one.
    same_short, same : float
        Directions with a cosine above this are one: coarsely after short climbs, then finely.
    chunk_work : int
        Products of entries that one kernel call may compute: some 50 ms.
    polish_work : int
        Products of one conic projection, at most, for climbs to be polished by them.
    """

    short_steps: int = 8
    climb_steps: int = 40
    promising: float = 0.5
    same_short: float = 1.0 - 1e-3
    same: float = 1.0 - 1e-5
    chunk_work: int = 1 << 25
    polish_work: int = 1 << 28


SETTINGS = Settings()


@final
@dataclass(frozen=True)
class Paid:
    """What directions must not do and pay: they stay in ``t_j u_j >= 0``, at a price of a 1-norm.

    Attributes
    ----------
    cone : ndarray, shape (r,)
        The t, 0 for no constraint.
    price : float
        p of ``v'(Xu)_+ - p ||u||_1``.
    """

    cone: FloatArray
    price: float = 0.0

    def projected(self, directions: FloatArray) -> FloatArray:
        """Unit directions of the cone; those of which nothing is left are dropped."""
        moved = np.where(self.cone * directions < 0.0, 0.0, directions)
        lengths = np.linalg.norm(moved, axis=1)
        return np.asarray(moved[lengths > 0.0] / lengths[lengths > 0.0, None])


@final
class AscentOracle:
    """Climbs from random directions in the geometry of the data, both signs.

    Directions drawn as ``to_direction @ g``, g Gaussian, are spread evenly over
    the hyperplanes of the data; a standard normal direction would miss most
    maxima of data that are not centred or not of one scale.

    Parameters
    ----------
    X : ndarray, shape (n, r)
    to_direction : ndarray, shape (r, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator
        The only source of randomness: the same state gives the same proposals.

    Notes
    -----
    A lower bound on the oracle refutes optimality, it cannot certify it. O(n r)
    for every evaluation of a start, no memory beyond the starts.

    Examples
    --------
    >>> import numpy as np
    >>> oracle = AscentOracle(np.eye(2), np.eye(2), np.random.default_rng(0))
    >>> proposals = oracle.search(np.array([[3.0], [-4.0]]), 1.0, n_starts=20)
    >>> proposals.values.round(6).tolist(), proposals.signs.tolist()
    ([4.0, 3.0], [-1.0, 1.0])
    """

    def __init__(
        self, X: FloatArray, to_direction: FloatArray, random_state: np.random.Generator
    ) -> None:
        self.X = np.ascontiguousarray(X)
        self._columns = np.ascontiguousarray(X.T)
        self.to_direction = to_direction
        self.random_state = random_state
        lengths = np.linalg.norm(X, axis=1)
        self._normals = X / np.where(lengths > 0.0, lengths, 1.0)[:, None]
        self._rows = np.flatnonzero(lengths > 0.0)

    def search(
        self,
        V: FloatArray,
        threshold: float,
        n_starts: int,
        *,
        neurons: Neurons | None = None,
        most: int = 100,
        polish: bool = False,
        deadline: Deadline = UNLIMITED,
        signs: tuple[float, ...] = BOTH,
        paid: Paid | None = None,
    ) -> Proposals:
        """Local maxima above a threshold for each sign, at most `most` for each.

        Parameters
        ----------
        V : ndarray, shape (n, 1)
            Dual point.
        threshold : float
            Usually beta: only neurons above it can lower the objective.
        n_starts : int
            Random starts.
        neurons : Neurons, optional
            Further starts, each for its own sign.
        most : int
        polish : bool
            Whether to end at the exact maximiser over the closed cell, where a
            projection on it takes a fraction of a second.
        deadline : Deadline, optional
        signs : tuple of float, optional
        paid : Paid, optional
            What each direction must not do and pays, for one sign.
        """
        (v,) = V.T
        drawn = self.draw(n_starts)
        paid = Paid(np.zeros(self.X.shape[1])) if paid is None else paid
        if paid.cone.any():
            drawn = paid.projected(drawn)
        starts = [drawn for _ in signs]
        if neurons is not None:
            parts = (neurons.signs == sign for sign in signs)
            starts = [np.vstack([drawn, neurons.directions[part]]) for part in parts]
        found = []
        duals = [sign * v for sign in signs]
        climbed = self._climb_all(duals, paid, starts, threshold, most, deadline)
        for sign, (directions, values) in zip(signs, climbed, strict=True):
            if polish and self.X.size * self.X.shape[1] <= SETTINGS.polish_work:
                directions, values = self._polish(sign * v, paid, directions, values, deadline)
            above = values > threshold
            found.append((directions[above], np.full(int(above.sum()), sign), values[above]))
        directions, heads, values = (np.concatenate(part) for part in zip(*found, strict=True))
        best = np.argsort(-values, kind="stable")
        return Proposals(directions, heads[:, None], values).select(best)

    def draw(self, n_starts: int) -> FloatArray:
        """Unit directions, spread evenly over the hyperplanes of the data."""
        r = self.to_direction.shape[1]
        drawn = self.random_state.standard_normal((n_starts, r)) @ self.to_direction.T
        norms = np.linalg.norm(drawn, axis=1, keepdims=True)
        return np.asarray(drawn / np.where(norms > 0.0, norms, 1.0))

    def _climb_all(
        self,
        duals: list[FloatArray],
        paid: Paid,
        starts: list[FloatArray],
        threshold: float,
        most: int,
        deadline: Deadline,
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Short climbs from all starts, then longer ones where they promise something."""
        short = self._climb(duals, paid, starts, SETTINGS.short_steps, deadline)
        promising = []
        for directions, values in short:
            good = values > SETTINGS.promising * threshold
            found = distinct(directions[good], values[good], 4 * most, SETTINGS.same_short)
            promising.append(found[0])
        climbed = self._climb(duals, paid, promising, SETTINGS.climb_steps, deadline)
        return [distinct(*reached, most, SETTINGS.same) for reached in climbed]

    def _climb(
        self,
        duals: list[FloatArray],
        paid: Paid,
        starts: list[FloatArray],
        n_steps: int,
        deadline: Deadline,
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Climb from `starts` for each dual point, in pieces that an interrupt gets between."""
        directions = [np.ascontiguousarray(part).copy() for part in starts]
        steps = [np.ones(len(part)) for part in starts]
        values = [np.full(len(part), -np.inf) for part in starts]
        size = max(1, SETTINGS.chunk_work // max(self.X.size * n_steps, 1))
        costs = paid.cone, paid.price
        # One thread for each sign; the kernels release the interpreter lock.
        with ThreadPoolExecutor(max_workers=2) as pool:
            for begin in range(0, max(map(len, starts)), size):
                part = slice(begin, begin + size)
                tasks = [
                    pool.submit(climb, self._columns, w, *costs, d[part], s[part], f[part], n_steps)
                    for w, d, s, f in zip(duals, directions, steps, values, strict=True)
                ]
                for task in tasks:
                    task.result()
                check_interrupt()
                if deadline.passed:
                    break
        return list(zip(directions, values, strict=True))

    def _polish(
        self,
        v: FloatArray,
        paid: Paid,
        directions: FloatArray,
        values: FloatArray,
        deadline: Deadline,
    ) -> tuple[FloatArray, FloatArray]:
        """Move every direction to the maximiser of its closed cell, by conic projection."""
        directions, values = directions.copy(), values.copy()
        for k, u in enumerate(directions):
            on = self.X @ u > 0.0
            g = (v * on) @ self.X
            if paid.price > 0.0 or paid.cone.any():
                norm, z = self._project_in_orthant(g, on, u, paid)
            else:
                norm, z, _, _ = project_on_cell(g, self._normals, on, self._rows)
            if norm > 0.0:
                reached = float(v @ np.maximum(self.X @ (z / norm), 0.0))
                if paid.price > 0.0:
                    reached -= paid.price * float(np.abs(z / norm).sum())
                if reached > values[k]:
                    directions[k], values[k] = z / norm, reached
            check_interrupt()
            if deadline.passed:
                break
        return directions, values

    def _project_in_orthant(
        self, g: FloatArray, on: BoolArray, u: FloatArray, paid: Paid
    ) -> tuple[float, FloatArray]:
        """The same where entries with a price or a cone keep their signs, zeros included."""
        has_sign = (paid.cone != 0.0) | (paid.price > 0.0)
        free = np.flatnonzero(~has_sign | (u != 0.0))
        held = np.flatnonzero(has_sign[free])
        normals = np.vstack([self.X[:, free], np.eye(len(free))[held]])
        lengths = np.linalg.norm(normals, axis=1)
        alive = np.flatnonzero(lengths > 0.0)
        normals = normals[alive] / lengths[alive, None]
        sides = np.concatenate([on, u[free][held] > 0.0])[alive]
        pull = (g - paid.price * np.sign(u))[free]
        norm, z, _, _ = project_on_cell(pull, normals, sides, np.arange(len(alive)))
        whole = np.zeros(len(u))
        whole[free] = z
        return norm, whole


def distinct(
    directions: FloatArray, values: FloatArray, most: int, same: float
) -> tuple[FloatArray, FloatArray]:
    """The best directions, best first, no two with a cosine above `same`."""
    kept: list[int] = []
    for k in np.argsort(-values, kind="stable"):
        if len(kept) == most:
            break
        if not (directions[kept] @ directions[k] > same).any():
            kept.append(int(k))
    return directions[kept], values[kept]
