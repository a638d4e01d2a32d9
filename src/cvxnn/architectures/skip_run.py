"""Training with a linear skip connection: what it adds to a run without one.

A penalised skip connection costs ``beta ||w||``, which is the least of
``beta/2 (||w||^2 / eta + eta)`` over eta. For a given eta the best w is a ridge
regression inside the loss, and the rest a run as always. The sum is convex in eta with
its minimum where ``||w|| = eta``: a scalar equation with a falling function, which
Brent's method solves in some ten runs, each from the network before.

A free one leaves a projection of the predictions: with the squared loss
``min_w 1/2 ||f + S w - y||^2 = 1/2 ||P (f - y)||^2``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.certificates import DualProof
from cvxnn.evaluation import evaluate, predict
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.losses import Loss, SkipLoss, SquaredLoss, WeightedLoss
from cvxnn.losses.roots import mixing_error
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Progress, Solution, Status, relative_gap
from cvxnn.solvers.skip.column_space import ColumnSpace
from cvxnn.training.run import Run
from cvxnn.training.solve import execute_as_part
from cvxnn.validation import SMALLEST_ENTRY

FloatArray = NDArray[np.float64]

# Runs with another eta, at most; some ten are needed.
_MOST_RUNS = 50
# The first step in log(eta) away from the guess; each further one is twice as long.
_FIRST_STEP = 0.3
# Logarithm of eta over its guess at which the search ends: such a skip connection is
# nothing, or all there is.
_FARTHEST = 80.0
# What ends a run, and all that would follow.
_LIMITS = (Status.TIME_LIMIT, Status.ITERATION_LIMIT, Status.INTERRUPTED)
_EPS = float(np.finfo(float).eps)
# Share of the targets below which what a free skip connection leaves of them is nothing.
_NOTHING = 1e-30

# A run for a layer, targets, a loss, a network to start from and a time limit.
Prepare = Callable[[Layer, FloatArray, Loss, TwoLayerNetwork | None, float | None], Run]


@dataclass(frozen=True)
class SkipProblem:
    """Objective ``l(f + S w, y) + beta (sum of neurons) + beta ||w||``, the last if not free.

    Attributes
    ----------
    layer : Layer
    skip : ndarray, shape (n, p)
        S.
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    """

    layer: Layer
    skip: FloatArray
    y: FloatArray
    beta: float
    loss: Loss

    def output(self, network: TwoLayerNetwork) -> FloatArray:
        """f of the neurons, shape (n,)."""
        return self.layer.forward(network.hidden_weights, network.output_weights)


class SkipTraining(ABC):
    """The best network with a skip connection so far, and what is proven.

    Attributes
    ----------
    network : TwoLayerNetwork
    skip_weights : ndarray, shape (p,)
    objective : float
    program_bound, dual_bound : float
        For the program that was solved, and over all networks.
    history : list of Progress
    """

    def __init__(
        self, problem: SkipProblem, prepare: Prepare, tol: float, time_limit: float | None
    ) -> None:
        self.problem, self.tol = problem, tol
        self._prepare, self._deadline = prepare, Deadline(time_limit)
        d, p = problem.layer.n_features, problem.skip.shape[1]
        self.network, self.skip_weights = (
            TwoLayerNetwork(np.zeros((0, d)), np.zeros(0)),
            np.zeros(p),
        )
        self.objective = problem.loss.value(np.zeros_like(problem.y), problem.y)
        self.program_bound = self.dual_bound = -np.inf
        self.n_patterns = 0
        self.history: list[Progress] = []

    def execute(self) -> Status:
        """Train until the gap is within tol, or a limit is reached; the status is to be checked."""
        # Trial weights may have squares beyond float64 where units are far apart: such a
        # network is worse than any other, and that is all.
        with deferred_interrupts(), np.errstate(over="ignore", invalid="ignore"):
            try:
                self._train()
                status = Status.INTERRUPTED if interrupt_pending() else self._last.status
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            forget_interrupt()
        return Status.OPTIMAL_FOR_PATTERNS if self._is_solved else status

    @abstractmethod
    def _train(self) -> None:
        """Runs, until there is a reason to stop."""

    @property
    def _is_solved(self) -> bool:
        return relative_gap(self.objective, self.program_bound) <= self.tol

    def _run(
        self, layer: Layer, y: FloatArray, loss: Loss, start: TwoLayerNetwork | None
    ) -> tuple[Solution, tuple[DualProof, ...]]:
        # A run needs some time, however little is left.
        seconds = max(self._deadline.remaining, 1e-9) if self._deadline.limited else None
        run = self._prepare(layer, y, loss, start, seconds)
        self._last = solution = execute_as_part(run)
        self.history += solution.history
        self.n_patterns = max(self.n_patterns, solution.n_patterns)
        proofs = tuple(run.problem.unscaled_proof(p, self.problem.beta) for p in run.proofs)
        return solution, proofs

    def _offer(self, network: TwoLayerNetwork, w: FloatArray, objective: float) -> None:
        if objective < self.objective:
            self.network, self.skip_weights, self.objective = network, w, objective

    def _take(self, proofs: tuple[DualProof, ...]) -> None:
        if proofs:
            self.program_bound = max(self.program_bound, self._bound(proofs[0]))
            self.dual_bound = max(self.dual_bound, self._bound(proofs[1]))

    @abstractmethod
    def _bound(self, proof: DualProof) -> float:
        """What a proof of a run says of the problem with its skip connection."""


class NoSkip(SkipTraining):
    """One run."""

    def _train(self) -> None:
        problem = self.problem
        solution, proofs = self._run(problem.layer, problem.y, problem.loss, None)
        self.objective = np.inf
        self._offer(solution.network, self.skip_weights, solution.objective)
        self._take(proofs)

    def _bound(self, proof: DualProof) -> float:
        return proof.bound(self.problem.loss, self.problem.y, self.problem.beta)


class PenalisedSkip(SkipTraining):
    """Brent's method for ``log(||w|| / eta) = 0`` in ``log(eta)``."""

    def _train(self) -> None:
        problem = self.problem
        self._values: dict[float, float] = {}
        solution, proofs = self._run(problem.layer, problem.y, problem.loss, None)
        self._note(solution, proofs, np.zeros_like(self.skip_weights))
        if not self._is_over:
            ends = self._bracket(float(np.log(self._first_guess(solution.network))))
            if ends is not None:
                brentq(self._excess, *ends, xtol=1e-15, maxiter=_MOST_RUNS, disp=False)

    @property
    def _is_over(self) -> bool:
        # Runs far from the root may fall short of their fine tolerance, and still show the way.
        return self._is_solved or self._last.status in _LIMITS or interrupt_pending()

    def _excess(self, log_eta: float) -> float:
        """``log(||w|| / eta)``, falling; 0 once there is nothing more to do."""
        if self._is_over:
            return 0.0
        if log_eta not in self._values:
            problem = self.problem
            loss = SkipLoss(problem.loss, problem.skip, problem.beta / float(np.exp(log_eta)))
            solution, proofs = self._run(problem.layer, problem.y, loss, self.network)
            w = loss.weights(problem.output(solution.network), problem.y)
            self._note(solution, proofs, w)
            norm = max(float(np.linalg.norm(w)), 1e-300)
            self._values[log_eta] = 0.0 if self._is_over else float(np.log(norm)) - log_eta
        return self._values[log_eta]

    def _bracket(self, log_eta: float) -> tuple[float, float] | None:
        """Two values of log(eta) with the root between them; None if it was met, or is none."""
        start = log_eta
        value = self._excess(log_eta)
        step = _FIRST_STEP * float(np.sign(value))
        while abs(log_eta - start) < _FARTHEST:
            following = log_eta + step
            # The sign is that of the first value until the root is passed.
            if value * self._excess(following) <= 0.0:
                return None if self._is_over else (log_eta, following)
            log_eta, step = following, 2.0 * step
        return None

    def _note(self, solution: Solution, proofs: tuple[DualProof, ...], w: FloatArray) -> None:
        problem, network = self.problem, solution.network
        total = problem.output(network) + problem.skip @ w
        penalty = network.penalty() + float(np.linalg.norm(w))
        value = problem.loss.value(total, problem.y) + problem.beta * penalty
        self._offer(network, w, value)
        self._take(proofs)

    def _first_guess(self, network: TwoLayerNetwork) -> float:
        """``||w||`` of the best w beside the network without one, or beside none, roughly.

        Neurons may have taken over all that the skip connection is to do.
        """
        problem = self.problem
        start = float(np.linalg.norm(problem.y)) / max(float(np.linalg.norm(problem.skip)), 1e-300)
        guesses = []
        for f in (problem.output(network), np.zeros_like(problem.y)):
            eta = start
            for _ in range(5):
                w = SkipLoss(problem.loss, problem.skip, problem.beta / eta).weights(f, problem.y)
                eta = max(float(np.linalg.norm(w)), 1e-3 * eta)
            guesses.append(eta)
        return max(guesses)

    def _bound(self, proof: DualProof) -> float:
        """A linear neuron is one more that may not exceed beta: ``||S'v|| <= beta``."""
        S, v = self.problem.skip, proof.v
        rounding = 2.0 * (sum(S.shape) + 8) * _EPS * float(np.abs(v) @ np.linalg.norm(S, axis=1))
        largest = max(proof.oracle_bound, float(np.linalg.norm(S.T @ v)) + rounding)
        return DualProof.of(v, largest, proof.kind).bound(
            self.problem.loss, self.problem.y, self.problem.beta
        )


class FreeSkip(SkipTraining):
    """One run on what a least-squares regression on S leaves of the predictions.

    Columns of S that depend on others up to rounding, whatever the weights of rows and
    the units of columns, have the weight 0: bound and optimum are those of networks for
    which that is so. The loss is the squared one.
    """

    def _train(self) -> None:
        problem, root = self.problem, np.ones_like(self.problem.y)
        if isinstance(problem.loss, WeightedLoss):
            root = np.sqrt(problem.loss.weights)
        self._space = space = ColumnSpace.of(problem.skip, root)
        self._matrix = (np.eye(len(root)) - space.basis @ space.basis.T) * root
        y = space.project(root * problem.y)
        # Entries that are rounding, and too small for a search: the bound has its own y.
        y[np.abs(y) < max(_NOTHING * float(np.abs(y).max()), SMALLEST_ENTRY)] = 0.0
        solution, proofs = self._run(problem.layer.mixed(self._matrix), y, SquaredLoss(), None)
        network = solution.network
        f = problem.output(network)
        w = np.zeros(problem.skip.shape[1])
        w[space.kept] = space.solve(root * (problem.y - f))
        prediction = predict(
            problem.layer, network.hidden_weights, network.output_weights, (problem.skip, w)
        )
        price = problem.beta * network.penalty()
        value = evaluate(problem.loss, problem.y, prediction, price, network.n_weights)
        self._reached = value.value + value.error
        # Also where it is above that of the empty network, which has no w at all.
        self.objective = np.inf
        self._offer(network, w, value.value)
        self._take(proofs)

    def _bound(self, proof: DualProof) -> float:
        """A dual point has to vanish on S; what rounding leaves of it there costs.

        ``l(f + Sw, y) >= v'(y - f - Sw) - ...`` for every v, and only the term ``v'Sw`` is
        new: at most the length of the part of ``v / D`` in the space of ``D S``, times
        ``||D S w||``, for D with the roots of the weights. A network below the objective p
        of ours has ``||D (y - f - Sw)|| <= sqrt(2 p)`` and neurons of ``p / beta`` in all.
        """
        problem, space, lengths = self.problem, self._space, self.problem.layer.lengths
        pulled = self._matrix.T @ proof.v
        v = space.scales * space.project(pulled / space.scales)
        moved = float(np.abs(v - pulled) @ lengths) * (1.0 + 1e-9)
        mixing = mixing_error(self._matrix, proof.v, lengths)
        whole = DualProof.of(v, proof.oracle_bound + mixing + moved, proof.kind)
        bound = whole.bound(problem.loss, problem.y, problem.beta)
        share = space.share(v / space.scales)
        if not np.isfinite(share):
            return -np.inf
        neurons = self._reached / problem.beta * float(np.linalg.norm(space.scales * lengths))
        targets = float(np.linalg.norm(space.scales * problem.y))
        reach = np.sqrt(2.0 * self._reached) + targets + neurons
        scaling = problem.loss.dual_scaling(v, problem.y, np.inf)
        return bound - scaling * share * float(reach) * (1.0 + 1e-9)
