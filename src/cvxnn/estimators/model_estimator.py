"""A model behind the interface of scikit-learn: parameters, data, values and exports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import from_device
from cvxnn.errors import InputError
from cvxnn.estimators.array_dispatch import dispatches
from cvxnn.estimators.inputs import Samples, check_entries
from cvxnn.estimators.monotonicity import check_features, constrained
from cvxnn.estimators.scaling import Scaling
from cvxnn.exchange import to_onnx, to_torch
from cvxnn.methods import Method, as_method
from cvxnn.models.base import Model, as_model
from cvxnn.networks.base import Network
from cvxnn.validation import check_flag

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import dtype
    from torch.nn import Sequential


# Parameters that are objects with settings of their own, or their names.
_OBJECTS: dict[str, Callable[[object], Any]] = {"model": as_model, "method": as_method}


@dataclass(kw_only=True, eq=False, repr=False)
class ModelEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator with a model; not for use by itself.

    Its fields, and those of the classes below it, are its parameters, kept as they are given.
    """

    model: str | Model = "relu"
    method: str | Method = "global"
    hidden_bias: bool = True
    scale_X: bool = True
    monotonic_cst: Any = None
    device: str | None = None

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and settings of the model and the method.

        Parameters
        ----------
        **params
            By name; a setting as ``model__filter_size`` or ``method__n_samples``. Models and
            methods do not change: a setting replaces the whole object, also that of a name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter or setting.

        Examples
        --------
        >>> from cvxnn import ConvexReLURegressor
        >>> ConvexReLURegressor().set_params(model__slope=0.1).model
        ReLU(slope=0.1, skip=None)
        """
        settings: dict[str, dict[str, Any]] = {name: {} for name in _OBJECTS}
        own = {}
        for key, value in params.items():
            name, nested, setting = key.partition("__")
            if nested and name in settings:
                settings[name][setting] = value
            else:
                own[key] = value
        super().set_params(**own)
        for name, changes in settings.items():
            if changes:
                setattr(self, name, _OBJECTS[name](getattr(self, name)).replaced(**changes))
        return self

    def _model(self) -> Model:
        """The kind of network, with the bias that it has by a setting, and constraints."""
        model = as_model(self.model)
        model = model.with_bias() if self.hidden_bias else model
        return constrained(model, self.monotonic_cst, self._names)

    @property
    def _names(self) -> Array | None:
        """Of the features of the last data."""
        names: Array | None = getattr(self, "feature_names_in_", None)
        return names

    @property
    def _takes_outputs(self) -> bool:
        """Whether the model has networks of several outputs, and the method trains them."""
        return as_method(self.method).name in self._model().capabilities.outputs

    def _tagged(self, tags: Any) -> Any:
        """Tags of scikit-learn with those of the model."""
        axes = as_model(self.model).data_axes
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = 2 in axes, 3 in axes
        # The tables of scikit-learn's checks are no signals: a filter that is the same
        # for all columns learns little of them.
        (tags.classifier_tags or tags.regressor_tags).poor_score = 3 in axes
        return tags

    @abstractmethod
    def _check_target(self, y: Any) -> None:
        """Raise ValueError for entries of y that are no targets, or no labels."""

    def _device_of(self, X: Any) -> Device | None:
        """Where a search computes: the device of tensors where scikit-learn lets them through."""
        return Device.chosen(self.device, X if dispatches() else None)

    def _read_all(self, X: ArrayLike, y: ArrayLike, **options: Any) -> tuple[FloatArray, Any]:
        """Data and y of a fit, as `validate_data` of scikit-learn has them.

        Raises
        ------
        ValueError
            If an entry is none that :func:`cvxnn.solve` would take, or the data are not of
            the axes of the model.
        """
        X, y = from_device(X), from_device(y)
        check_entries(X)
        self._check_target(y)
        data, target = validate_data(self, X, y, dtype=np.float64, allow_nd=True, **options)
        check_features(self.monotonic_cst, self._names, data.shape[1])
        model = self._model()
        if data.ndim not in model.data_axes:
            axes = " or ".join(map(str, model.data_axes))
            raise InputError(
                f"X must have {axes} axes for {model.label} in a {type(self).__name__}, "
                f"got shape {data.shape}."
            )
        self.sample_shape_ = data.shape[1:]
        # As fitted, whatever is set later: what the exports have to know as well.
        shape = self.sample_shape_ if model.takes_any_size else None
        has_ones = self.hidden_bias and model.takes_ones
        self._inputs: dict[str, Any] = {"has_ones": has_ones, "image_shape": shape}
        return data, target

    def _values(self, X: ArrayLike) -> FloatArray:
        """Values of the fitted networks, shape (n, k)."""
        networks = self._fitted_networks()
        data, scaling = self._data_as_fitted(X), self._scaling()
        inputs = self._with_ones(scaling.transform(data))
        values = np.column_stack([network.forward(inputs) for network in networks])
        return scaling.restored(values)

    def _data_as_fitted(self, X: ArrayLike) -> FloatArray:
        """Data, checked; ValueError if shape or names are not those of the fit."""
        X = from_device(X)
        shape = check_entries(X)[1:]
        # For scikit-learn the height of an image is its number of features; rows it knows.
        if shape != self.sample_shape_ and max(len(shape), len(self.sample_shape_)) > 1:
            raise InputError(
                f"X must have samples of shape {self.sample_shape_}, as when it was fitted, "
                f"got {shape}."
            )
        data: FloatArray = validate_data(self, X, dtype=np.float64, allow_nd=True, reset=False)
        return data

    def _scaling(self) -> Scaling:
        """That of the fit; that of an estimator of an earlier release changes nothing."""
        found: Scaling = getattr(self, "scaling_", Scaling())
        return found

    def _scaling_of(self, samples: Samples) -> Scaling:
        """Of the data of a fit: rows of features, or entries of images, signals and patches."""
        if not self.scale_X:
            return Scaling()
        has_columns = self._model().takes_ones
        return Scaling().of_rows(samples) if has_columns else Scaling().of_entries(samples)

    def _as_read(self, samples: Samples) -> Samples:
        """Samples as the networks read them: scaled, and with the column of ones."""
        scaled = self._scaling().applied(samples)
        return replace(scaled, X=self._with_ones(scaled.X))

    def _with_ones(self, data: FloatArray) -> FloatArray:
        return np.column_stack([data, np.ones(len(data))]) if self._inputs["has_ones"] else data

    def _fitted_networks(self) -> list[Network]:
        check_is_fitted(self)
        return list(self.networks_) if hasattr(self, "networks_") else [self.network_]

    def to_torch(self, *, probabilities: bool = False, dtype: dtype | None = None) -> Sequential:
        """The fitted model as a ``torch.nn.Sequential``, see :func:`cvxnn.to_torch`; O(k m d).

        Parameters
        ----------
        probabilities : bool, default False
            For a classifier with ``predict_proba`` and one network: whether the module ends in
            probabilities, those of ``classes_`` or, of two, of the second one.
        dtype : torch.dtype, optional
            Of the parameters: ``torch.float64`` if None.

        Returns
        -------
        torch.nn.Sequential
            From X of shape (n, d), without a column of ones, or from images with channels
            first to shape (n, k): the predictions of a regressor, one column for each target,
            or the decision values of a classifier, k = 1 for two classes and else one column
            for each of ``classes_``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            As :func:`cvxnn.to_torch`, or if there are no probabilities.

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
        self._check_probabilities(probabilities)
        return to_torch(
            networks, probabilities=probabilities, dtype=dtype, scaling=self._scaling(),
            **self._inputs,
        )  # fmt: skip

    def _check_probabilities(self, probabilities: bool) -> None:
        """Raise InputError where probabilities are wanted and there are none."""
        if check_flag(probabilities, "probabilities") and not hasattr(self, "predict_proba"):
            raise InputError(
                "probabilities needs a classifier with loss='logistic', got a "
                f"{type(self).__name__} with loss={getattr(self, 'loss', None)!r}."
            )

    def to_onnx(self, *, probabilities: bool = False, dtype: str = "float64") -> ModelProto:
        """The fitted model as an ONNX model, see :func:`cvxnn.to_onnx`; O(k m d).

        Parameters
        ----------
        probabilities : bool, default False
            As for :meth:`to_torch`.
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
            As :func:`cvxnn.to_onnx`, or if there are no probabilities.

        Examples
        --------
        >>> from cvxnn import ConvexReLURegressor
        >>> model = ConvexReLURegressor(beta=1e-3).fit([[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0])
        >>> [node.op_type for node in model.to_onnx().graph.node]
        ['Gemm', 'Relu', 'Gemm']
        """
        networks = self._fitted_networks()
        self._check_probabilities(probabilities)
        known = {"feature_names": "feature_names_in_", "classes": "classes_"}
        metadata = {
            key: getattr(self, name).tolist() for key, name in known.items() if hasattr(self, name)
        }
        return to_onnx(
            networks, probabilities=probabilities, dtype=dtype, metadata=metadata,
            scaling=self._scaling(), **self._inputs,
        )  # fmt: skip
