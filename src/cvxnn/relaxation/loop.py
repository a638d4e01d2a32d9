"""The loop of all provers by a relaxation: iterations, bounds on the way, larger blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import Iteration, Numbers, WorkerMap
from cvxnn.relaxation.scale import KIND

# Share of the gap, and times: where so many times the iterations on the same blocks bring the
# bound less closer, blocks are merged, or it is the relaxation itself that is not tighter.
_SLOW, _STALLED = (0.15, 2), (0.01, 4)
# Sizes of neurons whose squares, times those of activations, stay in the range of float32, dual
# points, and multipliers over sizes.
_MODERATE = 1e6
# Seconds up to the first bound over the cube of what moments are of, for each sign and block: an
# eigenvalue decomposition in the iteration, and products and a factor in float64 for the bound.
# Measured between 1e-9 and 3e-9 for 10 to 1000 columns.
_FIRST_BOUND = 2e-9


def in_single_precision() -> Numbers:
    """Rounding does not matter before the last bound, in which all is in double precision."""
    return Numbers(np, np.float32)


@dataclass(frozen=True)
class IterativeProver(ABC):
    """A :class:`~cvxnn.certificates.Prover` by an :class:`~cvxnn.relaxation.iteration.Iteration`.

    Parameters
    ----------
    problem : Problem
    block : int
        Rows of the first blocks, at most: the more, the tighter the bound and the slower an
        iteration.
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
        Called with whether it is the last, whenever another relaxation begins: at first, and
        with every tighter one.
    threads : int, optional
        That it works with; by default as many as there are cores.
    """

    kind: ClassVar[str] = KIND

    problem: Problem[Any]
    _: KW_ONLY
    block: int
    largest: int
    most: int | None = None
    numbers: Numbers = field(default_factory=in_single_precision)
    on_bound: Callable[[DualProof], object] | None = None
    on_stage: Callable[[bool], object] | None = None
    threads: int | None = None

    @abstractmethod
    def _begun(
        self, incumbent: Neurons, proof: DualProof, workers: WorkerMap, n_workers: int
    ) -> ProverRun:
        """The iteration from a network."""

    @property
    def least_seconds(self) -> float:
        """Roughly how long one core takes for the first bound.

        Thousands of columns take minutes for one iteration, which is not to be begun in a time
        that is shorter.
        """
        n, d = len(self.problem.Y), self.problem.rows.n_features
        block = min(self.block, n)
        n_blocks = -(-n // block)
        return 2.0 * n_blocks * _FIRST_BOUND * (1.0 + d + block) ** 3

    def improve(
        self, incumbent: Neurons, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and the best one of the iteration.

        Does not begin where time is shorter than `least_seconds`. Stops at tol, at the deadline,
        after `most` iterations, and where the bound of the tightest relaxation has come to rest.
        A Ctrl-C that is deferred ends it like the deadline; it is raised by the caller's next
        :func:`~cvxnn.interrupts.check_interrupt`.
        """
        if deadline.remaining < self.least_seconds:
            return proof
        threads = self.threads or available_cores()
        blas = suitable_threads(len(self.problem.Y))
        # Numbers that leave their range end the iteration, and that is all.
        with blas, np.errstate(all="ignore"), _worker_map(threads) as workers:
            run = self._begun(incumbent, proof, workers, threads)
            run.say_stage()
            while not (run.course.closed(tol) or deadline.passed or interrupt_pending()):
                if run.admm.iterations == self.most or not (run.is_finite and run.refine()):
                    break
                run.advance()
            run.finish()
        return run.course.proof


class HasBlocks(Protocol):
    """A problem in the units of an iteration."""

    blocks: Blocks


@dataclass(eq=False)
class ProverRun(ABC):
    """An iteration in the units of the data, and the best that it has proven.

    Attributes
    ----------
    admm : Iteration
    scale : HasBlocks
    course : Course
    largest : int
        Rows of the last blocks, at most.
    on_stage : callable, optional
        As that of :class:`IterativeProver`.
    """

    admm: Iteration
    scale: HasBlocks
    course: Course
    largest: int
    on_stage: Callable[[bool], object] | None

    @abstractmethod
    def proven(self) -> DualProof:
        """The proof by the multipliers as they are."""

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
            self.course.note(self.admm.iterations, self.proven())

    def refine(self) -> bool:
        """A tighter relaxation where this one nearly rests; False where the tightest does."""
        if not self.can_merge:
            return not self.gains_less_than(*_STALLED)
        if self.gains_less_than(*_SLOW):
            self.merge()
        return True

    def gains_less_than(self, share: float, times: int, *settled: int) -> bool:
        """Whether so many times the iterations on these blocks have brought less of the gap."""
        return self.course.gains_less_than(self.admm.iterations, share, times, *settled)

    @property
    def can_merge(self) -> bool:
        """Whether blocks of twice as many rows are allowed."""
        blocks = self.scale.blocks
        return len(blocks) > 1 and 2 * blocks.rows.shape[1] <= self.largest

    def merge(self) -> None:
        """Go on with blocks of twice as many rows."""
        self.admm.merge_blocks()
        self.scale.blocks = self.scale.blocks.merged()
        self.course.begin(self.admm.iterations)
        self.say_stage()

    @property
    def is_last(self) -> bool:
        """Whether there is no tighter relaxation to come."""
        return not self.can_merge

    def say_stage(self) -> None:
        """Whether it is the last that begins."""
        if self.on_stage is not None:
            self.on_stage(self.is_last)

    def finish(self) -> None:
        """What is left to do at the end: the last bound."""
        self.bound()


def sound_start(
    problem: Problem[Layer],
    neurons: Neurons,
    predict: Callable[[Problem[Layer], Neurons], FloatArray],
) -> tuple[Neurons, FloatArray]:
    """Neurons and their prediction: none for some that are worse than none.

    An iteration from those may leave the range of numbers.
    """
    prediction = predict(problem, neurons)
    nothing = np.zeros_like(prediction)
    if problem.value(prediction, float(neurons.sizes.sum())) <= problem.value(nothing):
        return neurons, prediction
    return Neurons.none(problem.rows.n_features, problem.n_outputs), nothing


def first_size(problem: Problem[Any], total: float) -> float:
    """Of the neurons to start from: without any, one that would pay for half of the loss."""
    nothing = problem.value(np.zeros_like(problem.target))
    return total or 0.5 * nothing / problem.beta or 1.0


def suited(numbers: Numbers, beta: float, size: float, v: FloatArray) -> Numbers:
    """The numbers, or those in double precision where others may leave their range."""
    known = size, beta / size, float(np.abs(v).max(initial=0.0)) or 1.0
    if all(1.0 / _MODERATE < number < _MODERATE for number in known):
        return numbers
    return numbers.in_double_precision


@contextmanager
def _worker_map(threads: int) -> Iterator[WorkerMap]:
    """``map`` over so many threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map
