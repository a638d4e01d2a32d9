"""Bounds on networks of three layers at any rank, by the relaxation inside that of two layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers.parallel import ParallelRows
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import Numbers, WorkerMap
from cvxnn.relaxation.parallel.admm import SubNetworkAdmm
from cvxnn.relaxation.parallel.scale import SubNetworkScale
from cvxnn.relaxation.prover import SLOW, STALLED, in_single_precision, suited, worker_map
from cvxnn.relaxation.scale import KIND

# Pairs of rows of a block, in all blocks, at most: a certificate of 40 MB, and ten times as much in
# memory. Blocks of so few rows are always taken.
_PAIRS, _FEWEST = 800_000, 60


class HasSums(Protocol):
    """Sub-networks, of which the relaxation has to know the sums of their hidden units."""

    @property
    def sizes(self) -> FloatArray:
        """Shape (K,)."""

    @property
    def intercept(self) -> float | FloatArray:
        """What is added to all predictions."""

    def predict(self, X: FloatArray) -> FloatArray:
        """Of the sub-networks alone, shape (n,)."""

    def sums(self) -> Sequence[Neurons]:
        """Hidden units of p and q, of output 1 and of -1."""


@final
@dataclass(frozen=True)
class SubNetworkProver:
    """A :class:`~cvxnn.certificates.Prover` by :class:`SubNetworkAdmm`, for three layers.

    Parameters
    ----------
    problem : Problem of ParallelRows
    read : callable
        Sub-networks from whatever neurons are an incumbent.
    carried : callable, optional
        A proof for sub-networks alone as one for those beside any intercept, where there is one:
        incumbents have theirs.
    block : int
        Rows of the first blocks, at most.
    largest : int
        Rows of the last blocks, at most: where the bound has nearly come to rest, every two
        neighbours are merged, as long as there are two and their rows are no more.
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

    Notes
    -----
    The bound is close to the network at a large beta: what is left at smaller ones is that choices
    of signs are missing.
    """

    kind: ClassVar[str] = KIND

    problem: Problem[ParallelRows]
    read: Callable[[Neurons], HasSums]
    carried: Callable[[DualProof], DualProof] | None = None
    block: int = 60
    largest: int = 256
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
            run = _Run(self, self.read(incumbent), proof, workers, threads)
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
        prover: SubNetworkProver,
        incumbent: HasSums,
        proof: DualProof,
        workers: WorkerMap,
        n_workers: int,
    ) -> None:
        given = prover.problem
        prediction = incumbent.predict(given.rows.X) + incumbent.intercept
        objective = given.value(prediction, float(incumbent.sizes.sum()))
        self.course = Course(given, objective, proof, prover.on_bound)
        fitting = max(_FEWEST, _PAIRS // len(given.Y))
        block, self._largest = min(prover.block, fitting), min(prover.largest, fitting)
        self._carried = prover.carried
        self.scale = SubNetworkScale.of(given, block, intercept=self._carried is not None)
        problem, units = self.scale.problem, self.scale.units
        sums = [units.reduced(neurons) for neurons in incumbent.sums()]
        size = sum(float(neurons.sizes.sum()) for neurons in sums)
        nothing = problem.value(np.zeros_like(problem.y))
        # Without neurons, of a size that would pay for half of the loss.
        size = size or 0.5 * nothing / problem.beta or 1.0
        v = given.residual(prediction) / units.targets
        beta = problem.beta * self.scale.factor**2
        numbers = suited(prover.numbers, beta, size, v)
        self.admm = SubNetworkAdmm(
            self.scale.blocks, beta, self.scale.step(numbers), sums, self.scale.start(v), size,
            numbers, workers, n_workers,
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
        if self.admm.iterations and self.is_finite:
            found = self.scale.proof(self.admm)
            found = found if self._carried is None else self._carried(found)
            self.course.note(self.admm.iterations, found)

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
