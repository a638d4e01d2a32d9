"""What the functions of this room share: checks of arguments, the solution, the warning."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.results import ArchitectureSolution, Network
from cvxnn.architectures.rounds import Callback, Rounds, Settings
from cvxnn.errors import InputError
from cvxnn.losses import Loss, as_loss
from cvxnn.results import Status
from cvxnn.validation import (
    check_callback,
    check_count,
    check_optional_positive,
    check_positive,
    check_target,
    check_tolerance,
)

FloatArray = NDArray[np.float64]


def check_settings(
    tol: float, max_iter: int, time_limit: float | None, callback: Callback | None
) -> Settings:
    """Settings of a run; InputError if one is not as described."""
    return Settings(
        check_tolerance(tol),
        check_count(max_iter, "max_iter"),
        check_optional_positive(time_limit, "time_limit"),
        check_callback(callback),
    )


def check_problem(
    y: ArrayLike, n: int, beta: float, loss: str | Loss
) -> tuple[FloatArray, float, Loss]:
    """Targets, beta and loss; InputError if they are not as described."""
    target, beta, chosen = check_target(y, n), check_positive(beta, "beta"), as_loss(loss)
    if chosen.has_labels and not np.isin(target, (-1.0, 1.0)).all():
        raise InputError("y must have the labels -1 and 1 only for this loss.")
    return target, beta, chosen


def conclude(
    run: Rounds, status: Status, network: Network, objective: float, beta: float, tol: float
) -> ArchitectureSolution[Network]:
    """The solution, with a warning where the gap asked for was not reached.

    To be called two functions below the caller's own line, which the warning names.
    """
    solution = ArchitectureSolution(
        network, objective, run.dual_bound, status, beta, tol, run.elapsed, run.n_iter
    )
    if status.is_success or status is Status.INTERRUPTED:
        return solution
    from sklearn.exceptions import ConvergenceWarning

    advice = {
        Status.ITERATION_LIMIT: "raise max_iter",
        Status.TIME_LIMIT: "raise time_limit",
        Status.NUMERICAL_ERROR: "raise tol or beta, or scale the columns of the data",
    }[status]
    warnings.warn(
        f"{status.value} The gap is {solution.gap:.1e}, tol is {tol:.1e}: {advice}.",
        ConvergenceWarning,
        stacklevel=4,
    )
    return solution
