"""What training a linear convolutional network returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.results import Status, relative_gap

Network = TypeVar("Network", LinearCNN, CircularCNN)


@dataclass(frozen=True)
class CNNSolution(Generic[Network]):
    """The best network of its kind that was found, and the proof of its quality.

    Attributes
    ----------
    network : LinearCNN or CircularCNN
        Balanced; no filters where 0 is optimal.
    objective : float
        ``l(f, y) + beta/2 sum_j (||u_j||^2 + ||w_j||^2)``, recomputed in
        float64 from the weights.
    dual_bound : float
        No network of this kind, with any number of filters, has an objective
        below this; rounding included.
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
