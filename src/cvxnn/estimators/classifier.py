"""The classifier: one network, or one for each class against the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.namespaces import is_dask
from cvxnn.errors import InputError
from cvxnn.estimators.array_dispatch import like_dispatched
from cvxnn.estimators.base import ConvexEstimator, Weights
from cvxnn.estimators.cluster_scores import accuracy_in_dask
from cvxnn.estimators.default_beta import Guess, classification_beta
from cvxnn.estimators.given_beta import GivenBeta
from cvxnn.estimators.inputs import Samples, Table, check_labels, class_weighted, weights_of
from cvxnn.estimators.on_cluster import (
    ClusterTable,
    by_blocks,
    in_columns,
    one_against_others,
)
from cvxnn.estimators.training import Training
from cvxnn.interrupts import Deadline
from cvxnn.losses import Loss, SoftmaxLoss
from cvxnn.methods import as_method
from cvxnn.networks.base import Network
from cvxnn.validation import check_choice

_MULTI_CLASS = ("auto", "softmax", "ovr")


def _has_probabilities(classifier: ConvexClassifier) -> bool:
    if classifier.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', got {classifier.loss!r}.")
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexClassifier(ClassifierMixin, ConvexEstimator):  # type: ignore[misc]
    """One network, or one for each class; not for use by itself."""

    loss: str = "logistic"
    multi_class: str = "auto"
    class_weight: dict[Any, float] | str | None = None
    _losses = ("logistic", "squared_hinge", "hinge", "squared")

    def __sklearn_tags__(self) -> Any:
        return self._tagged(super().__sklearn_tags__())

    @like_dispatched
    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Values of the outputs, shape (n,) for two classes, else (n, n_classes)."""
        if is_dask(X):
            return by_blocks(self.decision_function, X)
        return self._decisions(X)

    @like_dispatched
    def predict(self, X: ArrayLike) -> Array:
        """Labels, shape (n,); of rows in dask they are in dask."""
        if is_dask(X):
            return by_blocks(self.predict, X)
        values = self._decisions(X)
        best = (values > 0.0).astype(np.intp) if values.ndim == 1 else values.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights = None) -> float:
        """The share of the samples whose label is predicted.

        Parameters
        ----------
        X, y : array-like
            As for `fit`; of rows in dask the sums are over their blocks.
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        float
            Between 0 and 1.
        """
        if is_dask(X) or is_dask(y):
            return accuracy_in_dask(self.predict, X, y, sample_weight)
        return float(super().score(X, y, sample_weight))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    @like_dispatched
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Probabilities, shape (n, n_classes), with ``loss="logistic"``.

        Those of more than two classes are the softmax of the outputs; of one network for each
        class they are the logistic functions of the networks, divided by their sum.
        """
        if is_dask(X):
            return by_blocks(self.predict_proba, X)
        decisions = self._decisions(X)
        if self.networks_[0].n_outputs is not None:
            return np.asarray(softmax(decisions, axis=1))
        values = expit(decisions)
        if values.ndim == 1:
            return np.column_stack([1.0 - values, values])
        total = values.sum(axis=1, keepdims=True)
        # All of them may underflow to zero: then nothing speaks for any class.
        return np.where(
            total > 0.0, values / np.where(total > 0.0, total, 1.0), 1.0 / len(values.T)
        )

    def _decisions(self, X: ArrayLike) -> FloatArray:
        values = self._values(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if check_choice(self.multi_class, "multi_class", _MULTI_CLASS) != "softmax":
            return
        if self.loss != "logistic":
            raise InputError(f"multi_class='softmax' needs loss='logistic', got {self.loss!r}.")
        if not self._takes_outputs:
            raise InputError(
                "multi_class='softmax' needs a model and a method of several outputs, such as "
                f"ReLU() and 'global'; {self._model().label} by "
                f"method={as_method(self.method).name!r} has one: take 'ovr'."
            )

    @property
    def _is_joint(self) -> bool:
        """Whether there is one network with an output for each of several classes."""
        is_softmax = self.multi_class == "softmax" or (
            self.multi_class == "auto" and self.loss == "logistic" and self._takes_outputs
        )
        return is_softmax and len(getattr(self, "classes_", ())) > 2

    def _loss(self) -> Loss:
        return SoftmaxLoss() if self._is_joint else super()._loss()

    def _check_target(self, y: Any) -> None:
        check_labels(y)

    def _read(self, X: ArrayLike, y: ArrayLike, sample_weight: Weights) -> Table:
        """The data, with the numbers of the classes for y."""
        data, labels = self._read_all(X, y)
        check_classification_targets(labels)
        weights = weights_of(sample_weight, len(data))
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise InputError(f"y must have two classes at least, got 1 class: {classes[0]}.")
        if self.warm_start and not np.array_equal(getattr(self, "classes_", classes), classes):
            raise InputError("With warm_start=True y must have the classes of the last fit.")
        if len(classes) > 2 and any(self._model().get_params().get("monotonic_cst") or ()):
            raise InputError(
                f"monotonic_cst is for two classes, the second of which becomes more likely with "
                f"a feature or less; y has {len(classes)}."
            )
        self.classes_ = classes
        return Table(data, numbers.reshape(-1), weights, self._device_of(X))

    def _labels(self, target: Array) -> Array:
        return np.asarray(self.classes_[target])

    def _merged(self, table: Table) -> Samples:
        weights = table.weights
        if self.class_weight is not None:
            weights = class_weighted(self.class_weight, self._labels(table.y), weights)
        return Samples.of(table.X, table.y.astype(np.float64), weights)

    def _problems(self, merged: Samples) -> list[Samples]:
        """The samples of each network; a class may have none of them.

        Labels are -1 and 1, or those of a network of several outputs rows of 0 with one 1.
        """
        samples = self._as_read(merged)
        if self._is_joint:
            return [replace(samples, y=np.eye(len(self.classes_))[merged.y.astype(np.intp)])]
        numbers = range(len(self.classes_))
        positive = numbers[1:] if len(numbers) == 2 else numbers
        return [replace(samples, y=np.where(merged.y == k, 1.0, -1.0)) for k in positive]

    def _automatic_beta(
        self, training: Training, problems: list[Samples], deadline: Deadline
    ) -> Guess:
        return classification_beta(training, problems, deadline)

    @property
    def _beta_grows(self) -> bool:
        # That of classes is of the rank.
        return False

    @property
    def _scales_targets(self) -> bool:
        return False

    def _cluster_targets(self, table: ClusterTable) -> Any:
        if self.class_weight is not None:
            raise InputError("class_weight is not for rows in dask: give sample_weight.")
        self.classes_ = table.classes()
        return table.numbered(self.classes_)

    def _cluster_problems(self, targets: Any) -> list[Any]:
        numbers = range(len(self.classes_))
        if self._is_joint:
            return [in_columns(targets, len(numbers))]
        positive = numbers[1:] if len(numbers) == 2 else numbers
        return [one_against_others(targets, k) for k in positive]

    def _keep_networks(self, networks: list[Network]) -> None:
        self.networks_ = networks
        self.n_neurons_ = sum(network.n_neurons for network in networks)
        if len(networks) == 1:
            (self.network_,) = networks
        elif hasattr(self, "network_"):
            del self.network_


@dataclass(kw_only=True, eq=False, repr=False)
class ConvexReLUClassifier(GivenBeta, ConvexClassifier):
    """Two-layer network for classification, trained as a convex program.

    For two classes, y = -1 and 1, it minimises::

        sum_i w_i l(y_i f(x_i)) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks of any width, by default ``f(x) = sum_j (x'u_j)_+ a_j + b``: a sum over the
    samples, not a mean. By default x is standardised inside, so that its units do not matter.
    More classes share the neurons of one network, which has an output for each, and is trained as
    multinomial logistic regression is::

        sum_i w_i (log(sum_k exp f_k(x_i)) - f_{y_i}(x_i)) + beta/2 sum_j (||u_j||^2 + ||a_j||^2)

    with ``f(x) = sum_j (x'u_j)_+ a_j + b``, the a_j and b with an entry for each class. Other
    losses and models have one problem of two classes for each, the class against the rest;
    objective and bound are then sums over the classes, and the status is that of the run that
    ended worst. The largest value decides.

    Parameters
    ----------
    beta : float or "auto", default "auto"
        Weight of the penalty, > 0, in the units of the standardised data. "auto" is the
        root of the rank of the rows (with their column of ones), a guess that takes
        no search as in :class:`ConvexReLUClassifierCV`; of half the rank for several classes in
        one network; a hundredth of the largest beta for
        other models than plain ReLU.
    loss : {"logistic", "squared_hinge", "hinge", "squared"}, default "logistic"
        ``log(1 + exp(-y f))``, ``1/2 max(0, 1 - y f)^2`` or ``1/2 (f - y)^2``. "logistic" is
        minus the log-likelihood, so of several outputs that of their softmax.
    multi_class : {"auto", "softmax", "ovr"}, default "auto"
        What three classes and more are: one network whose outputs share neurons, or one network
        for each class against the rest. "auto" is softmax for ``loss="logistic"`` where model and
        method have several outputs (:class:`ReLU` without a skip connection, :class:`Conv` with
        sums or averages or :class:`Gated`, by :class:`Global`).
        Two classes are one output in any case.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, multiplied with `sample_weight`; ``"balanced"`` gives all
        classes the same total weight.
    scale_X, fit_intercept, model, method, hidden_bias, tol, max_iter
        As for :class:`ConvexReLURegressor`.
    monotonic_cst : array-like of int or dict, default None
        As for :class:`ConvexReLURegressor`, of two classes: with a feature of 1 the second class
        does not become less likely.
    time_limit : float, None or "auto", default "auto"
        As for :class:`ConvexReLURegressor`, for all classes together. "auto" proves where
        k networks have ``k n^(r - 2) <= 300``, one for each class by "ovr", else a single one; one
        network for up to 24 distinct rows of any rank.
    proof_time : float or "auto", default "auto"
        As for :class:`ConvexReLURegressor`; the networks share it.
    warm_start, random_state, verbose, device
        As for :class:`ConvexReLURegressor`.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
    networks_ : list of Network
        One for two classes, whose positive values mean ``classes_[1]``; one with an output
        for each class; or one for each class. They read ``scaling_.transform(X)``, with the
        column of ones if there is one. A class without samples of weight above 0 has the
        constant value -1e30.
    network_ : Network
        The one, where there is a single one.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference; in the
        units of the standardised data.
    solutions_ : list of Solution
        What :func:`cvxnn.solve` returned for each network, with the history of the run.
    solution_ : Solution
        The one, where there is a single network.
    status_ : Status
    n_neurons_, n_iter_ : int
        Neurons in all; rounds of the longest run.
    beta_, scaling_, sample_shape_, n_features_in_, feature_names_in_
        As for :class:`ConvexReLURegressor`.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020; seed paper, (2), (5) and (11).

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> model = ConvexReLUClassifier(beta=0.01).fit(X[:, :2], y)
    >>> model.status_.name, model.score(X[:, :2], y)
    ('OPTIMAL', 1.0)

    Three classes share neurons:

    >>> thirds = np.digitize(X[:, 0], [-0.4, 0.4])
    >>> model = ConvexReLUClassifier(beta=0.5).fit(X[:, :2], thirds)
    >>> model.status_.name, model.network_.n_outputs, model.predict_proba(X[:, :2]).shape
    ('OPTIMAL', 3, (50, 3))

    Images of horizontal and vertical bars:

    >>> bars = np.zeros((8, 4, 4))
    >>> for k in range(4):
    ...     bars[k, k], bars[k + 4, :, k] = 1.0, 1.0
    >>> model = ConvexReLUClassifier(0.1, model=cvxnn.Conv((2, 1)), hidden_bias=False)
    >>> model = model.fit(bars, ["-"] * 4 + ["|"] * 4)
    >>> model.status_.name, model.score(bars, ["-"] * 4 + ["|"] * 4)
    ('OPTIMAL', 1.0)
    """
