"""Bounds on networks of three layers at any rank, by the relaxation inside that of two layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol, final

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers.parallel import ParallelRows
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import WorkerMap
from cvxnn.relaxation.loop import IterativeProver, ProverRun, first_size, suited
from cvxnn.relaxation.parallel.admm import SubNetworkAdmm
from cvxnn.relaxation.parallel.scale import SubNetworkScale

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
class SubNetworkProver(IterativeProver):
    """A prover by :class:`SubNetworkAdmm`, for three layers.

    Parameters
    ----------
    problem : Problem of ParallelRows
    read : callable
        Sub-networks from whatever neurons are an incumbent.
    carried : callable, optional
        A proof for sub-networks alone as one for those beside any intercept, where there is one:
        incumbents have theirs.
    **others
        As those of :class:`~cvxnn.relaxation.loop.IterativeProver`.

    Notes
    -----
    The bound is close to the network at a large beta: what is left at smaller ones is that choices
    of signs are missing.
    """

    problem: Problem[ParallelRows]
    read: Callable[[Neurons], HasSums]
    carried: Callable[[DualProof], DualProof] | None = None
    _: KW_ONLY
    block: int = 60
    largest: int = 256

    def _begun(
        self, incumbent: Neurons, proof: DualProof, workers: WorkerMap, n_workers: int
    ) -> _Run:
        given, networks = self.problem, self.read(incumbent)
        prediction = networks.predict(given.rows.X) + networks.intercept
        objective = given.value(prediction, float(networks.sizes.sum()))
        fitting = max(_FEWEST, _PAIRS // len(given.Y))
        block, intercept = min(self.block, fitting), self.carried is not None
        scale = SubNetworkScale.of(given, block, intercept=intercept)
        sums = [scale.units.reduced(neurons) for neurons in networks.sums()]
        size = first_size(scale.problem, sum(float(neurons.sizes.sum()) for neurons in sums))
        v = given.residual(prediction) / scale.units.targets
        beta = scale.problem.beta * scale.factor**2
        numbers = suited(self.numbers, beta, size, v)
        admm = SubNetworkAdmm(
            scale.blocks, beta, scale.step(numbers), sums, scale.start(v), size,
            numbers, workers, n_workers,
        )  # fmt: skip
        course = Course(given, objective, proof, self.on_bound)
        largest = min(self.largest, fitting)
        return _Run(admm, scale, course, largest, self.on_stage, self.carried)


@final
@dataclass(eq=False)
class _Run(ProverRun):
    """One for sub-networks."""

    admm: SubNetworkAdmm
    scale: SubNetworkScale
    carried: Callable[[DualProof], DualProof] | None

    def proven(self) -> DualProof:
        found = self.scale.proof(self.admm)
        return found if self.carried is None else self.carried(found)
