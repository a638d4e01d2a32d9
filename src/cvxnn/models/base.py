"""What a kind of network is: its rows, its neurons, and what can be done with it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError, ModelFileError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.methods import METHODS, FrankWolfe, Incremental, Method
from cvxnn.models.registry import MODELS
from cvxnn.networks.base import Network
from cvxnn.networks.storage import read_file
from cvxnn.networks.weights import DenseNetwork
from cvxnn.problems import Neurons, Problem
from cvxnn.program import only_for_relu
from cvxnn.settings import Settings
from cvxnn.solvers.intercept.strategy import InterceptStrategy
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.outputs.strategy import OutputsStrategy
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.smoothing.strategy import SmoothingStrategy
from cvxnn.solvers.stepwise.strategy import StepwiseStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import as_real_array, check_choice, check_range

# Characters of a setting that a sentence has room for.
_LONGEST_SETTING = 24


@dataclass(frozen=True)
class Capabilities:
    """What can be done with a kind of network, beside training, files and exports.

    Attributes
    ----------
    methods : tuple of str
        By which it is trained.
    warm_start : bool
        Whether a network may be given to start from.
    certify : bool
        Whether :func:`cvxnn.certify` takes one.
    outputs : tuple of str
        The methods by which networks of several outputs are trained.
    landscape : bool
        Whether there are a :class:`cvxnn.ConvexProgram`, a :class:`cvxnn.OptimalSet` and
        a :func:`cvxnn.descent_path` for it.
    kinks : bool
        Whether a loss may have kinks.

    Examples
    --------
    >>> from cvxnn import ReLU
    >>> can = ReLU(features=1).capabilities
    >>> can.methods, can.warm_start, can.certify
    (('global',), True, False)
    """

    methods: tuple[str, ...] = ("global",)
    warm_start: bool = False
    certify: bool = False
    outputs: tuple[str, ...] = ()
    landscape: bool = False
    kinks: bool = True


@dataclass(frozen=True)
class Choices:
    """What the caller of a training chose, beside the problem and the model.

    Attributes
    ----------
    method : Method
    random_state : Generator
    start : Neurons, optional
        Where to start from, in the units of the solvers.
    proof_time : ProofTime, optional
        Of the run.
    """

    method: Method
    random_state: np.random.Generator
    start: Neurons | None
    proof_time: ProofTime | None = None

    def on_layer(self, problem: Problem[Layer]) -> Strategy:
        """How the optimum on the rows of a layer is looked for, of one output."""
        arguments = (self.random_state, self.start, self.proof_time)
        if isinstance(self.method, FrankWolfe | Incremental):
            return StepwiseStrategy(problem, self.method, *arguments)
        return LayerStrategy(problem, self.method, *arguments)

    def on_outputs(self, problem: Problem[Layer], *, intercept: bool) -> OutputsStrategy:
        """The same of several outputs, with or without intercepts beside the neurons."""
        return OutputsStrategy(
            problem, self.method, self.random_state, self.start, self.proof_time,
            intercept=intercept,
        )  # fmt: skip


class Model(Settings, ABC):
    """A kind of network with its settings: a frozen dataclass of them.

    It is what :func:`cvxnn.solve` and the estimators take as `model`. Settings are checked
    when they are set, and kept as they were given.

    Attributes
    ----------
    kind : type
        Of the networks.
    proof_advice : str
        How a proof that did not finish may.
    takes_ones : bool
        Whether a last column of ones in the data gives every neuron a bias. If not, a model
        has a bias by :meth:`with_bias`, or none.
    takes_any_size : bool
        Whether a network reads images of any size, so that exports are told which.
    smooths_gradually : bool
        Whether a loss with kinks is smoothed over widths that fall step by step.

    Examples
    --------
    >>> import cvxnn
    >>> model = cvxnn.ReLU(slope=0.1)
    >>> model.label, model.kind.__name__
    ('ReLU(slope=0.1)', 'TwoLayerNetwork')
    >>> X, y = cvxnn.load_ring()
    >>> type(cvxnn.solve(X, y, beta=1.0, model=model).network) is model.kind
    True
    """

    kind: ClassVar[type[Network]]
    proof_advice: ClassVar[str] = "fewer or projected features"
    takes_ones: ClassVar[bool] = True
    takes_any_size: ClassVar[bool] = False
    smooths_gradually: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The model in a sentence: its class, and the settings that are no defaults.

        Examples
        --------
        >>> from cvxnn import Gated, ReLU
        >>> ReLU().label, ReLU(skip="free").label, Gated([[0.0] * 40], depth=3).label
        ('ReLU()', "ReLU(skip='free')", 'Gated(gates=..., depth=3)')
        """
        settings = fields(self)  # type: ignore[arg-type]
        values = ((field, getattr(self, field.name)) for field in settings)
        shown = (
            f"{field.name}={_brief(value)}"
            for field, value in values
            if not (value is field.default or (np.isscalar(value) and value == field.default))
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @property
    def has_intercept(self) -> bool:
        """Whether there is an intercept even where none is asked for, as biases cost nothing."""
        return False

    @property
    def of_two_layers(self) -> Model:
        """Networks of two layers that are among these at the same price; itself where none are."""
        return self

    @property
    def data_axes(self) -> tuple[int, ...]:
        """How many axes the data may have: 2 for rows of shape (n, d)."""
        return (2,)

    def with_bias(self) -> Self:
        """The model whose neurons have a bias by a setting; as it is where there is none."""
        return self

    @property
    def capabilities(self) -> Capabilities:
        """What can be done with such networks: by default nothing beside training."""
        return Capabilities()

    @abstractmethod
    def rows(self, data: ArrayLike) -> Any:
        """Data as the neurons of this kind look at them.

        Raises
        ------
        InputError
            If they are no data for such a network.
        """

    def problem(
        self,
        X: ArrayLike,
        y: ArrayLike,
        beta: float,
        loss: str | Loss,
        sample_weight: ArrayLike | None = None,
        intercept: bool = False,
    ) -> Problem[Any]:
        """The problem on the rows of weight above 0, from arguments of :func:`cvxnn.solve`.

        The others say nothing of the columns either, as which one is of ones.

        Raises
        ------
        InputError
            If an argument is not as described there.
        """
        rows = self.rows(X if sample_weight is None else _without_others(X, sample_weight))
        return Problem.checked(rows, y, beta, loss, sample_weight, intercept)

    @abstractmethod
    def strategy(self, problem: Problem[Any], choices: Choices) -> Strategy:
        """How the optimum of a problem in the units of the solvers is looked for."""

    def strategy_of(
        self,
        problem: Problem[Any],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """The same for any loss, with or without an intercept, for samples of this shape."""

        def smooth(problem: Problem[Any]) -> Strategy:
            return self.smooth_strategy(problem, choices, shape, intercept=intercept)

        def evaluated(neurons: Neurons) -> tuple[FloatArray, float]:
            return self.evaluated(problem, shape, neurons)

        if not problem.loss.is_kinked:
            return smooth(problem)
        return SmoothingStrategy(
            problem, smooth, evaluated, choices.start,
            intercept=intercept, gradual=self.smooths_gradually,
        )  # fmt: skip

    def evaluated(
        self, problem: Problem[Any], shape: tuple[int, ...], neurons: Neurons
    ) -> tuple[FloatArray, float]:
        """Predictions of neurons with all that is beside them, and what beta multiplies."""
        network = self.network(neurons, shape)
        return network.predict_on(problem.rows).values, network.penalty()

    def smooth_strategy(
        self,
        problem: Problem[Any],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """The same for a loss without kinks."""
        if problem.n_outputs > 1:
            return choices.on_outputs(problem, intercept=intercept)
        if not intercept:
            return self.strategy(problem, choices)

        def evaluated(neurons: Neurons) -> tuple[FloatArray, float]:
            network = self._network(neurons, shape)
            return network.predict_on(problem.rows).values, network.penalty()

        def alone(beside: Problem[Any]) -> Strategy:
            return self.strategy(beside, choices)

        return InterceptStrategy(problem, alone, evaluated, choices.start)

    def network(self, neurons: Neurons, shape: tuple[int, ...]) -> Network:
        """The balanced network of neurons on the rows, for samples of this shape."""
        return self._network(neurons, shape).with_intercept(neurons.intercept)

    def neurons(self, network: Any) -> Neurons:
        """The neurons of a network of this kind; only for those that may be a warm start."""
        return replace(self._neurons(network), intercept=network.intercept)

    @abstractmethod
    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> Network:
        """The network without its intercept."""

    def _neurons(self, network: Any) -> Neurons:
        """The neurons without the intercept."""
        raise InputError(f"{self.label} takes no warm_start.")

    def check_method(self, method: Method) -> None:
        """InputError if such networks are not trained by a method; says which can."""
        accepted = self.capabilities.methods
        if method.name not in accepted:
            names = " or ".join(f"method={name!r}" for name in accepted)
            raise InputError(f"{self.label} is trained by {names}, not by method={method.name!r}.")

    def check_loss(self, loss: Loss) -> None:
        """InputError if such networks are not trained with a loss; says with which."""
        if loss.is_kinked and not self.capabilities.kinks:
            instead = "SquaredHingeLoss()" if loss.has_labels else "HuberLoss(0.01)"
            raise InputError(
                f"{self.label} is trained with smooth losses: take {instead}, for targets of "
                "size 1, instead of one with kinks."
            )

    def check_outputs(self, n_outputs: int, method: Method) -> None:
        """InputError if such networks are not trained with so many outputs; says what can be."""
        if n_outputs == 1:
            return
        accepted = self.capabilities.outputs
        if not accepted:
            raise InputError(
                f"{self.label} has one output: y must be 1-D, got {n_outputs} columns."
            )
        if method.name not in accepted:
            names = " or ".join(f"method={name!r}" for name in accepted)
            raise InputError(
                f"{n_outputs} outputs are trained by {names}, not by method={method.name!r}."
            )

    def check_warm_start(self, network: object, rows: Any, shape: tuple[int, ...]) -> None:
        """InputError if a network is none to start from, on rows of samples of this shape."""
        if not self.capabilities.warm_start:
            raise InputError(f"{self.label} takes no warm_start.")
        if not isinstance(network, self.kind):
            raise InputError(
                f"warm_start must be a {self.kind.__name__} or None for {self.label}, "
                f"got {type(network).__name__}."
            )
        with np.errstate(over="ignore"):
            penalty = network.penalty()
        if not np.isfinite(penalty):
            raise InputError(
                "The penalty of warm_start is beyond float64: its weights are too large."
            )
        neurons = self.neurons(network)
        found = neurons.directions.shape[1]
        if found != rows.n_features:
            raise InputError(
                f"warm_start must have the {rows.n_features} features of X, got {found}."
            )
        if not self.network(neurons, shape).is_like(network):
            raise InputError(f"warm_start must be a network of {self.label}, got {network!r}.")


class LayerModel(Model):
    """Networks ``f = sum_j R (M u_j)_+ a_j`` on the rows M of a layer with a readout R.

    All that such a kind has to say is which layer the data are, and the class of its networks:
    one with hidden weights ``u_j`` and output weights ``a_j``. Methods, losses, proofs, files and
    estimators need no more.
    """

    kind: ClassVar[type[DenseNetwork]]

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(methods=tuple(METHODS), warm_start=True)

    @abstractmethod
    def rows(self, data: ArrayLike) -> Layer:
        """The layer."""

    def strategy(self, problem: Problem[Layer], choices: Choices) -> Strategy:
        return choices.on_layer(problem)

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> DenseNetwork:
        hidden, output = neurons.balanced()
        return self.kind(hidden, output[:, 0])

    def _neurons(self, network: DenseNetwork) -> Neurons:
        return Neurons.of_weights(network.hidden_weights, network.output_weights)


def known_models() -> dict[str, type[Model]]:
    """The classes of the registry by name; imports all of them."""
    return {name: _model_class(name) for name in MODELS}


def as_model(model: object) -> Model:
    """A model from its name, with its defaults, or as it is; InputError if it is neither.

    Examples
    --------
    >>> as_model("relu")
    ReLU(slope=0.0, skip=None)
    """
    if isinstance(model, Model):
        return model
    return _model_class(check_choice(model, "model", tuple(MODELS)))()


def check_landscape(model: object, name: str) -> None:
    """InputError unless the landscape of a model is known; says what is there instead.

    Examples
    --------
    >>> check_landscape("circular_conv", "OptimalSet")
    Traceback (most recent call last):
    cvxnn.errors.InputError: OptimalSet is for ReLU(), not for CircularConv():
    solve and regularization_path train it.
    """
    model = as_model(model)
    if not model.capabilities.landscape:
        raise only_for_relu(name, model)


def _brief(value: object) -> str:
    """A setting in a few characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SETTING else "..."


def _model_class(name: str) -> type[Model]:
    found: type[Model] = getattr(import_module(f"cvxnn.models.{name}"), MODELS[name])
    return found


def load_network(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Read a network of any kind, and what was kept with it.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.npz`` or ``.safetensors``.

    Returns
    -------
    network : Network
        Of the kind that was saved.
    metadata : dict
        As `json` reads it: tuples have become lists, keys strings.

    Raises
    ------
    InputError, FileNotFoundError, OSError, ImportError, ModelFileError
        As :meth:`cvxnn.Network.load_with_metadata`, which reads one kind only.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from cvxnn import LinearCNN
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     LinearCNN([[1.0, -1.0]], [[2.0, 3.0]]).save(path, metadata={"beta": 0.1})
    ...     load_network(path)
    (LinearCNN(n_neurons=1, filter_size=2, n_patches=2), {'beta': 0.1})
    """
    file = read_file(path)
    kinds = {model.kind.__name__: model.kind for model in known_models().values()}
    if file.kind not in kinds:
        raise ModelFileError(
            f"{file.path} holds a {file.kind}, which this cvxnn does not know: "
            f"it reads {', '.join(kinds)}."
        )
    return kinds[file.kind].from_file(file), file.metadata


def _without_others(X: ArrayLike, sample_weight: ArrayLike) -> ArrayLike:
    """Data in whose rows of weight 0 there is nothing new, after checks of what there was."""
    data, weights = as_real_array(X, "X"), np.asarray(sample_weight)
    if data.ndim == 0 or weights.shape != data.shape[:1]:
        return X
    others = np.asarray(weights == 0.0)
    if not others.any() or others.all():
        return X
    check_range(data, "X")
    return np.where(others.reshape(-1, *[1] * (data.ndim - 1)), data[np.argmin(others)], data)
