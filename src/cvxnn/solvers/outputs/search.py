"""The search for networks of several outputs: ascent, joint descent, and a proof of the end."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.oracle.outputs.choice import outputs_oracle_for
from cvxnn.oracle.price import Proposals
from cvxnn.patterns.reduction import Reduction
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.outputs.descent import OutputsDescent
from cvxnn.solvers.outputs.neurons import (
    merged,
    objective_of,
    prediction_of,
    pruned,
    with_small,
)
from cvxnn.solvers.outputs.newton import polished
from cvxnn.solvers.outputs.settings import SETTINGS
from cvxnn.solvers.search import IncumbentSearch


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
    ) -> None:
        self._begun, self._end = clock(), deadline
        self.basis, self.rank = reduction.basis, reduction.rank
        layer = problem.rows.turned(self.basis)
        nothing = Neurons.none(layer.n_features, problem.n_outputs)
        share = deadline.share(SETTINGS.search_share)
        super().__init__(problem.on(layer), nothing, "tree", share)
        self._layer = layer
        self._oracle = outputs_oracle_for(problem.rows, Effort())
        to_direction = self.basis.T @ reduction.to_direction
        self._ascent = OutputsAscent(layer, to_direction, random_state)
        self._descent = OutputsDescent(self.problem, self.deadline)
        self._certifies, self._polishes = certifies and polishes, polishes
        self._is_coarse, self._merges = True, True
        if start is not None:
            self._offer(start.turned(self.basis))

    def step(self, tol: float) -> None:
        """One round."""
        before = (self.objective, self.bound)
        V = self.dual_point_of(self.neurons)
        excess = self._excess(tol)
        proposals = self._ascent.search(
            V, self.problem.beta * (1.0 + 0.25 * excess), SETTINGS.starts,
            neurons=self.neurons, most=SETTINGS.most_new, deadline=self.deadline,
        )  # fmt: skip
        asks = len(proposals) == 0 or not self._is_coarse
        if asks and self._certifies:
            exact = self._price(V, 0.5 * excess, self.deadline)
            proposals = Proposals.joined(proposals, exact)
        self.n_blocks = len(proposals)
        nothing_new = len(proposals) == 0
        self.stationary = nothing_new and not self.deadline.passed and self.gap > tol
        if self.gap > tol:
            self._move(proposals)
        gained = before[0] - self.objective
        if gained <= SETTINGS.coarse * abs(self.objective) or nothing_new:
            self._is_coarse = False
        improved = gained > 1e-12 * abs(before[0]) or self.bound > before[1]
        self.stationary = self.stationary and not improved
        self.stalled = 0 if improved else self.stalled + 1

    def _move(self, proposals: Proposals) -> None:
        """All neurons on the objective, the new ones from next to nothing."""
        neurons = with_small(self.problem, self.neurons, proposals, SETTINGS.small)
        if self._merges:
            try:
                neurons = merged(self._layer, neurons, SETTINGS.same, self.deadline)
            except OutOfTimeError:
                return
        coarse = self._is_coarse
        moved = self._descent.moved(
            neurons,
            steps=SETTINGS.coarse_steps if coarse else SETTINGS.steps,
            enough=SETTINGS.coarse if coarse else SETTINGS.enough,
        )
        moved = moved.select(moved.sizes > SETTINGS.nothing * moved.sizes.max(initial=0.0))
        if not coarse:
            moved = polished(self.problem, moved, self.deadline)
        if not self._offer(moved):
            # What was added up was not the same.
            self._merges = False

    def dual_point_of(self, neurons: Neurons) -> FloatArray:
        """Minus the gradient of the loss, in the domain of its conjugate, shape (n, c)."""
        problem = self.problem
        v = problem.residual(prediction_of(self._layer, neurons))
        return problem.loss.project(v, problem.target)

    def _excess(self, tol: float) -> float:
        """The share by which the oracle may exceed beta for a gap of `tol`."""
        penalty = self.problem.beta * float(self.neurons.sizes.sum())
        if penalty == 0.0:
            return tol
        return tol * min(self.objective / penalty, SETTINGS.most_excess)

    def _price(self, V: FloatArray, tol: float, deadline: Deadline) -> Proposals:
        """Ask the exact oracle for a bound, and for neurons that would help."""
        beta = self.problem.beta
        price = self._oracle.price(
            V, beta, tol=tol, starts=self.neurons.directions @ self.basis.T, deadline=deadline
        )
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
        self._offer(pruned(self._layer, self.neurons, last))
        wanted = self._certifies and not quick and self.gap > tol
        if wanted and not self._end.passed:
            spent = max(clock() - self._begun, SETTINGS.least_proof)
            deadline = Deadline(min(self._end.remaining, spent))
            self._price(self.dual_point_of(self.neurons), 0.5 * self._excess(tol), deadline)
