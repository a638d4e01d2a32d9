"""Networks of several outputs on fixed gates: neurons are priced, moved and recomposed."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle.outputs.gates import OutputsGateOracle, OutputsGatePrice
from cvxnn.problems import Problem
from cvxnn.results import relative_gap
from cvxnn.solvers.columns.gate_search import GatedNeurons
from cvxnn.solvers.descent.lbfgs import minimise
from cvxnn.solvers.descent.newton_cg import Rest, newton_minimise
from cvxnn.solvers.outputs.gates.function import GatedFunction
from cvxnn.solvers.outputs.gates.neurons import GateTriples
from cvxnn.solvers.outputs.gates.settings import SETTINGS
from cvxnn.solvers.outputs.intercept import dual_point, without_neurons
from cvxnn.solvers.outputs.neurons import independent_scales
from cvxnn.solvers.search import IncumbentSearch


@final
class GatedOutputsSearch(IncumbentSearch):
    """The program ``min l(sum_i D_i X Z_i + 1 b', Y) + beta sum_i ||Z_i||_*`` on given gates.

    Parameters
    ----------
    problem : Problem of GatedRows
        With c outputs and any loss.
    deadline : Deadline
    intercept : bool
        Whether a number that costs nothing is added to each output.

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the network without neurons is priced.

    Notes
    -----
    A round adds neurons, the singular vectors of ``X'D_i V`` whose values are above beta, moves
    all on the smooth function of their weights, by L-BFGS and near the end by Newton's method,
    and takes the ``Z_i`` apart by their singular values. Where all values of all gates are beta
    at most at a point of rest it is an optimum (B. Haeffele and R. Vidal, IEEE TPAMI 42, 2020,
    for factors of nuclear norms). O(n k (d + c)) for a step of k neurons, and O(G n d c) to price
    all; d is n where rows are fewer.
    """

    neurons: GatedNeurons

    def __init__(self, problem: Problem[GatedRows], deadline: Deadline, *, intercept: bool) -> None:
        self._rows, self._intercept = problem.rows, intercept
        self._oracle = OutputsGateOracle(problem.rows, most=SETTINGS.most_new)
        # Weights of an optimum are combinations of rows; few rows span less than R^d.
        n, d = problem.rows.X.shape
        self.basis = np.linalg.qr(problem.rows.X.T)[0] if d > n else np.eye(d)
        self._X = problem.rows.X @ self.basis if d > n else problem.rows.X
        nothing = without_neurons(problem, intercept=intercept)
        b = np.broadcast_to(nothing.intercept, problem.n_outputs)
        self._triples = GateTriples.none(self._X.shape[1], np.array(b, dtype=np.float64))
        self._is_slow = False
        super().__init__(problem, self._as_neurons(self._triples), "gates", deadline)
        self._prediction = np.broadcast_to(self._triples.weights.b, problem.Y.shape)
        self.objective = problem.value(self._prediction)
        self._price = self._certified()

    def step(self, tol: float) -> None:
        """Add the neurons that are missing most, and bring all to rest."""
        check_interrupt()
        before = self.objective, self.bound
        excess = self._excess
        triples = self._with_missing()
        moved = self._descended(triples, max(excess, 0.0), tol)
        self._offer(moved.recomposed(SETTINGS.nothing))
        self._price = self._certified()
        gained = before[0] - self.objective
        self._is_slow = gained <= SETTINGS.slow * abs(before[0])
        improved = gained > SETTINGS.gain * abs(before[0]) or self.bound > before[1]
        self.stalled = 0.0 if improved else self.stalled + 1.0

    @property
    def _excess(self) -> float:
        """By which share of beta the largest singular value is above it."""
        return float(self._price.norms.max(initial=0.0)) / self.problem.beta - 1.0

    def _with_missing(self) -> GateTriples:
        """The neurons, and small new ones of singular values above beta."""
        price, problem, X = self._price, self.problem, self._X
        found, self.n_blocks = price.found, len(price.found)
        if len(found) == 0:
            return self._triples
        directions = found.directions @ self.basis if X is not self._rows.X else found.directions
        active = (X @ directions.T) * self._rows.masks[price.gates].T
        weights = problem.loss.majorizer(self._prediction, problem.target) @ (found.outputs**2).T
        squares = np.maximum((weights * active**2).sum(axis=0), 1e-300)
        sizes = SETTINGS.small * (found.values - problem.beta) / squares / len(found)
        return self._triples.joined(directions, found.outputs, sizes, price.gates)

    def _descended(self, triples: GateTriples, excess: float, tol: float) -> GateTriples:
        """After L-BFGS, and near the end Newton's method."""
        if len(triples) == 0:
            return triples
        weights = triples.weights
        function = GatedFunction(
            self.problem, self._X, self._sides(triples), weights, self.deadline,
            intercept=self._intercept,
        )  # fmt: skip
        point = minimise(
            function.value_and_gradient, weights.flat, steps=SETTINGS.steps,
            enough=SETTINGS.enough * min(excess, 1.0), stretch=10, memory=30,
        )  # fmt: skip
        if excess <= SETTINGS.near or self._is_slow:
            excess = min(excess, SETTINGS.near)
            share = max(SETTINGS.rest * excess, SETTINGS.least_rest * tol)
            gradient = share * self.problem.beta * float(np.linalg.norm(point[: -len(weights.b)]))
            rest = Rest(gradient, SETTINGS.newton_steps, SETTINGS.products)
            point = newton_minimise(function, point, rest)
        return GateTriples(weights.reshaped(point), triples.gates)

    def _sides(self, triples: GateTriples) -> FloatArray:
        """1 where the gate of a neuron is open, shape (n, k)."""
        return np.ascontiguousarray(self._rows.masks[triples.gates].T, dtype=np.float64)

    def _offer(self, triples: GateTriples) -> None:
        """Keep neurons that are as good."""
        weights = triples.weights
        active = (self._X @ weights.hidden.T) * self._sides(triples)
        prediction = active @ weights.output + weights.b
        value = self.problem.value(prediction, float(triples.sizes.sum()))
        if value <= self.objective * (1.0 + SETTINGS.as_good):
            self._keep(triples, value)
            self._prediction = prediction

    def _keep(self, triples: GateTriples, objective: float) -> None:
        self.objective, self._triples = objective, triples
        self.neurons = self._as_neurons(triples)

    def _as_neurons(self, triples: GateTriples) -> GatedNeurons:
        weights, sizes = triples.weights, triples.sizes
        root = np.sqrt(sizes)[:, None]
        return GatedNeurons(
            weights.hidden / root, sizes, weights.output / root,
            intercept=weights.b, gates=self._rows.gates[triples.gates],
        )  # fmt: skip

    def _certified(self) -> OutputsGatePrice:
        """Raise the bound by the dual point of the prediction; what it makes of all gates."""
        V = self.problem.residual(self._prediction)
        dual = dual_point(self.problem, V, intercept=self._intercept)
        beta = self.problem.beta
        price = self._oracle.price(dual, beta, deadline=self.deadline)
        self._take(DualProof.priced(dual, price))
        if not self._intercept:
            return price
        # Far from the best intercept no dual point is near: neurons are those of the gradient.
        return self._oracle.price(V, beta, deadline=self.deadline)

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave neurons with independent outputs, at most n c, if that costs nothing."""
        triples = self._triples
        if len(triples) == 0:
            return
        weights, sizes = triples.weights, triples.sizes
        active = (self._X @ weights.hidden.T) * self._sides(triples)
        if _are_independent(active, weights.output):
            return
        last = self._last_deadline(quick=quick)
        scales = independent_scales(active, weights.output, sizes, last)
        pruned = triples.scaled(scales)
        prediction = active @ (scales[:, None] * weights.output) + weights.b
        value = self.problem.value(prediction, float(scales @ sizes))
        if relative_gap(value, self.bound) <= max(self.gap, tol):
            self._keep(pruned, value)


def _are_independent(active: FloatArray, output: FloatArray) -> bool:
    """Whether the ``z_j a_j'`` of activations and output weights are, well beyond rounding.

    Their scalar products are those of both factors, one times the other: O(n k^2).
    """
    products = (active.T @ active) * (output @ output.T)
    lengths = np.sqrt(np.diag(products))
    if not lengths.all():
        return False
    cosines = products / lengths / lengths[:, None]
    return bool(np.linalg.eigvalsh(cosines)[0] > SETTINGS.independent)
