"""What the estimators share: parameters, rows in canonical order, one training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from cvxnn.architectures.results import ArchitectureSolution
from cvxnn.convergence import warn_of_convergence
from cvxnn.estimators.callbacks import CallbackSupportMixin, report_rounds, with_callbacks
from cvxnn.estimators.inputs import check_entries
from cvxnn.exchange import to_onnx, to_torch
from cvxnn.losses import HuberLoss, Loss, as_loss
from cvxnn.progress import live_progress
from cvxnn.results import Progress, Solution, Status, described, relative_gap
from cvxnn.training.methods import METHODS
from cvxnn.training.solve import solve_quietly
from cvxnn.validation import (
    check_choice,
    check_count,
    check_flag,
    check_optional_positive,
    check_positive,
    check_random_state,
    check_tolerance,
    check_weights,
)

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import dtype
    from torch.nn import Sequential

FloatArray = NDArray[np.float64]
AnySolution = Solution[Any] | ArchitectureSolution[Any]
_OnRound = Callable[[Progress], None]

# How badly a run can end, for the one status of several networks.
_WORST_FIRST = (
    Status.NUMERICAL_ERROR,
    Status.INTERRUPTED,
    Status.TIME_LIMIT,
    Status.ITERATION_LIMIT,
    Status.STATIONARY,
    Status.OPTIMAL_FOR_PATTERNS,
    Status.OPTIMAL,
)

# Seconds after Ctrl-C for each network that is not trained yet.
_AT_ONCE = 1e-9


@dataclass(frozen=True)
class Rows:
    """Data with the column of ones, targets and weights, in an order of their own.

    Equal rows are one row with the sum of their weights, and rows of weight zero are
    gone: so weights, repetition and order give the same numbers to the last digit.

    Attributes
    ----------
    X : ndarray, shape (k, d)
    y : ndarray, shape (k,)
    weights : ndarray, shape (k,), or None where all are 1
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray | None

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, weights: FloatArray | None) -> Rows:
        """Merge and sort; O(n d log n)."""
        weights = np.ones(len(X)) if weights is None else weights
        counted = weights > 0.0
        table = np.column_stack([X, y])[counted]
        unique, member = np.unique(table, axis=0, return_inverse=True)
        total = np.bincount(member.reshape(-1), weights[counted]).astype(np.float64)
        data = np.ascontiguousarray(unique[:, :-1])
        return cls(data, unique[:, -1].copy(), None if (total == 1.0).all() else total)

    def weighted(self) -> tuple[FloatArray, FloatArray]:
        """X and y of an unweighted squared loss with the same value for every network."""
        if self.weights is None:
            return self.X, self.y
        root = np.sqrt(self.weights)
        return self.X * root[:, None], self.y * root


def weights_of(sample_weight: ArrayLike | None, n_rows: int) -> FloatArray | None:
    """Weights of rows from what scikit-learn allows: None, one number, or one for each."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, float(sample_weight))
    return check_weights(sample_weight, n_rows)


def _both(first: _OnRound | None, second: _OnRound | None) -> _OnRound | None:
    """One callback of two."""
    if first is None or second is None:
        return first or second

    def call(progress: Progress) -> None:
        first(progress)
        second(progress)

    return call


class ConvexEstimator(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators; not for use by itself."""

    # How a proof that did not finish may.
    _proof_advice: ClassVar[str]
    # What a parameter has to be: a function that raises InputError if it is not.
    _parameter_constraints: ClassVar[dict[str, Callable[[Any, str], object]]] = {
        "beta": check_positive,
        "method": partial(check_choice, choices=METHODS),
        "fit_intercept": check_flag,
        "n_samples": check_count,
        "tol": lambda value, name: check_tolerance(value),
        "max_iter": check_count,
        "time_limit": check_optional_positive,
        "random_state": lambda value, name: check_random_state(value),
    }

    def _check_parameters(self) -> None:
        for name, check in self._parameter_constraints.items():
            check(getattr(self, name), name)

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on X, with a row or an image for each entry of y.

        Parameters
        ----------
        X : array-like, shape (n, d), or (n, ...) for images
            Dense.
        y : array-like, shape (n,)
            Numbers, or for a classifier labels.
        sample_weight : array-like, shape (n,), optional
            >= 0; a weight of 2 is a row twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data are not as described.
        """
        self._check_parameters()
        problems = self._problems(X, y, sample_weight)
        with report_rounds(self, X, y) as report:
            self._keep(self._train_all(problems, report=[report] * len(problems)))
        self._warn()
        return self

    @abstractmethod
    def _problems(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> list[Rows]:
        """Validated data, one problem for each network."""

    @abstractmethod
    def _keep(self, solutions: Sequence[AnySolution]) -> None:
        """Set the fitted attributes."""

    @abstractmethod
    def _read(self, X: ArrayLike, *y: ArrayLike, **options: Any) -> Any:
        """Data in float64, and y if it is given, as `validate_data` of scikit-learn.

        Raises
        ------
        ValueError
            If an entry is none that :func:`cvxnn.solve` would take.
        """

    @abstractmethod
    def _check_target(self, y: Any) -> None:
        """Raise ValueError for entries of y that are no targets, or no labels."""

    @abstractmethod
    def _table(self, data: FloatArray) -> FloatArray:
        """Data that were read as rows, shape (n, d)."""

    @abstractmethod
    def _values(self, X: ArrayLike) -> FloatArray:
        """Values of the fitted networks, shape (n, k)."""

    @abstractmethod
    def _solve(self, rows: Rows, beta: float, **arguments: Any) -> AnySolution:
        """One network, with the arguments that all methods share."""

    def _fitted_networks(self) -> list[Any]:
        """One for each output."""
        check_is_fitted(self)
        return list(self.networks_) if hasattr(self, "networks_") else [self.network_]

    def to_torch(self, *, dtype: dtype | None = None) -> Sequential:
        """The fitted model as a ``torch.nn.Sequential``, see :func:`cvxnn.to_torch`; O(k m d).

        Parameters
        ----------
        dtype : torch.dtype, optional
            Of the parameters: ``torch.float64`` if None.

        Returns
        -------
        torch.nn.Sequential
            From X of shape (n, d), without a column of ones, or from images with channels
            first to shape (n, k): the predictions of a regressor (k = 1), or the decision
            values of a classifier, k = 1 for two classes and else one column for each of
            ``classes_``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            As :func:`cvxnn.to_torch`.

        Examples
        --------
        >>> import torch
        >>> from cvxnn import ConvexReLURegressor
        >>> model = ConvexReLURegressor(beta=1e-3).fit([[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0])
        >>> value = model.to_torch()(torch.tensor([[2.0]], dtype=torch.float64))
        >>> abs(value.item() - float(model.predict([[2.0]])[0])) < 1e-12
        True
        """
        networks = self._fitted_networks()
        return to_torch(networks, dtype=dtype, **self._input_options(networks))

    def to_onnx(self, *, dtype: str = "float64") -> ModelProto:
        """The fitted model as an ONNX model, see :func:`cvxnn.to_onnx`; O(k m d).

        Parameters
        ----------
        dtype : {"float64", "float32"}, default "float64"
            Of weights, input and output.

        Returns
        -------
        onnx.ModelProto
            Input ``X`` and output ``values`` are of the shapes of :meth:`to_torch`. The
            metadata have ``feature_names`` and ``classes`` as lists in JSON, where the
            model has them. ``onnx.save`` writes it to a file.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            As :func:`cvxnn.to_onnx`.

        Examples
        --------
        >>> from cvxnn import ConvexReLURegressor
        >>> model = ConvexReLURegressor(beta=1e-3).fit([[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0])
        >>> [node.op_type for node in model.to_onnx().graph.node]
        ['Gemm', 'Relu', 'Gemm']
        """
        networks = self._fitted_networks()
        known = {"feature_names": "feature_names_in_", "classes": "classes_"}
        return to_onnx(
            networks,
            dtype=dtype,
            metadata={
                key: getattr(self, name).tolist()
                for key, name in known.items()
                if hasattr(self, name)
            },
            **self._input_options(networks),
        )

    @abstractmethod
    def _input_options(self, networks: list[Any]) -> dict[str, Any]:
        """What the exports have to know of the data that the networks read."""

    def _train_all(self, problems: list[Rows], **options: Any) -> list[Any]:
        """One network for each problem; after Ctrl-C the others are left where they start.

        `options` are lists, with the argument of :meth:`_train` for each problem.
        """
        solutions: list[AnySolution] = []
        for k, rows in enumerate(problems):
            own = {name: values[k] for name, values in options.items()}
            if any(solution.status is Status.INTERRUPTED for solution in solutions):
                own["time_limit"] = _AT_ONCE
            solutions.append(self._train(rows, **own))
        return solutions

    def _train(
        self,
        rows: Rows,
        *,
        beta: float | None = None,
        report: _OnRound | None = None,
        **options: Any,
    ) -> Any:
        """One network; :meth:`_warn` says how it ended."""
        arguments: dict[str, Any] = {
            "tol": self.tol,
            "max_iter": self.max_iter,
            "time_limit": self.time_limit,
        } | options
        with live_progress(bool(self.verbose)) as callback:
            return self._solve(
                rows,
                self.beta if beta is None else beta,
                method=self.method,
                loss=self._loss(),
                sample_weight=rows.weights,
                n_samples=self.n_samples,
                random_state=self.random_state,
                callback=_both(callback, report),
                **arguments,
            )

    def _loss(self) -> Loss:
        if self.loss == "huber":
            return HuberLoss(self.delta)
        return as_loss(self.loss)

    def _take(self, solutions: Sequence[AnySolution]) -> None:
        """The fitted attributes of one network, or of one for each class."""
        self.objective_ = float(sum(solution.objective for solution in solutions))
        self.dual_bound_ = float(sum(solution.dual_bound for solution in solutions))
        error = float(sum(solution.objective_error for solution in solutions))
        self.dual_gap_ = relative_gap(self.objective_, self.dual_bound_, error)
        statuses = {solution.status for solution in solutions}
        self.status_ = next(status for status in _WORST_FIRST if status in statuses)
        self.n_iter_ = max(max(solution.n_iter for solution in solutions), 1)

    def _warn(self) -> None:
        """A ConvergenceWarning where the method did not do what it promises."""
        advice = {
            Status.ITERATION_LIMIT: "raise max_iter",
            Status.TIME_LIMIT: "raise time_limit",
            Status.STATIONARY: f"a proof takes {self._proof_advice}, or a larger time_limit",
            Status.INTERRUPTED: "fit again to go on",
            Status.NUMERICAL_ERROR: "raise tol or beta, or scale the features",
        }.get(self.status_)
        if advice is not None:
            # Of several networks some may rightly have none.
            n_neurons = max(int(network.penalty() > 0.0) for network in self._fitted_networks())
            warn_of_convergence(
                f"{described(self.status_, n_neurons)} The gap is {self.dual_gap_:.1e}, "
                f"tol is {self.tol:.1e}: {advice}."
            )


class ConvexReLU(ConvexEstimator):
    """Base of the estimators on rows; not for use by itself."""

    _proof_advice = "fewer or projected features"

    def _input_options(self, networks: list[Any]) -> dict[str, Any]:
        # Whether there is a column of ones; as fitted, whatever was set since.
        return {"has_ones": networks[0].n_features > int(self.n_features_in_)}

    def _read(self, X: ArrayLike, *y: ArrayLike, **options: Any) -> Any:
        check_entries(X)
        for target in y:
            self._check_target(target)
        return validate_data(self, X, *y, dtype=np.float64, **options)

    def _table(self, data: FloatArray) -> FloatArray:
        """X as the network reads it."""
        return np.column_stack([data, np.ones(len(data))]) if self.fit_intercept else data

    def _values(self, X: ArrayLike) -> FloatArray:
        networks = self._fitted_networks()
        rows = self._table(self._read(X, reset=False))
        return np.column_stack([network.forward(rows) for network in networks])

    def _solve(self, rows: Rows, beta: float, **arguments: Any) -> Solution[Any]:
        return solve_quietly(rows.X, rows.y, beta, **arguments)

    def _take(self, solutions: Sequence[Any]) -> None:
        super()._take(solutions)
        self.n_neurons_ = sum(solution.n_neurons for solution in solutions)
