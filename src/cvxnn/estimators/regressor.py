"""The regressor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin

from cvxnn.array_types import FloatArray
from cvxnn.estimators.base import ConvexEstimator, Weights
from cvxnn.estimators.inputs import Samples, check_numbers, weights_of
from cvxnn.losses import HuberLoss, Loss
from cvxnn.networks.base import Network


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexRegressor(RegressorMixin, ConvexEstimator):  # type: ignore[misc]
    """One network for one target; not for use by itself."""

    loss: str = "squared"
    delta: float = 1.0
    _losses = ("squared", "huber")

    def __sklearn_tags__(self) -> Any:
        return self._tagged(super().__sklearn_tags__())

    def predict(self, X: ArrayLike) -> FloatArray:
        """Values of the network, shape (n,)."""
        return self._values(X)[:, 0]

    def _loss(self) -> Loss:
        huber = HuberLoss(self.delta)
        return huber if self.loss == "huber" else super()._loss()

    def _check_target(self, y: Any) -> None:
        check_numbers(y)

    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> list[Samples]:
        data, target = self._read_all(X, y, y_numeric=True)
        target = np.asarray(target, dtype=np.float64)
        return [Samples.of(data, target, weights_of(sample_weight, len(data)))]

    def _keep_networks(self, networks: list[Network]) -> None:
        (self.network_,) = networks
        self.n_neurons_ = self.network_.n_neurons


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLURegressor(ConvexRegressor):
    """Two-layer network for regression, trained to a certified global optimum.

    Minimises

        sum_i w_i l(f(x_i), y_i) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks of any width, by default ``f(x) = sum_j (x'u_j)_+ a_j``: a sum over the
    samples, not a mean, with ``l`` the squared loss ``1/2 (f - y)^2`` or Huber's. The
    answer does not depend on a seed. Standardise the features: the penalty sees their
    units; and scale the targets to a size of about 1, or `beta` with them.

    Parameters
    ----------
    beta : float, default 1.0
        Weight of the penalty, > 0. With n rows it corresponds to n times the weight
        decay of a mean loss.
    loss : {"squared", "huber"}, default "squared"
    delta : float, default 1.0
        Where the Huber loss becomes linear, in the units of y.
    model : {"relu", "gated", "conv", "linear_conv", "circular_conv"} or Model, default "relu"
        The kind of network, see :func:`cvxnn.solve`. Its settings are parameters, too, such
        as ``model__filter_size`` in a grid search.
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
    time_limit : float or None, default 60.0
        Seconds. A proof may take exponential time where there are many features;
        after this time the best network comes back with the gap it has.
    random_state : int, RandomState or None, default 0
        Where searches start; the optimum does not depend on it.
    verbose : bool or int, default 0
        Whether to show the rounds on a terminal.

    Attributes
    ----------
    network_ : Network
        Of the kind of the model; on X with the column of ones if there is one.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference.
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

    A convolutional network on signals, which learns how often one changes:

    >>> from cvxnn import Conv
    >>> signals = np.repeat(np.eye(4), 2, axis=0)
    >>> steps = np.abs(np.diff(signals)).sum(axis=1)
    >>> model = ConvexReLURegressor(beta=0.01, model=Conv(filter_size=2)).fit(signals, steps)
    >>> model.status_.name, [round(float(value), 1) for value in model.predict(np.eye(4))]
    ('OPTIMAL', [1.0, 2.0, 2.0, 1.0])
    """

    beta: float = field(default=1.0, kw_only=False)
