"""The function :func:`solve`: arguments checked, one run, a warning where it fell short."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.blas import suitable_threads
from cvxnn.convergence import warn_of_convergence
from cvxnn.errors import InputError
from cvxnn.interrupts import deferred_interrupts, forget_interrupt
from cvxnn.layers import Layer, Rows
from cvxnn.losses import Loss, WeightedLoss, as_loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle.branch_and_bound import MAX_RANK
from cvxnn.patterns import PatternSet
from cvxnn.patterns.sampling import SCHEMES
from cvxnn.results import Solution, Status
from cvxnn.training.methods import METHODS, Method
from cvxnn.training.run import Callback, Run
from cvxnn.validation import (
    check_callback,
    check_choice,
    check_count,
    check_data,
    check_optional_positive,
    check_positive,
    check_random_state,
    check_target,
    check_tolerance,
    check_weights,
)

FloatArray = NDArray[np.float64]
R = TypeVar("R", bound=Rows)


def solve(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    method: str = "global",
    *,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    patterns: PatternSet | None = None,
    n_samples: int = 500,
    scheme: str = "data",
    tol: float = 1e-6,
    max_iter: int = 100,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    warm_start: TwoLayerNetwork | None = None,
    certify: bool = True,
    callback: Callback | None = None,
) -> Solution:
    """Train a two-layer ReLU network through the convex program (5).

    Minimises objective (2),

        1/2 ||sum_j (X u_j)_+ a_j - y||^2 + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the rows (not a mean), over networks of any width; or the same with
    another convex loss in place of the square. A bias is a column of ones in X,
    penalised like every other weight.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Data.
    y : array-like, shape (n,)
        Targets.
    beta : float
        Regularisation, > 0.
    method : {"global", "exact", "sampled"}
        ``"global"``: a global optimum of (2) with a certificate; neurons are
        generated as they are needed, so that n may be large. ``"exact"``: the
        same optimum from the program on all patterns of X, which must fit into
        memory. ``"sampled"``: only the patterns of random directions; optimal
        for those.
    loss : {"squared", "huber", "logistic", "squared_hinge"} or Loss, default "squared"
        ``"huber"`` has ``delta=1``; give ``HuberLoss(delta)`` for another. The last
        two are for labels, y of -1 and 1. Each is a sum over the rows.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0: a row of weight 2 counts like two
        equal rows, one of weight 0 not at all.
    patterns : PatternSet, optional
        For ``"exact"`` and ``"sampled"``: patterns to use instead of
        enumerating or sampling them.
    n_samples : int, default 500
        Directions drawn by ``"sampled"``.
    scheme : {"data", "gaussian"}
        How they are drawn, see :func:`cvxnn.sample_patterns`.
    tol : float, default 1e-6
        Relative gap to reach, ``(objective + objective_error - dual_bound) / objective``.
    max_iter : int, default 100
        Rounds of the method.
    time_limit : float, optional
        Seconds, without those in which kernels are compiled; every step of more than a
        fraction of a second looks at them. ``"global"`` keeps some of them for the
        certificate.
    random_state : int, numpy Generator or None, default 0
        Source of the sampled patterns and of the starts of a search. The optimum
        does not depend on it.
    warm_start : TwoLayerNetwork, optional
        A network from which ``"global"`` starts on data of rank 3 and more, such as
        the optimum for another beta. It saves time and does not change the optimum.
    certify : bool, default True
        False spares ``"global"`` the exact oracle, as long as it would have to
        search: the end is STATIONARY then, with the bound that is known anyway.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every round.

    Returns
    -------
    Solution
        Also when a limit is reached or Ctrl-C is pressed: the best network so
        far, with the gap it has. Before the first round has ended that is one that a
        few passes over the data make.

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
    ``"global"`` follows what the data allow. For rank 2 (one feature and a
    bias) a round costs O(n). With few patterns it is ``"exact"``. Otherwise k
    neurons are proposed by ascent, weighed by a non-negative Lasso and moved by
    Newton's method, O(n k r) a round, and branch and bound certifies the end:
    its time does not depend much on n, but grows exponentially with the rank r.
    Where it cannot finish, the status is STATIONARY.

    Any other loss is a sequence of weighted squares, which are squared losses on
    scaled rows (proximal Newton): some ten times the work.

    A round of the others solves the program on a working set by a structured
    interior-point method, and prices every cell of the arrangement by conic
    projection; M cells of rank r cost O(M n r) per round, the master O(n^2 C r)
    for C blocks.

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
    return solve_layer(
        Layer(check_data(X)), y, beta, method,
        loss=loss, sample_weight=sample_weight, patterns=patterns, n_samples=n_samples,
        scheme=scheme, tol=tol, max_iter=max_iter, time_limit=time_limit,
        random_state=random_state, warm_start=warm_start, certify=certify, callback=callback,
    )  # fmt: skip


def solve_quietly(
    X: ArrayLike, y: ArrayLike, beta: float, method: str = "global", **options: Any
) -> Solution:
    """:func:`solve` without its warning, for callers that say themselves how the run ended."""
    return execute(prepare_run(Layer(check_data(X)), y, beta, method, **options))


def solve_layer(
    layer: Layer, y: ArrayLike, beta: float, method: str = "global", **options: Any
) -> Solution:
    """Train a network whose activations are read together, such as filters over patches.

    Minimises, over neurons of any number,

        l( sum_j R (M u_j)_+ a_j , y ) + beta/2 sum_j (||u_j||^2 + a_j^2),

    a sum over the n predictions (not a mean).

    Parameters
    ----------
    layer : Layer
        Rows M of shape (N, d), which must be finite, and readout R of shape (n, N).
    y : array-like, shape (n,)
    beta, method
    **options
        As for :func:`solve`; patterns are those of the rows M, weights those of the
        predictions.

    Returns
    -------
    Solution
        Its network has the ``u_j`` and ``a_j``; predictions are ``layer.forward`` of them.

    Raises
    ------
    InputError, TooManyPatternsError
        As :func:`solve`.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If the gap asked for was not reached.

    Notes
    -----
    A dual point v of the predictions is ``R'v`` for the rows, so the oracle is that of
    :func:`solve` on N rows.

    Examples
    --------
    >>> import numpy as np
    >>> modulus = Layer(np.array([[1.0], [2.0]])).with_slope(-1.0)
    >>> solution = solve_layer(modulus, [1.0, 2.0], beta=1.0)
    >>> solution.status.name, f"{solution.objective:.4f}"
    ('OPTIMAL', '0.9000')
    """
    run = prepare_run(layer, y, beta, method, **options)
    solution = execute(run)
    _warn_unless_successful(solution, run.rank)
    return solution


def prepare_run(
    layer: Rows,
    y: ArrayLike,
    beta: float,
    method: str = "global",
    *,
    loss: str | Loss = "squared",
    sample_weight: ArrayLike | None = None,
    patterns: PatternSet | None = None,
    n_samples: int = 500,
    scheme: str = "data",
    tol: float = 1e-6,
    max_iter: int = 100,
    time_limit: float | None = None,
    random_state: int | np.random.Generator | None = 0,
    warm_start: TwoLayerNetwork | None = None,
    certify: bool = True,
    callback: Callback | None = None,
) -> Run:
    """Check the arguments of :func:`solve_layer`, and make the run; its clock starts."""
    y = check_target(y, layer.n_outputs)
    layer, y, chosen_loss = counted_outputs(layer, y, loss, sample_weight)
    chosen = Method(
        name=check_choice(method, "method", METHODS),
        patterns=patterns,
        n_samples=check_count(n_samples, "n_samples"),
        scheme=check_choice(scheme, "scheme", SCHEMES),
        random_state=check_random_state(random_state),
        warm_start=_check_warm_start(warm_start, layer),
        certifies=bool(certify),
    )
    if patterns is not None:
        _check_patterns(patterns, layer.rows, method)
    return Run(
        layer,
        y,
        check_positive(beta, "beta"),
        chosen,
        chosen_loss,
        tol=check_tolerance(tol),
        max_iter=check_count(max_iter, "max_iter"),
        time_limit=check_optional_positive(time_limit, "time_limit"),
        callback=check_callback(callback),
    )


def execute(run: Run) -> Solution:
    """The solution of a run, with Ctrl-C and the threads of the BLAS under control."""
    with deferred_interrupts():
        solution = execute_as_part(run)
        forget_interrupt()
    return solution


def execute_as_part(run: Run) -> Solution:
    """The same for a part of a longer training, which defers Ctrl-C itself."""
    with suitable_threads(run.layer.n_outputs):
        return run.execute()


def counted_outputs(
    layer: R, y: FloatArray, loss: str | Loss, sample_weight: ArrayLike | None
) -> tuple[R, FloatArray, Loss]:
    """The predictions of weight above 0, and the loss on them; InputError for other labels."""
    chosen = as_loss(loss)
    if chosen.has_labels and not np.isin(y, (-1.0, 1.0)).all():
        raise InputError("y must have the labels -1 and 1 only for this loss.")
    if sample_weight is None:
        return layer, y, chosen
    weights = check_weights(sample_weight, len(y))
    counted = np.flatnonzero(weights > 0.0)
    layer, y, weights = layer.take(counted), y[counted], weights[counted]
    if (weights == 1.0).all():
        return layer, y, chosen
    return layer, y, WeightedLoss(chosen, weights)


def _check_warm_start(network: object, layer: Rows) -> TwoLayerNetwork | None:
    if network is None:
        return None
    if not isinstance(network, TwoLayerNetwork):
        raise InputError(
            f"warm_start must be a TwoLayerNetwork or None, got {type(network).__name__}."
        )
    if network.n_features != layer.n_features:
        raise InputError(
            f"warm_start must have the {layer.n_features} features of X, got {network.n_features}."
        )
    return network


def _check_patterns(patterns: PatternSet, X: FloatArray, method: str) -> None:
    if method == "global":
        raise InputError('patterns are for method="exact" and "sampled"; "global" needs none.')
    if not isinstance(patterns, PatternSet):
        raise InputError(f"patterns must be a PatternSet or None, got {type(patterns).__name__}.")
    if len(patterns) == 0:
        raise InputError("patterns is empty; it needs one pattern at least.")
    if not patterns.belongs_to(X):
        raise InputError("patterns do not belong to X: their directions give other masks on it.")


def _advise_on_proof(rank: int) -> str:
    projected = "fewer or projected features"
    if rank > MAX_RANK:
        return f"a proof takes a rank of X of {MAX_RANK} at most (now {rank}): {projected}"
    return (
        "a proof takes more time (a larger time_limit) or a smaller rank of X "
        f"(now {rank}): {projected}"
    )


def _warn_unless_successful(solution: Solution, rank: int) -> None:
    if solution.status.is_success or solution.status is Status.INTERRUPTED:
        return
    advice = {
        Status.ITERATION_LIMIT: "raise max_iter",
        Status.TIME_LIMIT: "raise time_limit",
        Status.STATIONARY: _advise_on_proof(rank),
        Status.NUMERICAL_ERROR: "raise tol or beta, or scale the columns of X",
    }[solution.status]
    warn_of_convergence(
        f"{solution.message} The gap is {solution.program_gap:.1e}, tol is "
        f"{solution.tol:.1e}: {advice}."
    )
