"""Networks of other libraries, read as :class:`~cvxnn.networks.TwoLayerNetwork`.

No library is imported here: an object of a library that was never imported does
not exist, so its class is looked up among the modules that are loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import as_real_array, check_data, check_finite

FloatArray = NDArray[np.float64]

_ACCEPTED = (
    "a TwoLayerNetwork, a pair (hidden_weights, output_weights) of shapes (m, d) and (m,), a "
    "torch.nn.Sequential(Linear, ReLU, Linear) or a fitted MLPRegressor or binary MLPClassifier "
    "of sklearn.neural_network with one hidden layer of ReLU"
)
_AS_PAIR = "pass its weights as a pair (hidden_weights, output_weights)"


@dataclass(frozen=True)
class ReadNetwork:
    """A network of any library in the form of this one, and what its own form was.

    Attributes
    ----------
    network : TwoLayerNetwork
        The same function, on the columns that :meth:`data` makes.
    has_ones : bool
        Whether a column of ones is appended to X for the biases of the network.
    has_hidden_biases : bool
        Whether the hidden layer has biases.
    output_bias : float
        The bias of the output; 0 where there is none.
    loss : str
        The loss that it was trained with; ``"squared"`` where that is not known.
    alpha : float, optional
        The penalty that scikit-learn trained it with.
    classes : tuple of str, optional
        What a classifier calls the labels -1 and 1.
    feature_names : tuple of str, optional
        The columns that it was trained on, where it knows them.
    """

    network: TwoLayerNetwork
    has_ones: bool = False
    has_hidden_biases: bool = False
    output_bias: float = 0.0
    loss: str = "squared"
    alpha: float | None = None
    classes: tuple[str, str] | None = None
    feature_names: tuple[str, ...] | None = None

    @property
    def n_features(self) -> int:
        """Columns of X that the network reads, without the column of ones."""
        return self.network.n_features - self.has_ones

    def data(self, X: Any) -> FloatArray:
        """X as the network reads it: checked, and with the column of ones if it needs one.

        Raises
        ------
        InputError
            If X is no data, has other columns than the network reads, or has
            them in another order.
        """
        self._check_names(X)
        rows = check_data(detached(X, "X"))
        if rows.shape[1] != self.n_features:
            raise InputError(self._width_sentence(rows))
        return np.column_stack([rows, np.ones(len(rows))]) if self.has_ones else rows

    def notes(self, X: FloatArray, beta: float) -> tuple[str, ...]:
        """What the conventions of the network mean for objective and bound, in sentences.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            What :meth:`data` returned.
        beta : float
        """
        notes = []
        if self.has_ones:
            notes.append("A column of ones was appended to X for the biases of the network.")
            constant = np.flatnonzero((X[0] == X).all(axis=0) & (X[0] != 0.0))[:-1]
            if len(constant):
                notes.append(
                    f"Column {constant[0]} of X is constant already: with the column of ones the "
                    "networks of the lower bound have two biases."
                )
        if self.has_hidden_biases:
            squares = 0.5 * beta * self._squared_hidden_biases()
            notes.append(
                "Hidden biases are penalised like every other weight, in the objective "
                f"({squares:.6g} of it) and in the lower bound."
            )
        if self.output_bias != 0.0:
            notes.append(
                f"The output bias {self.output_bias:.6g} is counted as one more neuron on the "
                "column of ones, which costs beta times its modulus, in the objective "
                f"({beta * abs(self.output_bias):.6g} of it) and in the lower bound."
            )
        if self.has_ones and not self.has_hidden_biases:
            notes.append(
                "The hidden layer has no biases; the lower bound holds for networks that have "
                "them as well."
            )
        if self.alpha is not None:
            name = "MLPRegressor" if self.classes is None else "MLPClassifier"
            notes.append(
                f"{name} spares its biases and penalises its other weights by alpha = "
                f"{self.alpha:g}: trained on all n rows at once that corresponds to the "
                f"{self.loss} loss and beta = alpha, in batches of b rows to beta = alpha n / b."
            )
        if self.classes is not None:
            notes.append("The labels -1 and 1 are its classes {} and {}.".format(*self.classes))
        return tuple(notes)

    def _squared_hidden_biases(self) -> float:
        biases = self.network.hidden_weights[:, -1]
        # The last neuron is the output bias, where there is one.
        hidden = biases[:-1] if self.output_bias != 0.0 else biases
        return float(hidden @ hidden)

    def _check_names(self, X: Any) -> None:
        columns = getattr(X, "columns", None)
        if self.feature_names is None or columns is None:
            return
        names = tuple(str(name) for name in columns)
        if names != self.feature_names:
            raise InputError(
                f"X has the columns {', '.join(names)}, and the network was fitted on "
                f"{', '.join(self.feature_names)}, in this order."
            )

    def _width_sentence(self, rows: FloatArray) -> str:
        width = rows.shape[1]
        sentence = f"The network reads {_plural(self.n_features, 'feature')}, X has {width}"
        has_constant = bool((rows == 1.0).all(axis=0).any())
        if self.has_ones and width == self.n_features + 1 and has_constant:
            return f"{sentence}: leave the column of ones out, it is appended for the biases."
        if not self.has_ones and width == self.n_features - 1:
            return f"{sentence}: append a column of ones to X if the last weights are biases."
        return f"{sentence}."


def read_network(network: Any) -> ReadNetwork:
    """Read a two-layer ReLU network of any supported library; O(md).

    Parameters
    ----------
    network : object
        A :class:`~cvxnn.TwoLayerNetwork`; a pair of arrays ``hidden_weights``
        (m, d) and ``output_weights`` (m,), (1, m) or (m, 1); a ``torch.nn.Sequential(Linear,
        ReLU, Linear)`` with one output, with or without biases; or a fitted
        ``MLPRegressor`` or ``MLPClassifier`` of ``sklearn.neural_network`` with one
        hidden layer of ReLU and one output.

    Returns
    -------
    ReadNetwork
        The function in float64: to rounding, ``read.network.forward(read.data(X))``
        is what the network gives for X, for a classifier before the logistic
        function. A hidden bias is the weight on a column
        of ones. An output bias c is one more neuron on that column, with the
        weights ``sqrt(|c|)`` and ``sign(c) sqrt(|c|)``: the balanced one.

    Raises
    ------
    InputError
        If it is anything else, or its weights are not finite.

    Examples
    --------
    >>> read_network(([[1.0, -1.0]], [2.0])).network
    TwoLayerNetwork(n_neurons=1, n_features=2)
    """
    if isinstance(network, TwoLayerNetwork):
        return ReadNetwork(network)
    if isinstance(network, (tuple, list)):
        return _read_pair(network)
    for module, name, read in _LIBRARIES:
        known = getattr(sys.modules.get(module), name, None)
        if known is not None and isinstance(network, known):
            return read(network)
    hint = ""
    if isinstance(getattr(network, "network", None), TwoLayerNetwork):
        hint = "; pass its attribute network"
    raise InputError(f"network must be {_ACCEPTED}; got a {type(network).__name__}{hint}.")


def _read_pair(pair: tuple[Any, ...] | list[Any]) -> ReadNetwork:
    if len(pair) != 2:
        raise InputError(f"network must be {_ACCEPTED}; got a sequence of {len(pair)}.")
    hidden, output = pair
    return ReadNetwork(
        TwoLayerNetwork(detached(hidden, "hidden_weights"), _as_vector(output, "output_weights"))
    )


def _as_vector(value: Any, name: str) -> FloatArray:
    """One row or one column as a vector: so a layer of one output stores its weights."""
    array = as_real_array(detached(value, name), name)
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


def _read_torch(model: Any) -> ReadNetwork:
    nn = sys.modules["torch.nn"]
    _check_class(model, nn.Sequential)
    layers, kinds = list(model), (nn.Linear, nn.ReLU, nn.Linear)
    if len(layers) != 3 or not all(map(_computes_as, layers, kinds)):
        names = ", ".join(type(layer).__name__ for layer in layers)
        raise InputError(
            "A torch network must be a Sequential(Linear, ReLU, Linear), "
            f"got a Sequential({names}); pass a ReLU network of another form as a pair "
            "(hidden_weights, output_weights)."
        )
    first, _, last = layers
    read = _from_layers(
        _weights(first.weight, "network[0].weight"),
        None if first.bias is None else _weights(first.bias, "network[0].bias"),
        _weights(last.weight, "network[2].weight"),
        None if last.bias is None else _weights(last.bias, "network[2].bias"),
    )
    # After the weights: the hook of a lazy layer says less than that it has no values.
    if any(map(_is_changed, (model, *layers))):
        raise InputError(
            "The torch network has hooks or a forward of its own, which may change what it "
            f"computes; remove them, or {_AS_PAIR}."
        )
    return read


def _check_class(model: Any, kind: type) -> None:
    """Refuse subclasses: what they compute is their own affair."""
    if type(model) is not kind:
        raise InputError(
            f"The network is a {type(model).__name__}, which may compute something else than "
            f"the {kind.__name__} it is derived from; {_AS_PAIR}."
        )


def _computes_as(layer: Any, kind: Any) -> bool:
    """Whether a layer is of this class, or of a subclass that computes the same.

    A layer with a parametrization is of a subclass, whose weight is the one in use.
    """
    own = type(layer)
    return isinstance(layer, kind) and all(
        getattr(own, name) is getattr(kind, name) for name in ("forward", "__call__")
    )


def _is_changed(module: Any) -> bool:
    """Whether this one module may compute something else than its class does."""
    return bool(module._forward_pre_hooks or module._forward_hooks or "forward" in vars(module))


def _read_regressor(model: Any) -> ReadNetwork:
    _check_perceptron(model, "MLPRegressor")
    if model.out_activation_ != "identity":
        raise InputError(
            f"An MLPRegressor must have loss='squared_error', got {model.loss!r}, whose output "
            f"goes through {model.out_activation_!r}."
        )
    return _read_sklearn(model)


def _read_classifier(model: Any) -> ReadNetwork:
    _check_perceptron(model, "MLPClassifier")
    if len(model.classes_) != 2:
        raise InputError(f"An MLPClassifier must have two classes, got {len(model.classes_)}.")
    first, second = (str(label) for label in model.classes_)
    return replace(_read_sklearn(model), loss="logistic", classes=(first, second))


def _read_sklearn(model: Any) -> ReadNetwork:
    (hidden, output), (biases, output_biases) = model.coefs_, model.intercepts_
    names = getattr(model, "feature_names_in_", None)
    read = _from_layers(
        _weights(hidden, "network.coefs_[0]").T,
        _weights(biases, "network.intercepts_[0]"),
        _weights(output, "network.coefs_[1]").T,
        _weights(output_biases, "network.intercepts_[1]"),
    )
    return replace(
        read,
        alpha=float(model.alpha),
        feature_names=None if names is None else tuple(str(name) for name in names),
    )


def _check_perceptron(model: Any, name: str) -> None:
    _check_class(model, getattr(sys.modules["sklearn.neural_network"], name))
    if not hasattr(model, "coefs_"):
        raise InputError(f"The {name} is not fitted; call its fit first.")
    if len(model.coefs_) != 2:
        raise InputError(
            f"An {name} must have one hidden layer, as with hidden_layer_sizes=(100,), "
            f"got {len(model.coefs_) - 1}."
        )
    if model.activation != "relu":
        raise InputError(f"An {name} must have activation='relu', got {model.activation!r}.")


def _from_layers(
    hidden: FloatArray,
    hidden_bias: FloatArray | None,
    output: FloatArray,
    output_bias: FloatArray | None,
) -> ReadNetwork:
    """The network of two layers with weights (m, d) and (k, m), and biases (m,) and (k,)."""
    if len(output) != 1:
        raise InputError(f"The network must have one output, got {len(output)}.")
    has_ones = hidden_bias is not None or output_bias is not None
    constant = 0.0 if output_bias is None else float(output_bias[0])
    weights = output[0]
    if has_ones:
        ones = np.zeros(len(hidden)) if hidden_bias is None else hidden_bias
        hidden = np.column_stack([hidden, ones])
    if constant != 0.0:
        root = np.sqrt(abs(constant))
        hidden = np.vstack([hidden, [*np.zeros(hidden.shape[1] - 1), root]])
        weights = np.append(weights, np.copysign(root, constant))
    return ReadNetwork(
        TwoLayerNetwork(hidden, weights),
        has_ones=has_ones,
        has_hidden_biases=hidden_bias is not None,
        output_bias=constant,
    )


def _weights(value: Any, name: str) -> FloatArray:
    array = as_real_array(detached(value, name), name)
    check_finite(array, name)
    return array


def detached(value: Any, name: str) -> Any:
    """A torch tensor as a float64 array, wherever it lives; anything else as it is.

    Parameters
    ----------
    value : object
    name : str
        How error messages call it.

    Raises
    ------
    InputError
        If it is a tensor without values.

    Examples
    --------
    >>> detached([1.0, 2.0], "y")
    [1.0, 2.0]
    """
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if tensor is None or not isinstance(value, tensor):
        return value
    if value.is_meta or type(value).__name__ == "UninitializedParameter":
        raise InputError(f"{name} has no values yet.")
    value = value.detach().cpu()
    if value.is_sparse:
        raise InputError(f"{name} must be dense, got a sparse tensor; use {name}.to_dense().")
    # numpy has no bfloat16.
    return (value.double() if value.is_floating_point() else value).numpy()


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# The module that an instance of the class has certainly loaded, the class, and its reader.
_LIBRARIES: tuple[tuple[str, str, Callable[[Any], ReadNetwork]], ...] = (
    ("torch.nn", "Sequential", _read_torch),
    ("sklearn.neural_network", "MLPRegressor", _read_regressor),
    ("sklearn.neural_network", "MLPClassifier", _read_classifier),
)
