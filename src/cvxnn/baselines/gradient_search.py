"""Training by gradient methods from random initial weights: :func:`local_search`."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.baselines.trials import Trials, curvature, import_torch
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import (
    check_callback,
    check_choice,
    check_count,
    check_data,
    check_optional_positive,
    check_positive,
    check_random_state,
    check_target,
)

Callback = Callable[[float], object]

OPTIMIZERS = ("sgd", "adam", "lbfgs")

# Default step sizes: SGD in units of 1 / curvature, the others absolute. A quadratic allows
# 2 (1 + momentum) units; half a unit leaves room for the curvature to grow on the way.
_SGD_SHARE, _STEP_SIZES = 0.5, {"adam": 1e-3, "lbfgs": 1.0}


@dataclass(frozen=True, eq=False)
class LocalSearch:
    """What T trials of a gradient method found, each from random weights of its own.

    All losses are objective (2), ``1/2 ||f(X) - y||^2 + beta/2 sum_j (||u_j||^2
    + a_j^2)``, a sum over the rows.

    Attributes
    ----------
    optimizer : str
        ``"sgd"``, ``"adam"`` or ``"lbfgs"``.
    width : int
        Neurons m of every network.
    beta, step_size, momentum : float
        What the run used; `momentum` only where `optimizer` is ``"sgd"``.
    iterations : ndarray of int, shape (K,)
        The iterations that were recorded: 0 first, the last one last.
    losses : ndarray, shape (T, K)
        Objective at these iterations; ``inf`` from where a trial diverged.
    seconds : ndarray, shape (T, K)
        Time since the start of the trial. Trials of SGD and Adam run side by
        side, so their times are the same.
    networks : tuple of TwoLayerNetwork
        The last network of every trial; of one that diverged, the last that was
        recorded with a finite objective.
    objectives : ndarray, shape (T,)
        Objective of `networks`, recomputed by :meth:`cvxnn.TwoLayerNetwork.objective`.
    monitored : ndarray, shape (T, K, p), optional
        ``f(X_monitor)`` at the recorded iterations, NaN from where a trial
        diverged; None without `X_monitor`.
    elapsed : float
        Seconds of all trials together.

    Examples
    --------
    >>> import numpy as np
    >>> search = local_search([[1.0], [2.0]], [1.0, 2.0], 1.0, width=2, iterations=500, n_trials=3)
    >>> search
    LocalSearch(optimizer='sgd', width=2, n_trials=3, n_diverged=0)
    >>> print(f"{search.best.objective([[1.0], [2.0]], [1.0, 2.0], 1.0):.4f}")
    0.9000
    """

    optimizer: str
    width: int
    beta: float
    step_size: float
    momentum: float
    iterations: IntArray
    losses: FloatArray
    seconds: FloatArray
    networks: tuple[TwoLayerNetwork, ...]
    objectives: FloatArray
    monitored: FloatArray | None = field(repr=False)
    elapsed: float

    @property
    def n_trials(self) -> int:
        """Trials T."""
        return len(self.networks)

    @property
    def n_diverged(self) -> int:
        """Trials whose objective left the range of float64."""
        return int(np.count_nonzero(np.isinf(self.losses[:, -1])))

    @property
    def best(self) -> TwoLayerNetwork:
        """The network of the smallest objective."""
        return self.networks[int(np.argmin(self.objectives))]

    def __repr__(self) -> str:
        return (
            f"LocalSearch(optimizer={self.optimizer!r}, width={self.width}, "
            f"n_trials={self.n_trials}, n_diverged={self.n_diverged})"
        )


def local_search(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    width: int,
    optimizer: str = "sgd",
    step_size: float | None = None,
    momentum: float = 0.9,
    iterations: int = 30_000,
    n_trials: int = 10,
    random_state: int | np.random.Generator | None = 0,
    n_records: int = 200,
    X_monitor: ArrayLike | None = None,
    callback: Callback | None = None,
) -> LocalSearch:
    """Minimise (2) over the weights by a gradient method, from several random starts.

    The objective is (2) of the seed paper at a fixed width m::

        1/2 ||f(X) - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean). It is not convex, and nothing says how far
    from the optimum a trial ends: see :func:`cvxnn.certify`. Gradients are those
    of all rows at once.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Append a column of ones for biases; no others are added.
    y : array-like of shape (n,)
    beta : float
        Positive.
    width : int
        Neurons m of every network.
    optimizer : {"sgd", "adam", "lbfgs"}
        Gradient descent with momentum, Adam, or L-BFGS with a strong Wolfe
        line search; each as in ``torch.optim``.
    step_size : float, optional
        If None: for SGD ``1 / (2L)``, with L the largest eigenvalue of the
        Gauss-Newton matrix ``J J'`` of f(X) over the initial networks, so that
        features twice as large make for a step a quarter as long; 1e-3 for
        Adam; 1 for L-BFGS, the first trial step of its line search. It is
        safe and not tuned: on other data a trial may still diverge, or a
        larger step end lower.
    momentum : float
        At least 0 and below 1; read by SGD only.
    iterations : int
        Steps of every trial. L-BFGS ends earlier where rounding leaves no
        progress; its last record is then repeated.
    n_trials : int
        Trials T.
    random_state : None, int or Generator
        Fixes all initial weights, and with them the result on one machine and
        number of threads; elsewhere rounding may differ, which thousands of
        iterations amplify. The weights are drawn as ``torch.nn.Linear`` draws
        them: uniformly between ``-1/sqrt(k)`` and ``1/sqrt(k)``, with k = d for
        the hidden and k = m for the output weights. Trial t starts from the
        same weights whatever `n_trials` is.
    n_records : int
        Iterations to record, evenly spaced with both ends; at least 2.
    X_monitor : array-like of shape (p, d), optional
        Rows at which the networks are evaluated at every record.
    callback : callable, optional
        Called at every record with the fraction of the work that is done.

    Returns
    -------
    LocalSearch
        Also where trials diverged: their losses are infinite from there on.

    Raises
    ------
    InputError
        If an argument is not as described, or PyTorch is not installed.

    Notes
    -----
    O(T n m d) for each iteration of SGD and Adam, whose T trials are one batch,
    and O(T n m) memory.

    References
    ----------
    Seed paper, section 4: ten trials of SGD against the convex program.

    Examples
    --------
    >>> X, y = [[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 0.0, 1.0]
    >>> search = local_search(X, y, beta=0.1, width=8, optimizer="lbfgs", iterations=200)
    >>> search.losses.shape, search.iterations[-1]
    ((10, 200), np.int64(200))
    >>> bool((search.losses[:, -1] < search.losses[:, 0]).all())
    True
    """
    data = check_data(X)
    target, beta = check_target(y, len(data)), check_positive(beta, "beta")
    optimizer = check_choice(optimizer, "optimizer", OPTIMIZERS)
    step_size = check_optional_positive(step_size, "step_size")
    momentum = _check_momentum(momentum)
    marks = _marks(
        check_count(iterations, "iterations"), check_count(n_records, "n_records", minimum=2)
    )
    monitor = None if X_monitor is None else _check_monitor(X_monitor, data.shape[1])
    starts = _initial_networks(
        check_count(n_trials, "n_trials"),
        check_count(width, "width"),
        data.shape[1],
        check_random_state(random_state),
    )
    trials = Trials(data, target, beta, starts, marks, monitor, check_callback(callback))
    import_torch()
    start = time.perf_counter()
    if step_size is None:
        step_size = _default_step_size(optimizer, data, starts)
    trials.run(optimizer, step_size, momentum)
    return LocalSearch(
        optimizer=optimizer,
        width=int(width),
        beta=beta,
        step_size=step_size,
        momentum=momentum,
        iterations=marks,
        losses=trials.losses,
        seconds=trials.seconds,
        networks=tuple(trials.networks),
        objectives=np.array([net.objective(data, target, beta) for net in trials.networks]),
        monitored=trials.monitored,
        elapsed=time.perf_counter() - start,
    )


def _default_step_size(optimizer: str, X: FloatArray, starts: list[TwoLayerNetwork]) -> float:
    if optimizer in _STEP_SIZES:
        return _STEP_SIZES[optimizer]
    largest = max(curvature(X, network) for network in starts)
    # No curvature: no neuron is active, and only the penalty moves the weights.
    return _SGD_SHARE / largest if largest > 0.0 else _SGD_SHARE


def _initial_networks(
    n_trials: int, width: int, n_features: int, rng: np.random.Generator
) -> list[TwoLayerNetwork]:
    hidden, output = n_features**-0.5, width**-0.5
    return [
        TwoLayerNetwork(
            rng.uniform(-hidden, hidden, (width, n_features)), rng.uniform(-output, output, width)
        )
        for _ in range(n_trials)
    ]


def _marks(iterations: int, n_records: int) -> IntArray:
    """The iterations to record: 0, the last, and evenly spaced ones between."""
    return np.unique(np.linspace(0, iterations, n_records).round().astype(np.int64))


def _check_momentum(momentum: object) -> float:
    if isinstance(momentum, numbers.Real) and 0.0 <= float(momentum) < 1.0:
        return float(momentum)
    raise InputError(f"momentum must be a number of at least 0 and below 1, got {momentum!r}.")


def _check_monitor(X_monitor: ArrayLike, n_features: int) -> FloatArray:
    rows = check_data(X_monitor, "X_monitor")
    if rows.shape[1] != n_features:
        raise InputError(f"X_monitor must have the {n_features} columns of X, got {rows.shape[1]}.")
    return rows
