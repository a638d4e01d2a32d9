"""How the optimum with a linear skip connection is looked for: by searches without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.opening import opening
from cvxnn.solvers.search import Search
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch, with_linear_neuron
from cvxnn.solvers.skip.projection import FreeSkipSearch, ProjectedProblem
from cvxnn.solvers.strategy import Strategy, sharp_proof


@final
class SkipStrategy(Strategy):
    """Opens the search for neurons and a linear part beside them.

    Parameters
    ----------
    problem : Problem of SkipLayer
        A free linear part is for the squared loss, with weights or without.
    inner : LayerStrategy
        For the neurons alone.
    """

    def __init__(self, problem: Problem[SkipLayer], inner: LayerStrategy) -> None:
        self._problem, self._rows, self._inner = problem, problem.rows, inner

    @property
    def n_patterns(self) -> int:  # type: ignore[override]
        """Patterns of the neurons."""
        return self._inner.n_patterns

    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""

        return self.open_for(self._problem, None, deadline)

    def open_for(
        self,
        problem: Problem[SkipLayer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows."""

        def open_search(problem: Problem[Layer], start: Neurons | None) -> Search:
            return self._inner.open_for(problem, start, deadline, certifies=certifies)

        if self._rows.is_free:
            projected = (
                self._projected if problem is self._problem else ProjectedProblem.of(problem)
            )
            return FreeSkipSearch(projected, open_search)
        return PenalisedSkipSearch(problem, open_search)

    def opening(self) -> Neurons:
        """A first network of the neurons alone, or beside the best linear part if it is free."""
        if not self._rows.is_free:
            return self._beside(opening(self._problem.on(self._rows.layer)))
        return self._beside(self._projected.neurons(opening(self._projected.inner)))

    def nothing(self) -> Neurons:
        """No neurons, and the linear part alone where it is free."""
        return self._beside(Neurons.none(self._rows.n_features))

    def _beside(self, neurons: Neurons) -> Neurons:
        """The neurons with a linear part beside them: the best, or none where it costs."""
        if self._rows.is_free:
            return replace(neurons, linear=self._projected.linear(neurons))
        return replace(neurons, linear=np.zeros(self._rows.linear.shape[1]))

    def first_proof(self) -> DualProof:
        """What the residual of the network without neurons proves, in the same time."""
        return self._proof_by(partial(spectral_proof, quick=True))

    def sharp_proof(self) -> DualProof:
        """The same by the exact oracle of the layer."""
        return self._proof_by(sharp_proof)

    def _proof_by(self, prove: Callable[[Layer, FloatArray], DualProof]) -> DualProof:
        if not self._rows.is_free:
            v = self._problem.residual_at_zero
            return with_linear_neuron(prove(self._rows.layer, v), self._rows.linear)
        projected, nothing = self._projected, Neurons.none(self._rows.n_features)
        evaluation = projected.evaluate(nothing, projected.linear(nothing))
        proof = prove(projected.inner.rows, projected.inner.y)
        return projected.proof(proof, evaluation.value + evaluation.error)

    @cached_property
    def _projected(self) -> ProjectedProblem:
        return ProjectedProblem.of(self._problem)
