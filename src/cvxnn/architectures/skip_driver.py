"""The run of a search with a skip connection, until all runs are one."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.skip import SkipLayer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.patterns import PatternSet
from cvxnn.problems import Neurons
from cvxnn.results import Status
from cvxnn.solvers.fallback import WithFallback
from cvxnn.solvers.search import Search
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch
from cvxnn.solvers.skip.strategy import SkipStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.training.methods import Method
from cvxnn.training.opening import opening
from cvxnn.training.run import Run
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]


class LayerStrategy(Strategy):
    """Neurons alone, by a method of :func:`cvxnn.solve`."""

    def __init__(
        self,
        method: Method,
        known: dict[int, PatternSet | None],
        problem: ScaledProblem,
        start: Neurons | None,
    ) -> None:
        network = None if start is None else start.network()
        generator = deepcopy(method.random_state)
        self._method = replace(method, warm_start=network, random_state=generator)
        self._known, self._problem = known, problem

    def open(self, deadline: Deadline) -> Search:
        method, problem = self._method, self._problem
        if 0 not in self._known:
            self._known[0] = method.list_patterns(problem.layer.rows, deadline)
        patterns = self._known[0]
        self.n_patterns = 0 if patterns is None else len(patterns)
        first = method.search(problem, patterns, deadline)
        return WithFallback(first, lambda: method.second_search(problem, first, deadline))

    def opening(self) -> Neurons:
        return opening(self._problem)

    def first_proof(self) -> DualProof:
        problem = self._problem
        v = -problem.loss.gradient(np.zeros_like(problem.y), problem.y)
        return spectral_proof(problem.layer, v, quick=True)


@dataclass(frozen=True)
class SkipMethod(Method):
    """Opens the search of a strategy."""

    strategy: Any = None

    def list_patterns(self, X: FloatArray, deadline: Deadline) -> PatternSet | None:
        return None

    def search(
        self, problem: ScaledProblem, patterns: PatternSet | None, deadline: Deadline
    ) -> Search:
        search: Search = self.strategy.open(deadline)
        return search

    def second_search(
        self, problem: ScaledProblem, first: Search, deadline: Deadline
    ) -> Search | None:
        return None


class SkipRun(Run):
    """A run whose network has a linear part."""

    def __init__(self, plain: Run, linear: FloatArray, is_free: bool) -> None:
        self.rows = SkipLayer(plain.layer, linear, is_free)
        inner, known = plain.method, dict[int, PatternSet | None]()
        problem = ScaledProblem.of(plain.layer, plain.y, plain.beta, plain.loss)

        def strategies(
            layer: Layer, y: FloatArray, beta: float, loss: Loss, start: Neurons | None
        ) -> Strategy:
            scaled = ScaledProblem(layer, y, beta, loss, 1.0, 1.0)
            return LayerStrategy(inner, known, scaled, start)

        self.strategy = SkipStrategy(
            self.rows.in_units(self.rows.unit), problem.y, problem.beta, problem.loss, strategies
        )
        method = SkipMethod(
            inner.name, None, inner.n_samples, inner.scheme, inner.random_state,
            strategy=self.strategy,
        )  # fmt: skip
        super().__init__(
            plain.layer, plain.y, plain.beta, method, plain.loss,
            tol=plain.tol, max_iter=plain.max_iter, time_limit=None, callback=plain.callback,
        )  # fmt: skip
        self.deadline, self.problem = plain.deadline, problem
        self.linear = np.zeros(linear.shape[1])

    def _best_network(self, status: Status) -> tuple[TwoLayerNetwork, Evaluation, bool]:
        found: list[tuple[Neurons, FloatArray, bool]] = []
        if self.searches:
            search = self.searches[0]
            assert isinstance(search, PenalisedSkipSearch | FreeSkipSearch)
            found.append((search.neurons, search.linear, True))
        if not status.is_success and not any(len(neurons) for neurons, _, _ in found):
            for _ in range(2):
                try:
                    neurons = self.strategy.opening()
                except KeyboardInterrupt:
                    continue
                none = Neurons.none(self.rows.n_features)
                found += [(n, self.strategy.linear(n), False) for n in (none, neurons)]
                break
        known = []
        for neurons, linear, searched in found:
            network = self.problem.unscaled(neurons.network())
            w = linear * self.problem.weight_unit**2
            known.append((network, self._evaluation(network, w), searched, w))
        best = min(known, key=lambda candidate: candidate[1].value)
        self.linear = best[3]
        return best[:3]

    def _evaluation(self, network: TwoLayerNetwork, w: FloatArray) -> Evaluation:
        pair = (self.rows.linear, w)
        prediction = predict(self.layer, network.hidden_weights, network.output_weights, pair)
        norm = 0.0 if self.rows.is_free else float(np.linalg.norm(w))
        price = self.beta * (network.penalty() + norm)
        roundings = network.n_weights + len(w)
        return evaluate(self.loss, self.y, prediction, price, roundings, self.tol)

    def _proof_without_search(self) -> DualProof:
        return self.strategy.first_proof()
