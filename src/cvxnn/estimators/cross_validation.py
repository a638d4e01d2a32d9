"""Estimators that choose beta by cross-validation along the path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, make_scorer, mean_pinball_loss
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)

from cvxnn.array_types import Array, FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.errors import InputError
from cvxnn.estimators.base import Chosen, ConvexEstimator, Starts, Weights
from cvxnn.estimators.callbacks import with_callbacks
from cvxnn.estimators.classifier import ConvexClassifier, ConvexReLUClassifier
from cvxnn.estimators.folds import Fold, Scoring
from cvxnn.estimators.given_beta import GivenBeta
from cvxnn.estimators.inputs import Samples, Table, class_weighted
from cvxnn.estimators.paths import path_of
from cvxnn.estimators.regressor import ConvexRegressor, ConvexReLURegressor
from cvxnn.estimators.remarks import remark_on_scores
from cvxnn.estimators.splits import Split, splits_of, splitter_of
from cvxnn.estimators.time_limits import Budget
from cvxnn.estimators.training import AT_ONCE, Training
from cvxnn.estimators.walk import COLUMNS, Walk, falling
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.progress import live_progress
from cvxnn.results import Status
from cvxnn.training.path import beta_grid
from cvxnn.validation import check_random_state

# Where a grid of so many betas ends, relative to where it starts.
_SMALLEST = 1e-5
# Of the time of a fit, for the choice of beta; the rest is for the last training.
_SHARE_OF_CHOICE = 0.5


@dataclass(kw_only=True, eq=False, repr=False)
class CrossValidated(ConvexEstimator):
    """What the two estimators share; not for use by itself."""

    betas: Any = field(default=None, kw_only=False)
    cv: Any = None
    scoring: Any = None
    n_jobs: int | None = None
    # The estimator of one beta.
    _plain: ClassVar[type[GivenBeta]]

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights = None, **params: Any) -> Self:
        """Choose beta, and train on X with a sample for each entry of y.

        Parameters
        ----------
        X : array-like, shape (n, d), or (n, ...) for images and patches
            Dense.
        y : array-like, shape (n,), or (n, c) for c targets of a regressor
            Numbers, or for a classifier labels.
        sample_weight : array-like, shape (n,), optional
            >= 0; a weight of 2 is a sample twice, in the default score of folds as well. A
            `scoring` of yours gets it where it requests it by the metadata routing of
            scikit-learn: ``scorer.set_score_request(sample_weight=True)``.
        **params
            ``groups``, an entry for each sample, for a `cv` that needs them; with metadata
            routing whatever `cv` and `scoring` request.

        Returns
        -------
        self
            After Ctrl-C with the best beta and networks so far.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.

        Notes
        -----
        A fit that fails leaves the estimator as it was, with the networks of the last one.
        """
        if not _routing_enabled():
            _raise_for_params({k: v for k, v in params.items() if k != "groups"}, self, "fit")
        return self._fit_or_restore(X, y, sample_weight, params)

    def get_metadata_routing(self) -> MetadataRouter:
        """What `fit` passes on to the splitter and the scorer, see scikit-learn's user guide."""
        splitter = splitter_of(self.cv, np.zeros(20), is_classifier=is_classifier(self), seed=0)
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        router = router.add(splitter=splitter, method_mapping=to_split)
        if self.scoring is None:
            # The score of the estimator counts the weights in any case.
            return router
        scorer = check_scoring(self._of_one_beta(), self.scoring)
        to_score = MethodMapping().add(caller="fit", callee="score")
        return router.add(scorer=scorer, method_mapping=to_score)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.betas is not None:
            beta_grid(self.betas, lambda: 1.0)
        if self.n_jobs is not None and not (_is_integer(self.n_jobs) and self.n_jobs != 0):
            raise InputError(
                f"n_jobs must be an integer other than 0 or None, got {self.n_jobs!r}."
            )
        if isinstance(self.scoring, list | tuple | dict | set):
            raise InputError(
                f"scoring must be one metric, which chooses beta, got {len(self.scoring)}: "
                f"{', '.join(map(str, self.scoring))}."
            )

    @property
    def _given_betas(self) -> list[float]:
        return [] if not np.iterable(self.betas) else list(map(float, self.betas))

    @property
    def _advice_on_empty(self) -> str:
        if self.beta_ > min(self.betas_, default=self.beta_):
            return "No smaller beta had a better score."
        return "No smaller beta was tried: give some, as betas."

    def _of_one_beta(self) -> GivenBeta:
        names = set(self._plain().get_params(deep=False)) - {"beta"}
        return self._plain(**{name: getattr(self, name) for name in names})

    def _choose_beta(
        self,
        training: Training,
        table: Table,
        problems: list[Samples],
        budget: Budget,
        params: dict[str, Any],
    ) -> Chosen:
        """That of the best mean score on folds, or of the best so far where time is over."""
        limited = budget.deadline.limited
        deadline = budget.deadline.share(_SHARE_OF_CHOICE) if limited else budget.deadline
        with suitable_threads(len(table)):
            walk = self._walked(training, table, problems, deadline, params)
        walk.check()
        self.betas_, self.scores_path_ = walk.betas, walk.scores
        if not walk.steps or (walk.cut_short and self.betas is None and len(walk.steps) == 1):
            # The first beta is the one that leaves no neurons.
            self.best_score_ = np.nan
            is_over = walk.cut_short is Status.INTERRUPTED
            left = Deadline(AT_ONCE) if is_over else budget.deadline.share(_SHARE_OF_CHOICE)
            beta = self._automatic_beta(training, problems, left).beta
            return Chosen(beta, [()] * len(problems), walk.cut_short)
        best = walk.steps[walk.best]
        self.best_score_ = best.score
        if walk.cut_short is None and walk.has_neurons:
            from_largest = not self._given_betas
            remark_on_scores(walk.betas, walk.means, walk.best, from_largest=from_largest)
        starts: Starts = walk.networks if training.takes_starts else [()] * len(problems)
        return Chosen(best.beta, starts, walk.cut_short)

    def _walked(
        self,
        training: Training,
        table: Table,
        problems: list[Samples],
        deadline: Deadline,
        params: dict[str, Any],
    ) -> Walk:
        stops = self.betas is None
        try:
            folds = self._folds(training, table, deadline, params)
            betas = self._betas_to_try(training, problems, deadline)
        except KeyboardInterrupt:
            return Walk([], deadline, cut_short=Status.INTERRUPTED)
        with live_progress(bool(self.verbose), COLUMNS, lines=True) as show:
            walk = Walk(folds, deadline, self.n_jobs, training.patience(problems[0]), show)
            walk.run(map(float, betas), stops=stops)
        return walk

    def _betas_to_try(
        self, training: Training, problems: list[Samples], deadline: Deadline
    ) -> Iterable[float]:
        """Falling, from the largest on all samples, or those that are given."""

        def largest() -> float:
            if training.has_proof(problems):
                # An estimate from below would leave the network that is proven a tiny neuron.
                return max(training.largest_beta(each) for each in problems)
            return max(path_of(training, each, deadline).largest_beta for each in problems)

        if self.betas is None:
            return falling(largest())
        return beta_grid(self.betas, largest, smallest=_SMALLEST)

    def _folds(
        self, training: Training, table: Table, deadline: Deadline, params: dict[str, Any]
    ) -> list[Fold]:
        """One for each split; all have the scaling of all samples."""
        weights = self._score_weights(table)
        splits, of_scorer = self._splits(table, weights, params)
        default = self._default_scoring if self.scoring is None else self.scoring
        scorer = check_scoring(self._of_one_beta(), default)
        if self.scoring is None and weights is not None:
            of_scorer = {"sample_weight": weights}
        scoring = Scoring(scorer, self._labels, of_scorer, weights)
        folds = []
        for k, split in enumerate(splits, 1):
            name = f"fold {k} of {len(splits)}" if len(splits) > 1 else "only fold"
            check_interrupt()
            estimator = self._of_one_beta()
            for fitted in ("scaling_", "sample_shape_", "n_features_in_", "_inputs", "classes_"):
                if hasattr(self, fitted):
                    setattr(estimator, fitted, getattr(self, fitted))
            folds.append(Fold.of(name, estimator, training, table, split, scoring, deadline))
        return folds

    def _splits(
        self, table: Table, weights: FloatArray | None, params: dict[str, Any]
    ) -> tuple[list[Split], dict[str, Array]]:
        """Those of `cv`, and what the scorer gets.

        By default rows of weight 0 are in no part, as if they were not there.
        """
        rows = np.arange(len(table))
        if self.cv is None and weights is not None:
            rows = np.flatnonzero(weights)
        labels = self._labels(table.y)[rows]
        seed = int(check_random_state(self.random_state).integers(2**31 - 1))
        # First of all: an iterable of splits can be read once.
        splitter = splitter_of(self.cv, labels, is_classifier=is_classifier(self), seed=seed)
        groups, of_scorer = self._routed(params, table)
        groups = groups if groups is None or len(rows) == len(groups) else np.asarray(groups)[rows]
        splits = splits_of(splitter, table.X[rows], labels, groups)
        return [(rows[train], rows[test]) for train, test in splits], of_scorer

    @property
    def _default_scoring(self) -> Any:
        """What folds are scored by, where nobody says: None is the score of the estimator."""
        return None

    def _score_weights(self, table: Table) -> FloatArray | None:
        """What samples count in the loss on test rows, and in the score of the estimator."""
        return table.weights

    def _routed(self, params: dict[str, Any], table: Table) -> tuple[Any, dict[str, Array]]:
        """Groups for the splitter, and what the scorer gets."""
        if not _routing_enabled():
            return params.get("groups"), {}
        routed = process_routing(self, "fit", sample_weight=table.weights, **params)
        asked = {} if self.scoring is None else routed.scorer.score
        of_scorer = {
            name: np.asarray(values) for name, values in asked.items() if values is not None
        }
        return routed.splitter.split.get("groups"), of_scorer


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLURegressorCV(CrossValidated, ConvexRegressor):
    """:class:`ConvexReLURegressor` that chooses beta by cross-validation.

    All folds walk down the path of falling beta in step, each network from the one before where
    the model has warm starts, roughly and without proofs. The network for the beta with the best
    mean score is then trained on all samples, from that of a fold.

    Parameters
    ----------
    betas : int, array-like or None, default None
        None is three in a decade, down from the largest, where the network without
        neurons is optimal, until the mean score has not improved for three of them (six where
        neurons see groups of columns), at
        most to a millionth. Values of beta, or how many, down to 1e-5 of the largest, are all
        tried. They are those of all samples: in a fold they are multiplied by its share
        of the weights, because the objective is a sum.
    cv : int, splitter, iterable or None, default None
        As elsewhere in scikit-learn; None is five shuffled folds, fewer where a part would
        have less than two rows, or none of a class, and from 10 000 rows on one fifth that is
        held out.
    scoring : str, callable or None, default None
        None is the score of the estimator, which counts `sample_weight`; with the absolute loss
        and that of a quantile minus the mean of these, in the units of y. The loss on the
        test rows, with the weights of the training, decides between equal scores.
    n_jobs : int or None, default None
        Folds at the same time: in threads, or where a backend of joblib has them, as
        ``with joblib.parallel_config("dask")``.
    time_limit : float, None or "auto", default "auto"
        As for :class:`ConvexReLURegressor`, for folds and the last training together. Half of
        it at most goes to the folds: where that ends them, the best beta so far is taken,
        and the status is TIME_LIMIT.
    loss, delta, quantile, scale_X, scale_y, fit_intercept, model, method
        As for :class:`ConvexReLURegressor`.
    hidden_bias, monotonic_cst, tol
        As well.
    max_iter, proof_time, warm_start, random_state, verbose, device
        As for :class:`ConvexReLURegressor`; `random_state` also shuffles the folds.

    Attributes
    ----------
    beta_ : float
        The beta chosen.
    best_score_ : float
        Its mean score; NaN where time was over before there was one.
    betas_ : ndarray, shape (n_betas,)
        Those that were tried, falling.
    scores_path_ : ndarray, shape (n_betas, n_folds)
    network_, scaling_, objective_, dual_bound_, dual_gap_, status_, n_neurons_, n_iter_
        As for :class:`ConvexReLURegressor`. Folds have the scaling of all samples.
    solution_, solutions_
        As for :class:`ConvexReLURegressor`: of the last training.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import ConvexReLURegressorCV
    >>> X = np.linspace(-1.0, 1.0, 40)[:, None]
    >>> model = ConvexReLURegressorCV(betas=[1.0, 0.1]).fit(X, np.abs(X[:, 0]))
    >>> model.scores_path_.shape, model.beta_, model.status_.name
    ((2, 5), 0.1, 'OPTIMAL')
    """

    _plain = ConvexReLURegressor

    @property
    def _default_scoring(self) -> Any:
        # Squared errors, of which R2 is made, are for means.
        if self.loss == "absolute":
            return "neg_mean_absolute_error"
        if self.loss == "quantile":
            return make_scorer(mean_pinball_loss, alpha=self.quantile, greater_is_better=False)
        return super()._default_scoring


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLUClassifierCV(CrossValidated, ConvexClassifier):
    """:class:`ConvexReLUClassifier` that chooses beta by cross-validation.

    All folds walk down the path of falling beta in step, each network from the one before where
    the model has warm starts, roughly and without proofs. The networks for the beta with the best
    mean score are then trained on all samples, from those of a fold.

    Parameters
    ----------
    betas : int, array-like or None, default None
        As for :class:`ConvexReLURegressorCV`; one beta for all classes.
    cv, scoring, n_jobs, time_limit
        As for :class:`ConvexReLURegressorCV`; folds keep the shares of the classes. A class
        that the training rows of a fold lack has probability 0 there. The score of the
        estimator itself counts samples as `sample_weight` and `class_weight` do, other
        scores do not.
    loss, multi_class, class_weight, scale_X, fit_intercept, model, method
        As for :class:`ConvexReLUClassifier`.
    hidden_bias, monotonic_cst
        As well.
    tol, max_iter
        As for :class:`ConvexReLUClassifier`.
    proof_time, warm_start, random_state, verbose, device
        As for :class:`ConvexReLURegressorCV`.

    Attributes
    ----------
    beta_, best_score_, betas_, scores_path_
        As for :class:`ConvexReLURegressorCV`.
    classes_, networks_, network_, objective_, dual_bound_, dual_gap_, status_
        As for :class:`ConvexReLUClassifier`.
    scaling_, solutions_, solution_, n_neurons_, n_iter_
        As for :class:`ConvexReLUClassifier`.

    Examples
    --------
    >>> import cvxnn
    >>> from cvxnn import ConvexReLUClassifierCV
    >>> X, y = cvxnn.load_ring()
    >>> model = ConvexReLUClassifierCV(betas=[1.0, 0.1]).fit(X[:, :2], y)
    >>> model.scores_path_.shape, model.beta_ in (1.0, 0.1)
    ((2, 5), True)
    """

    _plain = ConvexReLUClassifier

    def _score_weights(self, table: Table) -> FloatArray | None:
        if self.class_weight is None:
            return table.weights
        # Errors that count for nothing in a training must not decide how it is done.
        return class_weighted(self.class_weight, self._labels(table.y), table.weights)
