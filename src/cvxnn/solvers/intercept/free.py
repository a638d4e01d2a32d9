"""Neurons beside an intercept as neurons alone, whose loss follows the best one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses.offset import best_offset
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.skip.profile import ProfiledProblem


@final
@dataclass(frozen=True)
class FreeConstant:
    """The problem for the neurons alone: a :class:`~cvxnn.solvers.skip.free.FreeProblem`.

    An intercept is a free linear part of one column, but for its proofs: their dual points have
    the sum 0 exactly, as in those of all searches beside an intercept.

    Attributes
    ----------
    alone : Problem of Layer
        Without the intercept.
    profiled : ProfiledProblem
        With the intercept as a linear part.

    Examples
    --------
    >>> from cvxnn.losses import HuberLoss
    >>> problem = Problem.of(Layer(np.eye(3)), np.array([1.0, 2.0, 6.0]), 0.5, HuberLoss(0.1))
    >>> free = FreeConstant.of(problem)
    >>> free.linear(Neurons.none(3))
    array([2.])
    """

    alone: Problem[Layer]
    profiled: ProfiledProblem

    @classmethod
    def of(cls, problem: Problem[Layer]) -> Self:
        """O(n)."""
        none = np.zeros((len(problem.y), 0))
        rows = SkipLayer(problem.rows, none, is_free=True, has_constant=True)
        return cls(problem, ProfiledProblem.of(problem.on(rows)))

    @property
    def problem(self) -> Problem[SkipLayer]:
        """With the intercept as a linear part."""
        return self.profiled.problem

    @property
    def inner(self) -> Problem[Layer]:
        """That for the neurons alone."""
        return self.profiled.inner

    def neurons(self, found: Neurons) -> Neurons:
        """The same."""
        return self.profiled.neurons(found)

    def linear(self, neurons: Neurons) -> FloatArray:
        """The best intercept beside neurons, shape (1,)."""
        return self.profiled.linear(neurons)

    def proof(self, found: DualProof, reached: float) -> DualProof:
        """A proof for the neurons alone, beside any intercept."""
        return beside_any_offset(found, self.alone, self._reach)

    @cached_property
    def _reach(self) -> float:
        problem, y = self.alone, self.alone.y
        constant = best_offset(problem.loss, np.zeros_like(y), y)
        return intercept_reach(problem, constant, problem.value(np.full_like(y, constant)))
