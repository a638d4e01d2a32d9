"""Global search for neurons that see one group of columns each."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.groups import GroupedLayer
from cvxnn.methods import Global
from cvxnn.oracle.choice import SURE_RANK
from cvxnn.oracle.groups import GroupOracle, GroupPrice
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.newton import descend, stationary_residual
from cvxnn.solvers.additive.objective import GroupedObjective
from cvxnn.solvers.additive.slide import slide
from cvxnn.solvers.additive.spectral import spectral_dual_point
from cvxnn.solvers.proof_time import ProofTime
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
        Of a round, at most; and where no proof is asked for, and most of what they gain is enough.
    at_rest : float
        Share of the objective below which the gain of a round is little.
    accuracy : float
        Of a price that takes a search, as a share of the gap.
    small_gap : float
        Below it the rounding of a residual may matter.
    patience : int
        Rounds without progress after which proposals are taken to be rounding, at high ranks.
    few : int
        Proposals of ascents in one group, below which a search is asked for more.
    slide_rank, slide_steps : int
        Rank above which neurons move by a quasi-Newton method first, and its steps.
    newton_work : float
        Products of one Newton step up to which it follows.
    """

    batch: int = 200
    each: int = 8
    most: int = 20
    depth: float = 0.05
    margin: float = 1e-10
    newton_steps: int = 10
    rough_steps: int = 2
    at_rest: float = 1e-4
    accuracy: float = 0.02
    small_gap: float = 1e-4
    patience: int = 2
    few: int = 4
    slide_rank: int = 6
    slide_steps: int = 100
    newton_work: float = 2e8


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
    certifies : bool
        Whether a group in which ascents find nothing is searched, where that takes longer than
        all else; without that the end is stationary.
    proof_time : ProofTime, optional
        Of the run, where a proof may not end.
    polishes : bool
        Whether neurons come to rest to the last digits; without that the end is where a round
        gains little, and nothing is searched.
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
        certifies: bool = True,
        proof_time: ProofTime | None = None,
        polishes: bool = True,
        newton_steps: int = SETTINGS.newton_steps,
    ) -> None:
        assert problem.is_least_squares
        layer = problem.rows
        super().__init__(problem, Neurons.none(layer.n_features), "groups", deadline)
        self.basis, self.rank = np.eye(layer.n_features), rank
        self._oracle, self._objective = oracle, GroupedObjective(problem)
        self._polishes, self._newton_steps = polishes, newton_steps
        self._few_rows, self._precise = self._objective.has_few_rows, False
        self._exact, self._certifies = not oracle.is_lazy, certifies and polishes
        self._proof_time = ProofTime(Global()) if proof_time is None else proof_time
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
        if self._few_rows and self._exact and tol < self.gap and not self.deadline.passed:
            self._price_stationary(members, accuracy)
        improved = self.objective < before[0] * (1.0 - 1e-9) or self.bound > before[1] * (1 + 1e-9)
        self.stalled = 0.0 if improved else self.stalled + 1.0
        if self._few_rows and not self._precise and self.stalled >= 1.0:
            self._precise, self.stalled = True, 0.0
        if self.rank > SURE_RANK or not (self._certifies or self._exact):
            # No proposals, or none that the rounding lets help.
            is_over = len(self._last_price.proposals) == 0 or self.stalled >= SETTINGS.patience
            self.stationary = is_over and self.gap > tol
        if not self._polishes:
            self.stationary = before[0] - self.objective <= SETTINGS.at_rest * before[0]

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
        """A better bound where no oracle ends; the network of every round is a minimal one."""
        if self.rank <= SURE_RANK or quick or self.gap <= tol or self.deadline.passed:
            return
        v = self._objective.residual(self._members)
        v = spectral_dual_point(self.problem, v, self.deadline)
        # Of its scale the level of a 1-norm depends.
        proof = DualProof.of(v, self.problem.rows.bound(v), GroupPrice.kind)
        scaled = v * min(self.problem.beta / max(proof.oracle_bound, 1e-300), 1e300)
        price = self._oracle.bound_at_once(scaled, self.problem.beta)
        self._take(DualProof.priced(scaled[:, None], price))

    def _chosen(self) -> Members:
        """The best proposals as candidates, few of each group."""
        price = self._last_price
        place = np.zeros(len(price.groups), dtype=np.int64)
        for group in np.unique(price.groups):
            own = np.flatnonzero(price.groups == group)
            place[own] = np.arange(len(own))
        each = SETTINGS.batch if self._oracle.is_lazy else SETTINGS.each
        kept = np.flatnonzero(place < each)[: SETTINGS.batch]
        found = price.proposals.select(kept)
        candidates = Neurons(found.directions, np.zeros(len(found)), found.outputs)
        return Members.of(self.problem.rows, candidates, price.groups[kept])

    def _improved(self, found: Members) -> Members:
        """Neurons and candidates with their best sizes, merged, and moved."""
        members = self._reweighed(self._members.joined(found))
        members = self._objective.merged(members, self.deadline)
        if self.rank > SETTINGS.slide_rank:
            members = slide(self._objective, members, SETTINGS.slide_steps, self.deadline)
            members = self._objective.merged(self._reweighed(members), self.deadline)
        dimensions = sum(len(self.problem.rows.groups[group]) for group in members.groups)
        work = float(len(self.problem.y)) * dimensions**2
        if self.rank <= SETTINGS.slide_rank or work <= SETTINGS.newton_work:
            members = descend(self._objective, members, self._newton_steps, self.deadline)
        return self._reweighed(members)

    def _reweighed(self, members: Members) -> Members:
        return self._objective.reweighed(members, self.deadline, precise=self._precise)

    def _price(self, v: FloatArray, tol: float) -> GroupPrice:
        """Price v, and keep what is proven of it if it is the best."""
        threshold = self.problem.beta * (1.0 + SETTINGS.margin)
        if not (self._exact and self._oracle.is_lazy):
            price = self._oracle.price(v[:, None], threshold, tol=tol, deadline=self.deadline)
            self._take(DualProof.priced(v[:, None], price))
            if self._exact or len(price.proposals) >= SETTINGS.few or not self._certifies:
                return price
            self._exact = True
        deadline = self.deadline
        if self.rank > SURE_RANK:
            deadline = Deadline(min(deadline.remaining, self._proof_time.exact(ends=False)))
        with nullcontext() if self.rank <= SURE_RANK else self._proof_time.taking():
            price = self._oracle.prove(v, threshold, tol=tol, deadline=deadline)
        if self.rank > SURE_RANK and not price.finished:
            # Nobody could check in a like time what a search has shown by then.
            price = replace(price, bounds=self._oracle.bound_at_once(v, threshold).bounds)
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
