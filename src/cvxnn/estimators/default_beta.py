"""The beta of an estimator that nobody has told one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.paths import Path, SearchPath, path_of
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.validation import check_random_state

# Betas count by how near the error of their networks is to the least: one that is larger by
# this share counts 1/e.
_WIDTH = 0.04
# Betas in a decade, and how many there are; rows that they are tried on at most.
_PER_DECADE, _COUNT, _MOST_ROWS = 3, 15, 5_000
# One in so many rows is held out, and which one.
_PARTS, _HELD_OUT = 5, 2
# Networks whose errors on these count: as many as there are for so many rows in all, at most.
_NETWORKS, _ROWS = 4, 8_000
# Share of the largest beta for which there is no evidence that more is good, and the one taken
# for classes where neurons do not look at plain rows.
_MOST_OF_LARGEST, _OF_LARGEST = 0.3, 0.01
# Share of the rank whose root is the beta of several classes in one network.
_OF_RANK = 0.5


@dataclass(frozen=True)
class Guess:
    """A beta, and whether Ctrl-C ended the search for it."""

    beta: float
    is_interrupted: bool = False


def regression_beta(training: Training, samples: Samples, deadline: Deadline) -> Guess:
    """Where the error on a fifth of the samples is least: a mean of betas, weighted by it.

    Parameters
    ----------
    training : Training
    samples : Samples
        As the networks read them.
    deadline : Deadline
        When it passes, or on Ctrl-C, the betas so far count; without one it is that of 1.

    Notes
    -----
    The mean of the logarithms of betas on a path, with weights ``(least / e)^25`` for mean squared
    errors e: steadier than the best one. An error is the geometric mean of those of up to four
    networks, found independently (that of their mean would be for less beta than one network
    wants). Of a loss with kinks it is the largest beta whose loss is the least within a standard
    error. What it costs against the choice of five folds `benchmarks/default_beta.py` measures,
    with one network, on tables with columns and targets of deviation 1. Which samples are held out
    does not depend on their order, nor on signs of columns and targets. Other models than ReLU, and
    the fewest samples, get the beta of 1; those of three layers that of two, which are among them
    at the same price.
    """
    training = training.of_two_layers
    variance, unit = _sizes(samples)
    oriented = _oriented(samples, turns_targets=not training.loss.has_log_link)
    held_out = _ordered_fold(len(samples.y))
    walks = training.has_plain_rows(samples) or training.is_grouped(samples)
    if not held_out.any() or variance == 0.0 or not walks:
        return Guess(unit)
    # Rough searches depend on the last digit, and equal weights shall change beta and nothing else.
    relative = replace(oriented, weights=oriented.shares)
    guess = _walked_beta(training, relative, held_out, 1e-12 * variance, deadline)
    return replace(guess, beta=guess.beta * samples.heaviest if guess.beta > 0.0 else unit)


def _walked_beta(
    training: Training, samples: Samples, held_out: BoolArray, least: float, deadline: Deadline
) -> Guess:
    """From a walk along falling beta; 0 where it has not begun."""
    betas, errors, losses, is_interrupted = [], [], [], False
    patience = training.patience(samples)
    try:
        walk = _errors_along(training, samples, held_out, least, deadline)
        for beta, error, of_rows in walk:
            betas.append(beta)
            errors.append(error)
            losses.append(of_rows)
            if deadline.passed or len(errors) - 1 - int(np.argmin(errors)) >= patience:
                break
    except KeyboardInterrupt:
        is_interrupted = True
    if not betas:
        return Guess(0.0, is_interrupted)
    if training.loss.is_kinked:
        return Guess(_largest_of_equals(betas, losses), is_interrupted)
    logs = np.log(errors)
    weights = np.exp(-(logs - logs.min()) / _WIDTH)
    return Guess(float(np.exp(np.average(np.log(betas), weights=weights))), is_interrupted)


def classification_beta(
    training: Training, problems: Sequence[Samples], deadline: Deadline
) -> Guess:
    """The root of the rank of the rows, in units of the data; less than what leaves no neurons.

    For one network of several classes it is the root of half the rank.

    Notes
    -----
    Measured by `benchmarks/default_beta.py` with the logistic loss, on 30 tables with columns of
    deviation 1: no worse than the choice of five folds on average (-0.05 +- 0.22 points of
    accuracy), where a hundredth of the largest beta costs 0.8. Models without plain rows get
    that hundredth, those of three layers the beta of two. Of several classes by
    `benchmarks/class_betas.py`, on 16 tables of 3 to 26 classes: the root of half the rank costs
    0.4 +- 0.5 points of accuracy and 0.034 of the mean loss against the choice of three folds, the
    whole root 0.5 +- 0.6 and 0.048.
    """
    training, first = training.of_two_layers, problems[0]
    _, unit = _sizes(replace(first, y=np.zeros_like(first.y)))
    is_plain = training.has_plain_rows(first)
    share = 1.0 if first.n_outputs == 1 else _OF_RANK
    guess = unit * float(np.sqrt(share * np.linalg.matrix_rank(first.X))) if is_plain else unit
    try:
        largest = max(_largest_betas(training, problems, deadline))
    except KeyboardInterrupt:
        return Guess(guess, is_interrupted=True)
    if not is_plain:
        return Guess(_OF_LARGEST * (largest or 1.0))
    return Guess(min(guess, _MOST_OF_LARGEST * largest) or guess)


def _largest_betas(
    training: Training, problems: Sequence[Samples], deadline: Deadline
) -> Iterator[float]:
    for samples in problems:
        check_interrupt()
        yield path_of(training, samples, deadline).largest_beta


def _errors_along(
    training: Training, samples: Samples, held_out: BoolArray, least: float, deadline: Deadline
) -> Iterator[tuple[float, float, FloatArray]]:
    """Falling betas with the mean squared error on samples held out, and losses of each of them."""
    part = np.arange(len(samples.y))
    if len(part) > _MOST_ROWS:
        part = part[np.linspace(0, len(part) - 1, _MOST_ROWS).astype(np.intp)]
    inner = _take(samples, part[~held_out[part]])
    outer = _take(samples, part[held_out[part]])
    share = _total(inner) / _total(samples)
    problem, paths = training.problem(outer), _paths(training, inner, deadline)
    largest = max(path.largest_beta for path in paths) / share
    if largest == 0.0:
        # Neurons are of no use, whatever they cost.
        return
    for k in range(1, _COUNT + 1):
        beta = largest * 10.0 ** (-k / _PER_DECADE)
        errors, of_rows = [], np.zeros(len(outer.y))
        for path in paths:
            check_interrupt()
            prediction = path.advance(share * beta).forward(outer.X)
            if problem.loss.is_kinked:
                losses = problem.loss.values(prediction, outer.y).reshape(len(outer.y), -1)
                of_rows += losses.sum(axis=1) / len(paths)
            error = 2.0 * problem.loss.value(prediction, outer.y) / _total(outer)
            # A loss that grows like the error says of beta what its square does.
            errors.append(error**2 if problem.loss.is_kinked else error)
        # A network that fits exactly is no reason to take the logarithm of zero.
        yield beta, float(np.exp(np.mean(np.log(np.maximum(errors, least))))), of_rows


def _largest_of_equals(betas: Sequence[float], losses: Sequence[FloatArray]) -> float:
    """The largest beta whose mean loss is above the least one by no more than a standard error.

    That of the differences row by row (L. Breiman et al., Classification and Regression Trees,
    1984, 3.4.3). A network that is fitted too closely loses little by a loss of quantiles, but
    fewer new targets than it says are below it.
    """
    means = [float(of_rows.mean()) for of_rows in losses]
    least = losses[int(np.argmin(means))]
    more = [of_rows - least for of_rows in losses]
    equal = [each.mean() <= each.std() / np.sqrt(len(each)) for each in more]
    return betas[equal.index(True)]


def _paths(training: Training, samples: Samples, deadline: Deadline) -> list[Path]:
    """Independent ones; one where the search depends on no chance."""
    count = min(max(_ROWS // len(samples.y), 1), _NETWORKS)
    training = replace(training, random_state=check_random_state(training.random_state))
    paths = [path_of(training, samples, deadline)]
    while len(paths) < count and isinstance(paths[0], SearchPath):
        check_interrupt()
        paths.append(path_of(training, samples, deadline))
    return paths


def _ordered_fold(n: int) -> BoolArray:
    """Whether a sample is held out: every fifth in the order of y, from both ends."""
    from_an_end = np.minimum(np.arange(n), np.arange(n)[::-1])
    return np.asarray(from_an_end % _PARTS == _HELD_OUT)


def _oriented(samples: Samples, *, turns_targets: bool) -> Samples:
    """In the order of y, with columns and targets whose largest entries are positive.

    So a rough search, which is not the same for other signs, is the same for them.
    """
    n_targets = samples.n_outputs
    columns = np.column_stack([samples.y, samples.X.reshape(len(samples.y), -1)])
    middle = 0.5 * (columns.max(axis=0) + columns.min(axis=0))
    turned = (columns - middle).sum(axis=0) > 0.0
    # Counts have one sign.
    turned[:n_targets] &= turns_targets
    columns = columns * np.where(turned, -1.0, 1.0)
    order = np.lexsort(columns.T[::-1])
    X = columns[order, n_targets:].reshape(samples.X.shape)
    y = columns[order, :n_targets].reshape(samples.y.shape)
    weights = None if samples.weights is None else samples.weights[order]
    return Samples(np.ascontiguousarray(X), y, weights)


def _take(samples: Samples, rows: IntArray) -> Samples:
    weights = None if samples.weights is None else samples.weights[rows]
    return Samples(samples.X[rows], samples.y[rows], weights)


def _total(samples: Samples) -> float:
    return float(len(samples.y) if samples.weights is None else samples.weights.sum())


def _sizes(samples: Samples) -> tuple[float, float]:
    """The variance of y, and the beta that stands for 1: root mean square of X, deviation of y.

    That of y is 1 where it does not vary, as of labels; of several targets it is the mean.
    """
    y, weights = samples.y, samples.weights
    entries = np.mean(samples.X.reshape(len(y), -1) ** 2, axis=1)
    squares = (y - np.average(y, axis=0, weights=weights)) ** 2
    variance = float(np.mean(np.average(squares, axis=0, weights=weights)))
    size = float(np.sqrt(np.average(entries, weights=weights) * (variance or 1.0)))
    return variance, size or 1.0
