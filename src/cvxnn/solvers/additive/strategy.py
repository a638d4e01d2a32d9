"""How the optimum of neurons that see one group of columns each is looked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.layers.groups import GroupedLayer
from cvxnn.losses.base import Root
from cvxnn.methods import Method
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.groups import GroupGeometry
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.search import SETTINGS, AdditiveSearch
from cvxnn.solvers.opening import opening
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.proximal_newton import search_for
from cvxnn.solvers.search import Search
from cvxnn.solvers.strategy import SHARP, RowsStrategy, some_seconds


@final
class AdditiveStrategy(RowsStrategy):
    """The search over groups of columns, of which everything is found out once.

    Parameters
    ----------
    problem : Problem of GroupedLayer
    method : Method
    random_state : numpy.random.Generator
    start : Neurons, optional
        Where the search starts, each in a group.
    """

    def __init__(
        self,
        problem: Problem[GroupedLayer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None = None,
    ) -> None:
        super().__init__(problem, method, random_state)
        self._start = start
        self._geometry: GroupGeometry | None = None
        self._proof_time = ProofTime(method)

    def open(self, deadline: Deadline) -> Search:
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[GroupedLayer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        geometry = self._geometry_of(problem.rows, deadline)
        effort = Effort(SETTINGS.most, SETTINGS.depth, random_state=self._random_state)

        def open_model(
            problem: Problem[Any], start: Neurons | None, root: Root[Any] | None, certifies: bool
        ) -> Search:
            deadline.check()
            scales = None if root is None else root.root
            oracle = geometry.oracle(problem.rows, scales, effort)
            return AdditiveSearch(
                problem, oracle, geometry.rank, deadline,
                start=start, certifies=certifies and asks, proof_time=self._proof_time,
            )  # fmt: skip

        asks = certifies and self._method.certify
        return search_for(problem, open_model, deadline, start, polishes=self.polishes)

    @property
    def polishes(self) -> bool:
        """Also where nobody asks for it, if oracles are exact: a proof costs next to nothing."""
        return self._method.polish or self._problem.rows.width <= 2

    def opening(self) -> Neurons:
        """A first network on the group that the dual point of none is most correlated with."""
        problem = self._problem
        layer = problem.rows
        pulls = (layer.rows.T @ problem.residual_at_zero) ** 2
        group = int(np.argmax([pulls[list(columns)].sum() for columns in layer.groups]))
        costs = None if layer.costs is None else layer.costs.of(layer.groups[group])
        neurons = opening(problem.on(Layer(layer.seen(group))), costs)
        directions = np.zeros((len(neurons), layer.n_features))
        directions[:, layer.groups[group]] = neurons.directions
        return replace(neurons, directions=directions)

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        layer, v = self._problem.rows, self._problem.residual_at_zero
        effort = replace(some_seconds(Layer(layer.rows)), random_state=self._random_state)
        oracle = self._geometry_of(layer, deadline).oracle(layer, None, effort)
        price = oracle.prove(v, tol=SHARP, deadline=deadline)
        proof = DualProof.priced(v[:, None], price)
        if price.finished:
            return proof
        return min(proof, spectral_proof(layer, v), key=lambda proof: proof.oracle_bound)

    def _geometry_of(self, layer: GroupedLayer, deadline: Deadline) -> GroupGeometry:
        if self._geometry is None or self._geometry.layer is not layer:
            self._geometry = GroupGeometry.of(layer, deadline)
        return self._geometry
