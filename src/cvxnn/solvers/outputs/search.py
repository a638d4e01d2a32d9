"""The search for networks of several outputs: ascent, joint descent, and a proof of the end."""

from __future__ import annotations

from contextlib import nullcontext
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers import Layer
from cvxnn.methods import LEAST_PROOF, Global
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.oracle.outputs.choice import OUTPUTS_SURE_RANK, outputs_oracle_for
from cvxnn.oracle.price import Proposals
from cvxnn.patterns.reduction import Reduction
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.merging import merged
from cvxnn.solvers.descent.tile_search import TileSearch, is_for_tiles
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.outputs.descent import OutputsDescent
from cvxnn.solvers.outputs.intercept import dual_point, without_neurons
from cvxnn.solvers.outputs.neurons import (
    objective_of,
    prediction_of,
    pruned,
    with_small,
)
from cvxnn.solvers.outputs.newton import polished
from cvxnn.solvers.outputs.part_ascent import PartAscent
from cvxnn.solvers.outputs.settings import SETTINGS
from cvxnn.solvers.outputs.weights import reweighted
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.search import IncumbentSearch
from cvxnn.solvers.segments.segment import LENGTH


@final
class OutputsSearch(IncumbentSearch):
    """Search for the global optimum of (2) with c outputs, without a list of cells.

    A round looks for neurons that would help by ascents, starts them small, and moves all of
    them on the objective, whatever cells they cross. When the ascent finds none, the exact
    oracle finds one or proves that there is none.

    Parameters
    ----------
    problem : Problem of Layer
        With any loss.
    random_state : numpy.random.Generator
        Where ascents start; the optimum does not depend on it.
    reduction : Reduction
        ``reduce_rows`` of the rows of the layer.
    deadline : Deadline
    start : Neurons, optional
        To begin with, in the coordinates of the rows.
    certifies : bool
        Whether the exact oracle is asked; without it the end is stationary.
    polishes : bool
        Whether neurons come to rest; without it no oracle is asked.
    intercept : bool
        Whether a number that costs nothing is added to each output.
    proof_time : ProofTime, optional
        What the exact oracle may take where it need not end, counted with that of others.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        random_state: np.random.Generator,
        reduction: Reduction,
        deadline: Deadline,
        *,
        start: Neurons | None = None,
        certifies: bool = True,
        polishes: bool = True,
        intercept: bool = False,
        proof_time: ProofTime | None = None,
    ) -> None:
        self._begun, self._end = clock(), deadline
        self._proof_time = ProofTime(Global()) if proof_time is None else proof_time
        # All that a rough search asks for are sums over the rows as they are.
        is_rough = not polishes and problem.rows.readout is None
        self.basis = np.eye(problem.rows.n_features) if is_rough else reduction.basis
        self.rank = reduction.rank
        layer = problem.rows.turned(self.basis)
        nothing = without_neurons(problem.on(layer), intercept=intercept)
        share = deadline.share(SETTINGS.search_share)
        super().__init__(problem.on(layer), nothing, "tree", share)
        self._layer = layer
        self._oracle = outputs_oracle_for(problem.rows, Effort())
        to_direction = self.basis.T @ reduction.to_direction
        self._ascent = OutputsAscent(layer.rows, to_direction, random_state)
        on_part = PartAscent(layer, to_direction, random_state)
        self._on_part = on_part if layer.readout is not None and on_part.is_part else None
        self._descent = OutputsDescent(self.problem, self.deadline, intercept=intercept)
        self._intercept, self._n_kinks = intercept, len(reduction.normals)
        self._offer(nothing)
        self._certifies, self._polishes = certifies and polishes, polishes
        self._is_coarse, self._rounds, self._exchanges = True, 0, 0
        self._rough: TileSearch | None = None
        if is_for_tiles(layer, self.rank) or (not polishes and layer.readout is None):
            self._rough = TileSearch(
                rows_of(self.problem), self.problem.beta, None if is_rough else to_direction,
                random_state, self.deadline, intercept=intercept,
            )  # fmt: skip
        if start is not None:
            self._offer(start.turned(self.basis))
            if self._rough is not None:
                self._rough.start_from(self.neurons)

    def step(self, tol: float) -> None:
        """One round; a rough one at first, in high rank."""
        if self._rough is not None:
            self._rough_round(self._rough)
            return
        before = (self.objective, self.bound)
        proposals = self._proposals(self._excess(tol))
        self.n_blocks = len(proposals)
        if self.gap > tol:
            self._add(proposals)
        gained = before[0] - self.objective
        self._rounds += 1
        rests = gained <= SETTINGS.coarse * abs(self.objective) or len(proposals) == 0
        if rests or self._rounds >= SETTINGS.coarse_rounds:
            self._is_coarse = False
        improved = gained > SETTINGS.gain * abs(before[0]) or self.bound > before[1]
        excluded = len(proposals) == 0 and not self.deadline.passed
        self.stationary = excluded and not improved and self.gap > tol
        if not self._polishes and gained <= SETTINGS.done * abs(self.objective):
            self.stationary = True
        self.stalled = 0 if improved else self.stalled + 1

    def _rough_round(self, rough: TileSearch) -> None:
        try:
            done = rough.advance()
        finally:
            self.n_blocks = rough.n_new
            self._offer(rough.neurons)
        if done and not self._polishes:
            self.stationary = True
        elif done:
            self._rough, self._is_coarse = None, False

    def _proposals(self, excess: float) -> Proposals:
        """Neurons that would help: of the exact oracle where it is quick, or all that is left."""
        V = self.dual_point_of(self.neurons)
        found = Proposals.none(self._layer.n_features, V.shape[1])
        # Far from the best intercept there may be no dual point beside it: there is no proof.
        is_quick = self.rank <= 2 and self._certifies and V.any()
        if not is_quick:
            V = self.problem.residual(prediction_of(self._layer, self.neurons))
            found = self._climbed(V, self.problem.beta * (1.0 + 0.25 * excess))
        asks = is_quick or len(found) == 0 or not self._is_coarse
        if not (asks and self._certifies):
            return found
        V = self.dual_point_of(self.neurons)
        return Proposals.joined(found, self._price(V, 0.5 * excess, self._oracle_deadline()))

    def _climbed(self, V: FloatArray, threshold: float) -> Proposals:
        """What an ascent finds: at first on a part of the rows, where a readout adds up many."""
        if self._on_part is not None and (self._is_coarse or not self._polishes):
            if len(self.neurons) == 0:
                found = self._on_part.spread(V, threshold)
            else:
                found = self._on_part.search(V, threshold, self.deadline)
            if len(found) > 0 or not self._polishes:
                return found
        return self._ascent.search(
            self._layer.pull(V), threshold, SETTINGS.starts, starts=self.neurons.directions,
            most=SETTINGS.most_new, deadline=self.deadline,
        )  # fmt: skip

    def _add(self, proposals: Proposals) -> None:
        """Bring the neurons and the proposals to rest, more closely from round to round."""
        if len(self.neurons) > self.problem.Y.size:
            # More are never needed, and too many are brought to rest by no method but descent.
            self._offer(pruned(self._layer, self.neurons, self.deadline))
        neurons = with_small(self.problem, self.neurons, proposals, SETTINGS.small)
        if self._is_coarse or not self._polishes:
            moved = self._descended(neurons, SETTINGS.coarse_steps, SETTINGS.coarse)
            self._offer(moved)
            return
        self._offer(self._reweighted(neurons))
        if self._exchanges > 0:
            self._exchanges -= 1
            return
        before = self.objective
        self._offer(self._rested(self.neurons))
        if before - self.objective <= SETTINGS.slow * abs(before):
            # Where neurons sit on kinks, moves bring less than others from the oracle.
            self._exchanges = SETTINGS.exchanges if self._is_many else 0

    @property
    def _is_many(self) -> bool:
        """Whether a move of a neuron crosses so many kinks that no face of a cell counts."""
        few = SETTINGS.many_angles if self.rank <= 2 else SETTINGS.many_rows
        return self._n_kinks > few

    def _rested(self, neurons: Neurons) -> Neurons:
        if self._is_many:
            moved = self._descended(neurons, SETTINGS.steps, SETTINGS.near)
            return self._reweighted(moved)
        moved = self._descended(neurons, SETTINGS.long_steps, SETTINGS.enough)
        return polished(self.problem, moved, self.deadline, intercept=self._intercept)

    def _reweighted(self, neurons: Neurons) -> Neurons:
        return reweighted(self.problem, neurons, self.deadline, intercept=self._intercept)

    def _descended(self, neurons: Neurons, steps: int, enough: float) -> Neurons:
        """After a joint descent, without those that it has brought to nothing."""
        moved = self._descent.moved(merged(neurons, SETTINGS.same), steps=steps, enough=enough)
        return moved.select(moved.sizes > SETTINGS.nothing * moved.sizes.max(initial=0.0))

    def dual_point_of(self, neurons: Neurons) -> FloatArray:
        """Minus the gradient of the loss, in the domain of its conjugate, shape (n, c)."""
        problem = self.problem
        V = problem.residual(prediction_of(self._layer, neurons))
        return dual_point(problem, V, intercept=self._intercept)

    def _excess(self, tol: float) -> float:
        """The share by which the oracle may exceed beta for a gap of `tol`."""
        penalty = self.problem.beta * float(self.neurons.sizes.sum())
        if penalty == 0.0:
            return tol
        return tol * min(self.objective / penalty, SETTINGS.most_excess)

    @property
    def _is_sure(self) -> bool:
        """Whether the exact oracle usually ends."""
        return self.rank <= OUTPUTS_SURE_RANK

    def _oracle_deadline(self) -> Deadline:
        """When the exact oracle has to hand over what it has proven."""
        if self._is_sure:
            return self.deadline
        return Deadline(min(self.deadline.remaining, self._proof_time.exact(ends=False)))

    def _price(self, V: FloatArray, tol: float, deadline: Deadline) -> Proposals:
        """Ask the exact oracle for a bound, and for neurons that would help."""
        beta = self.problem.beta
        starts = self.neurons.directions @ self.basis.T
        with nullcontext() if self._is_sure else self._proof_time.taking():
            price = self._oracle.price(V, beta, tol=tol, starts=starts, deadline=deadline)
        self._take(DualProof.priced(V, price))
        check_interrupt()
        worth = np.flatnonzero(price.values > beta * (1.0 + 0.25 * tol))[: SETTINGS.most_exact]
        return price.proposals.select(worth).turned(self.basis)

    def _offer(self, neurons: Neurons) -> bool:
        """Keep neurons that are as good; whether they are."""
        objective = objective_of(self.problem, neurons)
        if objective > self.objective * (1.0 + SETTINGS.as_good):
            return False
        self.neurons, self.objective = neurons, objective
        return True

    def finish(self, tol: float, *, quick: bool) -> None:
        """A minimal network, and a bound by the exact oracle unless there is one."""
        last = self._last_deadline(quick=quick)
        # A rough network of many rows is left as it is.
        if self._polishes or self._rough is None or len(self.problem.Y) <= LENGTH:
            self._offer(pruned(self._layer, self.neurons, last))
        wanted = self._certifies and not quick and self.gap > tol
        if wanted and not self._end.passed:
            spent = max(clock() - self._begun, LEAST_PROOF)
            spent = spent if self._is_sure else self._proof_time.exact(ends=False)
            deadline = Deadline(min(self._end.remaining, spent))
            self._price(self.dual_point_of(self.neurons), 0.5 * self._excess(tol), deadline)
