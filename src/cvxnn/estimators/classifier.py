"""The classifier: one network for two classes, else one for each class against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexEstimator, ConvexReLU, Rows, weights_of
from cvxnn.estimators.class_weights import class_weighted
from cvxnn.estimators.inputs import check_labels
from cvxnn.validation import check_choice

FloatArray = NDArray[np.float64]

CLASSIFICATION_LOSSES = ("logistic", "squared_hinge", "squared")


def _has_probabilities(classifier: ConvexClassifier) -> bool:
    if classifier.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', got {classifier.loss!r}.")
    return True


class ConvexClassifier(ClassifierMixin, ConvexEstimator):  # type: ignore[misc]
    """One network for two classes, else one for each; not for use by itself."""

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Values of the networks, shape (n,) for two classes, else (n, n_classes)."""
        values = self._values(X)
        return values[:, 0] if values.shape[1] == 1 else values

    def predict(self, X: ArrayLike) -> NDArray[Any]:
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

    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> list[Rows]:
        """The rows of each network, with labels -1 and 1."""
        data, labels = self._read(X, y)
        check_classification_targets(labels)
        weights = weights_of(sample_weight, len(data))
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(f"y must have two classes at least, got 1 class: {self.classes_[0]}.")
        if self.class_weight is not None:
            weights = class_weighted(self.class_weight, labels, weights)
        positive = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        table = self._table(data)
        return [Rows.of(table, np.where(labels == c, 1.0, -1.0), weights) for c in positive]

    def _keep(self, solutions: Sequence[Any]) -> None:
        self.networks_ = [solution.network for solution in solutions]
        if len(self.networks_) == 1:
            self.network_ = self.networks_[0]
        elif hasattr(self, "network_"):
            del self.network_
        self._take(solutions)


class ConvexReLUClassifier(ConvexClassifier, ConvexReLU):
    """Two-layer ReLU network for classification, trained to a certified global optimum.

    For two classes, y = -1 and 1, it minimises

        sum_i w_i l(y_i f(x_i)) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks ``f(x) = sum_j (x'u_j)_+ a_j`` of any width: a sum over the rows,
    not a mean. More classes are one such problem each, the class against the rest;
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
    method : {"global", "exact", "sampled"}, default "global"
        See :func:`cvxnn.solve`.
    fit_intercept : bool, default True
        Whether to append a column of ones to X; its weights are penalised as well.
    n_samples : int, default 500
        Directions of ``method="sampled"``.
    tol : float, default 1e-6
        Relative gap at which the network counts as optimal.
    max_iter : int, default 100
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
    networks_ : list of TwoLayerNetwork
        One for two classes, whose positive values mean ``classes_[1]``; else one for
        each class. On X with the column of ones if `fit_intercept`.
    network_ : TwoLayerNetwork
        The one for two classes.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference.
    status_ : Status
    n_neurons_, n_iter_ : int
        Neurons in all; rounds of the longest run.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names of columns.

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
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = ConvexReLU._parameter_constraints | {
        "loss": lambda value, name: check_choice(value, name, CLASSIFICATION_LOSSES),
    }

    def __init__(
        self,
        beta: float = 1.0,
        *,
        loss: str = "logistic",
        class_weight: dict[Any, float] | str | None = None,
        method: str = "global",
        fit_intercept: bool = True,
        n_samples: int = 500,
        tol: float = 1e-6,
        max_iter: int = 100,
        time_limit: float | None = 60.0,
        random_state: Any = 0,
        verbose: bool | int = 0,
    ) -> None:
        self.beta = beta
        self.loss = loss
        self.class_weight = class_weight
        self.method = method
        self.fit_intercept = fit_intercept
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose
