"""The regressor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from cvxnn.array_types import FloatArray
from cvxnn.backends.namespaces import is_dask
from cvxnn.estimators.array_dispatch import like_dispatched
from cvxnn.estimators.base import ConvexEstimator, Weights
from cvxnn.estimators.cluster_scores import explained_in_dask
from cvxnn.estimators.default_beta import Guess, regression_beta
from cvxnn.estimators.deviance import deviance, explained_deviance, log_of_mean, squares
from cvxnn.estimators.given_beta import GivenBeta
from cvxnn.estimators.inputs import Samples, Table, check_numbers, weights_of
from cvxnn.estimators.on_cluster import ClusterTable, by_blocks
from cvxnn.estimators.scaling import Scaling
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline
from cvxnn.losses import HuberLoss, Loss, QuantileLoss
from cvxnn.losses.kinked import check_level
from cvxnn.methods import as_method
from cvxnn.networks.base import Network
from cvxnn.validation import as_real_array


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexRegressor(RegressorMixin, ConvexEstimator):  # type: ignore[misc]
    """One network for one target or several; not for use by itself."""

    loss: str = "squared"
    delta: float = 1.0
    quantile: float = 0.5
    scale_y: bool = True
    _losses = ("squared", "huber", "absolute", "quantile", "poisson", "gamma")

    def __sklearn_tags__(self) -> Any:
        tags = self._tagged(super().__sklearn_tags__())
        tags.target_tags.multi_output = self._takes_outputs
        tags.target_tags.positive_only = self.loss in ("poisson", "gamma")
        return tags

    @like_dispatched
    def predict(self, X: ArrayLike) -> FloatArray:
        """What is expected of y, in its units, shape (n,), or (n, c) for c targets.

        Values of the network; with ``loss="poisson"`` or ``"gamma"`` their exponentials. Of rows in
        dask they are in dask.
        """
        if is_dask(X):
            return by_blocks(self.predict, X)
        values = self._shaped_values(X)
        if not self._loss().has_log_link:
            return values
        with np.errstate(over="ignore"):
            return np.exp(values)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights = None) -> float:
        """R^2; with ``loss="poisson"`` or ``"gamma"`` D^2, the share of the deviance explained.

        Parameters
        ----------
        X, y : array-like
            As for `fit`; of rows in dask the sums are over their blocks.
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        float
            1 at best, 0 for the mean of y, of several targets the mean of each.
        """
        if is_dask(X) or is_dask(y):
            return self._score_in_dask(X, y, sample_weight)
        if not self._loss().has_log_link:
            return float(super().score(X, y, sample_weight))
        values = self._shaped_values(X)
        target = as_real_array(y, "y").reshape(values.shape)
        self._loss().check(target)
        return explained_deviance(
            self._loss(), values, target, weights_of(sample_weight, len(values))
        )

    def _score_in_dask(self, X: Any, y: Any, sample_weight: Any) -> float:
        has_log_link = self._loss().has_log_link
        cost = partial(deviance, self._loss()) if has_log_link else squares
        constant = log_of_mean if has_log_link else np.asarray
        return explained_in_dask(self._shaped_values, cost, constant, X, y, sample_weight)

    def _shaped_values(self, X: ArrayLike) -> FloatArray:
        values = self._values(X)
        return values[:, 0] if self.network_.n_outputs is None else values

    @property
    def _flags(self) -> tuple[str, ...]:
        return (*super()._flags, "scale_y")

    def _loss(self) -> Loss:
        # Both are checked whatever the loss.
        huber, quantile = (
            HuberLoss(self.delta),
            QuantileLoss(check_level(self.quantile, "quantile")),
        )
        return {"huber": huber, "quantile": quantile}.get(self.loss) or super()._loss()

    def _check_target(self, y: Any) -> None:
        check_numbers(y)

    def _read(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> Table:
        data, target = self._read_all(X, y, y_numeric=True, multi_output=True)
        target = np.asarray(target, dtype=np.float64)
        if target.ndim == 2 and target.shape[1] == 1:
            target = column_or_1d(target, warn=True)
        if target.ndim == 2:
            self._model().check_outputs(target.shape[1], as_method(self.method))
        return Table(data, target, weights_of(sample_weight, len(data)), self._device_of(X))

    def _merged(self, table: Table) -> Samples:
        return Samples.of(table.X, table.y, table.weights)

    def _scaling_of(self, samples: Samples) -> Scaling:
        scaling = super()._scaling_of(samples)
        return scaling.of_target(samples) if self._scales_targets else scaling

    def _problems(self, merged: Samples) -> list[Samples]:
        return [self._as_read(merged)]

    def _automatic_beta(
        self, training: Training, problems: list[Samples], deadline: Deadline
    ) -> Guess:
        (samples,) = problems
        return regression_beta(training, samples, deadline)

    @property
    def _beta_grows(self) -> bool:
        return True

    @property
    def _scales_targets(self) -> bool:
        return self.scale_y and not self._loss().has_log_link

    def _cluster_targets(self, table: ClusterTable) -> Any:
        return table.y

    def _cluster_problems(self, targets: Any) -> list[Any]:
        scaling = self.scaling_
        return [(targets - scaling.target_centre) / scaling.target_scale]

    def _keep_networks(self, networks: list[Network]) -> None:
        (self.network_,) = networks
        self.n_neurons_ = self.network_.n_neurons


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLURegressor(GivenBeta, ConvexRegressor):
    """Two-layer network for regression, trained as a convex program.

    Minimises::

        sum_i w_i l(f(x_i), y_i) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks of any width, by default ``f(x) = sum_j (x'u_j)_+ a_j + b``: a sum over the
    samples, not a mean, with ``l`` the squared loss ``1/2 (f - y)^2``, Huber's, ``|f - y|``, that
    of a quantile of y given x, or half of the deviance of counts or of amounts beside ``exp f``.
    By default
    x and y are standardised inside, so that units do not matter: predictions follow
    ``y -> a y + b`` and columns in other units. Several targets, y of shape (n, c), share the
    neurons of one network with an output for each: the a_j and b are vectors, the penalty has
    ``||a_j||^2``, and losses are sums over the targets.

    Parameters
    ----------
    beta : float or "auto", default "auto"
        Weight of the penalty, > 0, in the units of the standardised data. With n rows it
        corresponds to n times the weight decay of a mean loss. "auto" is a guess from the
        errors on a fifth of the samples, in a part of the time that
        :class:`ConvexReLURegressorCV` takes; 1 for other models than plain ReLU.
    loss : {"squared", "huber", "absolute", "quantile", "poisson", "gamma"}, default "squared"
        ``"absolute"`` is for medians, and twice ``"quantile"`` with ``quantile=0.5``.
        ``"poisson"`` is for counts y >= 0, or rates with what they are counted in as
        `sample_weight`, ``"gamma"`` for amounts y > 0: f is the logarithm of what is expected,
        predictions are ``exp f``, and `score` is D^2.
    delta : float, default 1.0
        Where the Huber loss becomes linear, in deviations of y if `scale_y`, else in its units.
    quantile : float, default 0.5
        Between 0 and 1: the share of the targets that are to be below the predictions, for
        ``loss="quantile"``, which is :class:`QuantileLoss`. Two of them make an interval.
    scale_X : bool, default True
        Whether the columns of X get mean 0 and deviation 1 (weighted by `sample_weight`;
        constant ones only mean 0). Images, signals and patches are divided by the root
        mean square of all their entries.
    scale_y : bool, default True
        Whether y gets mean 0 and deviation 1, each target by itself. Predictions are in the
        units of y. Not for "poisson" and "gamma", where a factor of y is added to the intercept.
    fit_intercept : bool, default True
        Whether the network has an intercept b, which is not penalised.
    model : str or Model, default "relu"
        The kind of network, see :func:`cvxnn.solve`. Its settings are parameters, too, such
        as ``model__filter_size`` in a grid search. Gates that are given are for the
        standardised columns, and so are the norms of an ``l1_ratio``.
    monotonic_cst : array-like of int or dict, default None
        For each feature 1 where predictions must not fall with it, -1 where they must not rise,
        and 0 for either; or a dict of these by names of features, as a data frame has them, the
        others being 0. See :class:`ReLU`: each neuron is so by itself.
    method : {"global", "exact", "sampled"} or Method, default "global"
        See :func:`cvxnn.solve`; ``method__n_samples`` is a setting of :class:`Sampled`.
    hidden_bias : bool, default True
        Whether neurons have a bias, which is penalised as well. For networks on rows that
        is a weight on a column of ones, which is appended to X; gates that are given have
        an entry for it. For :class:`Conv` it sets ``bias=True``. Linear convolutions have
        none. False leaves X and the model as they are.
    tol : float, default 1e-6
        Relative gap at which the network counts as optimal.
    max_iter : int, default 200
        Rounds of the method.
    time_limit : float, None or "auto", default "auto"
        Seconds for the whole fit, in which the network is polished and proven to be the best
        as far as they go; None is without a limit. "auto" is a search that ends where rounds
        gain little, after 60 at most, and without a warning that nothing is proven. Where a
        proof takes a few seconds, it comes first, and counts if it is there after 5: for n
        rows of rank r (columns, and the one of ones) with ``n^(r - 2) <= 1000``, as one
        column or two and 1000 rows, and up to 29 distinct rows of any rank.
    proof_time : float or "auto", default "auto"
        Seconds of the fit for a bound by a relaxation (:class:`Global`), which says how far from
        optimal the network is at most where nothing else proves it: 2 bring the gap of some
        hundred rows from .9 to .3 and less. With ``time_limit="auto"`` they come at the end,
        "auto" is a tenth of the fit, and a time too short to bring anything is not spent;
        otherwise they are in the limit, and "auto" is at most half of it.
    warm_start : bool, default False
        Whether `fit` goes on from the networks of the last one, where the scaling of the data
        is still the same and they are better than none.
    random_state : int, RandomState or None, default 0
        Where searches start; a proven optimum does not depend on it.
    verbose : bool or int, default 0
        Whether to show the rounds: a table on a terminal, lines on stderr elsewhere.
    device : str or None, default None
        A device of PyTorch, such as "cuda", for the sums over rows of a search, as for
        :func:`cvxnn.solve`. None is the CPU, and under
        ``sklearn.set_config(array_api_dispatch=True)`` that of X: predictions are then of the
        library of X, on its device, too. What is fitted is of numpy in any case.

    Attributes
    ----------
    network_ : Network
        Of the kind of the model, in the units of the standardised data: it reads
        ``scaling_.transform(X)``, with the column of ones if there is one.
    scaling_ : Scaling
        Means and deviations, with ``transform(X)``, ``target(y)`` and ``restored(values)``.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference; in the
        units of the standardised data.
    beta_ : float
        The beta of the fit.
    solution_ : Solution
        What :func:`cvxnn.solve` returned, with the history of the run.
    solutions_ : list of Solution
        The same in a list.
    status_ : Status
        How the run ended.
    n_neurons_, n_iter_ : int
    sample_shape_ : tuple of int
        Of a sample of the training data.
    n_features_in_ : int
        Its first number.
    feature_names_in_ : ndarray of str
        Where X has names of columns.

    See Also
    --------
    ConvexReLURegressorCV : chooses beta by cross-validation.

    Notes
    -----
    Several targets need a model and a method that have several outputs, which are :class:`ReLU`
    without a skip connection, :class:`Conv` with sums or averages or :class:`Polynomial`, and
    :class:`Global`.

    X has what the model reads: rows of shape (n, d); images of shape (n, height, width[, C])
    or signals of shape (n, length[, C]) for :class:`Conv`; patches for :class:`LinearConv`.
    Samples are merged where they are equal and sorted, so that weights, repetition and
    order of the samples give the same network. Complexity as :func:`cvxnn.solve`.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020; seed paper, (2), (5) and (11).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.linspace(-1.0, 1.0, 9)[:, None]
    >>> model = ConvexReLURegressor(beta=1e-3).fit(X, np.abs(X[:, 0]))
    >>> model.status_.name, model.dual_gap_ <= 1e-6
    ('OPTIMAL', True)
    >>> [round(float(value), 2) for value in model.predict([[-0.5], [2.0]])]
    [0.5, 2.0]

    An interval that has nine of ten targets, from two quantiles:

    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0.0, 1.0, (200, 1))
    >>> y = x[:, 0] * rng.standard_normal(200)
    >>> low, high = (
    ...     ConvexReLURegressor(beta=1.0, loss="quantile", quantile=level).fit(x, y).predict(x)
    ...     for level in (0.05, 0.95)
    ... )
    >>> 0.85 < np.mean((low <= y) & (y <= high)) < 0.95  # up to the rows that are on the curves
    np.True_

    A fit that must not fall with a feature:

    >>> noisy = x[:, 0] ** 2 + 0.1 * rng.standard_normal(200)
    >>> model = ConvexReLURegressor(beta=0.1, monotonic_cst=[1]).fit(x, noisy)
    >>> model.status_.name, bool((np.diff(model.predict(np.sort(x, axis=0))) >= 0.0).all())
    ('OPTIMAL', True)

    Two targets, whose network has two outputs:

    >>> model = ConvexReLURegressor(beta=1e-3).fit(X, np.column_stack([np.abs(X), X]))
    >>> model.predict([[-0.5], [2.0]]).round(2).tolist(), model.n_neurons_
    ([[0.5, -0.5], [2.0, 2.0]], 2)

    A convolutional network on signals, which learns how often one changes:

    >>> from cvxnn import Conv
    >>> signals = np.repeat(np.eye(4), 2, axis=0)
    >>> steps = np.abs(np.diff(signals)).sum(axis=1)
    >>> model = ConvexReLURegressor(beta=0.01, model=Conv(filter_size=2)).fit(signals, steps)
    >>> model.status_.name, [round(float(value), 1) for value in model.predict(np.eye(4))]
    ('OPTIMAL', [1.0, 2.0, 2.0, 1.0])
    """
