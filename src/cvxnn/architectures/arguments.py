"""What the functions of this room share: checks of arguments, the solution, the warning."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.architectures.results import ArchitectureSolution, Network, warn_unless_successful
from cvxnn.architectures.rounds import Callback, Rounds, Settings
from cvxnn.errors import InputError
from cvxnn.evaluation import Evaluation
from cvxnn.losses import Loss, as_loss
from cvxnn.results import Status, checked_status, relative_gap
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
    run: Rounds,
    status: Status,
    network: Network,
    evaluation: Evaluation,
    beta: float,
    tol: float,
    n_patterns: int = 0,
) -> ArchitectureSolution[Network]:
    """The solution, with a warning where the gap asked for was not reached."""
    objective, error = evaluation.value, evaluation.error
    solution = ArchitectureSolution(
        network=network,
        objective=objective,
        dual_bound=run.dual_bound,
        status=checked_status(status, objective, run.dual_bound, run.dual_bound, tol, error),
        beta=beta,
        tol=tol,
        n_patterns=n_patterns,
        program_gap=relative_gap(objective, run.dual_bound, error),
        elapsed=run.elapsed,
        history=tuple(run.history),
        objective_error=error,
    )
    warn_unless_successful(solution)
    return solution
