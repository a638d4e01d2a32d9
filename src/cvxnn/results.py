"""What a training run returns: status, certificate, history and solution."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from cvxnn.networks import TwoLayerNetwork


class Status(Enum):
    """How a run ended; each value is the sentence a user reads."""

    OPTIMAL = (
        "The certified gap is within tol: "
        "no two-layer ReLU network of any width does better by more."
    )
    OPTIMAL_FOR_PATTERNS = (
        "The program restricted to the given patterns is solved to tol; "
        "the global gap is the one reported and may be large."
    )
    STATIONARY = (
        "No improving neuron was found, but the oracle could not certify that there is none; "
        "the gap reached is reported."
    )
    ITERATION_LIMIT = (
        "max_iter was reached; the best network so far is returned with the gap it has."
    )
    TIME_LIMIT = "time_limit was reached; the best network so far is returned with the gap it has."
    INTERRUPTED = (
        "The run was interrupted; the best network so far is returned with the gap it has."
    )
    NUMERICAL_ERROR = (
        "Rounding stopped the progress before tol was reached; "
        "the best network so far is returned with the gap it has."
    )

    @property
    def is_success(self) -> bool:
        """Whether the method did what it promises."""
        return self in (Status.OPTIMAL, Status.OPTIMAL_FOR_PATTERNS)


def relative_gap(objective: float, dual_bound: float) -> float:
    """``(objective - dual_bound) / |objective|``, and 0 where both are 0.

    Clipped below at 0: a bound that exceeds the objective by rounding is not
    a negative gap. ``inf`` where there is no bound.
    """
    difference = max(objective - dual_bound, 0.0)
    if difference == 0.0:
        return 0.0
    return difference / max(abs(objective), 1e-300)


@dataclass(frozen=True)
class Certificate:
    """A proof of how far a network is from the best one at most.

    Attributes
    ----------
    objective : float
        Objective (2) at the network, from its weights in float64.
    dual_bound : float
        A lower bound on the optimal value over all networks that the oracle
        behind it covers; ``-inf`` where there is none.
    oracle_bound : float
        The proven upper bound on ``max_{||u|| <= 1} |r'(Xu)_+|`` at the
        residual ``r`` of the network; optimality needs ``beta``.
    """

    objective: float
    dual_bound: float
    oracle_bound: float

    @property
    def gap(self) -> float:
        """Relative gap, see :func:`relative_gap`."""
        return relative_gap(self.objective, self.dual_bound)


@dataclass(frozen=True)
class Progress:
    """One line of the history of a run.

    Attributes
    ----------
    iteration : int
        Round of the method, from 0.
    elapsed : float
        Seconds since the start.
    objective : float
        Objective (2) of the best network so far.
    dual_bound : float
        Best lower bound so far, on the problem that the method solves.
    n_blocks : int
        Blocks in the working set.
    n_neurons : int
        Neurons of the best network so far.
    """

    iteration: int
    elapsed: float
    objective: float
    dual_bound: float
    n_blocks: int
    n_neurons: int

    @property
    def gap(self) -> float:
        """Relative gap, see :func:`relative_gap`."""
        return relative_gap(self.objective, self.dual_bound)


@dataclass(frozen=True)
class Solution:
    """The best network found, and the proof of its quality.

    The objective is (2) of the seed paper,
    ``1/2 ||f(X) - y||^2 + beta/2 * sum_j (||u_j||^2 + a_j^2)``: a sum over the
    rows, not a mean.

    Attributes
    ----------
    network : TwoLayerNetwork
        The network, balanced and with linearly independent activations, so with
        at most n neurons; only where beta is as small as rounding (1e-16 of the
        data and less) may a larger one be kept for its better objective.
    objective : float
        Objective (2), recomputed in float64 from the weights.
    dual_bound : float
        Certified lower bound on the optimal value of (2) over networks of any
        width; ``-inf`` when there is none.
    status : Status
        How the run ended.
    method : str
        ``"exact"`` or ``"sampled"``.
    beta, tol : float
        The arguments of the run.
    n_patterns : int
        Patterns in the program.
    program_gap : float
        Relative gap of the program that was solved: for ``"sampled"`` it
        covers the sampled patterns only, for ``"exact"`` it equals `gap`.
    elapsed : float
        Seconds.
    history : tuple of Progress
        One entry per round.
    """

    network: TwoLayerNetwork
    objective: float
    dual_bound: float
    status: Status
    method: str
    beta: float
    tol: float
    n_patterns: int
    program_gap: float
    elapsed: float
    history: tuple[Progress, ...] = field(default=(), repr=False)

    @property
    def gap(self) -> float:
        """Relative gap ``(objective - dual_bound) / |objective|``."""
        return relative_gap(self.objective, self.dual_bound)

    @property
    def n_neurons(self) -> int:
        """Neurons of the network: ``m*`` of Theorem 1 for this optimum."""
        return self.network.n_neurons

    @property
    def n_iter(self) -> int:
        """Rounds that were run."""
        return len(self.history)
