"""Networks that are good enough for a score, along falling beta."""

from __future__ import annotations

from typing import Protocol, final

from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.seen_classes import SeenClasses
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline
from cvxnn.networks.base import Network
from cvxnn.problems import Neurons
from cvxnn.results import Status
from cvxnn.solvers.descent.rough_path import RoughPath
from cvxnn.validation import check_random_state

# On rank 2 a proof costs less than a search.
_QUICK_RANK = 2


class Path(Protocol):
    """Networks for one set of samples, each from the one before; no proofs."""

    @property
    def largest_beta(self) -> float:
        """From it on the best network has no neurons; for a search an estimate from below."""

    def start_from(self, network: Network) -> None:
        """Go on from another network."""

    def advance(self, beta: float) -> Network:
        """The network for the next beta.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C.
        """


def path_of(training: Training, samples: Samples, deadline: Deadline) -> Path:
    """The path of samples; when the deadline passes, networks stay as they are."""
    if training.is_settled(samples):
        return ConstantPath(training.constant(samples))
    seen = SeenClasses.of(training, samples)
    if seen.columns is not None:
        return SeenPath(path_of(training, seen.narrowed(samples), deadline), seen)
    if samples.X.shape[-1] > _QUICK_RANK and training.has_plain_rows(samples):
        return SearchPath(training, samples, deadline)
    return SolvePath(training, samples, deadline)


@final
class ConstantPath:
    """Labels that are all the same need no neurons."""

    largest_beta = 0.0

    def __init__(self, network: Network) -> None:
        self._network = network

    def start_from(self, network: Network) -> None:
        """Nothing to do."""

    def advance(self, beta: float) -> Network:
        return self._network


@final
class SeenPath:
    """Networks of all classes, of a path of those that have rows."""

    def __init__(self, path: Path, seen: SeenClasses) -> None:
        self._path, self._seen = path, seen

    @property
    def largest_beta(self) -> float:
        return self._path.largest_beta

    def start_from(self, network: Network) -> None:
        (start,) = self._seen.starts([network])
        self._path.start_from(start)

    def advance(self, beta: float) -> Network:
        return self._seen.network(self._path.advance(beta))


@final
class SearchPath:
    """Plain rows: a search that is rough itself."""

    def __init__(self, training: Training, samples: Samples, deadline: Deadline) -> None:
        self._training, self._shape = training, samples.X.shape[1:]
        self._search = RoughPath(
            training.problem(samples),
            check_random_state(training.random_state),
            intercept=training.intercept,
            deadline=deadline,
        )

    @property
    def largest_beta(self) -> float:
        return self._search.largest_beta

    def start_from(self, network: Network) -> None:
        self._search.start_from(self._training.model.neurons(network))

    def advance(self, beta: float, rounds: int = 1) -> Network:
        found: Neurons = self._search.advance(beta, rounds)
        return self._training.model.network(found, self._shape)


@final
class SolvePath:
    """Any other model or method: a few rounds of :func:`cvxnn.solve` for each beta."""

    def __init__(self, training: Training, samples: Samples, deadline: Deadline) -> None:
        self._training, self._samples, self._deadline = training, samples, deadline
        self._latest: Network | None = None

    @property
    def largest_beta(self) -> float:
        return self._training.largest_beta(self._samples)

    def start_from(self, network: Network) -> None:
        self._latest = network

    def advance(self, beta: float) -> Network:
        solution = self._training.glance(self._samples, beta, self._deadline, self._latest)
        if solution.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        self._latest = solution.network
        return solution.network
