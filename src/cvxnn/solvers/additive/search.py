"""Global search for neurons that see one group of columns each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.groups import GroupedLayer
from cvxnn.oracle.groups import GroupOracle, GroupPrice
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.newton import descend, stationary_residual
from cvxnn.solvers.additive.objective import GroupedObjective
from cvxnn.solvers.search import IncumbentSearch


@dataclass(frozen=True)
class Settings:
    """The numbers that the search over groups goes by.

    Attributes
    ----------
    batch, each : int
        New neurons of one round at most, and of one group.
    most, depth : int, float
        Of those that the oracle of a group finds, see
        :class:`~cvxnn.oracle.rank_two.RankTwoOracle`.
    margin : float
        Directions that improve by less than this are rounding.
    newton_steps, rough_steps : int
        Of a round, at most; and where no proof is asked for.
    accuracy : float
        Of a price that takes a search, as a share of the gap.
    small_gap : float
        Below it the rounding of a residual may matter.
    """

    batch: int = 200
    each: int = 8
    most: int = 20
    depth: float = 0.05
    margin: float = 1e-10
    newton_steps: int = 10
    rough_steps: int = 2
    accuracy: float = 0.02
    small_gap: float = 1e-4


SETTINGS = Settings()


@final
class AdditiveSearch(IncumbentSearch):
    """Global search: the best new neurons of all groups, best sizes, Newton steps, certificate.

    Parameters
    ----------
    problem : Problem of GroupedLayer
        With the squared loss.
    oracle : GroupOracle
        Of its rows.
    rank : int
        The largest of the groups.
    deadline : Deadline, optional
        Cuts a round short.
    start : Neurons, optional
        Each in a group.
    newton_steps : int, optional
        Of a round, at most.
    """

    def __init__(
        self,
        problem: Problem[GroupedLayer],
        oracle: GroupOracle,
        rank: int,
        deadline: Deadline = UNLIMITED,
        *,
        start: Neurons | None = None,
        newton_steps: int = SETTINGS.newton_steps,
    ) -> None:
        assert problem.is_least_squares
        layer = problem.rows
        super().__init__(problem, Neurons.none(layer.n_features), "groups", deadline)
        self.basis, self.rank = np.eye(layer.n_features), rank
        self._oracle, self._objective = oracle, GroupedObjective(problem)
        self._newton_steps = newton_steps
        self._few_rows, self._precise = self._objective.has_few_rows, False
        self.is_cheap = self._few_rows and oracle.is_quick
        self._members = Members.of(layer, self.neurons)
        if start is not None and len(start):
            self._offer(self._reweighed(Members.of(layer, start)))
        self._last_price = self._price(self._objective.residual(self._members), 1.0)

    def step(self, tol: float) -> None:
        """One round: new neurons, sizes, Newton steps, pricing."""
        before = (self.objective, self.bound, self.gap)
        found = self._chosen()
        self.n_blocks = len(found)
        members = self._improved(found)
        v = self._offer(members)
        accuracy = max(SETTINGS.accuracy * min(before[2], 1.0), 0.3 * tol)
        self._last_price = self._price(v, accuracy)
        if self._few_rows and tol < self.gap and not self.deadline.passed:
            self._price_stationary(members, accuracy)
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        self.stalled = 0.0 if improved else self.stalled + 1.0
        if self._few_rows and not self._precise and self.stalled >= 1.0:
            self._precise, self.stalled = True, 0.0

    def _price_stationary(self, members: Members, accuracy: float) -> None:
        """Price the corrected residual too; where it is the better one, it is the truth.

        Rounding and what Newton's steps have left matter where the gap is small, or progress
        ends; far from there it is worth its time where that is short.
        """
        if self._oracle.is_quick or self.stalled or self.gap <= SETTINGS.small_gap:
            best = self.bound
            price = self._price(stationary_residual(self._objective, members), accuracy)
            if self.bound > best:
                self._last_price = price

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing: the sizes that every round ends with are those of a minimal network."""

    def _chosen(self) -> Members:
        """The best proposals as candidates, few of each group."""
        price = self._last_price
        place = np.zeros(len(price.groups), dtype=np.int64)
        for group in np.unique(price.groups):
            own = np.flatnonzero(price.groups == group)
            place[own] = np.arange(len(own))
        kept = np.flatnonzero(place < SETTINGS.each)[: SETTINGS.batch]
        found = price.proposals.select(kept)
        candidates = Neurons(found.directions, np.zeros(len(found)), found.outputs)
        return Members.of(self.problem.rows, candidates, price.groups[kept])

    def _improved(self, found: Members) -> Members:
        """Neurons and candidates with their best sizes, merged, and moved."""
        members = self._reweighed(self._members.joined(found))
        members = self._objective.merged(members, self.deadline)
        members = descend(self._objective, members, self._newton_steps, self.deadline)
        return self._reweighed(members)

    def _reweighed(self, members: Members) -> Members:
        return self._objective.reweighed(members, self.deadline, precise=self._precise)

    def _price(self, v: FloatArray, tol: float) -> GroupPrice:
        """Price v, and keep what is proven of it if it is the best."""
        threshold = self.problem.beta * (1.0 + SETTINGS.margin)
        price = self._oracle.price(v[:, None], threshold, tol=tol, deadline=self.deadline)
        self._take(DualProof.priced(v[:, None], price))
        return price

    def _offer(self, members: Members) -> FloatArray:
        """Keep these neurons if they are the best so far; returns their residual."""
        v = self._objective.residual(members)
        objective = self._objective.value_of(v, members)
        if objective < self.objective:
            self._members, self.objective = members, objective
            self.neurons = members.neurons(self.problem.rows)
        return v
