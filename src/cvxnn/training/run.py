"""One training run: rounds, limits, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.clocks import clock
from cvxnn.evaluation import Evaluation, evaluate, predict
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.patterns import PatternSet
from cvxnn.results import Progress, Solution, Status, checked_status, relative_gap
from cvxnn.solvers.search import Search
from cvxnn.training.methods import Method
from cvxnn.training.opening import opening
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]
Callback = Callable[[Progress], object]

# A few more rounds for the last digits, where they are cheap: the same network, up to
# rounding, for every random state. Predictions err by the root of the gap, so that it
# takes many digits of that.
_SHARP, _SHARP_ROUNDS = 1e-3, 3


class Run:
    """A search driven to the gap, a limit or an interrupt.

    Parameters
    ----------
    layer : Layer
    y : ndarray, shape (n,)
    beta : float
    method : Method
    loss : Loss
    tol : float
    max_iter : int
    time_limit : float or None
    callback : callable or None

    Attributes
    ----------
    proofs : tuple of DualProof
        Once it has ended: on the problem that was searched and over all networks, in
        the units of `problem`.
    """

    def __init__(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        method: Method,
        loss: Loss,
        *,
        tol: float,
        max_iter: int,
        time_limit: float | None,
        callback: Callback | None,
    ) -> None:
        self.layer, self.y, self.beta, self.method = layer, y, beta, method
        self.tol, self.max_iter, self.callback = tol, max_iter, callback
        self.deadline = Deadline(time_limit)
        self.loss = loss
        self.start = clock()
        self.problem = ScaledProblem.of(layer, y, beta, loss)
        self.history: list[Progress] = []
        self.patterns: PatternSet | None = None
        self.searches: list[Search] = []
        self.proofs: tuple[DualProof, ...] = ()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return clock() - self.start

    def execute(self) -> Solution:
        """Run to the end, a limit or an interrupt, and return the best there is."""
        try:
            try:
                status = self._search()
            except OutOfTimeError:
                status = Status.TIME_LIMIT
            if self.searches:
                self._best_search().finish(self.tol, quick=False)
            return self._solution(status)
        except KeyboardInterrupt:
            return self._interrupted()

    def _search(self) -> Status:
        """All searches that there are, one after the other, as long as it takes them."""
        self.patterns = self.method.list_patterns(self.layer.rows, self.deadline)
        search = self.method.search(self.problem, self.patterns, self.deadline)
        status = self._drive(search)
        if status is Status.NUMERICAL_ERROR:
            second = self.method.second_search(self.problem, search, self.deadline)
            if second is not None:
                status = self._drive(second)
        return status

    def _drive(self, search: Search) -> Status:
        """Rounds until there is a reason to stop."""
        self.searches.append(search)
        while (status := self._stop(search)) is None:
            search.step(self.tol)
            self._report(search)
        if status is Status.OPTIMAL_FOR_PATTERNS:
            self._sharpen(search)
        return status

    def _sharpen(self, search: Search) -> None:
        """Go on below the tolerance for a few rounds, as long as there is something to gain."""
        last = min(len(self.history) + _SHARP_ROUNDS, self.max_iter)
        try:
            while len(self.history) < last and not search.deadline.passed:
                if not search.sharpen(_SHARP * self.tol):
                    break
                self._report(search)
        except OutOfTimeError:
            # What was asked for is there.
            return

    def _best_search(self) -> Search:
        """The one whose network is closest to optimal."""
        return min(self.searches, key=lambda search: search.gap)

    def _interrupted(self) -> Solution:
        """The best network so far, without one more pricing: somebody is waiting."""
        if self.searches:
            try:
                self._best_search().finish(self.tol, quick=True)
            except KeyboardInterrupt:
                # A second Ctrl-C: the network stays as it is.
                return self._solution(Status.INTERRUPTED)
        return self._solution(Status.INTERRUPTED)

    @property
    def rank(self) -> int:
        """Of the rows; 0 where no search had to know."""
        return max((search.rank for search in self.searches), default=0)

    def _stop(self, search: Search) -> Status | None:
        if search.reaches(self.tol):
            return Status.OPTIMAL_FOR_PATTERNS
        if len(self.history) >= self.max_iter:
            return Status.ITERATION_LIMIT
        if search.deadline.passed:
            return Status.TIME_LIMIT
        if search.stationary:
            return Status.STATIONARY
        return Status.NUMERICAL_ERROR if search.is_stuck else None

    def _report(self, search: Search) -> None:
        unit = self.problem.objective_unit
        progress = Progress(
            iteration=len(self.history),
            elapsed=self.elapsed,
            objective=search.objective * unit,
            dual_bound=search.bound * unit,
            n_blocks=search.n_blocks,
            n_neurons=len(search.neurons.sizes),
        )
        self.history.append(progress)
        if self.callback is not None:
            self.callback(progress)

    def _solution(self, status: Status) -> Solution:
        """Recompute everything from the weights of the network that is returned."""
        problem = self.problem
        if self.searches:
            self.proofs = self._best_search().final_proofs(quick=status is Status.INTERRUPTED)
        else:
            self.proofs = (self._proof_without_search(),) * 2
        program_bound, bound = (
            proof.bound(problem.loss, problem.y, problem.beta) * problem.objective_unit
            for proof in self.proofs
        )
        network, evaluation, was_searched = self._best_network(status)
        objective, error = evaluation.value, evaluation.error
        if not was_searched:
            # It may not be of the program; a bound over all networks covers that, too.
            program_bound = bound
        status = checked_status(status, objective, program_bound, bound, self.tol, error)
        return Solution(
            network=network,
            objective=objective,
            dual_bound=bound,
            status=status,
            method=self.method.name,
            beta=self.beta,
            tol=self.tol,
            n_patterns=0 if self.patterns is None else len(self.patterns),
            program_gap=relative_gap(objective, program_bound, error),
            elapsed=self.elapsed,
            history=tuple(self.history),
            objective_error=error,
        )

    def _best_network(self, status: Status) -> tuple[TwoLayerNetwork, Evaluation, bool]:
        """The best network that is known, its objective, and whether a search has found it.

        Where no search has ended a round, a few passes over the data make a first network.
        """
        found = [self._best_search().network()] if self.searches else []
        if not status.is_success:
            found += [s.network() for s in self.searches if s is not self._best_search()]
        networks = [(self.problem.unscaled(network), True) for network in found]
        if not status.is_success:
            if self.method.warm_start is not None:
                networks.append((self.method.warm_start, False))
            if not self.history or not any(network.n_neurons for network, _ in networks):
                networks += [(self.problem.unscaled(first), False) for first in self._openings()]
        known = [(network, self._evaluate(network), searched) for network, searched in networks]
        return min(known, key=lambda candidate: candidate[1].value)

    def _openings(self) -> list[TwoLayerNetwork]:
        """The network 0, and one that is made now in a few passes over the data."""
        networks = [self.problem.empty_network]
        # One Ctrl-C is what has led here, or is meant for what is over anyway.
        for _ in range(2):
            try:
                return [*networks, opening(self.problem).network()]
            except KeyboardInterrupt:
                continue
        return networks

    def _evaluate(self, network: TwoLayerNetwork) -> Evaluation:
        """Objective (2), from the weights."""
        prediction = predict(self.layer, network.hidden_weights, network.output_weights)
        price = self.beta * network.penalty()
        return evaluate(self.loss, self.y, prediction, price, network.n_weights, self.tol)

    def _proof_without_search(self) -> DualProof:
        """From the residual of the network without neurons."""
        problem = self.problem
        v = -problem.loss.gradient(np.zeros_like(problem.y), problem.y)
        return spectral_proof(problem.layer, v, quick=True)
