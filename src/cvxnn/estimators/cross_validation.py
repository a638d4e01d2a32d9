"""Estimators that choose beta by cross-validation along the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.parallel import Parallel, delayed

from cvxnn.blas import suitable_threads
from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexReLU, Rows, weights_of
from cvxnn.estimators.callbacks import report_rounds, with_callbacks
from cvxnn.estimators.classifier import ConvexReLUClassifier
from cvxnn.estimators.regressor import ConvexReLURegressor
from cvxnn.estimators.rough import rough_path
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.results import Solution, Status
from cvxnn.training.path import beta_grid, largest_beta
from cvxnn.validation import check_random_state

FloatArray = NDArray[np.float64]

# Rounds and tolerance of a network whose only use is its score.
_ROUNDS, _TOLERANCE = 3, 1e-2
# Where the grid ends, relative to where it starts: data with little noise want less
# than the thousandth at which a path is already hard to certify. Below 1e-5 the scores
# of such data hardly change.
_SMALLEST = 1e-5


class CrossValidated(ConvexReLU):
    """What the two estimators share; not for use by itself."""

    _plain: ClassVar[type[ConvexReLU]]

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Choose beta on folds, and train on all rows with it.

        Parameters
        ----------
        X : array-like, shape (n, d)
            Dense.
        y : array-like, shape (n,)
            Numbers, or for a classifier labels.
        sample_weight : array-like, shape (n,), optional
            >= 0, for training; the scores of the folds do not use it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.
        KeyboardInterrupt
            On Ctrl-C before the last training; during that, the best network so far
            is kept.
        """
        self._check_parameters()
        problems = self._problems(X, y, sample_weight)
        self.betas_ = beta_grid(
            self.betas, lambda: max(map(self._largest_beta, problems)), smallest=_SMALLEST
        )
        self.scores_path_ = self._score_folds(np.asarray(X), np.asarray(y), sample_weight)
        best = self._best_of_path()
        self.beta_, self.best_score_ = (
            float(self.betas_[best]),
            float(self.scores_path_[best].mean()),
        )
        rough = _along(self, problems, self.betas_[: best + 1], 1.0)
        starts = [solution.network for solution in rough[-1]]
        with report_rounds(self, X, y) as report:
            count = len(problems)
            self._keep(
                self._train_all(
                    problems,
                    beta=[self.beta_] * count,
                    warm_start=starts,
                    report=[report] * count,
                )
            )
        self._warn()
        return self

    def _best_of_path(self) -> int:
        """The beta with the best mean score, the largest of equals."""
        means = self.scores_path_.mean(axis=1)
        if np.isnan(means).all():
            raise InputError(
                "scoring gives no number for any beta, in one fold at least: R^2 needs folds of "
                "two rows and more, others both classes; take another cv or scoring."
            )
        return int(np.nanargmax(means))

    def _largest_beta(self, rows: Rows) -> float:
        return largest_beta(rows.X, rows.y, loss=self._loss(), sample_weight=rows.weights)

    def _score_folds(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: ArrayLike | None
    ) -> FloatArray:
        """Scores, shape (n_betas, n_folds); the folds are the same for every beta."""
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        plain = self._plain(**{
            name: value for name, value in self.get_params(deep=False).items()
            if name in self._plain().get_params(deep=False)
        })  # fmt: skip
        scorer = check_scoring(plain, self.scoring)
        weights = weights_of(sample_weight, len(X))
        scores = Parallel(n_jobs=self.n_jobs)(
            delayed(_score_fold)(clone(plain), X, y, weights, train, test, self.betas_, scorer)
            for train, test in splitter.split(X, y)
        )
        return np.array(scores).T


def _score_fold(
    model: ConvexReLU,
    X: NDArray[Any],
    y: NDArray[Any],
    weights: FloatArray | None,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    betas: FloatArray,
    scorer: Callable[..., float],
) -> list[float]:
    """Scores of one fold, for every beta."""
    problems = model._problems(X[train], y[train], None if weights is None else weights[train])
    # Objective (2) is a sum over the rows: fewer rows, smaller beta. A weight is a row repeated.
    share = len(train) / len(X) if weights is None else weights[train].sum() / weights.sum()
    scores = []
    for solutions in _along(model, problems, betas, share):
        model._keep(list(solutions))
        scores.append(float(scorer(model, X[test], y[test])))
    return scores


def _along(
    model: ConvexReLU, problems: list[Rows], betas: FloatArray, share: float
) -> list[tuple[Solution[Any], ...]]:
    """Rough solutions for every beta, one for each problem."""
    return list(zip(*(_path(model, rows, share * betas) for rows in problems), strict=True))


def _path(model: ConvexReLU, rows: Rows, betas: FloatArray) -> list[Solution[Any]]:
    """Rough solutions of one problem, each from the one before; no proofs."""
    if model.loss == "squared" and model.method == "global":
        X, y = rows.weighted()
        reduction = reduce_rows(X)
        # On rank 2 a proof costs less than a search.
        if reduction.rank > 2:
            with suitable_threads(len(X)):
                return rough_path(X, y, betas, reduction, check_random_state(model.random_state))
    path: list[Solution[Any]] = []
    for beta in betas:
        solution = model._train(
            rows, beta=float(beta), warm_start=path[-1].network if path else None,
            certify=False, max_iter=_ROUNDS, tol=max(_TOLERANCE, model.tol),
        )  # fmt: skip
        if solution.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        path.append(solution)
    return path


class ConvexReLURegressorCV(CrossValidated, ConvexReLURegressor):
    """:class:`ConvexReLURegressor` that chooses beta by cross-validation.

    In every fold one path of networks is trained for falling beta, each from the one
    before, roughly and without proofs; the network for the beta with the best mean
    score is then trained on all rows to `tol`, with its certificate.

    Parameters
    ----------
    betas : int or array-like, default 20
        Values of beta, or how many: from the one where the zero network is optimal
        down to 1e-5 of it. In a fold they are multiplied by its share of the
        rows (of their weights), because the objective is a sum over the rows.
    loss, delta, method, fit_intercept, n_samples, tol, max_iter, time_limit, random_state, verbose
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
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: check
        for name, check in ConvexReLURegressor._parameter_constraints.items()
        if name != "beta"
    }

    def __init__(
        self,
        betas: Any = 20,
        *,
        loss: str = "squared",
        delta: float = 1.0,
        method: str = "global",
        fit_intercept: bool = True,
        n_samples: int = 500,
        tol: float = 1e-6,
        max_iter: int = 100,
        time_limit: float | None = 60.0,
        cv: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: bool | int = 0,
    ) -> None:
        self.betas = betas
        self.loss = loss
        self.delta = delta
        self.method = method
        self.fit_intercept = fit_intercept
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose


class ConvexReLUClassifierCV(CrossValidated, ConvexReLUClassifier):
    """:class:`ConvexReLUClassifier` that chooses beta by cross-validation.

    In every fold one path of networks is trained for falling beta, each from the one
    before, roughly and without proofs; the networks for the beta with the best mean
    score are then trained on all rows to `tol`, with their certificate.

    Parameters
    ----------
    betas : int or array-like, default 20
        As for :class:`ConvexReLURegressorCV`; one beta for all classes.
    loss, class_weight, method, fit_intercept, n_samples, tol, max_iter, time_limit
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
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: check
        for name, check in ConvexReLUClassifier._parameter_constraints.items()
        if name != "beta"
    }

    def __init__(
        self,
        betas: Any = 20,
        *,
        loss: str = "logistic",
        class_weight: dict[Any, float] | str | None = None,
        method: str = "global",
        fit_intercept: bool = True,
        n_samples: int = 500,
        tol: float = 1e-6,
        max_iter: int = 100,
        time_limit: float | None = 60.0,
        cv: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
        verbose: bool | int = 0,
    ) -> None:
        self.betas = betas
        self.loss = loss
        self.class_weight = class_weight
        self.method = method
        self.fit_intercept = fit_intercept
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
