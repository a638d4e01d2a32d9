"""Bounds at any rank for several outputs, by a relaxation that is solved from a network."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import final

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.course import Course
from cvxnn.relaxation.iteration import WorkerMap
from cvxnn.relaxation.loop import IterativeProver, ProverRun, first_size, sound_start, suited
from cvxnn.relaxation.outputs.admm import OutputsAdmm
from cvxnn.relaxation.outputs.scale import OutputsScale
from cvxnn.relaxation.readout import separate_rows

# Pairs of rows of a block, in all blocks, at most: some hundred MB. Blocks of so few rows are
# always taken.
_PAIRS, _FEWEST = 4_000_000, 60


@final
@dataclass(frozen=True)
class OutputsProver(IterativeProver):
    """A prover by :class:`OutputsAdmm`, for several outputs.

    Parameters
    ----------
    problem : Problem of Layer
        Its readout, if it has one, is sparse.
    intercept : bool
        Whether a number that costs nothing is added to each output.
    **others
        As those of :class:`~cvxnn.relaxation.loop.IterativeProver`. Small blocks cost more of the
        bound than for one output. Of many rows both are fewer, so that all pairs within blocks fit
        into the memory.

    Examples
    --------
    >>> import numpy as np
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

    problem: Problem[Layer]
    intercept: bool = False
    _: KW_ONLY
    block: int = 512
    largest: int = 2048

    def _begun(
        self, incumbent: Neurons, proof: DualProof, workers: WorkerMap, n_workers: int
    ) -> _Run:
        given = self.problem
        objective = given.value(_prediction(given, incumbent), float(incumbent.sizes.sum()))
        fitting = max(_FEWEST, _PAIRS // separate_rows(given.rows))
        scale = OutputsScale.of(given, min(self.block, fitting), intercept=self.intercept)
        problem = scale.problem
        start, prediction = sound_start(problem, scale.units.reduced(incumbent), _prediction)
        size = first_size(problem, float(start.sizes.sum()))
        scale.V = problem.residual(prediction)
        beta = problem.beta * scale.factor**2
        numbers = suited(self.numbers, beta, size, scale.V)
        admm = OutputsAdmm(
            scale.blocks, beta, scale.step(numbers), start,
            scale.weights(scale.V), size, numbers, workers, n_workers,
        )  # fmt: skip
        course = Course(given, objective, proof, self.on_bound)
        return _Run(admm, scale, course, min(self.largest, fitting), self.on_stage)


@final
@dataclass(eq=False)
class _Run(ProverRun):
    """One for several outputs."""

    admm: OutputsAdmm
    scale: OutputsScale

    def proven(self) -> DualProof:
        return self.scale.proof(self.admm)


def _prediction(problem: Problem[Layer], neurons: Neurons) -> FloatArray:
    """``sum_j size_j phi(u_j) a_j'``, and the intercept, shape (n, c)."""
    return problem.rows.forward(neurons.rays, neurons.outputs) + neurons.intercept
