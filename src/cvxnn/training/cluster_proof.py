"""Bounds of rows on a cluster: a sum over segments, each of which a task proves by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.distributed.blocks import Block, RawBlock
from cvxnn.distributed.cluster import Cluster, Future, cluster
from cvxnn.distributed.collections import Pieces
from cvxnn.distributed.rows import ClusterRows
from cvxnn.errors import InputError
from cvxnn.evaluation import evaluate
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.losses import LOSSES, Loss, as_loss
from cvxnn.methods import Global
from cvxnn.models.base import Choices, Model
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.outputs.prover import OutputsProver
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.relaxed import relaxation_prover
from cvxnn.solvers.segments.segment import LENGTH
from cvxnn.training.certificate import bound_certificate
from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.data import fingerprint_of
from cvxnn.verification.report import Verification
from cvxnn.verification.rounding import sum_down

# Parts whose multipliers are kept for a check: each takes some 15 MB.
_MOST_KEPT = 16
# Parts between two reports of the bound.
_REPORTS = 10
# Rows of the first blocks of a part: of 4096 rows these are as many blocks.
_BLOCK = 64


@final
@dataclass(frozen=True)
class Parts:
    """What every task has to know to bound a segment by itself.

    Of a segment with m of n rows the share of beta is ``beta m / n``: one network serves all
    rows, the loss is a sum, and so ``p*(all, beta) >= sum_k p*(segment k, beta m_k / n)``, beside
    an intercept, too. Rows that are alike lose little by that. A segment is of consecutive rows,
    so that none moves and the bound does not depend on chunks: who has sorted rows shuffles them
    before.

    Attributes
    ----------
    model : Model
    loss : Loss
        In the units of the data.
    beta : float
    n_rows : int
        Of all segments together.
    neurons : Neurons
        In the same units, to start from: the best known for all rows.
    intercept : bool
    tol : float
        Relative gap of a segment at which there is no more to do.
    keeps : bool
        Whether certificates are kept.
    """

    model: Model
    loss: Loss
    beta: float
    n_rows: int
    neurons: Neurons
    intercept: bool
    tol: float
    keeps: bool

    def problem(self, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Problem[Layer]:
        """That of a segment."""
        # The shares sum to beta at most, whatever is rounded.
        beta = self.beta * (len(X) / self.n_rows) * (1.0 - 8.0 * EPS)
        return self.model.problem(X, y, beta, self.loss, weights, self.intercept)

    def found(self, problem: Problem[Layer], proof: DualProof, data: Sequence[Any]) -> Proven:
        """What a proof comes to, with a certificate where they are kept."""
        bound = proof.bound(problem)
        if not self.keeps:
            return Proven(bound)
        network = self.model.network(self.neurons, (problem.rows.n_features,))
        # A checker may prove more than the bound, but no more than a network has.
        known = evaluate(
            problem.loss, problem.target, network.predict_on(problem.rows),
            problem.beta * network.penalty(), network.penalty_roundings, self.tol,
        )  # fmt: skip
        certificate = bound_certificate(
            self.model, problem, proof, {}, bound=bound, objective=known.value + known.error,
            intercept=self.intercept, fingerprint=fingerprint_of(*data),
        )  # fmt: skip
        return Proven(bound, certificate)


@dataclass(frozen=True)
class Proven:
    """What a task has proven of a segment.

    Attributes
    ----------
    bound : float
        On its optimum, at its share of beta.
    certificate : BoundCertificate or None
    """

    bound: float
    certificate: BoundCertificate | None = field(default=None, repr=False)


def proven(block: Block, number: int, parts: Parts, seconds: float | None) -> Proven:
    """The bound of a segment, by the relaxation from the network; with 0 s by one eigenvalue."""
    data = block.rows_of(number)
    try:
        problem = parts.problem(*data)
    except InputError:
        # An intercept alone may fit labels that are all the same: what is left is that no loss is
        # below 0, which a dual point of zeros proves.
        problem = replace(parts, intercept=False).problem(*data)
        zeros = np.zeros((len(problem.target), problem.n_outputs))
        return parts.found(problem, DualProof(zeros, np.zeros(1), "spectral"), data)
    strategy = parts.model.strategy_of(
        problem, Choices(Global(certify=False), np.random.default_rng(0), None),
        (problem.rows.n_features,), intercept=parts.intercept,
    )  # fmt: skip
    proofs = [strategy.first_proof()]
    neurons = parts.neurons
    if problem.n_outputs == 1 and not parts.intercept:
        f = problem.rows.forward(neurons.directions, neurons.signs * neurons.sizes)
        proofs.append(spectral_proof(problem.rows, problem.residual(f)))
    proof = max(proofs, key=lambda one: one.bound(problem))
    deadline = Deadline(seconds)
    prover = relaxation_prover(problem, intercept=parts.intercept)
    if not (deadline.passed or interrupt_pending()) and prover is not None:
        if isinstance(prover, RelaxationProver):
            # Others work beside it; trees bring little of the gap of all rows.
            prover = replace(prover, threads=1, leaves=1, block=_BLOCK, largest=2 * _BLOCK)
        elif isinstance(prover, OutputsProver):
            prover = replace(prover, threads=1)
        proof = prover.improve(neurons, proof, parts.tol, deadline)
    return parts.found(problem, proof, data)


def least_loss(loss: Loss) -> float:
    """What no loss of rows is below."""
    return 0.0 if type(loss) in LOSSES.values() else -np.inf


@final
class ClusterProver:
    """Bounds the segments one after the other, as many at a time as there are threads.

    Parameters
    ----------
    rows : ClusterRows
    parts : Parts
    on_bound : callable
        Called with the sum so far, now and then.
    """

    def __init__(
        self, rows: ClusterRows, parts: Parts, on_bound: Callable[[float], object]
    ) -> None:
        self._rows, self._parts, self._on_bound = rows, parts, on_bound
        self._places = _places(rows.starts)
        self.bounds = np.full(len(self._places), least_loss(parts.loss))
        self.kept: dict[int, Future] = {}

    @property
    def bound(self) -> float:
        """The sum of what is proven: of other segments it is known that no loss is below 0."""
        return sum_down(self.bounds)

    def improve(self, deadline: Deadline, check: Callable[[], object]) -> None:
        """All segments, each with an equal share of the time that is left.

        Those that are over early leave theirs to the others, and those for which there is none
        have a bound by one eigenvalue.
        """
        places, cluster = list(enumerate(self._places)), self._rows.cluster
        threads, running = cluster.n_threads, dict[str, tuple[int, Future, Future]]()
        # More than there are threads, so that none waits for the driver.
        window = threads + len(self._rows.blocks)
        say_at = np.linspace(0, len(places), _REPORTS + 1)[1:]
        try:
            while places or running:
                while places and len(running) < window:
                    left = len(places) + len(running)
                    place, (k, number) = places.pop(0)
                    seconds = deadline.remaining / -(-left // threads)
                    future = cluster.submit(
                        proven, self._rows.blocks[k], number, self._parts,
                        seconds if deadline.limited else None,
                    )  # fmt: skip
                    bound = cluster.submit(_bound_of, future)
                    running[bound.key] = place, future, bound
                done = cluster.first_of([bound for *_, bound in running.values()], check)
                found = cluster.results(done)
                for bound, value in zip(done, found, strict=True):
                    place, future, _ = running.pop(bound.key)
                    self.bounds[place] = max(self.bounds[place], value)
                    if self._parts.keeps:
                        self.kept[place] = future
                n_done = len(self._places) - len(places) - len(running)
                if n_done >= say_at[0]:
                    say_at = say_at[say_at > n_done]
                    self._on_bound(self.bound)
        finally:
            cluster.give_up([future for _, *both in running.values() for future in both])

    def keeper(self) -> KeptParts | None:
        """Where certificates of all segments are, if they are kept."""
        if len(self.kept) < len(self._places):
            return None
        order = np.argsort([k * 2**40 + number for k, number in self._places])
        return KeptParts([self.kept[place] for place in order.tolist()])

    @property
    def in_order(self) -> FloatArray:
        """The bounds of segments in the order of their rows."""
        order = np.argsort([k * 2**40 + number for k, number in self._places])
        return self.bounds[order]


@final
@dataclass(frozen=True)
class KeptParts:
    """Certificates of segments on a cluster, in the order of the rows."""

    futures: Sequence[Future]

    def verified(self, X: Any, y: Any, sample_weight: Any | None) -> list[Verification]:
        with cluster() as workers:
            pieces = Pieces.of(X, y, sample_weight)
            blocks = pieces.read(workers, as_loss("squared"))
            places = sorted(_places(pieces.starts))
            if len(places) != len(self.futures):
                raise InputError("X has another number of rows than the certificate.")
            tasks = [
                workers.submit(_verified, blocks[k], number, future)
                for (k, number), future in zip(places, self.futures, strict=True)
            ]
            return workers.results(tasks)


def keeps_certificates(n_rows: int, workers: Cluster) -> bool:
    """Whether multipliers of all segments are kept on a cluster."""
    return not workers.owned and n_rows <= _MOST_KEPT * LENGTH


def _verified(block: RawBlock, number: int, found: Proven) -> Verification:
    if block.fault:
        raise InputError(block.fault)
    part = slice(number * LENGTH, (number + 1) * LENGTH)
    weights = None if block.weights is None else block.weights[part]
    if found.certificate is None:
        raise InputError("A part of the certificate was not kept.")
    return found.certificate.verify(block.X[part], block.y[part], weights)


def _bound_of(found: Proven) -> float:
    return found.bound


def _places(starts: Sequence[int]) -> list[tuple[int, int]]:
    """Block and number of each segment, of all blocks in turn: all workers have some."""
    counts = [-(-(b - a) // LENGTH) for a, b in pairwise(starts)]
    return [
        (k, number)
        for number in range(max(counts))
        for k, count in enumerate(counts)
        if number < count
    ]
