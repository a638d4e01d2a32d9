"""Gated ReLU networks trained to a certified optimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.arguments import check_problem, check_settings, conclude
from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.architectures.gated_run import GatedRun
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.rounds import Callback
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.layers.gated import GatedRows
from cvxnn.losses import Loss
from cvxnn.solvers.columns.gate_strategy import GateDraws, GateStrategy
from cvxnn.training.solve import counted_outputs
from cvxnn.training.units import ScaledProblem
from cvxnn.validation import check_count, check_data, check_random_state

FloatArray = NDArray[np.float64]


def solve_gated(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    gates: ArrayLike | None = None,
    *,
    n_gates: int = 500,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    skip: str | None = None,
    tol: float = 1e-6,
    max_iter: int = 200,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> ArchitectureSolution[GatedNetwork]:
    """Train a gated ReLU network with fixed gates to a certified optimum.

    The objective, over networks ``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j`` with any
    number of neurons on the given gates, is

        l(f(X), y) + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean). It has the optimal value of the group lasso

        min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||

    over the patterns ``D_i`` of the gates, program (5) without its cones. With all
    patterns of X that is a lower bound on the optimum of ReLU networks.

    Parameters
    ----------
    X : array-like, shape (n, d)
    y : array-like, shape (n,)
        Targets; labels -1 and 1 for the losses of labels.
    beta : float
        Regularisation, > 0.
    gates : array-like, shape (G, d), optional
        Rows ``g_i``; of those with the same pattern on X the first is used. If None,
        directions of :func:`cvxnn.sample_patterns`.
    n_gates : int, default 500
        Directions drawn if `gates` is None.
    loss : {"squared", "huber", "logistic", "squared_hinge"} or Loss
        Default ``"squared"``: ``1/2 ||f - y||^2``.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0.
    skip : {"penalised"}, optional
        Adds the gate 0, which is always open: ``x'w`` at the price ``beta ||w||``.
    tol : float, default 1e-6
        Relative gap to reach, ``(objective + objective_error - dual_bound) / objective``.
    max_iter : int, default 200
        Newton steps.
    time_limit : float, optional
        Seconds; checked within every step, and while gates are drawn. Where it passes
        before they are, the network has one gate that fits the data, and its bound
        holds for all gates there can be.
    random_state : int, numpy Generator or None, default 0
        Source of the gates that are drawn.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every step.

    Returns
    -------
    ArchitectureSolution
        Its network is a :class:`GatedNetwork` with at most one neuron for each
        pattern, and at most n. Also when a limit is reached or Ctrl-C is pressed:
        the best so far.

    Raises
    ------
    InputError
        If an argument is not as described.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap asked for was not reached.

    Notes
    -----
    A primal-dual Newton method on the gates of a working set, into which gates come
    that violate ``||X'D_i v|| <= beta``; O(n^2 k d) a step for k gates in it, or
    O(n (k d)^2) where that is less, and O(n G d) to price all; d is n where rows are
    fewer. A small beta is reached by falling ones. The bound is that of
    ``v = -t grad l`` with t such that no gate violates it, rounding included.

    References
    ----------
    A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU
    Networks, ICML 2022, problem (C-GReLU).

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> solution = solve_gated(X, y, beta=1.0, gates=cvxnn.enumerate_patterns(X).directions)
    >>> print(solution.status.name, f"{solution.objective:.4f}")
    OPTIMAL 2.3848
    """
    data = check_data(X)
    target, beta, chosen = check_problem(y, len(data), beta, loss)
    settings = check_settings(tol, max_iter, time_limit, callback)
    directions, draws = _gates(data, gates, n_gates, random_state)
    if skip is not None:
        if skip != "penalised":
            raise InputError(f"skip must be None or 'penalised', got {skip!r}.")
        directions = np.vstack([directions, np.zeros(data.shape[1])])
    layer, target, chosen = counted_outputs(Layer(data), target, chosen, sample_weight)
    problem = ScaledProblem.of(layer, target, beta, chosen)
    rows = GatedRows.of(layer.rows, directions)
    rows = rows.in_units(rows.unit)
    strategy = GateStrategy(rows, problem.y, problem.beta, problem.loss, draws)
    run = GatedRun(problem, strategy, settings)
    status = run.execute()
    network = run.network
    evaluation = network.evaluate(layer.rows, target, beta, chosen, settings.tol)
    return conclude(run, status, network, evaluation, beta, settings.tol, strategy.n_patterns)


def _gates(
    X: FloatArray,
    gates: ArrayLike | None,
    n_gates: int,
    random_state: int | np.random.Generator | None,
) -> tuple[FloatArray, GateDraws | None]:
    """The gates given, or those to draw."""
    if gates is None:
        count = check_count(n_gates, "n_gates")
        return np.zeros((0, X.shape[1])), GateDraws(X, count, check_random_state(random_state))
    directions = check_data(gates, "gates")
    if directions.shape[1] != X.shape[1]:
        raise InputError(
            f"gates must have the {X.shape[1]} features of X, got {directions.shape[1]}."
        )
    return directions, None
