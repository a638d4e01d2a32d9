"""The function :func:`solve`: arguments checked, one run, a warning where it fell short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import from_device, is_dask
from cvxnn.errors import warn_of_convergence
from cvxnn.losses import Loss
from cvxnn.methods import Method
from cvxnn.models.base import Model
from cvxnn.networks.base import Network
from cvxnn.results import Solution, Status, described
from cvxnn.training.arguments import Arguments
from cvxnn.training.run import Callback, Run
from cvxnn.verification.data import fingerprint_of


class Executable(Protocol):
    """A run that is ready to begin."""

    def execute(self) -> Solution[Any]:
        """Run to the end, a limit or an interrupt, and return the best there is."""


def solve(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
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
    warm_start: Network | None = None,
    callback: Callback | None = None,
    device: str | None = None,
) -> Solution[Any]:
    """Train a network to certified global optimality through its convex program.

    It takes rows of numbers, a target for each row, and one number `beta`, the price of the
    weights. It returns the best network that it finds, and a lower bound on the objective of
    every network of that kind, of any width. X is taken as it is: standardise the columns, and
    append a column of ones for the biases of neurons. For a first beta take 0.1, 0.03 or
    0.01 times :func:`largest_beta`. The estimators, as :class:`ConvexReLURegressorCV`, do all of
    this. The objective, over networks with any number of neurons::

        l( f(X), y ) + beta/2 sum_j (||u_j||^2 + ||a_j||^2),

    is a sum over the rows (not a mean). By default ``f(X) = sum_j (X u_j)_+ a_j`` and the loss is
    ``1/2 ||f(X) - y||^2``: then it is objective (2) of the paper by Y. Bian, "Convexifying Neural
    Networks", which docstrings call the seed paper. A bias is the weight of a column of ones in
    X, and is penalised like every other weight.

    Parameters
    ----------
    X : array-like
        Data in the shape that the model takes: rows of shape (n, d), images or signals for
        :class:`Conv`, patches for :class:`LinearConv`. Rows may be in an array or a data frame
        of dask, on a cluster or larger than the memory: see :doc:`/guide/clusters`.
    y : array-like, shape (n,), or (n, c) for c outputs
        Targets; labels -1 and 1 for the losses of labels. With several outputs neurons are
        shared, ``f(X) = sum_j (X u_j)_+ a_j'`` with vectors a_j; a loss of single outputs is
        summed over them.
    beta : float
        Regularisation, > 0. From :func:`largest_beta` on the best network has no neuron.
    model : str or Model
        The kind of network: :class:`ReLU` ("relu"), :class:`Gated` ("gated"), :class:`Conv`
        ("conv"), :class:`LinearConv` ("linear_conv"), :class:`CircularConv` ("circular_conv"),
        :class:`Polynomial` ("polynomial"), :class:`Quantized` ("quantized") or
        :class:`Parallel` ("parallel"). A string stands for the class with its defaults.
    method : {"global", "exact", "sampled", "frank_wolfe", "incremental"} or Method
        How the optimum is looked for: :class:`Global` generates neurons as they are needed,
        so that n may be large; :class:`Exact` finds the same optimum from the program on all
        patterns, which must fit into memory; :class:`Sampled` takes only the patterns of
        random directions, and is optimal for those. :class:`FrankWolfe` and
        :class:`Incremental` add one neuron a round, and are there to compare with.
    loss : str or Loss, default "squared"
        For numbers ``"squared"``; ``"huber"`` with ``delta=1``, give ``HuberLoss(delta)`` for
        another; ``"absolute"``; or ``"quantile"`` of the level 0.5, give ``QuantileLoss(level)``
        for another. For labels ``"logistic"``, ``"squared_hinge"`` or ``"hinge"``. And
        ``"softmax"`` is for classes: y has a column for each, with 1 for the class of a row
        and 0 elsewhere. ``"poisson"`` and ``"gamma"`` are half of a deviance, of counts y >= 0
        and of amounts y > 0: predictions are logarithms of what is expected, and an `intercept`
        is in order. Each is a sum over the rows.
    intercept : bool, default False
        Whether a number without a penalty is added to all predictions, one number for each
        output. It is trained with the network, and the bound is for networks with any such
        number. The weights of a column of ones in X are penalised.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0: a row of weight 2 counts like two
        equal rows, one of weight 0 not at all.
    tol : float, default 1e-6
        Relative gap to reach, ``(objective + objective_error - dual_bound) / objective``.
    max_iter : int, default 200
        Rounds of the search, whatever the model.
    time_limit : float, optional
        Seconds, without those in which kernels are compiled. By default there is no limit
        (:func:`certify` and the estimators have 60 s by default), and a run may take very long
        where X has many columns or is not standardised. Then set a limit, standardise the
        columns, and use `intercept` where y has a mean. Where the proof is that of a relaxation,
        a search leaves half of the limit for it. If the search ends earlier, the proof takes as
        long as the search, at least 2 s, and the rest of the limit is not used;
        ``method=Global(proof_time=30)`` gives the proof 30 s.
    random_state : int, numpy Generator or None, default 0
        Seed of the sampled patterns, of drawn gates and of the starts of a search. The
        optimum of a program does not depend on it.
    warm_start : Network, optional
        A network of the kind of the model, such as the optimum for another beta. ``"global"``
        starts from it where it searches among all directions. It saves time and does not
        change the optimum.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every round. The bounds of a relaxation
        come after the last round, with the number of that and the phase "proof".
    device : str, optional
        "cuda", "cuda:1" or another device of PyTorch, on which a search among plain ReLU neurons
        in rank 8 and beyond computes its sums over the rows. By default it is the CPU for arrays
        of numpy and what becomes one, and for tensors of PyTorch, CuPy and other libraries that
        follow the array API standard the device that they are on. It needs ``cvxnn[array-api]``;
        objective, bound and network are in double precision, of the CPU and arrays of numpy.

    Returns
    -------
    Solution
        Also when a limit is reached or Ctrl-C is pressed: then with the best network so
        far and its gap. Before the end of the first round that is a network from a few
        passes over the data.

    Raises
    ------
    InputError
        If an argument is not as described, or model, method and loss do not go together.
    TooManyPatternsError
        If ``"exact"`` would not fit into memory. It is raised before any work starts.

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
    its time does not depend much on n, but grows exponentially with the rank r. A few
    dozen distinct rows are certified at any rank, by fixing their signs.
    Where it cannot finish, the status is STATIONARY.

    Neurons that see few features, of ``ReLU(features=1)`` or groups, have an oracle for each group:
    their optimum is certified in any dimension, in O(n) a round for each feature.

    Several outputs are for plain and leaky ReLU, filters of these whose activations are summed
    or averaged, and :class:`Gated`. ReLU neurons are found by ascents on ``||V'(Xu)_+||``,
    moved together and brought to rest by Newton's method; the optimum is certified exactly in
    rank two, where a round costs O(n c), and by branch and bound up to rank 5 or so.

    Any other loss of one output is a sequence of weighted squares, which are squared losses on
    scaled rows (proximal Newton): some ten times the work. Absolute, quantile and hinge losses
    have kinks, which are smoothed over a width that falls until the gap is within tol: objective
    and bound are those of the loss itself (the bound by its own conjugate, on a box).

    A round of the others solves the program on a working set by a structured
    interior-point method, and prices every cell of the arrangement by conic
    projection; M cells of rank r cost O(M n r) per round, the master O(n^2 C r)
    for C blocks. What other kinds of networks cost stands with their models.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (2), (5),
    (11) and Theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import solve
    >>> X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    >>> solution = solve(X, [1.0, -1.0, 1.0, -1.0, 1.0], beta=1e-4)
    >>> solution.status.name, solution.n_neurons, f"{solution.objective:.8f}"
    ('OPTIMAL', 5, '0.00087694')
    >>> classes = np.eye(3)[[0, 0, 1, 1, 2]]
    >>> solution = solve(X, classes, beta=0.1, loss="softmax")
    >>> solution.status.name, solution.network(X).argmax(axis=1).tolist()
    ('OPTIMAL', [0, 0, 1, 1, 2])
    """
    run = prepare_anywhere(
        X, y, beta, model=model, method=method, loss=loss, intercept=intercept,
        sample_weight=sample_weight, tol=tol, max_iter=max_iter, time_limit=time_limit,
        random_state=random_state, warm_start=warm_start, callback=callback, device=device,
    )  # fmt: skip
    return executed(run)


def executed(run: Executable) -> Solution[Any]:
    """What a run comes to, with the warning of :func:`solve`."""
    solution = run.execute()
    # Estimators and certify have a parameter of this name, solve takes it with the method.
    where = " proof_time in method=Global(proof_time=...)"
    advice = solution.advice.replace(" proof_time", where, 1)
    solution = replace(solution, advice=advice)
    # Whoever presses Ctrl-C knows it.
    if solution.status is not Status.INTERRUPTED:
        warn_unless_successful(
            solution.status, solution.n_neurons, solution.program_gap, solution.tol, solution.advice
        )
    return solution


def solve_quietly(X: ArrayLike, y: ArrayLike, beta: float, **options: Any) -> Solution[Any]:
    """:func:`solve` without its warning, for callers that say themselves how the run ended."""
    return prepare_anywhere(X, y, beta, **options).execute()


def prepare_anywhere(X: Any, y: Any, beta: float, **options: Any) -> Executable:
    """The run for rows in this memory, or in dask."""
    if not (is_dask(X) or is_dask(y)):
        return prepare(X, y, beta, **options)
    # Imported where it is needed: few have rows on a cluster.
    from cvxnn.training.cluster_run import ClusterRun

    return ClusterRun.of(X, y, beta, **options)


def prepare(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    sample_weight: ArrayLike | None = None,
    warm_start: Network | None = None,
    device: str | None = None,
    **others: Any,
) -> Run:
    """Check the arguments of :func:`solve`, and make the run; its clock starts."""
    given = Arguments.of(**others)
    model, method, intercept = given.model, given.method, given.intercept
    place = Device.chosen(device, X)
    X, y, sample_weight = from_device(X), from_device(y), from_device(sample_weight)
    problem = model.problem(X, y, beta, given.loss, sample_weight, intercept)
    problem = replace(problem, device=place)
    method.check_problem(problem.loss, intercept=intercept)
    model.check_outputs(problem.n_outputs, method)
    shape = np.shape(X)[1:]
    if warm_start is not None:
        model.check_warm_start(warm_start, problem.rows, shape)
    return Run(
        model, shape, problem, method, given.random_state, warm_start,
        given.limits, intercept, fingerprint_of(X, y, sample_weight),
    )  # fmt: skip


def warn_unless_successful(
    status: Status,
    n_neurons: int,
    gap: float,
    tol: float,
    advice: str = "",
) -> None:
    """A ConvergenceWarning where a method did not do what it promises, with what to do.

    Parameters
    ----------
    status : Status
    n_neurons : int
        Of the best network.
    gap, tol : float
        The gap that there is, and the one to reach.
    advice : str
        What to do, where more is known of that than the status says.
    """
    if status.is_success:
        return
    usual = {
        Status.ITERATION_LIMIT: "raise max_iter",
        Status.TIME_LIMIT: "raise time_limit",
        Status.STATIONARY: "a larger beta narrows it",
        Status.NUMERICAL_ERROR: "raise tol or beta, or scale the data",
    }
    what = f"{advice[:1].lower()}{advice[1:].rstrip('.')}" or usual[status]
    warn_of_convergence(
        f"{described(status, n_neurons)} The gap is {gap:.1e}, tol is {tol:.1e}: {what}."
    )
