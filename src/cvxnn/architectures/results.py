"""What training a network of this room returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cvxnn.convergence import warn_of_convergence
from cvxnn.networks import Network as AnyNetwork
from cvxnn.results import Progress, Status, described, relative_gap

Network = TypeVar("Network", bound=AnyNetwork)


@dataclass(frozen=True)
class ArchitectureSolution(Generic[Network]):
    """The best network of its kind that was found, and the proof of its quality.

    Attributes
    ----------
    network : one of the networks of this room
        Balanced; no neurons or filters where 0 is optimal.
    objective : float
        ``l(f, y) + beta/2`` times the sum of all squared weights, recomputed in
        float64 from the weights.
    dual_bound : float
        No network of this kind, with any number of filters, or of neurons on the given
        gates, has an objective below this; rounding included.
    status : Status
        OPTIMAL means: optimal among the networks of this kind.
    beta, tol : float
        The arguments of the run.
    n_patterns : int
        Patterns in the program; 0 for ``"global"`` and for linear networks, which
        list none.
    program_gap : float
        Relative gap of the program that was solved: for ``"sampled"`` it covers the
        sampled patterns only, for the others it equals `gap`.
    elapsed : float
        Seconds.
    history : tuple of Progress
        One entry per round; blocks and neurons are filters.
    objective_error : float
        The exact objective of the network differs from `objective` by this at most.
    """

    network: Network
    objective: float
    dual_bound: float
    status: Status
    beta: float
    tol: float
    n_patterns: int
    program_gap: float
    elapsed: float
    history: tuple[Progress, ...] = field(default=(), repr=False)
    objective_error: float = field(default=0.0, repr=False)

    @property
    def gap(self) -> float:
        """Relative gap ``(objective + objective_error - dual_bound) / |objective|``."""
        return relative_gap(self.objective, self.dual_bound, self.objective_error)

    @property
    def n_iter(self) -> int:
        """Rounds that were run."""
        return len(self.history)

    @property
    def message(self) -> str:
        """How the run ended, in sentences."""
        return described(self.status, n_neurons=int(self.network.penalty() > 0.0))


def warn_unless_successful(solution: ArchitectureSolution[Network]) -> None:
    """A ConvergenceWarning where the method did not do what it promises."""
    if solution.status.is_success or solution.status is Status.INTERRUPTED:
        return
    advice = {
        Status.ITERATION_LIMIT: "raise max_iter",
        Status.TIME_LIMIT: "raise time_limit",
        Status.STATIONARY: "a proof takes more time (a larger time_limit) or data of smaller rank: "
        "fewer features, smaller filters",
        Status.NUMERICAL_ERROR: "raise tol or beta, or scale the data",
    }[solution.status]
    warn_of_convergence(
        f"{solution.message} The gap is {solution.program_gap:.1e}, tol is "
        f"{solution.tol:.1e}: {advice}."
    )
