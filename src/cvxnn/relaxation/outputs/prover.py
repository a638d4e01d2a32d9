"""Bounds at any rank for several outputs, by a relaxation that is solved from a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import Numbers, WorkerMap
from cvxnn.relaxation.outputs.admm import OutputsAdmm
from cvxnn.relaxation.outputs.scale import OutputsScale
from cvxnn.relaxation.prover import SLOW, STALLED, in_single_precision, suited, worker_map
from cvxnn.relaxation.readout import separate_rows
from cvxnn.relaxation.scale import KIND

# Pairs of rows of a block, in all blocks, at most: some hundred MB. Blocks of so few rows are
# always taken.
_PAIRS, _FEWEST = 4_000_000, 60


@final
@dataclass(frozen=True)
class OutputsProver:
    """A :class:`~cvxnn.certificates.Prover` by :class:`OutputsAdmm`, for several outputs.

    Parameters
    ----------
    problem : Problem of Layer
        Its readout, if it has one, is sparse.
    intercept : bool
        Whether a number that costs nothing is added to each output.
    block : int
        Rows of the first blocks, at most. Small ones cost more of the bound than for one output.
    largest : int
        Rows of the last blocks, at most: where the bound has nearly come to rest, every two
        neighbours are merged, as long as there are two and their rows are no more. Of many rows
        both are fewer, so that all pairs within blocks fit into the memory.
    most : int, optional
        Iterations, at most.
    numbers : Numbers
        What the iteration is done with; float32 by default.
    on_bound : callable, optional
        Called with the best proof so far, whenever a bound has been computed.
    on_stage : callable, optional
        Called at the begin, and with larger blocks, with whether these are the last.
    threads : int, optional
        That it works with; by default as many as there are cores.

    Examples
    --------
    >>> from cvxnn.interrupts import UNLIMITED
    >>> from cvxnn.losses import SquaredLoss
    >>> Y = np.array([[2.0, 0.0], [0.0, -2.0]])
    >>> problem = Problem(Layer(np.eye(2)), Y, 0.5, SquaredLoss())
    >>> first = DualProof(Y, np.array([4.0]), "spectral")
    >>> prover = OutputsProver(problem, most=200)
    >>> best = prover.improve(Neurons.none(2, 2), first, 1e-3, UNLIMITED)
    >>> round(best.bound(problem), 2)  # 2 (1/2 2^2 - 1/2 (2 - 1/2)^2)
    1.75
    """

    kind: ClassVar[str] = KIND

    problem: Problem[Layer]
    intercept: bool = False
    block: int = 512
    largest: int = 2048
    most: int | None = None
    numbers: Numbers = field(default_factory=in_single_precision)
    on_bound: Callable[[DualProof], object] | None = None
    on_stage: Callable[[bool], object] | None = None
    threads: int | None = None

    def improve(
        self, incumbent: Neurons, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and the best one of the iteration.

        Stops at tol, at the deadline, after `most` iterations, and where the bound of the
        largest blocks has come to rest. A Ctrl-C that is deferred ends it like the deadline; it
        is raised by the caller's next :func:`~cvxnn.interrupts.check_interrupt`.
        """
        if deadline.passed:
            return proof
        threads = self.threads or available_cores()
        blas = suitable_threads(len(self.problem.Y))
        # Numbers that leave their range end the iteration, and that is all.
        with blas, np.errstate(all="ignore"), worker_map(threads) as workers:
            run = _Run(self, incumbent, proof, workers, threads)
            while not (run.course.closed(tol) or deadline.passed or interrupt_pending()):
                if run.admm.iterations == self.most or not run.is_finite:
                    break
                if run.can_merge:
                    if run.gains_less_than(*SLOW):
                        run.merge()
                elif run.gains_less_than(*STALLED):
                    break
                run.advance()
            run.bound()
        return run.course.proof


class _Run:
    """An iteration in the units of the data, and the best that it has proven."""

    def __init__(
        self,
        prover: OutputsProver,
        neurons: Neurons,
        proof: DualProof,
        workers: WorkerMap,
        n_workers: int,
    ) -> None:
        given = prover.problem
        objective = given.value(_prediction(given, neurons), float(neurons.sizes.sum()))
        self.course = Course(given, objective, proof, prover.on_bound)
        fitting = max(_FEWEST, _PAIRS // separate_rows(given.rows))
        block, self._largest = min(prover.block, fitting), min(prover.largest, fitting)
        scale = OutputsScale.of(given, block, intercept=prover.intercept)
        problem, start = scale.problem, scale.units.reduced(neurons)
        prediction = _prediction(problem, start)
        nothing = problem.value(np.zeros_like(prediction))
        if not problem.value(prediction, float(start.sizes.sum())) <= nothing:
            # Worse than none: a start from it may leave the range of numbers.
            start = Neurons.none(problem.rows.n_features, problem.n_outputs)
            prediction = np.zeros_like(prediction)
        # Without neurons, of a size that would pay for half of the loss.
        size = float(start.sizes.sum()) or 0.5 * nothing / problem.beta or 1.0
        scale.V = problem.residual(prediction)
        beta = problem.beta * scale.factor**2
        numbers = suited(prover.numbers, beta, size, scale.V)
        self.scale = scale
        self.admm = OutputsAdmm(
            scale.blocks, beta, scale.step(numbers), start,
            scale.weights(scale.V), size, numbers, workers, n_workers,
        )  # fmt: skip
        self._on_stage = prover.on_stage
        self._say_stage()

    @property
    def is_finite(self) -> bool:
        """Whether the iteration has not left the range of its numbers."""
        return bool(np.isfinite(self.admm.dual_point()).all() and np.isfinite(self.admm.rho))

    def advance(self) -> None:
        """One iteration, and a bound now and then."""
        self.admm.step()
        if self.course.is_due(self.admm.iterations):
            self.bound()

    def bound(self) -> None:
        """The bound of the multipliers as they are, kept if it is the best."""
        if self.is_finite:
            self.course.note(self.admm.iterations, self.scale.proof(self.admm))

    def gains_less_than(self, share: float, times: int) -> bool:
        """Whether so many times the iterations on these blocks have brought less of the gap."""
        return self.course.gains_less_than(self.admm.iterations, share, times)

    @property
    def can_merge(self) -> bool:
        """Whether blocks of twice as many rows are allowed."""
        blocks = self.scale.blocks
        return len(blocks) > 1 and 2 * blocks.rows.shape[1] <= self._largest

    def merge(self) -> None:
        """Go on with blocks of twice as many rows."""
        self.admm.merge_blocks()
        self.scale.blocks = self.scale.blocks.merged()
        self.course.begin(self.admm.iterations)
        self._say_stage()

    def _say_stage(self) -> None:
        """Whether there are no larger blocks to come."""
        if self._on_stage is not None:
            self._on_stage(not self.can_merge)


def _prediction(problem: Problem[Layer], neurons: Neurons) -> FloatArray:
    """``sum_j size_j phi(u_j) a_j'``, and the intercept, shape (n, c)."""
    return problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
