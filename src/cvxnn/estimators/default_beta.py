"""The beta of an estimator that nobody has told one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cvxnn.array_types import IntArray
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.paths import path_of
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline

# beta = 1.8 rank^0.75 error^1.25 for a regression, in units of the deviations.
_FACTOR, _OF_RANK, _OF_ERROR = 1.8, 0.75, 1.25
# Betas between which the rule is interpolated, from the largest downwards.
_STEP, _STEPS = 10.0 ** (-1.0 / 3.0), 18
# One in so many samples is held out, of so many at most.
_PARTS, _HELD_OUT, _MOST_ROWS = 5, 2, 10_000
# Share of the largest beta for which there is no evidence that more is good, and the one taken
# for classes where neurons do not look at plain rows.
_MOST_OF_LARGEST, _OF_LARGEST = 0.3, 0.01
_TINY = 1e-300


def regression_beta(training: Training, samples: Samples, deadline: Deadline) -> float:
    """The beta of a regression, by the error on samples that are held out.

    The largest beta that is at most ``1.8 r^0.75 e^1.25``, for columns and targets of
    deviation 1, rows of rank r, and the mean squared error e of the rough network for that
    same beta on a fifth of the samples: much noise or many columns want a large beta.

    Parameters
    ----------
    training : Training
    samples : Samples
        As the networks read them.
    deadline : Deadline
        When it passes, the last networks count.

    Notes
    -----
    Measured by `benchmarks/default_beta.py` on 53 tables: it costs 1.0 % of the root mean square
    error on average, 0.4 % in the median, against the choice of five folds; a beta of 1 costs
    23 % and 3 %. Unlike the beta of the best score it hardly moves with the random state, by 1
    to 5 %. The samples held out are every fifth in the order of y: the same for any order, for
    repetitions, and for columns and targets of the other sign. Other models than plain ReLU, and
    the fewest samples, get the beta of 1.
    """
    variance, unit = _sizes(samples)
    samples = _part(_oriented(samples))
    held_out = np.minimum(np.arange(len(samples.y)), np.arange(len(samples.y))[::-1])
    held_out = held_out % _PARTS == _HELD_OUT
    if not held_out.any() or variance == 0.0 or not training.has_plain_rows(samples):
        return unit
    inner, outer = _take(samples, np.flatnonzero(~held_out)), _take(samples, held_out.nonzero()[0])
    share = _total(inner) / _total(samples)
    path, problem = path_of(training, inner, deadline), training.problem(outer)
    level = np.log(_FACTOR * unit) + _OF_RANK * np.log(np.linalg.matrix_rank(samples.X))
    beta, room = path.largest_beta / share, -np.inf
    for _ in range(_STEPS):
        beta, last_room = beta * _STEP, room
        network = path.advance(share * beta)
        error = 2.0 * problem.loss.value(network.forward(outer.X), outer.y) / _total(outer)
        # By how much the rule allows more than beta: it grows as beta falls.
        room = level + _OF_ERROR * np.log(max(error / variance, _TINY)) - np.log(beta)
        if room >= 0.0 or deadline.passed:
            break
    if room <= 0.0 or last_room == -np.inf:
        return beta
    return float(beta * _STEP ** -(room / (room - last_room)))


def classification_beta(
    training: Training, problems: Sequence[Samples], deadline: Deadline
) -> float:
    """The root of the rank of the rows, in units of the data; less than what leaves no neurons.

    Notes
    -----
    Measured by `benchmarks/default_beta.py` with the logistic loss, on 30 tables with columns of
    deviation 1: no worse than the choice of five folds on average (-0.05 +- 0.22 points of
    accuracy), where a hundredth of the largest beta costs 0.8. Models without plain rows get
    that hundredth.
    """
    largest = max(path_of(training, samples, deadline).largest_beta for samples in problems)
    first = problems[0]
    if not training.has_plain_rows(first):
        return _OF_LARGEST * (largest or 1.0)
    _, unit = _sizes(replace(first, y=np.zeros_like(first.y)))
    root = unit * float(np.sqrt(np.linalg.matrix_rank(first.X)))
    return min(root, _MOST_OF_LARGEST * largest) or root


def _oriented(samples: Samples) -> Samples:
    """In the order of y, with columns and targets whose largest entries are positive.

    So a rough search, which is not the same for other signs, is the same for them.
    """
    columns = np.column_stack([samples.y, samples.X.reshape(len(samples.y), -1)])
    middle = 0.5 * (columns.max(axis=0) + columns.min(axis=0))
    columns = columns * np.where((columns - middle).sum(axis=0) > 0.0, -1.0, 1.0)
    order = np.lexsort(columns.T[::-1])
    X = columns[order, 1:].reshape(samples.X.shape)
    weights = None if samples.weights is None else samples.weights[order]
    return Samples(np.ascontiguousarray(X), columns[order, 0], weights)


def _part(samples: Samples) -> Samples:
    """As many as there may be, spread evenly."""
    n = len(samples.y)
    if n <= _MOST_ROWS:
        return samples
    return _take(samples, np.linspace(0, n - 1, _MOST_ROWS).astype(np.intp))


def _take(samples: Samples, rows: IntArray) -> Samples:
    weights = None if samples.weights is None else samples.weights[rows]
    return Samples(samples.X[rows], samples.y[rows], weights)


def _total(samples: Samples) -> float:
    return float(len(samples.y) if samples.weights is None else samples.weights.sum())


def _sizes(samples: Samples) -> tuple[float, float]:
    """The variance of y, and the beta that stands for 1: root mean square of X, deviation of y.

    That of y is 1 where it does not vary, as of labels.
    """
    y, weights = samples.y, samples.weights
    entries = np.mean(samples.X.reshape(len(y), -1) ** 2, axis=1)
    variance = float(np.average((y - np.average(y, weights=weights)) ** 2, weights=weights))
    size = float(np.sqrt(np.average(entries, weights=weights) * (variance or 1.0)))
    return variance, size or 1.0
