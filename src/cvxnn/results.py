"""What a training run returns: status, certificate, history and solution."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork, check_plain
from cvxnn.networks.base import Network
from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.spread import SpreadCertificate

N = TypeVar("N", bound=Network, covariant=True)


def _by_name(member: Enum, proto: object) -> tuple[Any, ...]:
    """How a member is pickled: by value, no stored model would outlive a reworded sentence."""
    return getattr, (type(member), member.name)


class Status(Enum):
    """How a run ended, the best end first; each value is the sentence a user reads.

    Examples
    --------
    >>> import cvxnn
    >>> from cvxnn import Status
    >>> X, y = cvxnn.load_ring()
    >>> solution = cvxnn.solve(X, y, beta=1.0)
    >>> solution.status is Status.OPTIMAL, solution.status.is_success
    (True, True)
    >>> Status.TIME_LIMIT.value
    'time_limit was reached; the best network so far is returned with the gap it has.'
    """

    OPTIMAL = (
        "The certified gap is within tol: "
        "no network of its kind, of any width, does better by more."
    )
    OPTIMAL_FOR_PATTERNS = (
        "The program restricted to the given patterns is solved to tol; "
        "the global gap is the one reported and may be large."
    )
    STATIONARY = (
        "The search ended where it gained little or nothing more, without a proof that no network "
        "is better; "
        "the gap that is proven is reported."
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

    __reduce_ex__ = _by_name

    @property
    def is_success(self) -> bool:
        """Whether the method did what it promises."""
        return self in (Status.OPTIMAL, Status.OPTIMAL_FOR_PATTERNS)


def relative_gap(
    objective: float, dual_bound: float, error: float = 0.0, floor: float = 0.0
) -> float:
    """``(objective + error - dual_bound) / max(|objective|, floor)``, and 0 where both are 0.

    `error` is what rounding may hide of the objective, and an objective below `floor` cannot be
    told from 0. Clipped below at 0: a bound that exceeds the objective by rounding is not a
    negative gap. ``inf`` where there is no bound.
    """
    difference = max(objective + error - dual_bound, 0.0)
    if difference == 0.0:
        return 0.0
    return difference / max(abs(objective), floor, 1e-300)


def described(status: Status, n_neurons: int) -> str:
    """What a user reads of a run: its status, and that nothing came of it yet."""
    cut_short = not status.is_success and status is not Status.STATIONARY
    empty = " It has no neurons yet: none that would help was found so far."
    return status.value + (empty if cut_short and n_neurons == 0 else "")


def checked_status(
    status: Status,
    objective: float,
    program_bound: float,
    dual_bound: float,
    tol: float,
    error: float,
    floor: float = 0.0,
) -> Status:
    """The status of a run, held against the numbers that it returns.

    Success is what the recomputed objective, its error and the bounds say, whatever the
    run thought. Rounding is covered by the error and the bounds, so that a bound above the
    objective is wrong, or the objective is.
    """
    if dual_bound > objective + error:
        return Status.NUMERICAL_ERROR
    if status is Status.INTERRUPTED:
        return status
    if relative_gap(objective, dual_bound, error, floor) <= tol:
        return Status.OPTIMAL
    if status.is_success:
        solved = relative_gap(objective, program_bound, error, floor) <= tol
        return Status.OPTIMAL_FOR_PATTERNS if solved else Status.NUMERICAL_ERROR
    return status


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
        ``||R'(Xu)_+||``. Optimality needs ``beta``.
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
    oracle_bound: float
    objective_error: float
    objective_floor: float = field(default=0.0, kw_only=True)

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
        Round of the method, from 0; bounds that come after the last one have its number.
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
    """

    network: N
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


class Verdict(Enum):
    """What :func:`cvxnn.certify` found; each value is the sentence a user reads.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> network = cvxnn.TwoLayerNetwork([[0.0, 0.0, 1.0]], [1.0])  # 1 everywhere
    >>> cvxnn.certify(network, X, y, beta=1.0).verdict.value
    'The network is not optimal: a better one is known.'
    """

    OPTIMAL = Status.OPTIMAL.value
    IMPROVABLE = "The network is not optimal: a better one is known."
    UNDECIDED = (
        "No better network was found, but the lower bound does not prove that there is none; "
        "the gap that is proven is reported."
    )

    __reduce_ex__ = _by_name


@dataclass(frozen=True, eq=False)
class ImprovingNeuron:
    """A neuron that lowers the objective of a network when it is added to it.

    Attributes
    ----------
    direction : ndarray, shape (d,)
        Its unit direction u.
    output : float, or ndarray of shape (c,) for several outputs
        1 or -1, the sign s of its output weight; of several its unit output weights a.
    value : float
        ``s r'(Xu)_+`` at the residual r of the network, minus the gradient of the
        loss, of several outputs ``a'R'(Xu)_+``; above beta.
    size : float
        The c > 0 that is best for the neuron ``c s (Xu)_+``. For the squared loss
        that is ``(value - beta) / ||(Xu)_+||^2``.
    decrease : float
        By how much the objective falls then, for the squared loss
        ``(value - beta)^2 / (2 ||(Xu)_+||^2)``.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import ImprovingNeuron
    >>> neuron = ImprovingNeuron(np.array([1.0]), -1.0, value=3.0, size=4.0, decrease=4.0)
    >>> neuron.hidden_weights, neuron.output_weight
    (array([2.]), -2.0)
    >>> shared = ImprovingNeuron(np.array([1.0]), np.array([0.6, -0.8]), 3.0, 4.0, 4.0)
    >>> shared.output_weight
    array([ 1.2, -1.6])
    """

    direction: FloatArray
    output: float | FloatArray
    value: float
    size: float
    decrease: float

    @property
    def hidden_weights(self) -> FloatArray:
        """``sqrt(c) u``, shape (d,): balanced with :attr:`output_weight`."""
        return float(np.sqrt(self.size)) * self.direction

    # Any: a float or a vector, which the number of outputs tells.
    @property
    def output_weight(self) -> Any:
        """``s sqrt(c)``, a float; of several outputs ``sqrt(c) a``, an ndarray of shape (c,)."""
        return self.output * float(np.sqrt(self.size))

    @property
    def sign(self) -> float:
        """Of one output: the s, 1 or -1; of several there is none, but `output`."""
        if np.ndim(self.output):
            raise InputError("A neuron of several outputs has no sign; take its output.")
        return float(self.output)

    def added_to(self, network: TwoLayerNetwork) -> TwoLayerNetwork:
        """The network with this neuron as its last; InputError if it has other outputs."""
        plain = check_plain(network, "network", intercept=True, n_outputs=None)
        if plain.output_weights.shape[1:] != np.shape(self.output):
            raise InputError(
                f"network must have the outputs of the neuron, {np.size(self.output)}, "
                f"got {network!r}."
            )
        return TwoLayerNetwork(
            np.vstack([plain.hidden_weights, self.hidden_weights]),
            np.concatenate([plain.output_weights, np.asarray(self.output_weight)[np.newaxis]]),
            intercept=plain.intercept,
        )


@dataclass(frozen=True, eq=False)
class NetworkCertificate(Certificate):
    """How far a given network is from the best one; what :func:`cvxnn.certify` returns.

    A better network is one whose objective is lower by more than ``tol`` times
    the objective: below that the network is optimal as far as anyone asked.

    Attributes
    ----------
    verdict : Verdict
        Optimal within `tol`, improvable, or undecided.
    network : TwoLayerNetwork
        The network as it was read; its objective is the one reported.
    has_ones : bool
        Whether a column of ones was appended to X for the biases of the
        network: the last weight of every neuron is then on it.
    balanced_objective : float
        The objective after :meth:`TwoLayerNetwork.balance`, the least that
        rescaling the neurons, which does not change the function, can reach.
    largest_value : float
        The largest ``|r'(Xu)_+|``, of several outputs ``||R'(Xu)_+||``, above beta that was
        found at the residual r of the network (see `oracle_bound`), over ``||u|| = 1``; 0 where
        none was. A lower bound of the maximum, of which `oracle_bound` is an upper bound.
    improving_neuron : ImprovingNeuron, optional
        Of the neurons that were found, the one that lowers the objective most;
        None where none makes the network a better one.
    better_network : Solution, optional
        A better network that the search for a bound came across; on the same
        columns as `network`.
    notes : tuple of str
        Where the conventions of the network differ from those of objective
        (2), and what was done about it, in sentences.
    beta, tol : float
        The arguments of the call.
    interrupted : bool
        Whether Ctrl-C ended the search.
    elapsed : float
        Seconds.
    certificate : BoundCertificate, optional
        What it takes to recompute `dual_bound` from the data alone, for X as the network reads
        it: with the column of ones where there is one.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> network = cvxnn.TwoLayerNetwork([[0.0, 0.0, 1.0]], [1.0])  # 1 everywhere
    >>> certificate = cvxnn.certify(network, X, y, beta=1.0)
    >>> print(certificate.verdict.name, certificate.objective, f"{certificate.dual_bound:.4f}")
    IMPROVABLE 57.0 9.7259
    >>> better = certificate.improving_neuron.added_to(network)
    >>> better.objective(X, y, 1.0) < certificate.objective
    True
    """

    verdict: Verdict
    network: TwoLayerNetwork
    has_ones: bool
    balanced_objective: float
    largest_value: float
    improving_neuron: ImprovingNeuron | None
    better_network: Solution[TwoLayerNetwork] | None = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    beta: float
    tol: float
    interrupted: bool
    elapsed: float
    certificate: BoundCertificate | None = field(default=None, repr=False)
