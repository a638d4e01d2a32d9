"""The path of solutions over beta, each from the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle.choice import Effort, oracle_for
from cvxnn.problems import Problem
from cvxnn.results import Solution, Status
from cvxnn.training import solve
from cvxnn.validation import check_count, check_data, check_finite, check_target

FloatArray = NDArray[np.float64]

# Where a path ends, relative to where it starts.
_SMALLEST = 1e-3
_DEFAULT_LENGTH = 20
# Accuracy of the start of a path, and the nodes times rows it may take: some seconds.
# A clock would give another path on another day.
_START_TOLERANCE, _START_WORK = 1e-6, 100_000_000
_MOST_START_NODES = 100_000


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
    def n_neurons(self) -> NDArray[np.int64]:
        """Neurons of each network, shape (k,)."""
        return np.array([solution.n_neurons for solution in self.solutions], dtype=np.int64)

    @property
    def networks(self) -> tuple[TwoLayerNetwork, ...]:
        """The networks."""
        return tuple(solution.network for solution in self.solutions)


def largest_beta(
    X: ArrayLike,
    y: ArrayLike,
    *,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
) -> float:
    """The beta from which on no network is better than none: ``M(-l'(0))``.

    Parameters
    ----------
    X : array-like, shape (n, d)
        With the column of ones, if there is to be a bias.
    y : array-like, shape (n,)
    loss : str or Loss
        As for :func:`cvxnn.solve`.
    sample_weight : array-like, shape (n,), optional

    Returns
    -------
    float
        ``max_{||u|| <= 1} |v'(Xu)_+|`` at ``v = -l'(0)``, up to 1e-6. Where the exact
        oracle does not finish within some seconds' work, or the rank is above 9, an
        upper bound: the zero network is optimal there, too.

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
    """
    problem = Problem.checked(Layer(check_data(X)), y, 1.0, loss, sample_weight)
    v = problem.residual(np.zeros_like(problem.y))
    nodes = min(_MOST_START_NODES, max(1, _START_WORK // len(problem.rows.rows)))
    oracle = oracle_for(problem.rows, Effort(max_nodes=nodes))
    return oracle.price(v[:, None], tol=_START_TOLERANCE).bound


def regularization_path(
    X: ArrayLike,
    y: ArrayLike,
    betas: int | ArrayLike | None = None,
    *,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    callback: Callable[[Solution[Any]], object] | None = None,
    **options: Any,
) -> RegularizationPath:
    """Train for a sequence of beta, each from the network before.

    Parameters
    ----------
    X : array-like, shape (n, d)
        With the column of ones, if there is to be a bias.
    y : array-like, shape (n,)
    betas : int, array-like or None
        Values of beta, in any order; or how many, from :func:`largest_beta`, where
        the zero network is optimal, down to a thousandth of it. None is 20.
    loss : str or Loss
        As for :func:`cvxnn.solve`.
    sample_weight : array-like, shape (n,), optional
    callback : callable, optional
        Called with every :class:`Solution`.
    **options
        For each :func:`cvxnn.solve`: `method`, `tol`, `max_iter`, `time_limit`,
        `certify`, `random_state`.

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
    function of beta. A warm start saves most of the rounds.

    Examples
    --------
    >>> X, y = [[1.0], [2.0]], [1.0, 1.0]
    >>> path = regularization_path(X, y, [3.0, 1.5])
    >>> [f"{value:.3f}" for value in path.objectives]
    ['1.000', '0.775']
    """
    data = check_data(X)
    target = check_target(y, len(data))
    grid = beta_grid(betas, lambda: largest_beta(X, y, loss=loss, sample_weight=sample_weight))
    solutions: list[Solution[Any]] = []
    for beta in grid:
        start = solutions[-1].network if solutions else None
        solution = solve(
            data, target, float(beta),
            loss=loss, sample_weight=sample_weight, warm_start=start, **options,
        )  # fmt: skip
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
    grid = np.asarray(betas, dtype=np.float64)
    if grid.ndim != 1 or len(grid) == 0:
        raise InputError("betas must be a number of values, or a sequence of them.")
    check_finite(grid, "betas")
    if grid.min() <= 0.0:
        raise InputError(f"betas must be above 0, got {grid.min():g}.")
    return np.sort(grid)[::-1].copy()
