"""The search for sub-networks on rows of high rank, where no oracle ends: local, and no proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.layers.parallel import ParallelRows
from cvxnn.losses import SkipLoss
from cvxnn.losses.offset import best_offset
from cvxnn.oracle.price import BOTH
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Problem
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach
from cvxnn.solvers.parallel.descent import climb, descend
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.proofs import quick_proof
from cvxnn.solvers.quantized.sizes import Sizes, best_sizes
from cvxnn.solvers.search import IncumbentSearch


@dataclass(frozen=True)
class Settings:
    """The numbers that the search goes by.

    Attributes
    ----------
    starts, width, steps, kept : int
        Of ascents for sub-networks of each sign: how many, hidden units of each, steps, and how
        many of the best are taken.
    added : int
        Hidden units that every sub-network gets in a round.
    small : float
        Their weights over those that are there.
    idle : float
        Share of the size of a sub-network below which a hidden unit makes room for others.
    descent_steps : int
        Of the descent of all weights in a round.
    at_rest, rounds, work : float, int, float
        Share of the objective that a round has to gain; rounds at most, and products of rows,
        weights and steps of descents from which on a round is the last.
    """

    starts: int = 40
    width: int = 4
    steps: int = 150
    kept: int = 3
    added: int = 2
    small: float = 0.1
    idle: float = 1e-3
    descent_steps: int = 100
    at_rest: float = 1e-3
    rounds: int = 6
    work: float = 1e10


SETTINGS = Settings()


@final
class RoughSubNetworkSearch(IncumbentSearch):
    """A rough network of two layers, then sub-networks that grow from it and beside it.

    It comes to rest up to the precision of a score; what is proven of its network is left to the
    relaxation.

    Parameters
    ----------
    problem : Problem of ParallelRows
        Of one output, with a loss without kinks that is a sum over the rows.
    random_state : numpy.random.Generator
    deadline : Deadline
    start : SubNetworks, optional
        A network to begin with, in the place of one of two layers.
    intercept : bool
        Whether a number that costs nothing is added to all predictions.

    Notes
    -----
    A round adds hidden units of small weights to every sub-network, and sub-networks of ascents at
    the residual; then all weights descend together by L-BFGS, O(n K m1 d) a step, and sizes are
    the best.
    """

    neurons: SubNetworks

    def __init__(
        self,
        problem: Problem[ParallelRows],
        random_state: np.random.Generator,
        deadline: Deadline,
        start: SubNetworks | None = None,
        *,
        intercept: bool = False,
    ) -> None:
        X, y = problem.rows.X, problem.y
        super().__init__(problem, SubNetworks.nothing(X.shape[1]), "choices", deadline)
        self.basis, self._random_state, self._intercept = (
            np.eye(X.shape[1]),
            random_state,
            intercept,
        )
        # The least over intercepts is a loss, too.
        self._inner = problem
        if intercept:
            inner = SkipLoss(problem.loss, np.ones((len(y), 1)), 1.0, n_free=1)
            self._inner = replace(problem, loss=inner)
        # That of the best intercept may be larger, by a rounding.
        self._prediction = np.zeros_like(y)
        self._offer(self.neurons)
        self._reach, self._rounds, self._work = 0.0, 0, 0.0
        if intercept:
            constant = float(self.neurons.intercept)
            self._reach = intercept_reach(problem, constant, self.objective)
        self._prove()
        self._rough: TileSearch | None = None
        if start is not None:
            self._offer(start)
        if len(self.neurons) == 0:
            to_direction = reduce_rows(X, deadline).to_direction
            self._rough = TileSearch(
                rows_of(problem.on(Layer(X))), problem.beta, to_direction, random_state, deadline,
                intercept=intercept,
            )  # fmt: skip

    def step(self, tol: float) -> None:
        """One round; of two layers first."""
        check_interrupt()
        self.deadline.check()
        if self._rough is not None:
            self._advance(self._rough)
            return
        before, self._rounds = self.objective, self._rounds + 1
        found = SubNetworks.stacked([self._grown(), self._ascended()])
        self.n_blocks = len(found)
        if len(found):
            steps = SETTINGS.descent_steps
            self._work += float(len(self.problem.y) * found.directions.size * steps)
            moved = descend(self._inner, found, steps=steps, deadline=self.deadline)
            self._offer(moved)
            self._weigh(moved)
        is_last = self._rounds == SETTINGS.rounds or self._work > SETTINGS.work
        if is_last or before - self.objective <= SETTINGS.at_rest * before:
            self._prove()
            self.stationary = True

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing is left to do."""

    def _advance(self, rough: TileSearch) -> None:
        """One round of two layers, whose network is taken over whatever ends it."""
        try:
            done = rough.advance()
        finally:
            self.n_blocks = rough.n_new
            self._offer(SubNetworks.of_neurons(rough.neurons))
        if done:
            self._rough = None

    @property
    def _residual(self) -> FloatArray:
        return self.problem.residual(self._prediction)

    def _prove(self) -> None:
        """What eigenvalues prove of the residual."""
        proof = quick_proof(self.problem.rows.X, self._residual)
        self._take(self._beside_any(proof))

    def _beside_any(self, proof: DualProof) -> DualProof:
        if not self._intercept:
            return proof
        return beside_any_offset(proof, self.problem, self._reach)

    def _grown(self) -> SubNetworks:
        """The sub-networks, with further hidden units that do little."""
        known, rng = self.neurons.without_idle(SETTINGS.idle), self._random_state
        wide = known.padded(known.width + SETTINGS.added)
        shape = len(known), SETTINGS.added, known.directions.shape[2]
        scale = SETTINGS.small / np.sqrt(shape[1] * shape[2])
        hidden, inner = wide.directions.copy(), wide.inner.copy()
        hidden[:, known.width :] = scale * rng.standard_normal(shape)
        inner[:, known.width :] = scale * rng.standard_normal(shape[:2])
        return SubNetworks.of_layers(hidden, inner, known.sizes * known.signs)

    def _ascended(self) -> SubNetworks:
        """The best sub-networks of each sign that ascents find at the residual, if any is worth it.

        Their size together is that of the best step for the predictions of the best one.
        """
        X, v, rng = self.problem.rows.X, self._residual, self._random_state
        curvature = self.problem.loss.majorizer(self._prediction, self.problem.y)
        parts = [SubNetworks.nothing(X.shape[1])]
        for sign in BOTH:
            hidden = rng.standard_normal((SETTINGS.starts, SETTINGS.width, X.shape[1]))
            inner = rng.standard_normal((SETTINGS.starts, SETTINGS.width))
            values, hidden, inner = climb(X, sign * v, hidden, inner, SETTINGS.steps, self.deadline)
            best = np.argsort(-values)[: SETTINGS.kept]
            best = best[values[best] > self.problem.beta]
            if len(best) == 0:
                continue
            outputs = np.full((len(best), 1), sign)
            found = SubNetworks(hidden[best], np.ones(len(best)), outputs, inner=inner[best])
            square = float(curvature @ found.activations(X)[:, 0] ** 2)
            size = (float(values[best[0]]) - self.problem.beta) / square
            parts.append(found.sized(np.full(len(best), size / len(best))))
        return SubNetworks.stacked(parts)

    def _weigh(self, neurons: SubNetworks) -> None:
        """The best sizes, and the best intercept."""
        columns = neurons.activations(self.problem.rows.X) * neurons.signs
        start = Sizes(neurons.sizes, self._offset_of(columns @ neurons.sizes))
        try:
            sizes = best_sizes(
                self.problem, columns, start, self.deadline, intercept=self._intercept
            )
        except OutOfTimeError:
            # The network is as good as before.
            return
        self._offer(neurons.sized(sizes.values).select(sizes.values > 0.0))

    def _offset_of(self, prediction: FloatArray) -> float:
        """The best intercept beside predictions, where there is one."""
        if not self._intercept:
            return 0.0
        return best_offset(self.problem.loss, prediction, self.problem.y)

    def _offer(self, neurons: SubNetworks) -> None:
        """Keep neurons if they are the best, with the best intercept."""
        neurons = neurons.trimmed()
        prediction = neurons.predict(self.problem.rows.X)
        offset = self._offset_of(prediction)
        objective = self.problem.value(prediction + offset, float(neurons.sizes.sum()))
        if objective <= self.objective:
            self.neurons = replace(neurons, intercept=offset)
            self.objective, self._prediction = objective, prediction + offset
