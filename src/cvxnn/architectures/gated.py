"""Gated ReLU networks trained to a certified optimum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.arguments import check_problem, check_settings, conclude
from cvxnn.architectures.gated_networks import GatedNetwork, open_gates
from cvxnn.architectures.gated_run import GatedRun
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.rounds import Callback, Settings
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.patterns import sample_patterns
from cvxnn.training.solve import counted_outputs
from cvxnn.validation import check_count, check_data

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


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
        Seconds; checked before every step.
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
    directions = _gates(data, gates, n_gates, random_state)
    if skip is not None:
        if skip != "penalised":
            raise InputError(f"skip must be None or 'penalised', got {skip!r}.")
        directions = np.vstack([directions, np.zeros(data.shape[1])])
    layer, target, chosen = counted_outputs(Layer(data), target, chosen, sample_weight)
    return _train(layer.rows, target, beta, chosen, directions, settings)


def _train(
    X: FloatArray,
    y: FloatArray,
    beta: float,
    loss: Loss,
    directions: FloatArray,
    settings: Settings,
) -> ArchitectureSolution[GatedNetwork]:
    directions, masks = _distinct(X, directions)
    run = GatedRun(X, y, masks, beta, loss, settings)
    status = run.execute()
    roots = np.sqrt(np.linalg.norm(run.blocks, axis=1))
    network = GatedNetwork(directions[run.gates], run.blocks / roots[:, None], roots)
    evaluation = network.evaluate(X, y, beta, loss, settings.tol)
    return conclude(run, status, network, evaluation, beta, settings.tol, run.n_patterns)


def _gates(
    X: FloatArray,
    gates: ArrayLike | None,
    n_gates: int,
    random_state: int | np.random.Generator | None,
) -> FloatArray:
    """The gates given, or directions drawn."""
    if gates is None:
        return sample_patterns(X, check_count(n_gates, "n_gates"), random_state).directions
    directions = check_data(gates, "gates")
    if directions.shape[1] != X.shape[1]:
        raise InputError(
            f"gates must have the {X.shape[1]} features of X, got {directions.shape[1]}."
        )
    return directions


def _distinct(X: FloatArray, directions: FloatArray) -> tuple[FloatArray, BoolArray]:
    """The first gate of each pattern, and the patterns, shape (G, n)."""
    masks = np.ascontiguousarray(open_gates(X, directions).T)
    # The gate 0 counts as a pattern of its own: it is open on other rows, too.
    kinds = np.column_stack([~directions.any(axis=1), masks])
    _, first = np.unique(np.packbits(kinds, axis=1), axis=0, return_index=True)
    first.sort()
    return directions[first], masks[first]
