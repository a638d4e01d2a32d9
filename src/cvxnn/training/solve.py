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

    It takes rows of numbers, a target for each, and one number `beta`, what the network pays for
    its weights; it returns the best network that it finds, with a lower bound that no network of
    that kind, of any width, is below. X is taken as it is: standardise columns in units of their
    own, and append a column of ones for the biases of neurons. For a first beta take 0.1, 0.03 or
    0.01 times :func:`largest_beta`. The estimators, as :class:`ConvexReLURegressorCV`, do all of
    this. What is minimised, over networks with any number of neurons::

        l( f(X), y ) + beta/2 sum_j (||u_j||^2 + ||a_j||^2),

    is a sum over the rows (not a mean). By default ``f(X) = sum_j (X u_j)_+ a_j`` and the loss is
    ``1/2 ||f(X) - y||^2``, objective (2) of the seed paper. A bias is a column of ones in X,
    penalised like every other weight.

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
        Regularisation, > 0; :func:`largest_beta` says from which one on no neuron is left.
    model : str or Model
        The kind of network: :class:`ReLU` ("relu"), :class:`Gated`, :class:`Conv`,
        :class:`LinearConv`, :class:`CircularConv`, :class:`Polynomial`, :class:`Quantized` or
        :class:`Parallel`; a string, as "linear_conv", is the one with its defaults.
    method : {"global", "exact", "sampled", "frank_wolfe", "incremental"} or Method
        How the optimum is looked for: :class:`Global` generates neurons as they are needed,
        so that n may be large; :class:`Exact` has the same optimum from the program on all
        patterns, which must fit into memory; :class:`Sampled` has only the patterns of
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
        Whether a number is added to every prediction that costs nothing, one for each output:
        then the objective is that of the best one, and the bound that over all of them. The
        bias of a column of ones in X is penalised.
    sample_weight : array-like, shape (n,), optional
        Weights of the rows in the loss, >= 0: a row of weight 2 counts like two
        equal rows, one of weight 0 not at all.
    tol : float, default 1e-6
        Relative gap to reach, ``(objective + objective_error - dual_bound) / objective``.
    max_iter : int, default 200
        Rounds of the search, whatever the model.
    time_limit : float, optional
        Seconds, without those in which kernels are compiled; every step of more than a
        fraction of a second looks at them. A search that has to prove its end keeps
        some of them for that.
    random_state : int, numpy Generator or None, default 0
        Source of sampled patterns, of drawn gates and of the starts of a search. The
        optimum of a program does not depend on it.
    warm_start : Network, optional
        A network of the kind of the model, from which ``"global"`` starts where it searches
        among all directions, such as the optimum for another beta. It saves time and does
        not change the optimum.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every round, and for each bound of a
        relaxation that comes after the last one, with its number and the phase "proof".
    device : str, optional
        "cuda", "cuda:1" or another device of PyTorch, on which a search among plain ReLU neurons
        in rank 8 and beyond computes its sums over the rows. By default it is the CPU for arrays
        of numpy and what becomes one, and for tensors of PyTorch, CuPy and other libraries that
        follow the array API standard the device that they are on. It needs ``cvxnn[array-api]``;
        objective, bound and network are in double precision, of the CPU and arrays of numpy.

    Returns
    -------
    Solution
        Also when a limit is reached or Ctrl-C is pressed: the best network so
        far, with the gap it has. Before the first round has ended that is one that a
        few passes over the data make.

    Raises
    ------
    InputError
        If an argument is not as described, or model, method and loss do not go together.
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
