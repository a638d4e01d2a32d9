"""Whether a third layer lowers the optimum: :func:`depth_gain`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.certificates import DualProof
from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline, OutOfTimeError, deferred_interrupts
from cvxnn.layers.parallel import ParallelRows
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.parallel import ParallelNetwork
from cvxnn.problems import Neurons, Problem, Units
from cvxnn.results import Solution
from cvxnn.solvers.parallel.gauge import gauge_interval
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.proofs import proof_of
from cvxnn.solvers.parallel.search import ParallelSearch
from cvxnn.solvers.search import Pursuit
from cvxnn.training.solve import solve_quietly
from cvxnn.validation import (
    check_data,
    check_optional_positive,
    check_random_state,
    check_tolerance,
)
from cvxnn.verification.certificate import BoundCertificate

# Shares of the time for two layers, and of what is left for the criterion.
_TWO, _CRITERION = 0.3, 0.3
_ROUNDS = 400
# What an objective may be off by, relative, and far more than it is.
_ROUNDING = 1e-9


@final
@dataclass(frozen=True, eq=False)
class DepthGain:
    """What three layers gain on two, between proven bounds.

    Attributes
    ----------
    helps : bool or None
        True where a network of three layers is below every one of two; False where none is
        below the network of two layers by more than `tol`, relative; None where the bounds do
        not tell.
    two : Solution
        The optimum of two layers.
    network : ParallelNetwork
        The best network of three layers that was found; perhaps that of two.
    objective, dual_bound : float
        Of three layers: what the network has, and what no other is below.
    criterion : tuple of float
        Proven bounds on ``M3(v) / beta`` at the dual point v of the optimum of two layers,
        scaled to ``M2(v) <= beta``: a third layer helps where it is above 1. They are no closer
        than it takes to tell, and the second is inf where nothing was proven in time.
    beta, tol, elapsed : float

    Examples
    --------
    >>> import cvxnn
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    >>> gain = cvxnn.depth_gain(X, y, beta=0.5)
    >>> gain.helps, gain.message
    (False, 'A third layer does not lower the objective, up to 0.0001 of it.')
    """

    helps: bool | None
    two: Solution[TwoLayerNetwork] = field(repr=False)
    network: ParallelNetwork
    objective: float
    dual_bound: float
    criterion: tuple[float, float]
    beta: float
    tol: float
    elapsed: float

    @property
    def ratio(self) -> tuple[float, float]:
        """Proven bounds on the optimum of three layers over that of two, at most 1; 1 for 0."""
        highest, lowest = self.two.objective + self.two.objective_error, self.two.dual_bound
        if highest == 0.0:
            return 1.0, 1.0
        high = min(self.objective / lowest, 1.0) if lowest > 0.0 else 1.0
        return min(max(self.dual_bound / highest, 0.0), high), high

    @property
    def message(self) -> str:
        """The answer in a sentence."""
        if self.helps is None:
            return "The bounds do not tell whether a third layer lowers the objective."
        if not self.helps:
            return f"A third layer does not lower the objective, up to {self.tol:g} of it."
        low, high = self.ratio
        return (
            f"A third layer lowers the objective: to between {low:.4f} and {high:.4f} of that of "
            "two layers."
        )


def depth_gain(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    tol: float = 1e-4,
    time_limit: float | None = 60.0,
    random_state: int | np.random.Generator | None = 0,
) -> DepthGain:
    """Whether a network of three layers has a lower objective than all of two, with proof.

    Both have the squared loss, ``1/2 ||f(X) - y||^2``, and penalties that cost a function
    the same where it is one of two layers: ``beta/2 sum_j (||u_j||^2 + a_j^2)``, and
    ``beta/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)`` for sub-networks
    ``((X W_k)_+ b_k)_+ a_k`` of any width.

    Parameters
    ----------
    X : array-like, shape (n, d)
        With a column of ones, if there is to be a bias.
    y : array-like, shape (n,)
    beta : float
        Positive.
    tol : float, default 1e-4
        Relative: what counts as no gain, and the gap at which the search for three layers ends.
    time_limit : float or None, default 60.0
        Seconds, after which the answer is what is proven by then. The search takes exponential
        time in the worst case.
    random_state : int, numpy Generator or None, default 0
        Where ascents start.

    Returns
    -------
    DepthGain

    Raises
    ------
    InputError
        If an argument is not as described.

    Notes
    -----
    With M2 and M3 for the largest ``|v'f|`` over functions f of two and three layers of size one
    and v for the residual of the optimum of two layers, a third layer lowers the optimum
    exactly if ``M3(v) > beta``. Bounds on M3 come from ascents and from leaves of sign
    choices (:doc:`/guide/models`); where they leave room for a gain, the joint dual of three
    layers is searched. More than 200 rows have the bound without choices only.

    Examples
    --------
    >>> import cvxnn
    >>> u = np.linspace(-1.5, 1.5, 9)
    >>> X, tent = np.column_stack([u, np.ones(9)]), np.maximum(1.0 - np.abs(u), 0.0)
    >>> gain = cvxnn.depth_gain(X, tent, beta=0.02, tol=1e-3)
    >>> print(gain.helps, f"{gain.ratio[0]:.2f} {gain.ratio[1]:.2f}")
    True 0.77 0.77
    """
    start, X = clock(), check_data(X)
    check_tolerance(tol)
    check_optional_positive(time_limit, "time_limit")
    random = check_random_state(random_state)
    problem = Problem.checked(ParallelRows(X), y, beta, SquaredLoss())
    deadline = Deadline(time_limit)
    share = None if time_limit is None else _TWO * time_limit
    two = solve_quietly(X, y, beta, tol=min(1e-6, 0.1 * tol), time_limit=share, random_state=random)
    scaled, units = problem.in_units()
    with deferred_interrupts():
        comparison = _Comparison(scaled, units, two, tol, deadline)
        criterion = comparison.check_criterion(random)
        if not comparison.is_equal:
            comparison.search(random)
    network = comparison.network
    objective = network.objective(X, problem.y, beta)
    helps = None
    if comparison.is_equal:
        helps = False
    elif objective * (1.0 + _ROUNDING) < two.dual_bound:
        helps = True
    return DepthGain(
        helps, two, network, objective, comparison.dual_bound, criterion, float(beta), tol,
        clock() - start,
    )  # fmt: skip


@final
class _Comparison:
    """What is known of three layers beside the optimum of two, in the units of the solvers."""

    def __init__(
        self,
        problem: Problem[ParallelRows],
        units: Units,
        two: Solution[TwoLayerNetwork],
        tol: float,
        deadline: Deadline,
    ) -> None:
        self._problem, self._units, self._two = problem, units, two
        self._tol, self._deadline = tol, deadline
        network = two.network
        neurons = Neurons.of_weights(network.hidden_weights, network.output_weights)
        self.neurons = SubNetworks.of_neurons(units.reduced(neurons))
        self.objective, self.dual_bound = two.objective + two.objective_error, -np.inf

    def check_criterion(self, random: np.random.Generator) -> tuple[float, float]:
        """Bounds on ``M3(v) / beta`` at the dual point of two layers, scaled to be feasible."""
        certificate, X = self._two.certificate, self._problem.rows.X
        assert isinstance(certificate, BoundCertificate)
        v = certificate.v / self._units.targets
        level = float(certificate.level) / self._units.rows / self._units.targets
        if not v.any() or not np.isfinite(level) or level <= 0.0:
            return 0.0, np.inf
        deadline = self._deadline.share(_CRITERION)
        try:
            found = gauge_interval(
                X, v, random, threshold=level, tol=0.1 * self._tol, deadline=deadline
            )
        except OutOfTimeError:
            return 0.0, np.inf
        self._take(proof_of(found.point))
        return found.lower / level, found.upper / level

    def search(self, random: np.random.Generator) -> None:
        """The joint dual, until it is known what the third layer gains, or the time is up."""
        try:
            search = ParallelSearch(self._problem, random, self._deadline, self.neurons)
            self._follow(search)
        except OutOfTimeError:
            return

    def _follow(self, search: ParallelSearch) -> None:
        pursuit, more, rounds = Pursuit(search), True, 0
        try:
            while more and rounds < _ROUNDS:
                more, rounds = pursuit.advance(self._tol), rounds + 1
        finally:
            self._take(search.proof)
            objective = search.objective * self._units.objective
            if objective < self.objective:
                self.neurons, self.objective = search.neurons, objective

    def _take(self, proof: DualProof) -> None:
        bound = proof.bound(self._problem) * self._units.objective
        self.dual_bound = max(self.dual_bound, bound)

    @property
    def is_equal(self) -> bool:
        """Whether no network of three layers is below that of two by more than the tolerance."""
        highest = self._two.objective + self._two.objective_error
        return self.dual_bound >= highest - self._tol * abs(highest)

    @property
    def network(self) -> ParallelNetwork:
        """The best one, in the units of the data."""
        restored = self._units.restored(self.neurons)
        assert isinstance(restored, SubNetworks)
        return ParallelNetwork(*restored.balanced())
