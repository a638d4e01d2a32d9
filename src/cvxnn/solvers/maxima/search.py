"""The search for networks of maxima without a list of cells: ascent, Lasso, joint descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.oracle import LayerOracle, MaxCellOracle
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import prune
from cvxnn.solvers.maxima.ascent import maxima
from cvxnn.solvers.maxima.descent import descended
from cvxnn.solvers.search import IncumbentSearch, Search
from cvxnn.solvers.squares import refitted


@dataclass(frozen=True)
class Settings:
    """The numbers that the search goes by.

    Attributes
    ----------
    starts, most_starts : int
        Random starts of each sign, at first and at most: twice as many where hardly any leads
        to a neuron that helps.
    few : int
        Neurons that are hardly any.
    margin : float
        Share of the tolerance by which a neuron that helps is above beta.
    steps : int
        Of a descent.
    at_rest, rough : float
        Relative gain of a round that is none, and that ends a search without a polish.
    cell_rounds : int
        Of the program on the cells of the neurons.
    most_priced : int
        Neurons that the oracle over all cells adds.
    no_gain : float
        A share of the objective that is rounding.
    quick_entries : int
        Of activations that are looked through in no time.
    """

    starts: int = 16
    most_starts: int = 256
    few: int = 3
    margin: float = 0.25
    steps: int = 100
    at_rest: float = 1e-9
    rough: float = 1e-3
    cell_rounds: int = 10
    most_priced: int = 20
    no_gain: float = 1e-12
    quick_entries: int = 1 << 22


SETTINGS = Settings()


@final
class MaximaSearch(IncumbentSearch):
    """Search for the optimum on a :class:`MaxLayer`, of any smooth loss and one output.

    Parameters
    ----------
    problem : Problem of MaxLayer
    random_state : numpy.random.Generator
    deadline : Deadline
    on_cells : callable
        The search for the best network of neurons in the cells of given ones.
    oracle : callable
        Gives the oracle over all cells, where they can be listed; asked once, at the end.
    start : Neurons, optional
    polishes : bool
        Whether neurons come to rest in their cells.

    Notes
    -----
    A round climbs to neurons that help, gives all the best weights and moves them. Where that
    gains nothing any more the convex program on the cells of the neurons does the rest; the end
    is where neither gains and no climb leads above beta. Where all cells can be listed their oracle
    is asked then; else nothing is proven of that, and the bound takes each image at its longest
    patch.
    """

    def __init__(
        self,
        problem: Problem[MaxLayer],
        random_state: np.random.Generator,
        deadline: Deadline,
        on_cells: Callable[[Neurons], Search],
        oracle: Callable[[], MaxCellOracle | None],
        start: Neurons | None = None,
        *,
        polishes: bool = True,
    ) -> None:
        nothing = Neurons.none(problem.rows.n_features)
        super().__init__(problem, nothing, "spectral", deadline)
        self.layer, self.basis = problem.rows, np.eye(problem.rows.n_features)
        self._random_state, self._on_cells, self._polishes = random_state, on_cells, polishes
        self._oracle_of = oracle
        self._oracle: MaxCellOracle | None = None
        self._prediction, self._n_starts = np.zeros_like(problem.y), SETTINGS.starts
        self._take(spectral_proof(self.layer, problem.residual_at_zero))
        if start is not None:
            self._offer(refitted(problem, start, deadline))

    def step(self, tol: float) -> None:
        """One round."""
        before = self.objective
        v = self.problem.residual(self._prediction)
        self._take(spectral_proof(self.layer, v))
        found = maxima(
            self.layer, v, self.problem.beta * (1.0 + SETTINGS.margin * tol),
            self._random_state, self._n_starts, neurons=self.neurons, deadline=self.deadline,
        )  # fmt: skip
        self.n_blocks = len(found)
        if len(found) < SETTINGS.few:
            self._n_starts = min(2 * self._n_starts, SETTINGS.most_starts)
        self._improve(self.neurons.joined(found.directions, found.outputs))
        is_at_rest = self._gains_less(before, max(SETTINGS.at_rest, 0.1 * tol))
        if is_at_rest and self._polishes:
            self._rest_in_cells(tol)
            is_at_rest = self._gains_less(before, max(SETTINGS.at_rest, 0.01 * tol))
        if not self._polishes:
            is_at_rest = self._gains_less(before, SETTINGS.rough)
        if is_at_rest and (len(found) == 0 or self._tried_all):
            self.stationary = not self._is_priced(tol)

    def _is_priced(self, tol: float) -> bool:
        """Whether the oracle over all cells has found a neuron that helps, or a better bound."""
        if self._oracle is None:
            self._oracle, self._oracle_of = self._oracle_of(), lambda: None
        if self._oracle is None:
            return False
        before, v = (self.objective, self.bound), self.problem.residual(self._prediction)
        beta = self.problem.beta * (1.0 + SETTINGS.margin * tol)
        price = LayerOracle(self.layer, self._oracle).price(
            v[:, None], beta, deadline=self.deadline
        )
        self._take(DualProof.priced(v[:, None], price))
        best = price.proposals.select(np.arange(min(len(price.proposals), SETTINGS.most_priced)))
        if len(best) and self.gap > tol:
            self._improve(self.neurons.joined(best.directions, best.outputs))
            self._rest_in_cells(tol)
        is_lower = self.objective < before[0] * (1.0 - SETTINGS.no_gain)
        return is_lower or self.bound > before[1] + tol * abs(self.objective)

    @property
    def _tried_all(self) -> bool:
        """Whether there are no more starts to try than the last rounds had."""
        return self._n_starts == SETTINGS.most_starts or not self._polishes

    def _gains_less(self, before: float, share: float) -> bool:
        return before - self.objective <= share * self.objective

    def _improve(self, neurons: Neurons) -> None:
        """The best weights, joint descent, and the best weights again."""
        weighed = refitted(self.problem, neurons, self.deadline)
        self._offer(weighed)
        moved = descended(self.problem, weighed, SETTINGS.steps, self.deadline)
        self._offer(moved)
        self._offer(refitted(self.problem, moved, self.deadline))

    def _rest_in_cells(self, tol: float) -> None:
        """The optimum of the program on the cells of the neurons."""
        if len(self.neurons) == 0:
            return
        search = self._on_cells(self.neurons)
        for _ in range(SETTINGS.cell_rounds):
            if search.reaches(0.1 * tol) or search.stationary or search.is_stuck:
                break
            search.step(0.1 * tol)
        self._offer(search.incumbent())

    def _offer(self, neurons: Neurons) -> None:
        prediction = self.layer.forward(neurons.rays, neurons.signs)
        objective = self.problem.value(prediction, float(neurons.sizes.sum()))
        if objective < self.objective:
            self.neurons, self.objective, self._prediction = neurons, objective, prediction

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave a network of linearly independent activations."""
        entries = len(self.problem.y) * len(self.neurons)
        if (quick or self.deadline.passed) and entries > SETTINGS.quick_entries:
            return
        try:
            pruned = prune(self.layer, self.neurons, self._last_deadline(quick=quick))
        except OutOfTimeError:
            return
        prediction: FloatArray = self.layer.forward(pruned.rays, pruned.signs)
        reached = self.problem.value(prediction, float(pruned.sizes.sum()))
        if reached <= self.objective * (1.0 + 0.1 * tol):
            self.neurons, self.objective = pruned, reached
