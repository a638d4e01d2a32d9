"""What searches by one neuron a round have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.oracle import Proposals
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import prune
from cvxnn.solvers.search import IncumbentSearch
from cvxnn.solvers.stepwise.neurons import NextNeuron

# Share of the tolerance to which a neuron that helps is above beta, and an oracle searches.
_MARGIN, _ACCURACY = 0.25, 0.5
# Accuracy of an oracle between the rounds, and what it may use of it at the end.
_COARSE = 1e-3
# Largest ratio of the objective to the penalty that such a share follows.
_MOST_EXCESS = 1e3
# Products of a factorisation of activations up to which nobody counts them.
_QUICK_ENTRIES = 1 << 22


class StepwiseSearch(IncumbentSearch):
    """A search for the optimum of (2) that adds a neuron in each round, of any smooth loss.

    Parameters
    ----------
    problem : Problem of Layer
    next_neuron : NextNeuron
    deadline : Deadline
    certifies : bool
        Whether oracles that have to search may be asked.
    """

    def __init__(
        self,
        problem: Problem[Any],
        next_neuron: NextNeuron,
        deadline: Deadline,
        *,
        certifies: bool,
    ) -> None:
        nothing = Neurons.none(problem.rows.n_features)
        super().__init__(problem, nothing, "spectral", deadline)
        self.layer, self.basis = problem.rows, np.eye(problem.rows.n_features)
        self._next, self._certifies = next_neuron, certifies
        self._rounds, self._next_proof = 0, 1
        self._begun, self._proving = clock(), 0.0
        self._take(spectral_proof(self.layer, problem.residual_at_zero, quick=True))

    def step(self, tol: float) -> None:
        """One round: a neuron, if there is one that helps, and other weights."""
        before = self.bound
        v, threshold = self._residual(), self._threshold(tol)
        proof, found = self._next.at(v, threshold)
        self._note(proof)
        self._rounds += 1
        if len(found) == 0 and self._searches:
            proof, found = self._searched(v, tol, found, self.deadline)
            self._note(proof)
        elif len(found) and self._is_due:
            self._look_ahead(v, tol, found)
        self.n_blocks = min(len(found), 1)
        moved = self._advance(found)
        improved = moved or self.bound > before
        self.stalled = 0.0 if improved else self.stalled + 1.0
        self.stationary = len(found) == 0 and not improved

    @abstractmethod
    def _residual(self) -> FloatArray:
        """The dual point at which the next neuron is looked for."""

    @abstractmethod
    def _advance(self, found: Proposals) -> bool:
        """Take the best of the neurons found, if there is one; whether that changes anything."""

    def _note(self, proof: DualProof) -> None:
        """Keep a proof if it gives the best bound."""
        self._take(proof)

    @property
    def _searches(self) -> bool:
        """Whether an oracle may be asked that has to search."""
        return self._certifies and not self._next.is_exact

    @property
    def _is_due(self) -> bool:
        """Whether it is time for a bound by such an oracle: after 1, 2, 4 ... rounds."""
        return self._searches and self._next.ends and self._rounds >= self._next_proof

    def _look_ahead(self, v: FloatArray, tol: float, found: Proposals) -> None:
        """How far there is to go, in half of the time of the search at most."""
        self._next_proof = 2 * self._rounds
        begun = clock()
        seconds = begun - self._begun - 2.0 * self._proving
        if seconds <= 0.0:
            return
        deadline = Deadline(min(seconds, self.deadline.remaining))
        self._note(self._searched(v, tol, found, deadline)[0])
        self._proving += clock() - begun

    def _searched(
        self, v: FloatArray, tol: float, found: Proposals, deadline: Deadline
    ) -> tuple[DualProof, Proposals]:
        """By an oracle that searches, coarsely as long as neurons are found without it."""
        accuracy = _ACCURACY * self._excess(tol)
        if len(found):
            accuracy = max(accuracy, _COARSE)
        starts = np.vstack([found.directions, self.neurons.directions])
        return self._next.searched(v, self._threshold(tol), accuracy, starts, deadline)

    def _threshold(self, tol: float) -> float:
        return self.problem.beta * (1.0 + _MARGIN * self._excess(tol))

    def _excess(self, tol: float) -> float:
        """The share by which the oracle may exceed beta for a gap of `tol`."""
        penalty = self.problem.beta * float(self.neurons.sizes.sum())
        if penalty == 0.0:
            return tol
        return tol * min(self.objective / penalty, _MOST_EXCESS)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Linearly independent activations, and a proof where there is none yet."""
        entries = len(self.problem.y) * len(self.neurons)
        if not ((quick or self.deadline.passed) and entries > _QUICK_ENTRIES):
            self._prune(tol, self._last_deadline(quick=quick))
        if quick or not self._certifies or self.gap <= tol or self._next.is_exact:
            return
        if self.deadline.passed or self.stationary:
            return
        v = self.problem.residual(self.layer.forward(self.neurons.rays, self.neurons.signs))
        nothing = Proposals.none(self.layer.n_features)
        try:
            self._note(self._searched(v, max(tol, _COARSE), nothing, self.deadline)[0])
        except OutOfTimeError:
            return

    def _prune(self, tol: float, deadline: Deadline) -> None:
        """The same function of fewer neurons, unless rounding would cost digits that count."""
        pruned = prune(self.layer, self.neurons, deadline)
        prediction = self.layer.forward(pruned.rays, pruned.signs)
        reached = self.problem.value(prediction, float(pruned.sizes.sum()))
        if reached <= self.objective * (1.0 + 0.1 * tol):
            self.neurons, self.objective = pruned, reached
