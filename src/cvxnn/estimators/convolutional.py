"""Convolutional networks with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data

from cvxnn.architectures import ArchitectureSolution, ConvolutionalNetwork
from cvxnn.architectures.cnn import solve_cnn_quietly
from cvxnn.architectures.convolutional import POOLINGS
from cvxnn.errors import InputError
from cvxnn.estimators.base import ConvexEstimator, Rows
from cvxnn.estimators.classifier import CLASSIFICATION_LOSSES, ConvexClassifier
from cvxnn.estimators.inputs import check_entries
from cvxnn.estimators.regressor import REGRESSION_LOSSES, ConvexRegressor
from cvxnn.layers.images import as_pixels, check_sides
from cvxnn.validation import check_choice, check_count, check_number, check_positive

FloatArray = NDArray[np.float64]


class ConvexCNN(ConvexEstimator):
    """Base of the estimators on images; not for use by itself."""

    _proof_advice = "smaller filters"
    _parameter_constraints: ClassVar[dict[str, Callable[[Any, str], object]]] = (
        ConvexEstimator._parameter_constraints
        | {
            "filter_size": lambda value, name: check_sides(value),
            "stride": check_count,
            "padding": partial(check_count, minimum=0),
            "pooling": partial(check_choice, choices=POOLINGS),
            "slope": check_number,
        }
    )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # The tables of scikit-learn's checks are no signals: a filter that is the same
        # for all columns learns little of them.
        for kind in (tags.classifier_tags, tags.regressor_tags):
            if kind is not None:
                kind.poor_score = True
        return tags

    def _input_options(self, networks: list[Any]) -> dict[str, Any]:
        return {"image_shape": self.image_shape_}

    def _read(self, X: ArrayLike, *y: ArrayLike, reset: bool = True, **options: Any) -> Any:
        shape = check_entries(X)
        # Before scikit-learn calls the height of an image its number of features.
        if not reset and shape[2:]:
            self._check_shape(shape)
        for target in y:
            self._check_target(target)
        read = validate_data(self, X, *y, dtype=np.float64, allow_nd=True, reset=reset, **options)
        data = read[0] if y else read
        if reset:
            as_pixels(data, self.filter_size)
            self.image_shape_ = data.shape[1:]
        self._check_shape(data.shape)
        return read

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if shape[1:] != self.image_shape_:
            raise InputError(
                f"X must have images of shape {self.image_shape_}, as when it was fitted, "
                f"got {shape[1:]}."
            )

    def _table(self, data: FloatArray) -> FloatArray:
        return data.reshape(len(data), -1)

    def _values(self, X: ArrayLike) -> FloatArray:
        networks = self._fitted_networks()
        images = self._read(X, reset=False)
        return np.column_stack([network.forward(images) for network in networks])

    def _solve(
        self, rows: Rows, beta: float, **arguments: Any
    ) -> ArchitectureSolution[ConvolutionalNetwork]:
        return solve_cnn_quietly(
            rows.X.reshape(-1, *self.image_shape_), rows.y, beta, self.filter_size,
            stride=self.stride, padding=self.padding, pooling=self.pooling, slope=self.slope,
            fit_intercept=self.fit_intercept, **arguments,
        )  # fmt: skip

    def _take(self, solutions: Sequence[Any]) -> None:
        super()._take(solutions)
        self.n_neurons_ = sum(solution.network.n_neurons for solution in solutions)


class ConvexCNNRegressor(ConvexCNN, ConvexRegressor):
    """Two-layer convolutional network for regression, trained to a certified global optimum.

    Minimises

        sum_i w_i l(f(x_i), y_i) + beta/2 sum_j (||u_j||^2 + b_j^2 + a_j^2)

    over networks ``f(x) = sum_j a_j pool_k phi(x_k'u_j + b_j)`` with any number of
    filters u_j, which are applied to all patches x_k of an image: a sum over the images,
    not a mean. The answer does not depend on a seed.

    Parameters
    ----------
    beta : float, default 1.0
        Weight of the penalty, > 0. With n images it corresponds to n times the weight
        decay of a mean loss.
    filter_size : int or tuple of int, default 3
        Height and width of a filter, or one number for both; for signals its length, a
        tuple ``(length,)`` where they have channels.
    stride, padding : int, default 1 and 0
        Pixels from one patch to the next; zeros around every image.
    pooling : {"sum", "average", "max"}, default "sum"
        Of the activations of a filter over the image; ``"max"`` is for
        ``method="exact"`` and ``"sampled"``, and ``slope=0``.
    slope : float, default 0.0
        Of the activation below zero: 0 is the ReLU, -1 the absolute value.
    loss : {"squared", "huber"}, default "squared"
    delta : float, default 1.0
        Where the Huber loss becomes linear, in the units of y.
    fit_intercept : bool, default True
        Whether filters have a bias, which is penalised as well.
    method : {"global", "exact", "sampled"}, default "global"
        See :func:`cvxnn.solve_cnn`.
    n_samples : int, default 500
        Directions of ``method="sampled"``.
    tol : float, default 1e-6
        Relative gap at which the network counts as optimal.
    max_iter : int, default 100
        Rounds of the method.
    time_limit : float or None, default 60.0
        Seconds. A proof may take exponential time where filters are large; after this
        time the best network comes back with the gap it has.
    random_state : int, RandomState or None, default 0
        Where searches start; the optimum does not depend on it.
    verbose : bool or int, default 0
        Whether to show the rounds on a terminal.

    Attributes
    ----------
    network_ : ConvolutionalNetwork
    objective_, dual_bound_, dual_gap_ : float
        Objective, proven lower bound on that of every network, relative difference.
    status_ : Status
        How the run ended.
    n_neurons_, n_iter_ : int
    image_shape_ : tuple of int
        Shape of an image of the training data.
    n_features_in_ : int
        Its first number.
    feature_names_in_ : ndarray of str
        Where X is a table of signals that has names of columns.

    Notes
    -----
    X has images of shape (n, height, width) or (n, height, width, channels), or signals
    of shape (n, length) or (n, length, channels). Equal images are merged and sorted, so
    that weights, repetition and order of the images give the same network. Complexity as
    :func:`cvxnn.solve_cnn`.

    References
    ----------
    Seed paper, section 3.2.3; T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> import numpy as np
    >>> signals = np.repeat(np.eye(4), 2, axis=0)
    >>> steps = np.abs(np.diff(signals)).sum(axis=1)  # how often a signal changes
    >>> model = ConvexCNNRegressor(beta=0.01, filter_size=2).fit(signals, steps)
    >>> model.status_.name, [round(float(value), 1) for value in model.predict(np.eye(4))]
    ('OPTIMAL', [1.0, 2.0, 2.0, 1.0])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = ConvexCNN._parameter_constraints | {
        "loss": partial(check_choice, choices=REGRESSION_LOSSES),
        "delta": check_positive,
    }

    def __init__(
        self,
        beta: float = 1.0,
        *,
        filter_size: int | tuple[int, ...] = 3,
        stride: int = 1,
        padding: int = 0,
        pooling: str = "sum",
        slope: float = 0.0,
        loss: str = "squared",
        delta: float = 1.0,
        fit_intercept: bool = True,
        method: str = "global",
        n_samples: int = 500,
        tol: float = 1e-6,
        max_iter: int = 100,
        time_limit: float | None = 60.0,
        random_state: Any = 0,
        verbose: bool | int = 0,
    ) -> None:
        self.beta = beta
        self.filter_size = filter_size
        self.stride = stride
        self.padding = padding
        self.pooling = pooling
        self.slope = slope
        self.loss = loss
        self.delta = delta
        self.fit_intercept = fit_intercept
        self.method = method
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose


class ConvexCNNClassifier(ConvexCNN, ConvexClassifier):
    """Two-layer convolutional network for classification, trained to a certified optimum.

    For two classes, y = -1 and 1, it minimises

        sum_i w_i l(y_i f(x_i)) + beta/2 sum_j (||u_j||^2 + b_j^2 + a_j^2)

    over the networks of :class:`ConvexCNNRegressor`: a sum over the images, not a mean.
    More classes are one such problem each, the class against the rest; objective and
    bound are then sums over the classes, and the status is that of the run that ended
    worst. The largest value of the networks decides.

    Parameters
    ----------
    beta, filter_size, stride, padding, pooling, slope
        As for :class:`ConvexCNNRegressor`.
    loss : {"logistic", "squared_hinge", "squared"}, default "logistic"
        ``log(1 + exp(-y f))``, ``1/2 max(0, 1 - y f)^2`` or ``1/2 (f - y)^2``.
    class_weight : dict, "balanced" or None, default None
        As for :class:`ConvexReLUClassifier`.
    fit_intercept, method, n_samples, tol, max_iter, random_state, verbose
        As for :class:`ConvexCNNRegressor`.
    time_limit : float or None, default 60.0
        Seconds for each network.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
    networks_ : list of ConvolutionalNetwork
        One for two classes, whose positive values mean ``classes_[1]``; else one for
        each class.
    network_ : ConvolutionalNetwork
        The one for two classes.
    objective_, dual_bound_, dual_gap_, status_, n_neurons_, n_iter_
        As for :class:`ConvexCNNRegressor`; filters in all, rounds of the longest run.
    image_shape_, n_features_in_, feature_names_in_
        As for :class:`ConvexCNNRegressor`.

    References
    ----------
    Seed paper, section 3.2.3; T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> import numpy as np
    >>> bars = np.zeros((8, 4, 4))
    >>> for k in range(4):
    ...     bars[k, k], bars[k + 4, :, k] = 1.0, 1.0  # horizontal and vertical
    >>> model = ConvexCNNClassifier(beta=0.1, filter_size=(2, 1), fit_intercept=False)
    >>> model = model.fit(bars, ["-"] * 4 + ["|"] * 4)
    >>> model.status_.name, model.score(bars, ["-"] * 4 + ["|"] * 4)
    ('OPTIMAL', 1.0)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = ConvexCNN._parameter_constraints | {
        "loss": partial(check_choice, choices=CLASSIFICATION_LOSSES),
    }

    def __init__(
        self,
        beta: float = 1.0,
        *,
        filter_size: int | tuple[int, ...] = 3,
        stride: int = 1,
        padding: int = 0,
        pooling: str = "sum",
        slope: float = 0.0,
        loss: str = "logistic",
        class_weight: dict[Any, float] | str | None = None,
        fit_intercept: bool = True,
        method: str = "global",
        n_samples: int = 500,
        tol: float = 1e-6,
        max_iter: int = 100,
        time_limit: float | None = 60.0,
        random_state: Any = 0,
        verbose: bool | int = 0,
    ) -> None:
        self.beta = beta
        self.filter_size = filter_size
        self.stride = stride
        self.padding = padding
        self.pooling = pooling
        self.slope = slope
        self.loss = loss
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.method = method
        self.n_samples = n_samples
        self.tol = tol
        self.max_iter = max_iter
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose
