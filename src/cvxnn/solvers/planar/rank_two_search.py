"""Global search for data of rank two: one feature and a bias, or two features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, dual_bound
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.oracle.circle import CircularRows, pad
from cvxnn.oracle.rank_two import RankTwoOracle, RankTwoPrice
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import residual, reweigh
from cvxnn.solvers.planar.moments import Moments
from cvxnn.solvers.planar.newton import MomentObjective, merge_arcs
from cvxnn.solvers.planar.wide_arcs import within_wide_arcs
from cvxnn.solvers.search import Search


@dataclass(frozen=True)
class Settings:
    """The numbers that the search in rank two goes by.

    Attributes
    ----------
    batch, depth : int, float
        New neurons of one round at most, and how much the function has to fall between two
        of them: noise gives every hill a thousand summits.
    margin : float
        Directions that improve by less than this are rounding.
    newton_steps : int
        Of a round, at most.
    few_rows : int
        Up to so many explicit columns give the weights, once the Gram matrix, with half of
        their digits, gains nothing more; in twice the precision once they do.
    few_lines : int
        Up to so many hyperplanes, two patterns each, their cells take a second.
    """

    batch: int = 200
    depth: float = 0.05
    margin: float = 1e-10
    newton_steps: int = 10
    few_rows: int = 2000
    few_lines: int = 100


SETTINGS = Settings()


@final
class RankTwoSearch(Search):
    """Global search: all improving neurons, best weights, Newton steps, certificate.

    Every round prices all directions exactly, adds the local maxima, and then
    works with moments only: no n-vector is touched until the next pricing.

    Parameters
    ----------
    problem : Problem of Layer
        Of rank two at most, with the squared loss.
    circle : CircularRows, optional
        Its rows, where they have been sorted.
    deadline : Deadline, optional
        Cuts a round short.

    Attributes
    ----------
    oracle : RankTwoOracle

    Notes
    -----
    O(n log n) once and O(n) per round, besides O(k^3) for k neurons.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    >>> y = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    >>> search = RankTwoSearch(Problem.of(Layer(X), y, 1e-4, SquaredLoss()))
    >>> while search.gap > 1e-6:
    ...     search.step(1e-6)
    >>> search.finish(1e-6, quick=False)
    >>> f"{search.objective:.8f}"
    '0.00087694'
    """

    def __init__(
        self,
        problem: Problem[Layer],
        circle: CircularRows | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> None:
        assert problem.is_least_squares
        self.deadline, self.beta, self.loss, y = deadline, problem.beta, problem.loss, problem.y
        rows = problem.rows.rows if circle is None else circle
        self.oracle = RankTwoOracle(rows, most=SETTINGS.batch, depth=SETTINGS.depth)
        self.basis = self.oracle.basis
        order = self.oracle.circle.order
        self._y = y[order]
        # Zero rows change nothing but the value of the objective.
        dead = np.ones(len(y), dtype=np.bool_)
        dead[order] = False
        self._order = np.concatenate([order, np.flatnonzero(dead)])
        self._y_dead = y[dead]
        self._y_all = np.concatenate([self._y, self._y_dead]) if dead.any() else self._y
        self._neurons = Neurons.none(self.oracle.circle.rank)
        self.objective = problem.value(np.zeros_like(y))
        self.bound, self._best = -np.inf, DualProof.of(self._y, np.inf, "rank two")
        self.n_blocks, self.stalled = 0, 0.0
        self.is_cheap = len(y) <= SETTINGS.few_rows
        has_few_cells = self.oracle.circle.n_classes <= SETTINGS.few_lines
        self.alternative = "cells" if self.is_cheap and has_few_cells else None
        self._careful = self._precise = False
        self._objective: MomentObjective | None = None
        if len(order):
            self._objective = MomentObjective(Moments(self.oracle.circle, self._y), self.beta)
        self._last_price = self._price(self._y)

    @property
    def neurons(self) -> Neurons:  # type: ignore[override]
        """The best network so far, in reduced coordinates."""
        frame = self.oracle.circle.frame
        if frame is None:
            return self._neurons
        return replace(self._neurons, directions=self._neurons.directions @ frame.T)

    @property
    def proof(self) -> DualProof:  # type: ignore[override]
        """What is behind `bound`, in the order of the data."""
        v = np.empty(len(self._order))
        v[self._order] = self._with_dead(self._best.v)
        return replace(self._best, V=v[:, None])

    def step(self, tol: float) -> None:
        """One round: new neurons, weights, Newton steps, pricing."""
        before = (self.objective, self.bound, self.gap)
        neurons = self._descend(self._candidates(), self._last_price.signs)
        v = self._offer(neurons)
        self._last_price = self._price(v)
        framed = self.oracle.circle.frame is not None
        if framed and tol < self.gap:
            self._price(self._within_wide_arcs(v, pad(neurons.rays), neurons.signs))
        if (self._few_rows or framed) and tol < self.gap:
            self._price_stationary(neurons)
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        # With explicit columns the last digits may show in the bound only after some rounds.
        self.stalled = 0.0 if improved else self.stalled + (0.25 if self._careful else 1.0)
        slow = self.gap > 0.5 * before[2] and self.objective > 0.9 * before[0]
        if slow and not self._careful:
            self._careful, self.stalled = True, 0.0
        elif self._careful and self._few_rows and not self._precise and self.stalled >= 1.0:
            self._precise, self.stalled = True, 0.0

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a minimal network: activations linearly independent, arcs merged."""
        self._careful = True
        none = np.zeros((0, self.oracle.circle.rank))
        finished = self._descend(none, np.zeros(0), steps=0 if quick else SETTINGS.newton_steps)
        finished = self._reweigh(finished)
        too_many = len(self._neurons) > len(self._y)
        self._offer(finished, at_most=0.1 * tol if too_many else 1e-12)

    @property
    def _few_rows(self) -> bool:
        return len(self._y) <= SETTINGS.few_rows

    @property
    def _sorted(self) -> Problem[Layer]:
        """The problem of the sorted rows, in the coordinates of the moments."""
        circle = self.oracle.circle if self._objective is None else self._objective.moments.circle
        return Problem.of(Layer(circle.rows[:, : circle.rank]), self._y, self.beta, self.loss)

    def _candidates(self) -> FloatArray:
        """The directions of the last pricing in the coordinates of the moments, shape (k, r)."""
        points, planes = self._last_price.points, self._last_price.planes
        frame = self.oracle.circle.frame
        if frame is None or self._objective is None or len(points) == 0:
            return points
        directions = np.linalg.solve(frame, points.T).T
        # Weights far from the origin lose the place of the kink by their rounding.
        on = planes != 0
        normals = self._objective.moments.circle.normals[np.abs(planes[on]) - 1]
        turned = np.column_stack([-normals[:, 1], normals[:, 0]])
        directions[on] = np.sign(planes[on])[:, None] * turned
        return directions / np.linalg.norm(directions @ frame.T, axis=1, keepdims=True)

    def _with_dead(self, v: FloatArray) -> FloatArray:
        return np.concatenate([v, self._y_dead]) if len(self._y_dead) else v

    def _price(self, v: FloatArray) -> RankTwoPrice:
        """Price v, on the sorted rows, and keep its bound if it is the best."""
        price = self.oracle.price_sorted(v, self.beta * (1.0 + SETTINGS.margin))
        bound = dual_bound(self.loss, self._y_all, self._with_dead(v), self.beta, price.bound)
        if bound > self.bound:
            self.bound, self._best = bound, DualProof.priced(v[:, None], price)
        return price

    def _price_stationary(self, neurons: Neurons) -> None:
        """Price the corrected residual too; where it is the better one, it is the truth."""
        if self._objective is None or self.deadline.passed:
            return
        if self.oracle.circle.frame is None:
            v = self._objective.stationary_residual(pad(neurons.rays), neurons.signs)
        else:
            rays = pad(neurons.rays)
            v, rays = self._objective.polished_residual(rays, neurons.signs)
            v = self._within_wide_arcs(v, rays, neurons.signs)
        before = self.bound
        price = self._price(v)
        if self.bound > before:
            self._last_price = price

    def _within_wide_arcs(self, v: FloatArray, rays: FloatArray, signs: FloatArray) -> FloatArray:
        assert self._objective is not None
        moments = self._objective.moments
        return within_wide_arcs(self.oracle.circle, moments, v, self.beta, rays, signs)

    def _descend(
        self, candidates: FloatArray, signs: FloatArray, steps: int = SETTINGS.newton_steps
    ) -> Neurons:
        """The best neurons with the candidates: weights, merging, Newton steps."""
        neurons = self._neurons.joined(candidates, signs[:, None])
        self.n_blocks = len(neurons)
        if self._objective is None or self.n_blocks == 0:
            return neurons
        neurons = self._reweigh(neurons)
        rays, signs = merge_arcs(self._objective.moments, pad(neurons.rays), neurons.signs)
        rays, signs = self._objective.descend(rays, signs, steps, self.deadline)
        return self._neurons_of(rays[:, : self.oracle.circle.rank], signs)

    def _neurons_of(self, rays: FloatArray, signs: FloatArray) -> Neurons:
        frame = self.oracle.circle.frame
        if frame is None:
            return Neurons.of(rays, signs[:, None])
        lengths = np.linalg.norm(rays @ frame.T, axis=1)
        return Neurons(rays / lengths[:, None], lengths, signs[:, None])

    def _reweigh(self, neurons: Neurons) -> Neurons:
        """The best weights for these directions, on linearly independent activations."""
        if self._objective is None or len(neurons) == 0:
            return neurons
        if self._few_rows and self._careful:
            return reweigh(self._sorted, neurons, precise=self._precise)
        return self._objective.reweigh(neurons, self.deadline, centred=self._careful)

    def _offer(self, neurons: Neurons, at_most: float = 0.0) -> FloatArray:
        """Keep these neurons if they are the best so far, or worse by `at_most` (relative).

        Returns their residual on the sorted rows.
        """
        if self._few_rows or self._objective is None:
            v = residual(self._sorted, neurons)
        else:
            v = self._y - self._objective.moments.prediction(pad(neurons.rays), neurons.signs)
        squares = float(v @ v) + float(self._y_dead @ self._y_dead)
        objective = 0.5 * squares + self.beta * float(neurons.sizes.sum())
        if objective < self.objective * (1.0 + at_most):
            self._neurons, self.objective = neurons, objective
        return v
