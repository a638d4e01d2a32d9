"""How a run ended, and the gap that is left."""

from __future__ import annotations

from enum import Enum
from typing import Any


def by_name(member: Enum, proto: object) -> tuple[Any, ...]:
    """How a member is pickled: by value, no stored model would outlive a reworded sentence."""
    return getattr, (type(member), member.name)


class Status(Enum):
    """How a run ended, the best end first; each value is the sentence a user reads.

    Examples
    --------
    >>> import cvxnn
    >>> from cvxnn import Status
    >>> X, y = cvxnn.load_ring()
    >>> solution = cvxnn.solve(X, y, beta=1.0)
    >>> solution.status is Status.OPTIMAL, solution.status.is_success
    (True, True)
    >>> Status.TIME_LIMIT.value
    'time_limit was reached; the best network so far is returned with the gap it has.'
    """

    OPTIMAL = (
        "The certified gap is within tol: "
        "no network of its kind, of any width, does better by more."
    )
    OPTIMAL_FOR_PATTERNS = (
        "The program restricted to the given patterns is solved to tol; "
        "the global gap is the one reported and may be large."
    )
    STATIONARY = (
        "The search ended where it gained little or nothing more, without a proof that no network "
        "is better; "
        "the gap that is proven is reported."
    )
    ITERATION_LIMIT = (
        "max_iter was reached; the best network so far is returned with the gap it has."
    )
    TIME_LIMIT = "time_limit was reached; the best network so far is returned with the gap it has."
    INTERRUPTED = (
        "The run was interrupted; the best network so far is returned with the gap it has."
    )
    NUMERICAL_ERROR = (
        "Rounding stopped the progress before tol was reached; "
        "the best network so far is returned with the gap it has."
    )

    __reduce_ex__ = by_name

    @property
    def is_success(self) -> bool:
        """Whether the method did what it promises."""
        return self in (Status.OPTIMAL, Status.OPTIMAL_FOR_PATTERNS)


def relative_gap(
    objective: float, dual_bound: float, error: float = 0.0, floor: float = 0.0
) -> float:
    """``(objective + error - dual_bound) / max(|objective|, floor)``, and 0 where both are 0.

    `error` is what rounding may hide of the objective, and an objective below `floor` cannot be
    told from 0. Clipped below at 0: a bound that exceeds the objective by rounding is not a
    negative gap. ``inf`` where there is no bound.
    """
    difference = max(objective + error - dual_bound, 0.0)
    if difference == 0.0:
        return 0.0
    return difference / max(abs(objective), floor, 1e-300)


def described(status: Status, n_neurons: int) -> str:
    """What a user reads of a run: its status, and that nothing came of it yet."""
    cut_short = not status.is_success and status is not Status.STATIONARY
    empty = " It has no neurons yet: none that would help was found so far."
    return status.value + (empty if cut_short and n_neurons == 0 else "")


def checked_status(
    status: Status,
    objective: float,
    program_bound: float,
    dual_bound: float,
    tol: float,
    error: float,
    floor: float = 0.0,
) -> Status:
    """The status of a run, held against the numbers that it returns.

    Success is what the recomputed objective, its error and the bounds say, whatever the
    run thought. Rounding is covered by the error and the bounds, so that a bound above the
    objective is wrong, or the objective is.
    """
    if dual_bound > objective + error:
        return Status.NUMERICAL_ERROR
    if status is Status.INTERRUPTED:
        return status
    if relative_gap(objective, dual_bound, error, floor) <= tol:
        return Status.OPTIMAL
    if status.is_success:
        solved = relative_gap(objective, program_bound, error, floor) <= tol
        return Status.OPTIMAL_FOR_PATTERNS if solved else Status.NUMERICAL_ERROR
    return status
