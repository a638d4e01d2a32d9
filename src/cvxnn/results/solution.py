"""What a training run returns: network, bound, history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cvxnn.networks.base import Network
from cvxnn.results.status import Status, described, relative_gap
from cvxnn.summaries import counted, of_quality, summary
from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.spread import SpreadCertificate

N = TypeVar("N", bound=Network, covariant=True)


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
        residual ``r`` of the network, minus the gradient of the loss at its
        predictions: ``y - f(X)`` for the squared loss; of several outputs on
        ``||R'(Xu)_+||``. It is in the units of beta, and no bound on the objective: a network
        whose neurons attain beta is optimal if it is beta.
    objective_error : float
        The exact objective of the network differs from `objective` by this at most.
    objective_floor : float
        As for :class:`Solution`.

    Examples
    --------
    >>> from cvxnn import Certificate
    >>> certificate = Certificate(2.0, dual_bound=1.5, oracle_bound=1.2, objective_error=0.0)
    >>> certificate.gap
    0.25
    """

    objective: float
    dual_bound: float
    oracle_bound: float = field(repr=False)
    objective_error: float = field(repr=False)
    objective_floor: float = field(default=0.0, kw_only=True, repr=False)

    @property
    def gap(self) -> float:
        """Relative gap, with the error of the objective, as of :class:`Solution`."""
        error, floor = self.objective_error, self.objective_floor
        return relative_gap(self.objective, self.dual_bound, error, floor)


@dataclass(frozen=True)
class Progress:
    """One line of the history of a run.

    Attributes
    ----------
    iteration : int
        Round of the method, from 0; bounds that come after the last one have its number, and the
        `phase` "proof".
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
    method_bound : float, optional
        The best lower bound that the method itself comes with, where it has one: Frank and
        Wolfe's. Up to rounding it is not above `dual_bound`.
    phase : str
        "search" for a round, "proof" for a bound that comes after the last one, for its network.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> rounds = []
    >>> solution = cvxnn.solve(X, y, beta=1.0, callback=rounds.append)
    >>> rounds[0].objective > rounds[-1].objective, rounds[0].gap > rounds[-1].gap
    (True, True)
    >>> rounds[-1].iteration + 1 == solution.n_iter
    True
    """

    iteration: int
    elapsed: float
    objective: float
    dual_bound: float
    n_blocks: int
    n_neurons: int
    method_bound: float | None = None
    phase: str = "search"

    @property
    def gap(self) -> float:
        """Relative gap, as of :class:`Solution`."""
        return relative_gap(self.objective, self.dual_bound)


@dataclass(frozen=True)
class Solution(Generic[N]):
    """The best network found, and the proof of its quality.

    The objective is ``l(f(X), y)`` plus beta times the penalty of the network, for the
    default model (2) of the seed paper,
    ``1/2 ||f(X) - y||^2 + beta/2 * sum_j (||u_j||^2 + a_j^2)``: a sum over the
    rows, not a mean.

    Attributes
    ----------
    network : Network
        Of the kind of the model, balanced and with linearly independent activations, so
        with at most n neurons; only where beta is as small as rounding (1e-16 of the
        data and less) may a larger one be kept for its better objective, and where
        a limit or Ctrl-C left no time to make it smaller.
    objective : float
        Recomputed in float64 from the weights.
    dual_bound : float
        Certified lower bound on the optimal value over networks of this kind of any
        width, or on the given gates; ``-inf`` when there is none.
    status : Status
        How the run ended.
    method : str
        The name of the method, ``"global"`` or another one.
    beta, tol : float
        The arguments of the run.
    n_patterns : int
        Patterns in the program; 0 for ``"global"``, which lists none.
    program_gap : float
        Relative gap of the program that was solved: for ``"sampled"`` it
        covers the sampled patterns only, for the others it equals `gap`.
    elapsed : float
        Seconds.
    history : tuple of Progress
        One entry per round, and then one for each bound of a relaxation that was needed.
    objective_error : float
        The exact objective of the network differs from `objective` by this at most:
        rounding, which counts only beside a tiny beta.
    objective_floor : float
        An objective below it counts as 0: with losses of counts and amounts, whose best
        predictions are logarithms and no floats, the rounding unit times the loss of the
        predictions 0; else 0.
    certificate : BoundCertificate or SpreadCertificate, optional
        What it takes to recompute `dual_bound` from the data alone; a spread one, of rows in dask,
        stays on the cluster, and there is none for so many rows that it would fill that.
    advice : str
        What would narrow the gap, in sentences; "" where the status says it all.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> solution = cvxnn.solve(X, y, beta=1.0)
    >>> print(solution.status.name, f"{solution.objective:.4f} {solution.dual_bound:.4f}")
    OPTIMAL 9.7259 9.7259
    >>> solution.gap <= solution.tol
    True
    >>> solution.network.forward(X).shape
    (50,)
    >>> print(solution)  # doctest: +ELLIPSIS
    OPTIMAL: The certified gap is within tol: no network of its kind, of any width, does better by
      more.
      objective    9.7259...
      lower bound  9.7259..., which no network of its kind is below
      gap          ... (tol 1.0e-06)
      neurons      13
      run          method global, beta 1, ... rounds in ... s
    """

    network: N
    objective: float
    dual_bound: float
    status: Status
    method: str
    beta: float
    tol: float
    n_patterns: int = field(repr=False)
    program_gap: float
    elapsed: float
    history: tuple[Progress, ...] = field(default=(), repr=False)
    objective_error: float = field(default=0.0, repr=False)
    objective_floor: float = field(default=0.0, repr=False)
    certificate: BoundCertificate | SpreadCertificate | None = field(
        default=None, repr=False, compare=False
    )
    advice: str = field(default="", repr=False, compare=False)

    @property
    def gap(self) -> float:
        """Relative gap ``(objective + objective_error - dual_bound) / |objective|``.

        Relative to `objective_floor` where the objective is below that.
        """
        error, floor = self.objective_error, self.objective_floor
        return relative_gap(self.objective, self.dual_bound, error, floor)

    @property
    def n_neurons(self) -> int:
        """Neurons, or filters, of the network: ``m*`` of Theorem 1 for this optimum."""
        return self.network.n_neurons

    @property
    def n_iter(self) -> int:
        """Rounds that were run."""
        return self.history[-1].iteration + 1 if self.history else 0

    @property
    def message(self) -> str:
        """How the run ended, in sentences."""
        return described(self.status, self.n_neurons)

    def __str__(self) -> str:
        rows = of_quality(self.objective, self.dual_bound, self.gap, self.tol)
        if self.n_patterns:
            patterns = counted(self.n_patterns, "pattern")
            rows.append(("program", f"{patterns}, solved to a gap of {self.program_gap:.1e}"))
        rounds = f"{counted(self.n_iter, 'round')} in {self.elapsed:.2f} s"
        rows.append(("neurons", str(self.n_neurons)))
        rows.append(("run", f"method {self.method}, beta {self.beta:g}, {rounds}"))
        return summary(f"{self.status.name}: {self.message}", rows, [self.advice])
