"""What every network is: immutable weights with a function, an objective and files."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.backends.results import like_data
from cvxnn.errors import InputError, ModelFileError
from cvxnn.evaluation import Evaluation, Prediction, evaluate
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.networks.stages import Stages, with_biases
from cvxnn.networks.storage import NetworkFile, read_file, write_file
from cvxnn.validation import (
    as_real_array,
    check_finite,
    check_number,
    check_positive,
    check_targets,
)
from cvxnn.verification.certificate import BoundCertificate

Kind = TypeVar("Kind", bound="Network")


class Network(ABC):
    """A network that is the arguments of its constructor, and never changes.

    So it can be shared, compared, hashed, pickled and saved.

    Parameters
    ----------
    arrays : dict
        Those arguments that are arrays, by name, read-only; None where there is none. One is
        ``output_weights``.
    settings : dict
        The other arguments by name: hashable, and what JSON can hold.
    intercept : float, or array-like of shape (c,) for several outputs
        What is added to every value, without a penalty.

    Examples
    --------
    >>> import cvxnn
    >>> network = cvxnn.TwoLayerNetwork([[1.0, -1.0]], [2.0])
    >>> isinstance(network, cvxnn.Network), network.n_neurons
    (True, 1)
    >>> network.forward([[3.0, 1.0], [1.0, 3.0]])
    array([4., 0.])
    >>> network.with_intercept(1.0).forward([[3.0, 1.0]])
    array([5.])
    """

    __slots__ = ("_arrays", "_settings")

    def __init__(
        self,
        arrays: Mapping[str, FloatArray | None],
        settings: Mapping[str, Any],
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        self._arrays = {name: array for name, array in arrays.items() if array is not None}
        self._settings = {**settings, "intercept": self._checked(intercept)}

    # Any: some networks have a float for one sample.
    @like_data
    def forward(self, data: ArrayLike) -> Any:
        """``f(data)``, shape (n,) or (n, c), also available by calling the network.

        Of arrays of another library, such as tensors on a device, one of that library.

        Raises
        ------
        InputError
            If the network does not take the data.
        """
        return self.predict_on(self.rows(data)).values

    def __call__(self, data: ArrayLike) -> Any:
        """The same as :meth:`forward`."""
        return self.forward(data)

    @property
    def output_weights(self) -> FloatArray:
        """The output weights, an entry or a row for each neuron: read-only array."""
        return self._arrays["output_weights"]

    @property
    def _n_heads(self) -> int | None:
        """Those of output weights of shape (m, c), None of shape (m,)."""
        return None if self.output_weights.ndim == 1 else int(self.output_weights.shape[1])

    def _check_heads(self) -> None:
        """InputError for one output in a table of its own."""
        if self.output_weights.shape[1:] == (1,):
            raise InputError(
                f"output_weights must be 1-D for one output, got shape {self.output_weights.shape}."
            )

    @property
    def n_outputs(self) -> int | None:
        """The number of outputs c of a network that has a vector of them; None for one number."""
        return None

    # Any: a float for one output.
    @property
    def intercept(self) -> Any:
        """What is added to every value, without a penalty; 0 where there is none.

        A float; of several outputs an array of shape (c,).
        """
        kept = self._settings["intercept"]
        return kept if self.n_outputs is None else np.array(kept)

    def with_intercept(self, intercept: float | ArrayLike) -> Self:
        """The same network with another number added to its values."""
        if np.array_equal(intercept, self.intercept):
            return self
        return _rebuilt(type(self), self._arrays, {**self._settings, "intercept": intercept})

    def _checked(self, intercept: float | ArrayLike) -> float | tuple[float, ...]:
        """An intercept as settings keep it: hashable, and what JSON can hold."""
        if self.n_outputs is None:
            return check_number(intercept, "intercept")
        each = as_real_array(intercept, "intercept")
        if each.shape not in ((), (self.n_outputs,)):
            raise InputError(
                f"intercept must be a number, or of shape ({self.n_outputs},), one for each "
                f"output, got shape {each.shape}."
            )
        check_finite(each, "intercept")
        return tuple(np.broadcast_to(each, self.n_outputs).tolist())

    @property
    def n_neurons(self) -> int:
        """The number of neurons, or filters, m."""
        return len(self.output_weights)

    @abstractmethod
    def rows(self, data: ArrayLike) -> Any:
        """Data as the neurons look at them, such as a layer.

        Raises
        ------
        InputError
            If the network does not take them.
        """

    def predict_on(self, rows: Any) -> Prediction:
        """The values on :meth:`rows` of data, with what is known of their rounding."""
        return self._neurons_on(rows).shifted(self.intercept)

    @abstractmethod
    def _neurons_on(self, rows: Any) -> Prediction:
        """The values without the intercept."""

    @property
    @abstractmethod
    def _shown(self) -> dict[str, Any]:
        """What the representation shows, by name."""

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        """The arrays whose squares the penalty adds up."""
        return tuple(self._arrays.values())

    @property
    def n_weights(self) -> int:
        """The number of weights that are trained."""
        return sum(part.size for part in self._squared)

    @property
    def penalty_roundings(self) -> int:
        """Operations that round a term of the penalty, at most."""
        return self.n_weights

    def penalty(self) -> float:
        """Half the sum of all squared weights, what beta multiplies in the objective."""
        return 0.5 * sum(float(np.vdot(part, part)) for part in self._squared)

    def objective(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss | None = None
    ) -> float:
        """``l(f(data), y) + beta * penalty``: a sum over the rows, no mean.

        With the squared loss, ``1/2 ||f(data) - y||^2 + beta * penalty``: equation (2) of
        the seed paper. Predictions are formed in twice the precision where that is possible
        and their rounding would show in the first nine digits, as beside a tiny beta.

        Parameters
        ----------
        data : array-like
            As for :meth:`forward`, n rows of it.
        y : array-like, shape (n,), or (n, c) for several outputs
        beta : float
            Positive.
        loss : Loss, optional
            The squared loss if None.

        Raises
        ------
        InputError
            If an argument is not as described.

        Examples
        --------
        >>> from cvxnn.networks import TwoLayerNetwork
        >>> TwoLayerNetwork([[1.0]], [1.0]).objective([[3.0]], [2.0], beta=0.5)
        1.0
        """
        loss = SquaredLoss() if loss is None else loss
        return self.evaluate(data, y, check_positive(beta, "beta"), loss).value

    def evaluate(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss, tol: float = 1.0
    ) -> Evaluation:
        """The objective with a bound on its rounding error, small beside `tol` if that is cheap.

        Errors are those of :meth:`objective`.
        """
        prediction = self.predict_on(self.rows(data))
        target = check_targets(y, len(prediction.values))
        if target.shape != prediction.values.shape:
            raise InputError(
                f"y must be of shape {prediction.values.shape}, as the values of the network are, "
                f"got shape {target.shape}."
            )
        loss.check(target)
        price, roundings = beta * self.penalty(), self.penalty_roundings
        return evaluate(loss, target, prediction, price, roundings, tol)

    @classmethod
    def stages(cls, networks: Sequence[Self]) -> Stages:
        """What the networks compute, for other libraries: one model with an output for each.

        Raises
        ------
        InputError
            If they differ in what they read, or in a setting; and where no kind of network
            says what it computes.
        """
        biases = [np.ravel(network.intercept) for network in networks]
        return with_biases(cls._stages(networks), np.concatenate(biases).tolist())

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        """The same without the intercepts."""
        raise InputError(f"A {cls.__name__} has no form in other libraries.")

    def save(
        self,
        path: str | os.PathLike[str],
        metadata: Mapping[str, Any] | None = None,
        certificate: BoundCertificate | None = None,
    ) -> None:
        """Write the network to a file, complete or not at all.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.npz``, or in ``.safetensors`` if that package is installed.
        metadata : mapping, optional
            Anything that `json` can write, kept with the network.
        certificate : BoundCertificate, optional
            That of its :class:`cvxnn.Solution`, kept with the network, too:
            :func:`cvxnn.load_certificate` reads it.

        Raises
        ------
        InputError
            If the suffix is another one, or `metadata` is no JSON object.
        ImportError
            If the suffix is ``.safetensors`` and safetensors is not installed.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from cvxnn.networks import TwoLayerNetwork
        >>> network = TwoLayerNetwork([[1.0]], [2.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "network.npz")
        ...     network.save(path, metadata={"beta": 0.1})
        ...     TwoLayerNetwork.load(path) == network
        True
        """
        write_file(path, type(self).__name__, self._arrays, self._settings, metadata, certificate)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network of this kind that :meth:`save` wrote.

        Errors as in :meth:`load_with_metadata`.
        """
        return cls.load_with_metadata(path)[0]

    @classmethod
    def load_with_metadata(cls, path: str | os.PathLike[str]) -> tuple[Self, dict[str, Any]]:
        """Read a network of this kind, and what :meth:`save` kept with it.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.npz`` or ``.safetensors``.

        Returns
        -------
        network : Network
        metadata : dict
            As `json` reads it: tuples have become lists, keys strings.

        Raises
        ------
        InputError
            If the suffix is another one.
        FileNotFoundError, OSError
            If the file is missing or cannot be read.
        ImportError
            If the suffix is ``.safetensors`` and safetensors is not installed.
        ModelFileError
            If the file is damaged, of another format, not from cvxnn, or of another kind
            of network.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from cvxnn.networks import TwoLayerNetwork
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "network.npz")
        ...     TwoLayerNetwork([[1.0]], [2.0]).save(path, metadata={"beta": 0.1})
        ...     TwoLayerNetwork.load_with_metadata(path)
        (TwoLayerNetwork(n_neurons=1, n_features=1), {'beta': 0.1})
        """
        file = read_file(path)
        if file.kind != cls.__name__:
            raise ModelFileError(
                f"{file.path} holds a {file.kind}, not a {cls.__name__}: {file.kind}.load reads it."
            )
        return cls.from_file(file), file.metadata

    @classmethod
    def from_file(cls, file: NetworkFile) -> Self:
        """The network of a file of this kind; ModelFileError if it holds none."""
        try:
            signature(cls).bind(**file.arrays, **file.settings)
        except TypeError as error:
            raise ModelFileError(
                f"{file.path} does not hold the arrays and settings of a {cls.__name__}."
            ) from error
        try:
            return _rebuilt(cls, file.arrays, file.settings)
        except InputError as error:
            raise ModelFileError(f"{file.path} holds no {cls.__name__}: {error}") from error

    def is_like(self, other: Network) -> bool:
        """Whether kind and settings are the same, and neurons of the same shapes."""
        parts = [{name: a.shape[1:] for name, a in each._arrays.items()} for each in (self, other)]
        settings = [{**each._settings, "intercept": 0.0} for each in (self, other)]
        return type(self) is type(other) and settings[0] == settings[1] and parts[0] == parts[1]

    def __eq__(self, other: object) -> bool:
        """Whether kind, settings and weights are the same, in the same order."""
        if not isinstance(other, Network) or type(other) is not type(self):
            return NotImplemented
        own, others = self._arrays, other._arrays
        return (
            self._settings == other._settings
            and own.keys() == others.keys()
            and all(np.array_equal(own[name], others[name]) for name in own)
        )

    def __hash__(self) -> int:
        # Adding 0.0 turns -0.0 into 0.0: they are equal, so their hashes must be.
        parts = tuple((a.shape, (a + 0.0).tobytes()) for a in self._arrays.values())
        return hash((parts, tuple(self._settings.items())))

    def __repr__(self) -> str:
        shown_too = {"intercept": self._settings["intercept"]} if np.any(self.intercept) else {}
        items = {**self._shown, **shown_too}.items()
        shown = ", ".join(f"{name}={value!r}" for name, value in items)
        return f"{type(self).__name__}({shown})"

    def __getstate__(self) -> dict[str, Any]:
        """What files of other libraries keep of an object, such as those of skops."""
        return {"arrays": dict(self._arrays), "settings": dict(self._settings)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Become the network of a state, which is checked as the arguments of a constructor are."""
        constructor: Callable[..., None] = self.__init__  # type: ignore[misc]
        constructor(**state["arrays"], **state["settings"])

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays come out of a pickle writable, and must go through the constructor.
        return _rebuilt, (type(self), self._arrays, self._settings)


def _rebuilt(kind: type[Kind], arrays: dict[str, FloatArray], settings: dict[str, Any]) -> Kind:
    # The names are those of the constructor of the kind, not of that of Network.
    constructor: Callable[..., Kind] = kind
    return constructor(**arrays, **settings)
