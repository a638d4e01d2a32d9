"""The regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from cvxnn.estimators.base import ConvexEstimator, ConvexReLU, Rows, weights_of
from cvxnn.estimators.inputs import check_numbers
from cvxnn.validation import check_choice, check_positive

FloatArray = NDArray[np.float64]

REGRESSION_LOSSES = ("squared", "huber")


class ConvexRegressor(RegressorMixin, ConvexEstimator):  # type: ignore[misc]
    """One network for one target; not for use by itself."""

    def predict(self, X: ArrayLike) -> FloatArray:
        """Values of the network, shape (n,)."""
        return self._values(X)[:, 0]

    def _check_target(self, y: Any) -> None:
        check_numbers(y)

    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> list[Rows]:
        data, target = self._read(X, y, y_numeric=True)
        target = np.asarray(target, dtype=np.float64)
        return [Rows.of(self._table(data), target, weights_of(sample_weight, len(data)))]

    def _keep(self, solutions: Sequence[Any]) -> None:
        self.network_ = solutions[0].network
        self._take(solutions)


class ConvexReLURegressor(ConvexRegressor, ConvexReLU):
    """Two-layer ReLU network for regression, trained to a certified global optimum.

    Minimises

        sum_i w_i l(f(x_i), y_i) + beta/2 sum_j (||u_j||^2 + a_j^2)

    over networks ``f(x) = sum_j (x'u_j)_+ a_j`` of any width: a sum over the rows,
    not a mean, with ``l`` the squared loss ``1/2 (f - y)^2`` or Huber's. The answer
    does not depend on a seed. Standardise the features: the penalty sees their
    units; and scale the targets to a size of about 1, or `beta` with them.

    Parameters
    ----------
    beta : float, default 1.0
        Weight of the penalty, > 0. With n rows it corresponds to n times the weight
        decay of a mean loss.
    loss : {"squared", "huber"}, default "squared"
    delta : float, default 1.0
        Where the Huber loss becomes linear, in the units of y.
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
        Seconds. A proof may take exponential time where there are many features;
        after this time the best network comes back with the gap it has.
    random_state : int, RandomState or None, default 0
        Where searches start; the optimum does not depend on it.
    verbose : bool or int, default 0
        Whether to show the rounds on a terminal.

    Attributes
    ----------
    network_ : TwoLayerNetwork
        On X with the column of ones if `fit_intercept`.
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference.
    status_ : Status
        How the run ended.
    n_neurons_, n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names of columns.

    See Also
    --------
    ConvexReLURegressorCV : chooses beta by cross-validation.

    Notes
    -----
    Rows are merged where they are equal and sorted, so that weights, repetition and
    order of the rows give the same network. Complexity as :func:`cvxnn.solve`.

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
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = ConvexReLU._parameter_constraints | {
        "loss": lambda value, name: check_choice(value, name, REGRESSION_LOSSES),
        "delta": check_positive,
    }

    def __init__(
        self,
        beta: float = 1.0,
        *,
        loss: str = "squared",
        delta: float = 1.0,
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
        self.delta = delta
        self.method = method
        self.fit_intercept = fit_intercept
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose
