"""One training on rows in dask: the rough search over sums, and a bound by parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import EPS
from cvxnn.clocks import clock
from cvxnn.distributed.cluster import Cluster, cluster
from cvxnn.distributed.collections import Collection, Pieces
from cvxnn.distributed.rows import ClusterRows
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.interrupts import (
    Deadline,
    OutOfTimeError,
    check_interrupt,
    deferred_interrupts,
    forget_interrupt,
)
from cvxnn.losses import LOSSES
from cvxnn.methods import Global
from cvxnn.models.relu import ReLU
from cvxnn.networks.base import Network
from cvxnn.problems import Neurons
from cvxnn.results import Progress, Solution, Status, checked_status, relative_gap
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.training.arguments import Arguments, refuse_device
from cvxnn.training.cluster_proof import ClusterProver, keeps_certificates
from cvxnn.training.part_proof import Parts
from cvxnn.validation import check_positive
from cvxnn.verification.spread import SpreadCertificate

_ADVICE = (
    "Over a cluster neurons come to rest roughly, and bounds are sums over parts: "
    "Global(proof_time=...) gives these more time"
)
# Names of the losses that there are.
_SMOOTH = ", ".join(name for name, kind in LOSSES.items() if not kind().is_kinked)


@final
@dataclass(frozen=True)
class ClusterRun:
    """A training with the arguments of :func:`cvxnn.solve`, for rows in dask.

    Attributes
    ----------
    X, y, sample_weight : collections of dask
        What else may be an array is sent to the workers.
    beta : float
    given : Arguments
    warm_start : Network or None
    """

    X: Collection
    y: Collection
    sample_weight: Collection | None
    beta: float
    given: Arguments
    warm_start: Network | None

    @classmethod
    def of(
        cls,
        X: Collection,
        y: Collection,
        beta: float,
        *,
        sample_weight: Collection | None = None,
        warm_start: Network | None = None,
        device: object = None,
        **others: Any,
    ) -> ClusterRun:
        """Of the arguments as :func:`cvxnn.solve` takes them."""
        refuse_device(device)
        given = Arguments.of(**others)
        return cls(X, y, sample_weight, check_positive(beta, "beta"), given, warm_start)

    def __post_init__(self) -> None:
        """InputError if a cluster does not train such networks, in a sentence."""
        model, method, loss = self.given.model, self.given.method, self.given.loss
        if not (isinstance(model, ReLU) and model.capabilities.landscape):
            raise InputError(f"Rows in dask are for ReLU(slope=0.0, skip=None), not {model}.")
        if not isinstance(method, Global):
            raise InputError(
                f'Rows in dask are for method="global", not for method="{method.name}".'
            )
        if loss.is_kinked:
            raise InputError(
                f"Rows in dask are for losses without kinks, which are {_SMOOTH}; {loss!r} has one."
            )

    def execute(self) -> Solution[Any]:
        """The best network that the rough search finds, with a bound by a sum over parts.

        Raises
        ------
        InputError
            If data are not as described.
        """
        pieces = Pieces.of(self.X, self.y, self.sample_weight)
        with deferred_interrupts(), cluster() as workers:
            try:
                return _Training(self, workers, pieces).solution()
            finally:
                forget_interrupt()


class _Training:
    """A search on a cluster driven to its end, a limit or an interrupt."""

    def __init__(self, arguments: ClusterRun, workers: Cluster, pieces: Pieces) -> None:
        self._arguments, self._workers = arguments, workers
        limits, method = arguments.given.limits, arguments.given.method
        self._deadline, self._start = Deadline(limits.time_limit), clock()
        self._proof_time, self._history = ProofTime(method), list[Progress]()
        self._bound = -np.inf
        self._rows = ClusterRows.read(
            workers,
            pieces,
            arguments.given.loss,
            check_interrupt,
            intercept=arguments.given.intercept,
        )
        self._beta = self._rows.beta_in_units(arguments.beta)
        arguments.given.model.check_outputs(self._rows.n_outputs, method)
        self._shape = (pieces.n_features,)
        if arguments.warm_start is not None:
            arguments.given.model.check_warm_start(arguments.warm_start, self._rows, self._shape)
        self._search: TileSearch | None = None
        self._network = self._network_of(Neurons.none(pieces.n_features, self._rows.n_outputs))

    def solution(self) -> Solution[Any]:
        """Search, evaluate, prove."""
        try:
            status = self._searched()
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        if self._search is not None:
            self._network = self._network_of(self._search.neurons)
        evaluation = self._evaluation()
        prover = self._prover(evaluation)
        try:
            # After Ctrl-C, too, as for rows in one memory; another one ends it.
            prover.begin(check_interrupt)
            if status is not Status.INTERRUPTED:
                self._prove(prover)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        return self._solution(status, evaluation, prover)

    def _searched(self) -> Status:
        limits, kept = self._arguments.given.limits, 0.0
        if self._deadline.limited:
            kept = ProofTime.kept(self._arguments.given.method, self._deadline.remaining)
        deadline = Deadline(self._deadline.remaining - kept if self._deadline.limited else None)
        self._search = search = TileSearch(
            self._rows, self._beta, None, self._arguments.given.random_state, deadline,
            intercept=self._arguments.given.intercept,
        )  # fmt: skip
        try:
            self._open(search)
            while len(self._history) < limits.max_iter:
                is_over = search.advance()
                self._note(search.objective * self._rows.units.objective, search.n_new)
                if is_over and len(self._history) < limits.max_iter:
                    return Status.STATIONARY
            return Status.ITERATION_LIMIT
        except OutOfTimeError:
            return Status.TIME_LIMIT

    def _open(self, search: TileSearch) -> None:
        start = self._arguments.warm_start
        if start is not None:
            search.start_from(self._rows.units.reduced(self._arguments.given.model.neurons(start)))

    def _network_of(self, neurons: Neurons) -> Network:
        """The network in the units of the data."""
        units = self._rows.units
        return self._arguments.given.model.network(units.restored(neurons), self._shape)

    def _evaluation(self) -> Evaluation:
        """The objective of the network, from its weights."""
        network: Any = self._network
        price = self._arguments.beta * network.penalty()
        of_price = Evaluation(price, (network.penalty_roundings + 8) * EPS * price)
        return self._rows.evaluate(
            network.hidden_weights, network.output_weights, network.intercept, of_price,
            self._arguments.given.limits.tol,
        )  # fmt: skip

    def _prover(self, evaluation: Evaluation) -> ClusterProver:
        given = self._arguments.given
        parts = Parts(
            given.model, given.loss, self._arguments.beta, self._rows.n_rows,
            given.model.neurons(self._network), given.intercept, given.limits.tol,
            keeps_certificates(self._rows.n_rows, self._workers),
        )  # fmt: skip

        def note(bound: float) -> None:
            self._bound = bound
            self._note(evaluation.value, 0)

        return ClusterProver(self._rows, parts, note)

    def _prove(self, prover: ClusterProver) -> None:
        """Within the time that is left, and of that as much as the method says."""
        check_interrupt()
        seconds = min(self._proof_time.relaxed(), self._deadline.remaining)
        prover.improve(Deadline(seconds), check_interrupt)

    def _solution(
        self, status: Status, evaluation: Evaluation, prover: ClusterProver
    ) -> Solution[Any]:
        given, bound, beta = self._arguments.given, prover.bound, self._arguments.beta
        objective, error, tol = evaluation.value, evaluation.error, given.limits.tol
        status = checked_status(status, objective, bound, bound, tol, error)
        keeper = prover.keeper()
        certificate = None
        if keeper is not None:
            bounds, claimed = prover.bounds, objective + error
            certificate = SpreadCertificate(bounds, bound, claimed, beta, keeper)
        return Solution(
            network=self._network,
            objective=objective,
            dual_bound=bound,
            status=status,
            method=given.method.name,
            beta=beta,
            tol=tol,
            n_patterns=0,
            program_gap=relative_gap(objective, bound, error),
            elapsed=clock() - self._start,
            history=tuple(self._history),
            objective_error=error,
            certificate=certificate,
            advice="" if status.is_success else _ADVICE,
        )

    def _note(self, objective: float, n_new: int) -> None:
        """A line of the history; a bound after the last round has the number of that."""
        is_bound = np.isfinite(self._bound)
        last = max(len({line.iteration for line in self._history}) - 1, 0)
        number = last if is_bound else len(self._history)
        neurons = 0 if self._search is None else len(self._search.neurons)
        progress = Progress(
            number, clock() - self._start, objective, self._bound, n_new, neurons,
            phase="proof" if is_bound else "search",
        )  # fmt: skip
        self._history.append(progress)
        if self._arguments.given.limits.callback is not None:
            self._arguments.given.limits.callback(progress)
