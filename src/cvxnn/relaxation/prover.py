"""Bounds at any rank, by a relaxation that is solved from the best network known."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import final

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.admm import SIGNS, Admm
from cvxnn.relaxation.beside import Beside, predicted
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import WorkerMap
from cvxnn.relaxation.loop import IterativeProver, ProverRun, first_size, sound_start, suited
from cvxnn.relaxation.memory import Memory
from cvxnn.relaxation.scale import Scale
from cvxnn.verification.leaves import LeavesEvidence

# Times and iterations from which on a split is worth it, where it promises more of the gap.
_RESTING = 2, 200
# Times as many leaves before the next look whether they pay, and iterations between splits.
_GROWN, _BETWEEN = 4, 40
# Of the multipliers of all leaves: a certificate leaves them out where a file is above 50 MB. In
# memory a leaf takes ten times as much.
_MOST_BYTES = 48_000_000


@final
@dataclass(frozen=True)
class RelaxationProver(IterativeProver):
    """A prover by :class:`~cvxnn.relaxation.admm.Admm`, for one output.

    Parameters
    ----------
    problem : Problem of Layer
        For the neurons alone. Its readout, if it has one, is sparse.
    beside : Beside, optional
        What is beside the neurons: incumbents and proofs are then those of its whole problem.
    memory : Memory, optional
        Of an iteration for another beta on the same rows, where this one goes on; then of this
        one. Its blocks stay as they have become.
    leaves : int
        Of a tree above the relaxation for each output sign, at most: where the bound has come to
        rest, neurons are split up by the signs of rows, which brings it closer where few rows
        matter. Fewer where a certificate of 50 MB does not hold their multipliers.
    **others
        As those of :class:`~cvxnn.relaxation.loop.IterativeProver`.

    Notes
    -----
    Where the bound of the largest blocks comes closer by less than a split promises, the leaf
    with the largest bound is split, several times in a row.

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

    problem: Problem[Layer]
    _: KW_ONLY
    block: int = 60
    largest: int = 512
    beside: Beside | None = None
    memory: Memory | None = None
    leaves: int = 1

    def _begun(
        self, incumbent: Neurons, proof: DualProof, workers: WorkerMap, n_workers: int
    ) -> _Run:
        beside = self.beside or Beside.nothing(self.problem)
        scale = Scale.of(self.problem, self.block, beside.price)
        problem = scale.problem
        start, prediction = sound_start(problem, scale.units.reduced(incumbent), predicted)
        size = first_size(problem, float(start.sizes.sum()))
        scale.v = problem.residual(prediction)
        beta = problem.beta * scale.factor**2
        numbers = suited(self.numbers, beta, size, scale.v)
        before = None if self.memory is None else self.memory.start(scale)
        admm = Admm(
            scale.blocks, beta, scale.step(numbers), start,
            scale.weights(scale.v), size, numbers, workers, n_workers,
        )  # fmt: skip
        if before is not None:
            admm.go_on(before.states, before.share(scale) * before.rho)
        course = Course(beside.whole, beside.objective(incumbent), proof, self.on_bound)
        leaves = len(SIGNS) * self.leaves
        return _Run(admm, scale, course, self.largest, self.on_stage, beside, self.memory, leaves)


@final
@dataclass(eq=False)
class _Run(ProverRun):
    """One with a tree above the relaxation, and a memory of its last state without.

    Attributes
    ----------
    beside : Beside
    memory : Memory, optional
    most_leaves : int
        Of both trees together, where a file holds them.
    """

    admm: Admm
    scale: Scale
    beside: Beside
    memory: Memory | None
    most_leaves: int
    _levels: list[float] = field(default_factory=list, init=False)
    _wanted: int = field(default=0, init=False)
    _nothing_torn: bool = field(default=False, init=False)

    def proven(self) -> DualProof:
        self._levels = self.scale.levels(self.admm)
        return self.beside.proof(self.scale.proof(self.admm, self._levels))

    def refine(self) -> bool:
        """Larger blocks as long as there are any, then more leaves."""
        if self.can_split and self.gains_less_than(self.gain_of_split, *_RESTING):
            self._remember()
            self.grow()
        if self.is_growing:
            self.split()
            return True
        return self.can_split or super().refine()

    def finish(self) -> None:
        super().finish()
        self._remember()

    def _remember(self) -> None:
        """What a next iteration may go on from, which begins without a tree."""
        if self.memory is not None and self.is_finite and not self.is_split:
            self.memory.keep(self.scale, self.admm)

    @property
    def is_split(self) -> bool:
        """Whether signs of rows are fixed."""
        return len(self.admm.leaves) > len(SIGNS)

    @property
    def can_split(self) -> bool:
        """Whether the blocks are the last, and more leaves allowed."""
        few = len(self.admm.leaves) < self._allowed
        return few and not (self.can_merge or self._nothing_torn)

    @property
    def _allowed(self) -> int:
        """As many as are asked for, or as a file may hold."""
        count, size, d = self.scale.blocks.rows.shape
        return min(self.most_leaves, _MOST_BYTES // LeavesEvidence.bytes_each(count, size, d))

    @property
    def gain_of_split(self) -> float:
        """The share of the gap that a split may close, about: that of the row torn most."""
        if not self._levels:
            return 0.0
        torn = self.admm.torn(int(np.argmax(self._levels)))
        return float(torn.max() / (torn.sum() or 1.0))

    def grow(self) -> None:
        """Go on with several times as many leaves, one after the other."""
        self._wanted = min(_GROWN * len(self.admm.leaves), self._allowed)
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
        else:
            self.course.begin(self.admm.iterations, soon=True)
        self.say_stage()

    @property
    def is_last(self) -> bool:
        return super().is_last and not self.can_split and len(self.admm.leaves) >= self._wanted
