"""What a user should know of a choice of beta: warnings, with numbers."""

from __future__ import annotations

from cvxnn.array_types import FloatArray
from cvxnn.errors import warn_caller
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.paths import path_of
from cvxnn.estimators.training import Training
from cvxnn.interrupts import UNLIMITED

# Fewer betas have their best one at an end, whatever the data.
_FEWEST = 3


def remark_on_empty(beta: float, training: Training, problems: list[Samples], advice: str) -> None:
    """Warn that the best networks have no neurons, unless the target is the same everywhere.

    Parameters
    ----------
    beta : float
    training : Training
    problems : list of Samples
        Of each network.
    advice : str
        What may help.
    """
    if all((samples.y == samples.y[0]).all() for samples in problems):
        return
    largest = max(path_of(training, samples, UNLIMITED).largest_beta for samples in problems)
    if largest == 0.0:
        warn_caller(
            "The model is a constant, and would be for every beta: no neuron lowers the loss on "
            "these data."
        )
        return
    if beta < 0.99 * largest:
        # A network may have no neurons for other reasons.
        return
    warn_caller(
        f"The model is a constant: beta = {beta:.4g} is at or above the largest beta of these "
        f"data, about {largest:.4g}, from which on no neuron is worth its price. {advice}"
    )


def remark_on_scores(
    betas: FloatArray, means: FloatArray, best: int, *, from_largest: bool
) -> None:
    """Warn that the scores tell nothing of beta, or that a better one may lie beyond the grid.

    Parameters
    ----------
    betas : ndarray, shape (k,)
        Falling.
    means : ndarray, shape (k,)
        Mean score of each.
    best : int
    from_largest : bool
        Whether the first is the largest of all, from which on networks have no neurons: there
        is nothing beyond it.
    """
    if len(betas) < _FEWEST:
        return
    if (means == means[0]).all():
        warn_caller(
            f"All {len(betas)} values of beta have the same mean score, {means[0]:.4g}, so that "
            f"it tells nothing of beta; {betas[best]:.4g} was taken for its loss on the test "
            "rows. Take another cv (the rows may be sorted: shuffle the folds) or scoring."
        )
    elif best in (0 if not from_largest else -1, len(betas) - 1):
        end, way = ("largest", "larger") if best == 0 else ("smallest", "smaller")
        warn_caller(
            f"The best beta, {betas[best]:.4g}, is the {end} of the {len(betas)} that were tried: "
            f"{way} ones may be better. Give betas that go beyond it."
        )
