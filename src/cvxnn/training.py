"""Training a network to global optimality: :func:`solve`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from cvxnn.certificates import certify_by_spectrum, certify_over_cells, dual_bound
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle, spectral_bound
from cvxnn.patterns import PatternSet, count_patterns_bound, enumerate_patterns, sample_patterns
from cvxnn.patterns.sampling import SCHEMES
from cvxnn.results import Progress, Solution, Status, relative_gap
from cvxnn.solvers.working_set import WorkingSet
from cvxnn.validation import (
    check_choice,
    check_count,
    check_data,
    check_optional_positive,
    check_positive,
    check_random_state,
    check_target,
)

FloatArray = NDArray[np.float64]
Callback = Callable[[Progress], object]

METHODS = ("exact", "sampled")

# Up to this many patterns a sampled run enumerates them all for its bound.
_SMALL_ARRANGEMENT = 5_000
# Up to this many rows the matrices are so small that threads of the BLAS cost
# more than they bring: a factor of two on two cores, more on many.
_SINGLE_THREADED_ROWS = 128
# Rounds without progress after which rounding is taken to be the reason.
_PATIENCE = 3


def solve(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    method: str = "exact",
    *,
    patterns: PatternSet | None = None,
    n_samples: int = 500,
    scheme: str = "data",
    tol: float = 1e-6,
    max_iter: int = 100,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> Solution:
    """Train a two-layer ReLU network through the convex program (5).

    Minimises objective (2),

        1/2 ||sum_j (X u_j)_+ a_j - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean), over networks of any width. A bias is a
    column of ones in X, penalised like every other weight.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Data.
    y : array-like, shape (n,)
        Targets.
    beta : float
        Regularisation, > 0.
    method : {"exact", "sampled"}
        ``"exact"``: all patterns of X are in the program; the answer is a global
        optimum of (2) with a certificate. ``"sampled"``: only the patterns of
        random directions; optimal for those.
    patterns : PatternSet, optional
        Patterns to use instead of enumerating or sampling them.
    n_samples : int, default 500
        Directions drawn by ``"sampled"``.
    scheme : {"data", "gaussian"}
        How they are drawn, see :func:`cvxnn.sample_patterns`.
    tol : float, default 1e-6
        Relative gap ``(objective - dual_bound) / objective`` to reach.
    max_iter : int, default 100
        Rounds of column generation.
    time_limit : float, optional
        Seconds; checked in every step of the solvers, not inside the enumeration.
    random_state : int, numpy Generator or None, default 0
        Source of the sampled patterns and of the first working set.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every round.

    Returns
    -------
    Solution
        Also when a limit is reached or Ctrl-C is pressed: the best network so
        far, with the gap it has.

    Raises
    ------
    InputError
        If an argument is not as described.
    TooManyPatternsError
        If ``"exact"`` would not fit into memory; before any work starts.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap asked for was not reached.

    Notes
    -----
    A round solves the program on a working set by a structured interior-point
    method, and prices every cell of the arrangement by conic projection; M cells
    of rank r cost O(M n r) per round, the master O(n^2 C r) for C blocks.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (2), (5),
    (11) and Theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    >>> solution = solve(X, [1.0, -1.0, 1.0, -1.0, 1.0], beta=1e-4)
    >>> solution.status.name, solution.n_neurons, f"{solution.objective:.8f}"
    ('OPTIMAL', 5, '0.00087694')
    """
    X = check_data(X)
    y = check_target(y, len(X))
    run = _Run(
        X,
        y,
        check_positive(beta, "beta"),
        check_choice(method, "method", METHODS),
        tol=_check_tolerance(tol),
        max_iter=check_count(max_iter, "max_iter"),
        time_limit=check_optional_positive(time_limit, "time_limit"),
        callback=_check_callback(callback),
    )
    rng = check_random_state(random_state)
    n_samples = check_count(n_samples, "n_samples")
    scheme = check_choice(scheme, "scheme", SCHEMES)
    if patterns is not None:
        _check_patterns(patterns, X)

    def make_patterns() -> PatternSet:
        if patterns is not None:
            return patterns
        if method == "exact":
            return enumerate_patterns(X)
        return sample_patterns(X, n_samples, rng, scheme=scheme)

    threads = 1 if len(X) <= _SINGLE_THREADED_ROWS else None
    with deferred_interrupts(), threadpool_limits(threads, user_api="blas"):
        solution = run.execute(make_patterns, rng)
        forget_interrupt()
    _warn_unless_successful(solution)
    return solution


def _check_tolerance(tol: float) -> float:
    tol = check_positive(tol, "tol")
    if tol >= 1.0:
        raise InputError(f"tol must be below 1, it is a relative gap; got {tol:g}.")
    return tol


def _check_callback(callback: Callback | None) -> Callback | None:
    if callback is not None and not callable(callback):
        raise InputError(f"callback must be callable or None, got {type(callback).__name__}.")
    return callback


def _check_patterns(patterns: PatternSet, X: FloatArray) -> None:
    if not isinstance(patterns, PatternSet):
        raise InputError(f"patterns must be a PatternSet or None, got {type(patterns).__name__}.")
    if len(patterns) == 0:
        raise InputError("patterns is empty; it needs one pattern at least.")
    if not patterns.belongs_to(X):
        raise InputError("patterns do not belong to X: their directions give other masks on it.")


def _power_of_two(array: FloatArray) -> float:
    """The power of two next to the largest modulus; 1 for zeros."""
    largest = float(np.abs(array).max())
    return float(np.exp2(np.rint(np.log2(largest)))) if largest > 0.0 else 1.0


class _Run:
    """One call of :func:`solve`: the loop, its limits, and what it leaves behind."""

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        beta: float,
        method: str,
        *,
        tol: float,
        max_iter: int,
        time_limit: float | None,
        callback: Callback | None,
    ) -> None:
        self.X, self.y, self.beta, self.method = X, y, beta, method
        self.tol, self.max_iter, self.callback = tol, max_iter, callback
        self.deadline = Deadline(time_limit)
        self.loss: Loss = SquaredLoss()
        self.start = time.perf_counter()
        self.history: list[Progress] = []
        self.patterns: PatternSet | None = None
        self.oracle: CellOracle | None = None
        self.working_set: WorkingSet | None = None
        self._set_units()

    def _set_units(self) -> None:
        """Data of size 1 for the solvers, by powers of two, so without rounding.

        With X = a X', y = b y' and beta = a b beta' objective (2) of the neurons
        u sqrt(b / a), a_j sqrt(b / a) is b^2 times that of the scaled problem.
        """
        unit_X, unit_y = _power_of_two(self.X), _power_of_two(self.y)
        self.scaled_X, self.scaled_y = self.X / unit_X, self.y / unit_y
        self.scaled_beta = self.beta / unit_X / unit_y
        if not 1e-150 < self.scaled_beta < 1e150:
            raise InputError(
                f"beta = {self.beta:g} is out of all proportion to X and y, of size "
                f"{unit_X:g} and {unit_y:g}; rescale one of them."
            )
        self.objective_unit = unit_y**2
        self.weight_unit = float(np.sqrt(unit_y / unit_X))

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.start

    def execute(
        self, make_patterns: Callable[[], PatternSet], rng: np.random.Generator
    ) -> Solution:
        """Run to the end, a limit or an interrupt, and return the best there is."""
        try:
            self.patterns = make_patterns()
            self.oracle = CellOracle(self.scaled_X, self.patterns)
            self.working_set = WorkingSet(
                self.scaled_X,
                self.scaled_y,
                self.scaled_beta,
                self.patterns,
                self.oracle,
                self.loss,
                rng,
                self.deadline,
            )
            while (status := self._stop(self.working_set)) is None:
                self.working_set.step(self.tol)
                self._report(self.working_set)
            self.working_set.finish(self.tol, polish=status is not Status.TIME_LIMIT)
            return self._solution(status)
        except KeyboardInterrupt:
            return self._interrupted()

    def _interrupted(self) -> Solution:
        """The best network so far, without one more pricing: somebody is waiting."""
        if self.working_set is not None:
            try:
                self.working_set.finish(self.tol, polish=False)
            except KeyboardInterrupt:
                # A second Ctrl-C: the network stays as it is.
                return self._solution(Status.INTERRUPTED)
        return self._solution(Status.INTERRUPTED)

    def _stop(self, working_set: WorkingSet) -> Status | None:
        if working_set.gap <= self.tol:
            return Status.OPTIMAL_FOR_PATTERNS
        if len(self.history) >= self.max_iter:
            return Status.ITERATION_LIMIT
        if self.deadline.passed:
            return Status.TIME_LIMIT
        return Status.NUMERICAL_ERROR if working_set.stalled >= _PATIENCE else None

    def _report(self, working_set: WorkingSet) -> None:
        progress = Progress(
            iteration=len(self.history),
            elapsed=self.elapsed,
            objective=working_set.objective * self.objective_unit,
            dual_bound=working_set.bound * self.objective_unit,
            n_blocks=working_set.n_blocks,
            n_neurons=len(working_set.neurons.weights),
        )
        self.history.append(progress)
        if self.callback is not None:
            self.callback(progress)

    def _solution(self, status: Status) -> Solution:
        """Recompute everything from the weights of the network that is returned."""
        scaled, program_bound, bound = self._network_and_bounds(status)
        network = TwoLayerNetwork(
            np.asarray(scaled.hidden_weights) * self.weight_unit,
            np.asarray(scaled.output_weights) * self.weight_unit,
        )
        program_bound, bound = program_bound * self.objective_unit, bound * self.objective_unit
        objective = network.objective(self.X, self.y, self.beta, self.loss)
        if status is Status.OPTIMAL_FOR_PATTERNS:
            if relative_gap(objective, program_bound) > self.tol:
                status = Status.NUMERICAL_ERROR
            if relative_gap(objective, bound) <= self.tol:
                status = Status.OPTIMAL
        return Solution(
            network=network,
            objective=objective,
            dual_bound=bound,
            status=status,
            method=self.method,
            beta=self.beta,
            tol=self.tol,
            n_patterns=0 if self.patterns is None else len(self.patterns),
            program_gap=relative_gap(objective, program_bound),
            elapsed=self.elapsed,
            history=tuple(self.history),
        )

    def _network_and_bounds(self, status: Status) -> tuple[TwoLayerNetwork, float, float]:
        """In the units of the solvers: the best network, a bound over the program's
        cells, and one over all of space."""
        X, y, beta = self.scaled_X, self.scaled_y, self.scaled_beta
        if self.working_set is None or self.oracle is None:
            network = TwoLayerNetwork(np.zeros((0, X.shape[1])), np.zeros(0))
            certificate = certify_by_spectrum(network, X, y, beta, self.loss)
            return network, -np.inf, certificate.dual_bound
        network = self.working_set.network()
        bound, dual_point = self.working_set.bound, self.working_set.dual_point
        if status is Status.INTERRUPTED:
            if self.oracle.is_complete:
                return network, bound, bound
            largest = spectral_bound(X, dual_point)
            return network, bound, dual_bound(self.loss, y, dual_point, beta, largest)
        certificate = certify_over_cells(network, X, y, beta, self.loss, self.oracle)
        bound = max(bound, certificate.dual_bound)
        if self.oracle.is_complete:
            return network, bound, bound
        residual = -self.loss.gradient(network.forward(X), y)
        return network, bound, self._bound_over_space([dual_point, residual])

    def _bound_over_space(self, dual_points: list[FloatArray]) -> float:
        """A bound for all networks, from every pattern if they are few, else without any."""
        X, y, beta = self.scaled_X, self.scaled_y, self.scaled_beta
        oracle: CellOracle | None = None
        if count_patterns_bound(len(X), min(X.shape)) <= _SMALL_ARRANGEMENT:
            oracle = CellOracle(X, enumerate_patterns(X))
        bounds = []
        for v in dual_points:
            largest = spectral_bound(X, v) if oracle is None else oracle.price(v, beta).bound
            bounds.append(dual_bound(self.loss, y, v, beta, largest))
        return max(bounds)


def _warn_unless_successful(solution: Solution) -> None:
    if solution.status.is_success or solution.status is Status.INTERRUPTED:
        return
    from sklearn.exceptions import ConvergenceWarning

    advice = {
        Status.ITERATION_LIMIT: "raise max_iter",
        Status.TIME_LIMIT: "raise time_limit",
        Status.NUMERICAL_ERROR: "raise tol or beta, or scale the columns of X",
    }[solution.status]
    warnings.warn(
        f"{solution.status.value} The gap is {solution.program_gap:.1e}, tol is "
        f"{solution.tol:.1e}: {advice}.",
        ConvergenceWarning,
        stacklevel=3,
    )
