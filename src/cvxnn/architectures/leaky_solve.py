"""Training of two-layer networks with leaky activations and a skip connection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.leaky import LeakyNetwork
from cvxnn.architectures.results import ArchitectureSolution, warn_unless_successful
from cvxnn.architectures.skip_driver import SkipRun
from cvxnn.clocks import clock
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.losses import Loss, SquaredLoss, WeightedLoss
from cvxnn.training.run import Callback
from cvxnn.training.solve import counted_outputs, execute, prepare_run
from cvxnn.validation import (
    check_data,
    check_number,
    check_optional_positive,
    check_positive,
    check_target,
    check_tolerance,
)

FloatArray = NDArray[np.float64]

SKIPS = ("penalised", "free")
# Rows up to which the n x n matrices of a skip connection fit into memory (200 MB each).
_MOST_ROWS = 5_000


def solve_leaky(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    slope: float = 0.01,
    *,
    skip: str | None = None,
    method: str = "global",
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    n_samples: int = 500,
    scheme: str = "data",
    tol: float = 1e-6,
    max_iter: int = 100,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    callback: Callback | None = None,
) -> ArchitectureSolution[LeakyNetwork]:
    """Train a two-layer network with leaky activations to a certified optimum.

    The objective, over networks ``f = sum_j s(X u_j) a_j + X w`` of any width with
    ``s(t) = t`` for t > 0 and else ``slope t``, is

        l(f, y) + beta/2 sum_j (||u_j||^2 + a_j^2) + beta ||w||,

    a sum over the rows (not a mean). The last term, with the linear skip connection,
    is there for ``skip="penalised"``: it is what weight decay makes of a linear neuron.
    With ``skip="free"`` w costs nothing. A bias is a column of ones in X.

    Parameters
    ----------
    X : array-like, shape (n, d)
    y : array-like, shape (n,)
        Targets; labels -1 and 1 for the losses of labels.
    beta : float
        Regularisation, > 0.
    slope : float, default 0.01
        Of the activation below zero, any number: 0 is ReLU, -1 the absolute value,
        1 linear.
    skip : {None, "penalised", "free"}
        ``"free"`` is for the squared loss; columns of X that depend on others up to
        rounding then have the weight 0 in w.
    method, loss, sample_weight, n_samples, scheme, tol, max_iter, time_limit,
    random_state, callback
        As for :func:`cvxnn.solve`. A penalised skip connection takes some ten searches
        one after the other, whose rounds are counted together.

    Returns
    -------
    ArchitectureSolution
        Its network is a :class:`LeakyNetwork`. Also when a limit is reached or Ctrl-C
        is pressed: the best so far.

    Raises
    ------
    InputError
        If an argument is not as described.
    TooManyPatternsError
        If ``method="exact"`` would not fit into memory.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap asked for was not reached.

    Notes
    -----
    A leaky activation is a difference of two ReLU, so the program is that of
    :func:`cvxnn.solve` on the same patterns, with ``D + slope (I - D)`` for D. The
    skip connection is a linear neuron: its w is a ridge regression inside the loss,
    whose strength Brent's method finds, O(n^2) more for each product with the
    activations and n^2 memory: n up to 5000.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (2) and (5).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.column_stack([np.linspace(-1.0, 1.0, 9), np.ones(9)])
    >>> solution = solve_leaky(X, np.abs(X[:, 0]), beta=1e-3, slope=-1.0)
    >>> print(solution.status.name, f"{solution.objective:.6f}")
    OPTIMAL 0.001000
    """
    start = clock()
    data, beta = check_data(X), check_positive(beta, "beta")
    target, slope = check_target(y, len(data)), check_number(slope, "slope")
    tol, time_limit = check_tolerance(tol), check_optional_positive(time_limit, "time_limit")
    if skip is not None and skip not in SKIPS:
        raise InputError(f"skip must be None, 'penalised' or 'free', got {skip!r}.")
    rows, target, chosen = counted_outputs(Layer(data), target, loss, sample_weight)
    inner = chosen.loss if isinstance(chosen, WeightedLoss) else chosen
    if skip == "free" and not isinstance(inner, SquaredLoss):
        raise InputError('skip="free" is for the squared loss; use skip="penalised".')
    if skip is not None and len(target) > _MOST_ROWS:
        raise InputError(
            f"skip takes matrices of n x n: X must have {_MOST_ROWS} rows at most, "
            f"got {len(target)}."
        )
    run = prepare_run(
        rows.with_slope(slope), target, beta, method,
        loss=chosen, n_samples=n_samples, scheme=scheme, tol=tol, max_iter=max_iter,
        time_limit=time_limit, random_state=random_state, callback=callback,
    )  # fmt: skip
    if skip is not None:
        run = SkipRun(run, rows.rows, skip == "free")
    found = execute(run)
    w, n_patterns = None, found.n_patterns
    if isinstance(run, SkipRun):
        w, n_patterns = run.linear, run.strategy.n_patterns
    network = LeakyNetwork(
        found.network.hidden_weights, found.network.output_weights,
        slope, w, skip_is_free=skip == "free",
    )  # fmt: skip
    solution = ArchitectureSolution(
        network=network,
        objective=found.objective,
        dual_bound=found.dual_bound,
        status=found.status,
        beta=beta,
        tol=tol,
        n_patterns=n_patterns,
        program_gap=found.program_gap,
        elapsed=clock() - start,
        history=found.history,
        objective_error=found.objective_error,
    )
    warn_unless_successful(solution)
    return solution
