"""Estimators that choose beta by cross-validation along the path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.blas import suitable_threads
from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexEstimator, Starts, Weights
from cvxnn.estimators.classifier import ConvexClassifier, ConvexReLUClassifier
from cvxnn.estimators.inputs import Samples, weights_of
from cvxnn.estimators.regressor import ConvexRegressor, ConvexReLURegressor
from cvxnn.estimators.rough import is_for, rough_path
from cvxnn.methods import as_method
from cvxnn.networks.base import Network
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.results import Status
from cvxnn.training.path import beta_grid, largest_beta
from cvxnn.validation import check_random_state

# Rounds and tolerance of a network whose only use is its score.
_ROUNDS, _TOLERANCE = 3, 1e-2
# Where the grid ends, relative to where it starts: data with little noise want less
# than the thousandth at which a path is already hard to certify. Below 1e-5 the scores
# of such data hardly change.
_SMALLEST = 1e-5


@dataclass(kw_only=True, eq=False, repr=False)
class CrossValidated(ConvexEstimator):
    """What the two estimators share; not for use by itself."""

    betas: Any = field(default=20, kw_only=False)
    cv: Any = None
    scoring: Any = None
    n_jobs: int | None = None
    # The estimator of one beta.
    _plain: ClassVar[type[ConvexEstimator]]

    def _choose_beta(
        self, problems: list[Samples], X: ArrayLike, y: ArrayLike, sample_weight: Weights
    ) -> tuple[float, Starts]:
        """That of the best mean score on folds; Ctrl-C is a KeyboardInterrupt."""

        def largest() -> float:
            return max(largest_beta(each.X, each.y, **self._program(each)) for each in problems)

        self.betas_ = beta_grid(self.betas, largest, smallest=_SMALLEST)
        self.scores_path_ = self._score_folds(np.asarray(X), np.asarray(y), sample_weight)
        best = self._best_of_path()
        self.beta_ = float(self.betas_[best])
        self.best_score_ = float(self.scores_path_[best].mean())
        if not self._model().capabilities.warm_start:
            return self.beta_, [None] * len(problems)
        return self.beta_, _along(self, problems, self.betas_[: best + 1])[-1]

    def _best_of_path(self) -> int:
        """The beta with the best mean score, the largest of equals."""
        means = self.scores_path_.mean(axis=1)
        if np.isnan(means).all():
            raise InputError(
                "scoring gives no number for any beta, in one fold at least: R^2 needs folds of "
                "two rows and more, others both classes; take another cv or scoring."
            )
        return int(np.nanargmax(means))

    def _score_folds(self, X: Array, y: Array, sample_weight: Weights) -> FloatArray:
        """Scores, shape (n_betas, n_folds); the folds are the same for every beta."""
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        names = set(self._plain().get_params()) - {"beta"}
        plain = self._plain(**{name: getattr(self, name) for name in names})
        scorer = check_scoring(plain, self.scoring)
        data = X, y, weights_of(sample_weight, len(X))
        scores = Parallel(n_jobs=self.n_jobs)(
            delayed(_score_fold)(clone(plain), data, fold, self.betas_, scorer)
            for fold in splitter.split(X, y)
        )
        return np.array(scores).T


def _score_fold(
    estimator: ConvexEstimator,
    data: tuple[Array, Array, FloatArray | None],
    fold: tuple[IntArray, IntArray],
    betas: FloatArray,
    scorer: Callable[..., float],
) -> list[float]:
    """Scores of one fold, for every beta."""
    (X, y, weights), (train, test) = data, fold
    problems = estimator._problems(X[train], y[train], None if weights is None else weights[train])
    # Objective (2) is a sum over the rows: fewer rows, smaller beta. A weight is a row repeated.
    share = len(train) / len(X) if weights is None else weights[train].sum() / weights.sum()
    scores = []
    for networks in _along(estimator, problems, share * betas):
        estimator._keep_networks(list(networks))
        scores.append(float(scorer(estimator, X[test], y[test])))
    return scores


def _along(
    estimator: ConvexEstimator, problems: Sequence[Samples], betas: FloatArray
) -> list[tuple[Network, ...]]:
    """Rough networks for every beta, one for each problem."""
    return list(zip(*(_path(estimator, each, betas) for each in problems), strict=True))


def _path(estimator: ConvexEstimator, samples: Samples, betas: FloatArray) -> list[Network]:
    """Rough networks of one problem, each from the one before; no proofs."""
    model, method = estimator._model(), as_method(estimator.method)
    if is_for(model, method, estimator._loss()):
        X, y = samples.weighted()
        reduction = reduce_rows(X)
        # On rank 2 a proof costs less than a search.
        if reduction.rank > 2:
            rng = check_random_state(estimator.random_state)
            with suitable_threads(len(X)):
                return rough_path(X, y, betas, reduction, rng)
    path: list[Network] = []
    for beta in betas:
        start = path[-1] if path and model.capabilities.warm_start else None
        solution = estimator._train(
            samples, float(beta), warm_start=start, method=method.uncertified(),
            max_iter=_ROUNDS, tol=max(_TOLERANCE, estimator.tol),
        )  # fmt: skip
        if solution.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        path.append(solution.network)
    return path


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLURegressorCV(CrossValidated, ConvexRegressor):
    """:class:`ConvexReLURegressor` that chooses beta by cross-validation.

    In every fold one path of networks is trained for falling beta, each from the one
    before where the model has warm starts, roughly and without proofs; the network for
    the beta with the best mean score is then trained on all samples to `tol`, with its certificate.

    Parameters
    ----------
    betas : int or array-like, default 20
        Values of beta, or how many: from the one where the zero network is optimal
        down to 1e-5 of it, see :func:`cvxnn.largest_beta`. In a fold they are multiplied by
        its share of the samples (of their weights), because the objective is a sum over them.
    loss, delta, model, method, hidden_bias, tol, max_iter, time_limit, random_state, verbose
        As for :class:`ConvexReLURegressor`.
    cv : int, splitter, iterable or None, default None
        As elsewhere in scikit-learn; None is five folds.
    scoring : str, callable or None, default None
        None is the score of the estimator.
    n_jobs : int or None, default None
        Folds at the same time.

    Attributes
    ----------
    beta_ : float
        The beta chosen.
    best_score_ : float
        Its mean score.
    betas_ : ndarray, shape (n_betas,)
        Falling.
    scores_path_ : ndarray, shape (n_betas, n_folds)
    network_, objective_, dual_bound_, dual_gap_, status_, n_neurons_, n_iter_
        As for :class:`ConvexReLURegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1.0, 1.0, 40)[:, None]
    >>> model = ConvexReLURegressorCV(betas=5).fit(X, np.abs(X[:, 0]))
    >>> model.scores_path_.shape, model.status_.name
    ((5, 5), 'OPTIMAL')
    """

    _plain = ConvexReLURegressor


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLUClassifierCV(CrossValidated, ConvexClassifier):
    """:class:`ConvexReLUClassifier` that chooses beta by cross-validation.

    In every fold one path of networks is trained for falling beta, each from the one
    before where the model has warm starts, roughly and without proofs; the networks for
    the beta with the best mean score are then trained on all samples to `tol`, with their
    certificate.

    Parameters
    ----------
    betas : int or array-like, default 20
        As for :class:`ConvexReLURegressorCV`; one beta for all classes.
    loss, class_weight, model, method, hidden_bias, tol, max_iter, time_limit
        As for :class:`ConvexReLUClassifier`.
    cv, scoring, n_jobs
        As for :class:`ConvexReLURegressorCV`; folds keep the shares of the classes.
    random_state, verbose
        As for :class:`ConvexReLUClassifier`.

    Attributes
    ----------
    beta_, best_score_, betas_, scores_path_
        As for :class:`ConvexReLURegressorCV`.
    classes_, networks_, network_, objective_, dual_bound_, dual_gap_, status_
        As for :class:`ConvexReLUClassifier`.
    n_neurons_, n_iter_
        As for :class:`ConvexReLUClassifier`.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> model = ConvexReLUClassifierCV(betas=[1.0, 0.1]).fit(X[:, :2], y)
    >>> model.scores_path_.shape, model.beta_ in (1.0, 0.1)
    ((2, 5), True)
    """

    _plain = ConvexReLUClassifier
