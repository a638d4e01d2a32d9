"""Frank and Wolfe's method on ``min l(f) + beta t`` subject to ``gauge(f) <= t <= T``."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.oracle import Proposals
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.squares import step_length
from cvxnn.solvers.stepwise.neurons import NextNeuron
from cvxnn.solvers.stepwise.search import StepwiseSearch

# Directions with a cosine above this are one neuron.
_SAME = 1.0 - 1e-12


@final
class FrankWolfeSearch(StepwiseSearch):
    """The search of :class:`~cvxnn.methods.FrankWolfe`.

    Parameters
    ----------
    is_open_loop : bool
        Whether steps are ``2 / (k + 2)``, and no line is searched.
    start : Neurons, optional
        Where to begin, if that is better than 0.

    Notes
    -----
    With ``v = -l'(f)``, ``M >= max |v'phi(u)|`` over ``||u|| <= 1`` and any network (f*, t*) that
    is as good as the best one known, ``t* <= T`` and convexity give

        l(f*) + beta t*  >=  l(f) + beta t - g,    g = beta t - v'f + T max(M - beta, 0),

    because ``v'f* <= M t*``. By Fenchel's equality the right side is ``D(1) - T max(M - beta,
    0)`` with ``D(s) = -l*(-s v)``. That of all methods is D at the best ``s <= beta / M``, and
    never below that: for ``s = beta / M < 1`` concavity makes D(s) at least ``D(1) - (1 - s)
    (D(1) - D(0))``, where ``s (D(1) - D(0)) <= D(s) - D(0)`` is at most the best objective minus
    D(0), which is ``beta T``.
    """

    def __init__(
        self,
        problem: Problem[Any],
        next_neuron: NextNeuron,
        deadline: Deadline,
        *,
        certifies: bool,
        is_open_loop: bool,
        start: Neurons | None = None,
    ) -> None:
        super().__init__(problem, next_neuron, deadline, certifies=certifies)
        self._is_open_loop = is_open_loop
        self._current, self._f = self.neurons, np.zeros_like(problem.y)
        if start is not None:
            self._begin_at(start)
        # The least value of the loss, from below.
        self._least = -problem.loss.conjugate(np.zeros_like(problem.y), problem.y)
        self.method_bound = -np.inf

    def _begin_at(self, start: Neurons) -> None:
        prediction = self.layer.forward(start.rays, start.signs)
        objective = self.problem.value(prediction, float(start.sizes.sum()))
        if objective < self.objective:
            self._current, self._f = start, prediction
            self.neurons, self.objective = start, objective

    @property
    def _largest_size(self) -> float:
        """T: no network of a larger size is as good as the best one known."""
        return max(self.objective - self._least, 0.0) / self.problem.beta

    def _residual(self) -> FloatArray:
        return self.problem.residual(self._f)

    def _note(self, proof: DualProof) -> None:
        """Also the bound of the method itself."""
        super()._note(proof)
        problem, size = self.problem, float(self._current.sizes.sum())
        beyond = max(proof.oracle_bound - problem.beta, 0.0)
        gap = problem.beta * size - float(proof.v @ self._f) + self._largest_size * beyond
        assert self.method_bound is not None
        self.method_bound = max(self.method_bound, problem.value(self._f, size) - gap)

    def _advance(self, found: Proposals) -> bool:
        """A step towards the best neuron of size T, or towards 0."""
        before = self.objective
        current, size = self._current, float(self._current.sizes.sum())
        ahead, end, growth = current.sized(np.zeros(len(current))), np.zeros_like(self._f), -size
        if len(found):
            best = found.select(np.arange(1))
            whole = Neurons(best.directions, np.array([self._largest_size]), best.outputs)
            end, growth = self.layer.forward(whole.rays, whole.signs), whole.sizes[0] - size
            current, ahead = _beside(current, whole)
        share = 2.0 / (self._rounds + 1.0)
        if not self._is_open_loop:
            share = step_length(self.problem, self._f, end, growth)
        sizes = (1.0 - share) * current.sizes + share * ahead.sizes
        self._current = current.sized(sizes).select(sizes > 0.0)
        self._f = end if share == 1.0 else (1.0 - share) * self._f + share * end
        objective = self.problem.value(self._f, float(self._current.sizes.sum()))
        if objective < self.objective:
            self.neurons, self.objective = self._current, objective
        # A step of a given length may go up, and steps towards 0 have an end.
        return share > 0.0 and (self._is_open_loop or len(found) > 0 or self.objective < before)


def _beside(current: Neurons, new: Neurons) -> tuple[Neurons, Neurons]:
    """The directions of both, with the sizes of the one and with those of the other."""
    same = (current.directions @ new.directions[0] > _SAME) & (current.signs == new.signs[0])
    if same.any():
        sizes = np.zeros(len(current))
        sizes[int(np.argmax(same))] = new.sizes[0]
        return current, current.sized(sizes)
    both = current.joined(new.directions, new.outputs)
    return both, both.sized(np.append(np.zeros(len(current)), new.sizes))
