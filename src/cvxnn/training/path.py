"""The path of solutions over beta, each from the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.backends.namespaces import from_device
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss
from cvxnn.methods import METHODS, Method
from cvxnn.models.base import Choices, Model, as_model
from cvxnn.networks.base import Network
from cvxnn.problems import SMALLEST_BETA
from cvxnn.relaxation.memory import Memory
from cvxnn.results import Solution, Status
from cvxnn.training.solve import executed, prepare
from cvxnn.validation import (
    as_real_array,
    check_callback,
    check_count,
    check_finite,
    check_flag,
    check_optional_positive,
    check_random_state,
)

# Where a path ends, relative to where it starts.
_SMALLEST = 1e-3
_DEFAULT_LENGTH = 20


@dataclass(frozen=True)
class RegularizationPath:
    """Solutions for falling beta.

    Attributes
    ----------
    betas : ndarray, shape (k,)
        Falling.
    solutions : tuple of Solution
        One for each beta; shorter where Ctrl-C ended the path.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> path = regularization_path(X, y, 3)
    >>> path.n_neurons[0], bool((path.gaps <= 1e-6).all())
    (np.int64(0), True)
    """

    betas: FloatArray
    solutions: tuple[Solution[Any], ...] = field(repr=False)

    @property
    def objectives(self) -> FloatArray:
        """Objective of each solution, shape (k,)."""
        return np.array([solution.objective for solution in self.solutions])

    @property
    def dual_bounds(self) -> FloatArray:
        """Certified lower bounds, shape (k,)."""
        return np.array([solution.dual_bound for solution in self.solutions])

    @property
    def gaps(self) -> FloatArray:
        """Certified relative gaps, shape (k,)."""
        return np.array([solution.gap for solution in self.solutions])

    @property
    def n_neurons(self) -> IntArray:
        """Neurons of each network, shape (k,)."""
        return np.array([solution.n_neurons for solution in self.solutions], dtype=np.int64)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks."""
        return tuple(solution.network for solution in self.solutions)


def largest_beta(
    X: ArrayLike,
    y: ArrayLike,
    *,
    model: str | Model = "relu",
    loss: str | Loss = "squared",
    intercept: bool = False,
    sample_weight: ArrayLike | None = None,
    time_limit: float | None = None,
) -> float:
    """The beta from which on no network is better than one without neurons.

    Parameters
    ----------
    X : array-like
        As for :func:`cvxnn.solve`; with the column of ones, if there is to be a bias.
    y : array-like, shape (n,)
    model : str or Model
        As for :func:`cvxnn.solve`.
    loss : str or Loss
        As for :func:`cvxnn.solve`.
    intercept : bool, default False
        As for :func:`cvxnn.solve`.
    sample_weight : array-like, shape (n,), optional
    time_limit : float, optional
        Seconds for the exact oracle.

    Returns
    -------
    float
        ``max_{||u|| <= 1} |v'phi(u)|`` over what the rows make of a neuron, as ``(Xu)_+``,
        at ``v = -l'(f)`` for the network f without neurons: 0, the best intercept, or a
        free linear part alone. Up to 1e-6 for rows and patches, in closed form for gates
        that are given and for linear networks. An upper bound, from which on the same
        holds, where the exact oracle does not finish within some seconds' work or the time
        limit, where the rank is above 9, with max pooling, where gates are drawn, and
        where a loss has a kink at the predictions of that network in several rows.

    Raises
    ------
    InputError
        If an argument is not as described.

    Notes
    -----
    Source: seed paper, (8): at the zero network the dual point is minus the gradient.

    Examples
    --------
    >>> round(largest_beta([[1.0], [2.0]], [1.0, 1.0]), 6)
    3.0
    >>> round(largest_beta([[1.0], [2.0]], [1.0, 1.0], model="circular_conv"), 6)
    3.0
    """
    deadline, model = Deadline(check_optional_positive(time_limit, "time_limit")), as_model(model)
    intercept = check_flag(intercept, "intercept") or model.has_intercept
    X, y, sample_weight = from_device(X), from_device(y), from_device(sample_weight)
    problem = model.problem(X, y, 1.0, loss, sample_weight, intercept)
    if intercept and _are_equal(X, sample_weight):
        # Every neuron is a number, as the intercept is: oracles would give what rounding leaves.
        return 0.0
    # Any beta has the same dual point: the unit of beta is one that fits the data.
    unit = problem.rows.unit * problem.loss.unit(problem.Y)
    scaled, units = replace(problem, beta=unit).in_units(intercept=intercept)
    method = METHODS[model.capabilities.methods[0]]()
    choices = Choices(method, check_random_state(0), None)
    strategy = model.strategy_of(scaled, choices, np.shape(X)[1:], intercept=intercept)
    largest = strategy.sharp_proof(deadline).oracle_bound
    # What is left of zeros, row by row, is underflow: no beta that there may be.
    is_zero = largest <= 16.0 * len(scaled.Y) * SMALLEST_BETA
    return 0.0 if is_zero else largest * units.rows * units.targets


def _are_equal(X: ArrayLike, sample_weight: ArrayLike | None) -> bool:
    """Whether all samples that count are the same."""
    samples = np.asarray(X)
    if sample_weight is not None:
        samples = samples[np.asarray(sample_weight) > 0.0]
    return bool((samples == samples[:1]).all())


def regularization_path(
    X: ArrayLike,
    y: ArrayLike,
    betas: int | ArrayLike | None = None,
    *,
    model: str | Model = "relu",
    method: str | Method = "global",
    loss: str | Loss = "squared",
    intercept: bool = False,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-6,
    max_iter: int = 200,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    callback: Callable[[Solution[Any]], object] | None = None,
    device: str | None = None,
) -> RegularizationPath:
    """Train for a sequence of beta, each from the network before where that is possible.

    Parameters
    ----------
    X : array-like
        As for :func:`cvxnn.solve`; with the column of ones, if there is to be a bias.
    y : array-like, shape (n,)
    betas : int, array-like or None
        Values of beta, in any order; or how many, from :func:`largest_beta`, where a
        network without neurons is optimal, down to a thousandth of it. None is 20.
    model, method, loss, intercept
        As for :func:`cvxnn.solve`.
    sample_weight : array-like, shape (n,), optional
    tol, max_iter, random_state, device
        For each :func:`cvxnn.solve`.
    time_limit : float, optional
        Seconds for each :func:`cvxnn.solve`, and for the largest beta, an upper bound where they
        do not suffice.
    callback : callable, optional
        Called with every :class:`Solution`.

    Returns
    -------
    RegularizationPath
        After Ctrl-C it ends with the solution that was interrupted.

    Raises
    ------
    InputError
        If an argument is not as described.

    Notes
    -----
    The objective is (2), a sum over the rows: its optimum is a concave, increasing
    function of beta. A warm start saves most of the rounds; a bound by a relaxation goes on from
    the multipliers of the one before.

    Examples
    --------
    >>> X, y = [[1.0], [2.0]], [1.0, 1.0]
    >>> path = regularization_path(X, y, [3.0, 1.5])
    >>> [f"{value:.3f}" for value in path.objectives]
    ['1.000', '0.775']
    """
    model = as_model(model)
    check_callback(callback)
    problem: dict[str, Any] = {
        "model": model, "loss": loss, "intercept": intercept, "sample_weight": sample_weight,
    }  # fmt: skip
    each: dict[str, Any] = {
        "method": method, "tol": tol, "max_iter": max_iter, "time_limit": time_limit,
        "random_state": random_state, "device": device,
    }  # fmt: skip
    # What is wrong is said before the work on the largest beta.
    prepare(X, y, 1.0, **problem, **each)
    grid = beta_grid(betas, lambda: largest_beta(X, y, **problem, time_limit=time_limit))
    solutions: list[Solution[Any]] = []
    memory = Memory()
    for beta in grid:
        start = solutions[-1].network if solutions and model.capabilities.warm_start else None
        run = prepare(X, y, float(beta), warm_start=start, **problem, **each)
        run.memory = memory
        solution = executed(run)
        solutions.append(solution)
        if callback is not None:
            callback(solution)
        if solution.status is Status.INTERRUPTED:
            break
    return RegularizationPath(grid[: len(solutions)], tuple(solutions))


def beta_grid(
    betas: int | ArrayLike | None, largest: Callable[[], float], *, smallest: float = _SMALLEST
) -> FloatArray:
    """The values of beta, falling, shape (k,): given, or so many down from the largest."""
    if betas is None or isinstance(betas, int | np.integer):
        count = _DEFAULT_LENGTH if betas is None else check_count(betas, "betas")
        # Targets of zero have no scale: any beta gives the zero network.
        start = largest() or 1.0
        return np.geomspace(start, smallest * start, count) if count > 1 else np.array([start])
    grid = as_real_array(betas, "betas")
    if grid.ndim != 1 or len(grid) == 0:
        raise InputError("betas must be a number of values, or a sequence of them.")
    check_finite(grid, "betas")
    if grid.min() <= 0.0:
        raise InputError(f"betas must be above 0, got {grid.min():g}.")
    return np.sort(grid)[::-1].copy()
