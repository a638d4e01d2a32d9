"""The classifier: one network for two classes, else one for each class against the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexEstimator, Weights
from cvxnn.estimators.inputs import Samples, check_labels, class_weighted, weights_of
from cvxnn.networks.base import Network


def _has_probabilities(classifier: ConvexClassifier) -> bool:
    if classifier.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', got {classifier.loss!r}.")
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexClassifier(ClassifierMixin, ConvexEstimator):  # type: ignore[misc]
    """One network for two classes, else one for each; not for use by itself."""

    loss: str = "logistic"
    class_weight: dict[Any, float] | str | None = None
    _losses = ("logistic", "squared_hinge", "squared")

    def __sklearn_tags__(self) -> Any:
        return self._tagged(super().__sklearn_tags__())

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Values of the networks, shape (n,) for two classes, else (n, n_classes)."""
        values = self._values(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def predict(self, X: ArrayLike) -> Array:
        """Labels, shape (n,)."""
        values = self.decision_function(X)
        best = (values > 0.0).astype(np.intp) if values.ndim == 1 else values.argmax(axis=1)
        return np.asarray(self.classes_[best])

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Probabilities, shape (n, n_classes), with ``loss="logistic"``.

        Those of more than two classes are the logistic functions of the networks,
        divided by their sum.
        """
        values = expit(self.decision_function(X))
        if values.ndim == 1:
            return np.column_stack([1.0 - values, values])
        total = values.sum(axis=1, keepdims=True)
        # All of them may underflow to zero: then nothing speaks for any class.
        return np.where(
            total > 0.0, values / np.where(total > 0.0, total, 1.0), 1.0 / len(values.T)
        )

    def _check_target(self, y: Any) -> None:
        check_labels(y)

    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> list[Samples]:
        """The samples of each network, with labels -1 and 1."""
        data, labels = self._read_all(X, y)
        check_classification_targets(labels)
        weights = weights_of(sample_weight, len(data))
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(f"y must have two classes at least, got 1 class: {self.classes_[0]}.")
        if self.class_weight is not None:
            weights = class_weighted(self.class_weight, labels, weights)
        positive = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        return [Samples.of(data, np.where(labels == c, 1.0, -1.0), weights) for c in positive]

    def _keep_networks(self, networks: list[Network]) -> None:
        self.networks_ = networks
        self.n_neurons_ = sum(network.n_neurons for network in networks)
        if len(networks) == 1:
            (self.network_,) = networks
        elif hasattr(self, "network_"):
            del self.network_


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLUClassifier(ConvexClassifier):
    """Two-layer network for classification, trained to a certified global optimum.

    For two classes, y = -1 and 1, it minimises

        sum_i w_i l(y_i f(x_i)) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks of any width, by default ``f(x) = sum_j (x'u_j)_+ a_j``: a sum over the
    samples, not a mean. More classes are one such problem each, the class against the rest;
    objective and bound are then sums over the classes, and the status is that of
    the run that ended worst. The largest value of the networks decides.

    Parameters
    ----------
    beta : float, default 1.0
        Weight of the penalty, > 0.
    loss : {"logistic", "squared_hinge", "squared"}, default "logistic"
        ``log(1 + exp(-y f))``, ``1/2 max(0, 1 - y f)^2`` or ``1/2 (f - y)^2``.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, multiplied with `sample_weight`; ``"balanced"`` gives all
        classes the same total weight.
    model, method, hidden_bias
        As for :class:`ConvexReLURegressor`.
    tol : float, default 1e-6
        Relative gap at which the network counts as optimal.
    max_iter : int, default 200
        Rounds of the method.
    time_limit : float or None, default 60.0
        Seconds for each network.
    random_state : int, RandomState or None, default 0
        Where searches start; the optimum does not depend on it.
    verbose : bool or int, default 0
        Whether to show the rounds on a terminal.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
    networks_ : list of Network
        One for two classes, whose positive values mean ``classes_[1]``; else one for
        each class. On X with the column of ones if there is one.
    network_ : Network
        The one for two classes.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference.
    status_ : Status
    n_neurons_, n_iter_ : int
        Neurons in all; rounds of the longest run.
    sample_shape_, n_features_in_, feature_names_in_
        As for :class:`ConvexReLURegressor`.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020; seed paper, (2), (5) and (11).

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> model = ConvexReLUClassifier(beta=0.1).fit(X[:, :2], y)
    >>> model.status_.name, model.score(X[:, :2], y)
    ('OPTIMAL', 1.0)

    Images of horizontal and vertical bars:

    >>> bars = np.zeros((8, 4, 4))
    >>> for k in range(4):
    ...     bars[k, k], bars[k + 4, :, k] = 1.0, 1.0
    >>> model = ConvexReLUClassifier(0.1, model=cvxnn.Conv((2, 1)), hidden_bias=False)
    >>> model = model.fit(bars, ["-"] * 4 + ["|"] * 4)
    >>> model.status_.name, model.score(bars, ["-"] * 4 + ["|"] * 4)
    ('OPTIMAL', 1.0)
    """

    beta: float = field(default=1.0, kw_only=False)
