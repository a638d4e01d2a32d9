"""Bounds at any rank, by a relaxation that is solved from the best network known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.admm import SIGNS, Admm, Numbers, WorkerMap
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.moments import Array, Moments
from cvxnn.relaxation.proximal import LossStep
from cvxnn.relaxation.safe_bound import safe_bound
from cvxnn.verification.evidence import Evidence, RelaxationEvidence

# The largest singular value of the rows in the iteration, where it converges fastest.
_SPREAD = 6.0
# Iterations between two bounds, at least, and their share of all on the same blocks.
_FIRST, _GROWTH = 20, 0.1
# Share of the gap, and times: where so many times the iterations on the same blocks bring the
# bound less closer, blocks are merged, or it is the relaxation itself that is not tighter. Not
# before so many iterations, for once.
_SLOW, _STALLED, _SETTLED = (0.15, 2), (0.01, 4), 80
# Sizes of neurons whose squares, times those of activations, stay in the range of float32.
_MODERATE = 1e6


def _in_single_precision() -> Numbers:
    """Rounding does not matter before the last bound, in which all is in double precision."""
    return Numbers(np, np.float32)


@final
@dataclass(frozen=True)
class RelaxationProver:
    """A :class:`~cvxnn.certificates.Prover` by :class:`~cvxnn.relaxation.admm.Admm`.

    Parameters
    ----------
    problem : Problem of Layer
        Of plain rows, without a readout.
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

    kind: ClassVar[str] = "relaxation"

    problem: Problem[Layer]
    block: int = 60
    largest: int = 512
    most: int | None = None
    numbers: Numbers = field(default_factory=_in_single_precision)

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
        with suitable_threads(len(self.problem.Y)), _worker_map() as (workers, count):
            run = _Run.of(self, incumbent, proof, workers, count)
            while not (run.closed(tol) or deadline.passed or interrupt_pending()):
                if run.admm.iterations == self.most or not run.is_finite:
                    break
                if run.can_merge and run.gains_less_than(*_SLOW):
                    run.merge()
                if run.gains_less_than(*_STALLED):
                    break
                run.advance()
            run.bound()
        return run.proof


class _Run:
    """An iteration in the units of the data, and the best that it has proven."""

    def __init__(
        self,
        prover: RelaxationProver,
        neurons: Neurons,
        proof: DualProof,
        admm: Admm,
        scale: _Scale,
    ) -> None:
        self._problem, self.proof, self.admm, self._scale = prover.problem, proof, admm, scale
        self._best = proof.bound(prover.problem)
        prediction = prover.problem.rows.forward(neurons.directions, neurons.signs * neurons.sizes)
        self._objective = prover.problem.value(prediction, float(neurons.sizes.sum()))
        self._next, self._begun, self._largest = _FIRST, 0, prover.largest
        self._history: list[tuple[int, float]] = []

    @classmethod
    def of(
        cls,
        prover: RelaxationProver,
        neurons: Neurons,
        proof: DualProof,
        workers: WorkerMap,
        n_workers: int,
    ) -> _Run:
        scale = _Scale.of(prover.problem, prover.block)
        problem = scale.problem
        given = scale.units.reduced(neurons)
        nothing = problem.value(0.0 * problem.y)
        prediction = problem.rows.forward(given.directions, given.signs * given.sizes)
        if not problem.value(prediction, float(given.sizes.sum())) <= nothing:
            # Worse than none: a start from it may leave the range of numbers.
            given, prediction = Neurons.none(problem.rows.n_features), 0.0 * problem.y
        # Without neurons, of a size that would pay for half of the loss.
        size = float(given.sizes.sum()) or 0.5 * nothing / problem.beta or 1.0
        numbers = prover.numbers
        if not 1.0 / _MODERATE < size < _MODERATE:
            numbers = Numbers(numbers.xp, np.float64)
        admm = Admm(
            scale.blocks, problem.beta * scale.factor**2, scale.step(numbers), given,
            scale.blocks.scattered(scale.factor * problem.residual(prediction)), size,
            numbers, workers, n_workers,
        )  # fmt: skip
        return cls(prover, neurons, proof, admm, scale)

    @property
    def is_finite(self) -> bool:
        """Whether the iteration has not left the range of its numbers."""
        return bool(np.isfinite(self.admm.dual_point()).all() and np.isfinite(self.admm.rho))

    def advance(self) -> None:
        """One iteration, and a bound now and then."""
        with np.errstate(all="ignore"):
            self.admm.step()
        if self.admm.iterations >= self._next:
            self.bound()
            count = self.admm.iterations - self._begun
            self._next = self.admm.iterations + max(_FIRST, int(_GROWTH * count))

    def bound(self) -> None:
        """The bound of the multipliers as they are, kept if it is the best."""
        if not self.is_finite:
            return
        v = self._scale.dual_point(self.admm)
        multipliers = {sign: self.admm.multipliers(sign) for sign in SIGNS}
        bounds = np.array(
            [
                safe_bound(
                    self._scale.blocks.rows,
                    self._scale.blocks.scattered(sign * self._scale.factor * v),
                    multipliers[sign],
                )
                for sign in SIGNS
            ]
        )
        found = self._scale.proof(v, bounds)
        value = found.bound(self._problem)
        if value > self._best:
            evidence = self._scale.evidence(multipliers)
            self.proof, self._best = replace(found, evidence=evidence), value
        self._history.append((self.admm.iterations, value))

    def closed(self, tol: float) -> bool:
        """Whether the gap is no more than tol."""
        return self._objective - self._best <= tol * abs(self._objective)

    def gains_less_than(self, share: float, times: int) -> bool:
        """Whether so many times the iterations on these blocks have brought less of the gap."""
        count = self.admm.iterations - self._begun
        # Not the best bound: the first iterations on new blocks lose some of it.
        before = [value for k, value in self._history if times * (k - self._begun) <= count]
        value = self._history[-1][1] if self._history else 0.0
        if count < _SETTLED * times or not before or len(before) == len(self._history):
            return False
        return value - before[-1] < share * (self._objective - value)

    @property
    def can_merge(self) -> bool:
        """Whether blocks of twice as many rows are allowed."""
        blocks = self._scale.blocks
        return len(blocks) > 1 and 2 * blocks.rows.shape[1] <= self._largest

    def merge(self) -> None:
        """Go on with blocks of twice as many rows."""
        self.admm.merge_blocks()
        self._scale.blocks = self._scale.blocks.merged()
        self._begun, self._history = self.admm.iterations, []


@final
@dataclass
class _Scale:
    """The problem as it is iterated on: with rows, predictions and v times a factor c.

    That is ``min c^2 l(f / c) + c^2 beta sum_j size_j`` for rows ``c X``: sizes stay as they
    are. All factors are powers of two, so that nothing is rounded.
    """

    problem: Problem[Layer]
    units: Any
    blocks: Blocks
    factor: float

    @classmethod
    def of(cls, problem: Problem[Layer], block: int) -> _Scale:
        scaled, units = problem.in_units()
        X = scaled.rows.rows
        largest = float(np.linalg.norm(X, 2)) if X.any() else 1.0
        factor = float(np.exp2(np.rint(np.log2(_SPREAD / largest))))
        return cls(scaled, units, Blocks.of(factor * X, block), factor)

    def step(self, numbers: Numbers) -> Any:
        """The proximal step of the loss, in the blocks."""
        loss = LossStep(self.problem.loss, self.problem.y)

        def dual(centre: Array, theta: float) -> Array:
            rows = self.blocks.gathered(np.asarray(centre, dtype=np.float64))
            v = self.factor * loss.dual(rows / self.factor, theta)
            return numbers.xp.asarray(self.blocks.scattered(v), dtype=numbers.dtype)

        return dual

    def dual_point(self, admm: Admm) -> FloatArray:
        """A point of the domain of the conjugate that stays as it is in the units of the data."""
        v = self.blocks.gathered(admm.dual_point()) / self.factor
        v = self.problem.loss.project(v, self.problem.y)
        return np.asarray(v * self.units.targets / self.units.targets)

    def evidence(self, multipliers: Mapping[float, Moments]) -> Evidence:
        """Multipliers as they are kept for a check of the proof, in the units of the data."""
        return RelaxationEvidence.of(
            self.blocks.places, multipliers,
            self.units.rows / self.factor, self.units.targets / self.factor,
        )  # fmt: skip

    def proof(self, v: FloatArray, bounds: FloatArray) -> DualProof:
        """In the units of the data, from bounds for rows and v times the factor."""
        bounds = bounds / self.factor**2 * self.units.targets * self.units.rows
        # Up, where the numbers leave the range of float64 below.
        return DualProof(
            v[:, None] * self.units.targets, np.nextafter(bounds, np.inf), RelaxationProver.kind
        )


@contextmanager
def _worker_map() -> Iterator[tuple[WorkerMap, int]]:
    """``map`` over the available cores, and their number."""
    cores = available_cores()
    if cores == 1:
        yield map, 1
        return
    with ThreadPoolExecutor(cores) as pool:
        yield pool.map, cores
