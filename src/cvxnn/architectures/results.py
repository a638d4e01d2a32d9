"""What training a network of one of these architectures returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from cvxnn.architectures.base import ImmutableNetwork
from cvxnn.results import Status, relative_gap

Network = TypeVar("Network", bound=ImmutableNetwork)


@dataclass(frozen=True)
class ArchitectureSolution(Generic[Network]):
    """The best network of its kind that was found, and the proof of its quality.

    Attributes
    ----------
    network : LinearCNN, CircularCNN or GatedNetwork
        Balanced; no filters or neurons where 0 is optimal.
    objective : float
        The loss plus ``beta/2`` times the sum of the squared weights of both layers,
        recomputed in float64 from the weights.
    dual_bound : float
        No network of this kind, with any number of filters or of neurons on the
        given gates, has an objective below this; rounding included.
    status : Status
        OPTIMAL means: optimal among the networks of this kind.
    beta, tol : float
        The arguments of the run.
    elapsed : float
        Seconds.
    n_iter : int
        Rounds that were run.
    """

    network: Network
    objective: float
    dual_bound: float
    status: Status
    beta: float
    tol: float
    elapsed: float
    n_iter: int

    @property
    def gap(self) -> float:
        """Relative gap ``(objective - dual_bound) / |objective|``."""
        return relative_gap(self.objective, self.dual_bound)
