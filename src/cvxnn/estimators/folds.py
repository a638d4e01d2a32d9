"""The folds of a cross-validation: each with an estimator that walks along beta."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexEstimator
from cvxnn.estimators.inputs import Samples, Table
from cvxnn.estimators.paths import Path, path_of
from cvxnn.estimators.splits import Split
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss
from cvxnn.networks.base import Network

Scorer = Callable[..., float]


@dataclass(frozen=True)
class Outcome:
    """The networks of a fold for one beta, and what they are worth on its test rows.

    Attributes
    ----------
    score : float
    loss : float
        Mean of the loss that the networks are trained by: it tells equal scores apart.
    networks : list of Network
    """

    score: float
    loss: float
    networks: list[Network]


@dataclass(frozen=True)
class Scoring:
    """How networks are scored.

    Attributes
    ----------
    scorer : callable
    labels : callable
        From the targets of a :class:`Table` to those of the user.
    params : dict
        What else the scorer takes, with an entry for each sample.
    weights : ndarray, shape (n,), or None where all are 1
        Of all samples in the mean loss, with those of their classes.
    """

    scorer: Scorer
    labels: Callable[[Array], Array]
    params: dict[str, Array]
    weights: FloatArray | None = None

    def mean(self, losses: FloatArray, rows: Array) -> float:
        """The mean of the losses of test rows, of these numbers; 0 of none that count."""
        weights = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        total = float(weights.sum())
        return float(weights @ losses) / total if total > 0.0 else 0.0

    def share(self, rows: Array, n_samples: int) -> float:
        """The share of some of the samples of all weights."""
        if self.weights is None:
            return len(rows) / n_samples
        return float(self.weights[rows].sum() / self.weights.sum())

    def score(self, estimator: ConvexEstimator, test: Table, rows: Array) -> float:
        """The score on test rows, of these numbers."""
        params = {name: values[rows] for name, values in self.params.items()}
        if "sample_weight" in params and not params["sample_weight"].any():
            raise InputError("The test rows have weight 0 only; take another cv.")
        return float(self.scorer(estimator, test.X, self.labels(test.y), **params))


@dataclass(frozen=True)
class Fold:
    """Networks of one fold on their way along beta.

    Attributes
    ----------
    name : str
        As messages call it.
    estimator : ConvexEstimator
        Of one beta; it gets the networks that are scored.
    paths : list of Path
        One for each network.
    test : Table
    rows : ndarray of int
        Of the test in the data.
    share : float
        Of the weights of all samples: objective (2) is a sum over the rows, so that fewer rows
        want a smaller beta.
    scoring : Scoring
    """

    name: str
    estimator: ConvexEstimator
    paths: list[Path]
    test: Table
    rows: Array
    share: float
    scoring: Scoring

    @classmethod
    def of(
        cls,
        name: str,
        estimator: ConvexEstimator,
        training: Training,
        table: Table,
        split: Split,
        scoring: Scoring,
        deadline: Deadline,
    ) -> Fold:
        """Of the rows of a split.

        Raises
        ------
        InputError
            If there is nothing to train on, as counts that are all 0; it names the fold.
        """
        rows, test = split
        train = table.take(rows)
        if len(train) == 0 or not train.total > 0.0:
            what = "no training rows" if len(train) == 0 else "training rows of weight 0 only"
            raise InputError(f"The {name} has {what}; take another cv.")
        problems = estimator._problems(estimator._merged(train))
        for samples in problems:
            try:
                training.check_intercept(samples)
            except InputError as error:
                raise InputError(
                    f"The {name} has training rows without a best intercept: {error} Take another "
                    "cv, or the estimator without CV."
                ) from error
        paths = [path_of(training, samples, deadline) for samples in problems]
        share = scoring.share(rows, len(table))
        return cls(name, estimator, paths, table.take(test), test, share, scoring)

    def advance(self, beta: float) -> Outcome:
        """The networks for the next beta, which is that of all samples."""
        networks = [path.advance(self.share * beta) for path in self.paths]
        self.estimator._keep_networks(networks)
        try:
            score = self.scoring.score(self.estimator, self.test, self.rows)
        except Exception as error:
            error.add_note(f"This was the score of the {self.name} of the cross-validation.")
            raise
        return Outcome(score, self._loss_on_test(networks), networks)

    def _loss_on_test(self, networks: list[Network]) -> float:
        loss: Loss = self.estimator._loss()
        unmerged = Samples(self.test.X, self.test.y, None)
        problems = self.estimator._problems(unmerged)
        pairs = zip(networks, problems, strict=True)
        losses = [loss.values(network.forward(each.X), each.y) for network, each in pairs]
        # Of several outputs a loss may have values of their own.
        by_row = np.sum(losses, axis=0).reshape(len(self.rows), -1).sum(axis=1)
        return self.scoring.mean(by_row, self.rows)
