"""How the optimum with a linear skip connection is looked for: by searches without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.skip import SkipLayer
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.opening import opening
from cvxnn.solvers.search import Search
from cvxnn.solvers.sharp_proof import sharp_proof
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch, with_linear_neuron
from cvxnn.solvers.skip.projection import ProjectedProblem
from cvxnn.solvers.strategy import Strategy

FloatArray = NDArray[np.float64]


@final
class SkipStrategy(Strategy):
    """Opens the search for neurons and a linear part beside them.

    Parameters
    ----------
    rows : SkipLayer
        A free linear part is for the squared loss, with weights or without.
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    inner : LayerStrategy
        For the neurons alone.
    """

    def __init__(
        self,
        rows: SkipLayer,
        y: FloatArray,
        beta: float,
        loss: Loss,
        inner: LayerStrategy,
    ) -> None:
        self._rows, self._y, self._beta, self._loss = rows, y, beta, loss
        self._inner = inner

    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""

        def open_search(
            layer: Layer, y: FloatArray, beta: float, loss: Loss, start: Neurons | None
        ) -> Search:
            problem = Problem.of(layer, y, beta, loss)
            search = self._inner.open_for(problem, start, deadline)
            self.n_patterns = self._inner.n_patterns
            return search

        if self._rows.is_free:
            return FreeSkipSearch(self._projected, open_search)
        return PenalisedSkipSearch(self._rows, self._y, self._beta, self._loss, open_search)

    def opening(self) -> Neurons:
        """A first network of the neurons alone, or beside the best linear part if it is free."""
        if not self._rows.is_free:
            alone = Problem.of(self._rows.layer, self._y, self._beta, self._loss)
            return self._beside(opening(alone))
        projected = self._projected
        target, beta = projected.target, projected.inner_beta
        inner = opening(Problem.of(projected.layer, target, beta, SquaredLoss()))
        return self._beside(projected.neurons(inner))

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
            v = -self._loss.gradient(np.zeros_like(self._y), self._y)
            return with_linear_neuron(prove(self._rows.layer, v), self._rows.linear)
        projected, nothing = self._projected, Neurons.none(self._rows.n_features)
        evaluation = projected.evaluate(nothing, projected.linear(nothing))
        proof = prove(projected.layer, projected.target)
        return projected.proof(proof, evaluation.value + evaluation.error)

    @cached_property
    def _projected(self) -> ProjectedProblem:
        return ProjectedProblem.of(self._rows, self._y, self._beta, self._loss)
