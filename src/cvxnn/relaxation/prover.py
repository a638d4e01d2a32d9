"""Bounds at any rank, by a relaxation that is solved from the best network known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from cvxnn.relaxation.admm import SIGNS, Admm
from cvxnn.relaxation.beside import Beside
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import Numbers, WorkerMap
from cvxnn.relaxation.memory import Memory
from cvxnn.relaxation.scale import KIND, Scale
from cvxnn.verification.leaves import LeavesEvidence

# Share of the gap, and times: where so many times the iterations on the same blocks bring the
# bound less closer, blocks are merged, or it is the relaxation itself that is not tighter.
SLOW, STALLED = (0.15, 2), (0.01, 4)
# Times and iterations, the same for splits into leaves; the share is what a split may bring.
_RESTING = 2, 200
# Times as many leaves before the next look whether they pay, and iterations between splits.
_GROWN, _BETWEEN = 4, 40
# Of the multipliers of all leaves: a certificate leaves them out where a file is above 50 MB. In
# memory a leaf takes ten times as much.
_MOST_BYTES = 48_000_000
# Sizes of neurons whose squares, times those of activations, stay in the range of float32, dual
# points, and multipliers over sizes.
_MODERATE = 1e6


def in_single_precision() -> Numbers:
    """Rounding does not matter before the last bound, in which all is in double precision."""
    return Numbers(np, np.float32)


@final
@dataclass(frozen=True)
class RelaxationProver:
    """A :class:`~cvxnn.certificates.Prover` by :class:`~cvxnn.relaxation.admm.Admm`.

    Parameters
    ----------
    problem : Problem of Layer
        For the neurons alone. Its readout, if it has one, is sparse.
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
    beside : Beside, optional
        What is beside the neurons: incumbents and proofs are then those of its whole problem.
    on_bound : callable, optional
        Called with the best proof so far, whenever a bound has been computed.
    on_stage : callable, optional
        Called with whether it is the last, whenever another relaxation begins: at first, with
        larger blocks and with another leaf.
    memory : Memory, optional
        Of an iteration for another beta on the same rows, where this one goes on; then of this
        one. Its blocks stay as they have become.
    threads : int, optional
        That it works with; by default as many as there are cores.
    leaves : int
        Of a tree above the relaxation for each output sign, at most: where the bound has come to
        rest, neurons are split up by the signs of rows, which brings it closer where few rows
        matter. Fewer where a certificate of 50 MB does not hold their multipliers.

    Examples
    --------
    >>> from cvxnn.certificates import spectral_proof
    >>> from cvxnn.interrupts import UNLIMITED
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(Layer(np.eye(2)), np.array([2.0, -2.0]), 0.5, SquaredLoss())
    >>> first = spectral_proof(problem.rows, problem.y)
    >>> prover = RelaxationProver(problem, most=200)
    >>> best = prover.improve(Neurons.none(2), first, 1e-3, UNLIMITED)
    >>> round(best.bound(problem), 2)  # 2 (1/2 2^2 - 1/2 (2 - 1/2)^2)
    1.75
    """

    kind: ClassVar[str] = KIND

    problem: Problem[Layer]
    block: int = 60
    largest: int = 512
    most: int | None = None
    numbers: Numbers = field(default_factory=in_single_precision)
    beside: Beside | None = None
    on_bound: Callable[[DualProof], object] | None = None
    on_stage: Callable[[bool], object] | None = None
    memory: Memory | None = None
    threads: int | None = None
    leaves: int = 1

    def improve(
        self, incumbent: Neurons, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and the best one of the iteration.

        Where the bound of the largest blocks comes closer by less than a split promises, the
        leaf with the largest bound is split, several times in a row. Stops at tol, at the
        deadline, after `most` iterations, and where the bound of the most leaves has come to
        rest. A Ctrl-C that is deferred ends it like the deadline; it
        is raised by the caller's next :func:`~cvxnn.interrupts.check_interrupt`.
        """
        if deadline.passed:
            return proof
        threads = self.threads or available_cores()
        blas = suitable_threads(len(self.problem.Y))
        # Numbers that leave their range end the iteration, and that is all.
        with blas, np.errstate(all="ignore"), worker_map(threads) as workers:
            run = _Run.of(self, incumbent, proof, workers, threads)
            while not (run.course.closed(tol) or deadline.passed or interrupt_pending()):
                if run.admm.iterations == self.most or not run.is_finite:
                    break
                if run.can_merge and run.gains_less_than(*SLOW):
                    run.merge()
                if run.can_split and run.gains_less_than(run.gain_of_split, *_RESTING):
                    self._remember(run)
                    run.grow()
                if run.is_growing:
                    run.split()
                elif not run.can_split and run.gains_less_than(*STALLED):
                    break
                run.advance()
            run.bound()
            self._remember(run)
        return run.course.proof

    def _remember(self, run: _Run) -> None:
        """What a next iteration may go on from, which begins without a tree."""
        if self.memory is not None and run.is_finite and not run.is_split:
            self.memory.keep(run.scale, run.admm)


class _Run:
    """An iteration in the units of the data, and the best that it has proven."""

    def __init__(
        self, prover: RelaxationProver, neurons: Neurons, proof: DualProof, admm: Admm, scale: Scale
    ) -> None:
        self._beside = prover.beside or Beside.nothing(prover.problem)
        self.admm, self.scale = admm, scale
        self.course = Course(
            self._beside.whole, self._beside.objective(neurons), proof, prover.on_bound
        )
        self._largest, self._leaves = prover.largest, len(SIGNS) * prover.leaves
        self._levels, self._wanted, self._nothing_torn = list[float](), 0, False
        self._on_stage = prover.on_stage
        self._say_stage()

    @classmethod
    def of(
        cls,
        prover: RelaxationProver,
        neurons: Neurons,
        proof: DualProof,
        workers: WorkerMap,
        n_workers: int,
    ) -> _Run:
        scale = Scale.of(
            prover.problem, prover.block, prover.beside.price if prover.beside else 0.0
        )
        problem = scale.problem
        given = scale.units.reduced(neurons)
        nothing = problem.value(0.0 * problem.y)
        prediction = problem.rows.forward(given.directions, given.signs * given.sizes)
        if not problem.value(prediction, float(given.sizes.sum())) <= nothing:
            # Worse than none: a start from it may leave the range of numbers.
            given, prediction = Neurons.none(problem.rows.n_features), 0.0 * problem.y
        # Without neurons, of a size that would pay for half of the loss.
        size = float(given.sizes.sum()) or 0.5 * nothing / problem.beta or 1.0
        numbers, beta = prover.numbers, problem.beta * scale.factor**2
        scale.v = problem.residual(prediction)
        numbers = suited(numbers, beta, size, scale.v)
        before = None if prover.memory is None else prover.memory.start(scale)
        admm = Admm(
            scale.blocks, beta, scale.step(numbers), given,
            scale.weights(scale.v), size, numbers, workers, n_workers,
        )  # fmt: skip
        if before is not None:
            admm.go_on(before.states, before.share(scale) * before.rho)
        return cls(prover, neurons, proof, admm, scale)

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
        if not self.is_finite:
            return
        self._levels = self.scale.levels(self.admm)
        found = self._beside.proof(self.scale.proof(self.admm, self._levels))
        self.course.note(self.admm.iterations, found)

    def gains_less_than(self, share: float, times: int, *settled: int) -> bool:
        """Whether so many times the iterations on these blocks have brought less of the gap."""
        return self.course.gains_less_than(self.admm.iterations, share, times, *settled)

    @property
    def can_merge(self) -> bool:
        """Whether blocks of twice as many rows are allowed."""
        blocks = self.scale.blocks
        return len(blocks) > 1 and 2 * blocks.rows.shape[1] <= self._largest

    @property
    def is_split(self) -> bool:
        """Whether signs of rows are fixed."""
        return len(self.admm.leaves) > len(SIGNS)

    @property
    def can_split(self) -> bool:
        """Whether the blocks are the last, and more leaves allowed."""
        few = len(self.admm.leaves) < self._most_leaves
        return few and not (self.can_merge or self._nothing_torn)

    @property
    def _most_leaves(self) -> int:
        """As many as are asked for, or as a file may hold."""
        count, size, d = self.scale.blocks.rows.shape
        return min(self._leaves, _MOST_BYTES // LeavesEvidence.bytes_each(count, size, d))

    @property
    def gain_of_split(self) -> float:
        """The share of the gap that a split may close, about: that of the row torn most."""
        if not self._levels:
            return 0.0
        torn = self.admm.torn(int(np.argmax(self._levels)))
        return float(torn.max() / (torn.sum() or 1.0))

    def grow(self) -> None:
        """Go on with several times as many leaves, one after the other."""
        self._wanted = min(_GROWN * len(self.admm.leaves), self._most_leaves)
        self.course.begun = self.admm.iterations - _BETWEEN

    @property
    def is_growing(self) -> bool:
        """Whether it is time for a split."""
        waited = self.admm.iterations - self.course.begun >= _BETWEEN
        return waited and len(self.admm.leaves) < self._wanted

    def split(self) -> None:
        """Two leaves for the one with the largest bound, and count from here."""
        self.bound()
        self._nothing_torn = not self.admm.split(int(np.argmax(self._levels)))
        if self._nothing_torn:
            self._wanted = 0
            self._say_stage()
            return
        self.course.begin(self.admm.iterations, soon=True)
        self._say_stage()

    def merge(self) -> None:
        """Go on with blocks of twice as many rows."""
        self.admm.merge_blocks()
        self.scale.blocks = self.scale.blocks.merged()
        self.course.begin(self.admm.iterations)
        self._say_stage()

    def _say_stage(self) -> None:
        """Whether there is no larger relaxation to come."""
        if self._on_stage is not None:
            more = self.can_merge or self.can_split or len(self.admm.leaves) < self._wanted
            self._on_stage(not more)


def suited(numbers: Numbers, beta: float, size: float, v: FloatArray) -> Numbers:
    """The numbers, or those in double precision where others may leave their range."""
    known = size, beta / size, float(np.abs(v).max(initial=0.0)) or 1.0
    if all(1.0 / _MODERATE < number < _MODERATE for number in known):
        return numbers
    return numbers.in_double_precision


@contextmanager
def worker_map(threads: int) -> Iterator[WorkerMap]:
    """``map`` over so many threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map
