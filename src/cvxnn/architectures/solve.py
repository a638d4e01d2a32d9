"""Linear convolutional networks trained to a certified optimum."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.arguments import check_problem, check_settings, conclude
from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.architectures.rounds import Callback, Settings
from cvxnn.architectures.run import Run
from cvxnn.layers.images import check_patches
from cvxnn.losses import Loss
from cvxnn.solvers.gauge.programs import CircularProgram, GaugeProgram, PatchProgram
from cvxnn.validation import check_data

FloatArray = NDArray[np.float64]
CNN = TypeVar("CNN", LinearCNN, CircularCNN)


def solve_linear_cnn(
    patches: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    loss: str | Loss = "squared",
    tol: float = 1e-6,
    max_iter: int = 200,
    time_limit: float | None = None,
    callback: Callback | None = None,
) -> ArchitectureSolution[LinearCNN]:
    """Train a linear CNN with output weights for every patch to a certified optimum.

    The objective, over networks ``f = sum_j sum_k X^(k) u_j w_jk`` with any number
    of filters, is

        l(f, y) + beta/2 sum_j (||u_j||^2 + ||w_j||^2),

    a sum over the rows (not a mean). It has the optimal value of program (20),

        min_Z l(sum_k X^(k) z_k, y) + beta ||Z||_*.

    Parameters
    ----------
    patches : array-like, shape (n, K, h)
        ``X^(k)`` is ``patches[:, k]``; see :func:`image_patches`.
    y : array-like, shape (n,)
        Targets; labels -1 and 1 for the losses of labels.
    beta : float
        Regularisation, > 0.
    loss : {"squared", "huber", "logistic", "squared_hinge"} or Loss
        Default ``"squared"``: ``1/2 ||f - y||^2``.
    tol : float, default 1e-6
        Relative gap to reach, ``(objective + objective_error - dual_bound) / objective``.
    max_iter : int, default 200
        Rounds of 60 proximal steps and at most 100 of Newton's method.
    time_limit : float, optional
        Seconds; checked after every step.
    callback : callable, optional
        Called with a :class:`cvxnn.Progress` after every round; blocks and neurons
        are filters here.

    Returns
    -------
    ArchitectureSolution
        Its network is a :class:`LinearCNN` of at most min(h, K) filters. Also
        when a limit is reached or Ctrl-C is pressed: the best so far.

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
    Accelerated proximal gradient with thresholded singular values finds the rank,
    Newton's method on filters and weights the digits; O(n K h) a step and
    O(K h min(K, h)) for its SVD. Where that does not suffice, beta falls step by
    step; fewer rows than coefficients and a beta of 1e-5 of the largest and less
    remain slow, except for the logistic loss. The bound is that of the dual point
    ``v = -t grad l`` with t such that ``||[X^(1)'v ... X^(K)'v]||_2 <= beta``, where
    the SVD is checked and not trusted. Filters are singular vectors times roots
    of singular values.

    References
    ----------
    Seed paper, section 3.2.3, program (20); M. Pilanci and T. Ergen, ICML 2020;
    T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> import numpy as np
    >>> patches = np.eye(4).reshape(4, 2, 2)
    >>> solution = solve_linear_cnn(patches, [3.0, 0.0, 0.0, 1.0], beta=1.0)
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.network.n_filters)
    OPTIMAL 3.0000 1
    """
    data = check_patches(patches)
    settings = check_settings(tol, max_iter, time_limit, callback)
    return _solve(PatchProgram(data), y, beta, loss, settings, LinearCNN, data)


def solve_circular_cnn(
    X: ArrayLike,
    y: ArrayLike,
    beta: float,
    *,
    loss: str | Loss = "squared",
    tol: float = 1e-6,
    max_iter: int = 200,
    time_limit: float | None = None,
    callback: Callback | None = None,
) -> ArchitectureSolution[CircularCNN]:
    """Train a circular linear CNN to a certified optimum; one filter suffices.

    The objective, over networks ``f = sum_j X C(u_j) w_j`` with circulant ``C(u)``
    and any number of filters, is

        l(f, y) + beta/2 sum_j (||u_j||^2 + ||w_j||^2),

    a sum over the rows. With the unitary DFT F it has the optimal value of

        min_z l(X F z, y) + beta / sqrt(d) ||z||_1

    over the spectra z of real vectors.

    Parameters
    ----------
    X : array-like, shape (n, d)
    y, beta, loss, tol, max_iter, time_limit, callback
        As for :func:`solve_linear_cnn`.

    Returns
    -------
    ArchitectureSolution
        Its network is a :class:`CircularCNN` of one filter, or none where 0 is
        optimal.

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
    The method is that of :func:`solve_linear_cnn`, with moduli of the spectrum in
    place of singular values: O(nd + d log d) a step. A dual point v is feasible
    where the Fourier coefficients of ``X'v`` have moduli of at most
    ``beta / sqrt(d)``, for the unitary DFT. The filter has the spectrum
    ``|z|^(1/2) / d^(1/4)``, the weights the same with the phases of z.

    References
    ----------
    T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> import numpy as np
    >>> solution = solve_circular_cnn(np.eye(2), [2.0, 0.0], beta=0.5)
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.network.n_filters)
    OPTIMAL 0.8750 1
    """
    data = check_data(X)
    settings = check_settings(tol, max_iter, time_limit, callback)
    return _solve(CircularProgram(data), y, beta, loss, settings, CircularCNN, data)


def _solve(
    program: GaugeProgram,
    y: ArrayLike,
    beta: float,
    loss: str | Loss,
    settings: Settings,
    kind: type[CNN],
    data: FloatArray,
) -> ArchitectureSolution[CNN]:
    """Check what both kinds share, run, and measure the network that comes out."""
    target, beta, chosen = check_problem(y, len(data), beta, loss)
    run = Run(program, target, beta, chosen, settings)
    status = run.execute()
    network = kind(*run.weights)
    evaluation = network.evaluate(data, target, beta, chosen, settings.tol)
    return conclude(run, status, network, evaluation, beta, settings.tol)
