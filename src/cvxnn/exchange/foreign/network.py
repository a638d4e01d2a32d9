"""A network of any library in the form of this one: its data, labels and conventions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.foreign.labels import Columns, Labels
from cvxnn.exchange.scaled import Scaling
from cvxnn.losses import Loss, as_loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import as_real_array, check_data, check_finite, check_targets

AS_PAIR = "pass its weights as a pair (hidden_weights, output_weights)"


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


def weights(value: Any, name: str) -> FloatArray:
    """Finite numbers of a layer in float64; InputError that calls them `name` otherwise."""
    array = as_real_array(detached(value, name), name)
    check_finite(array, name)
    return array


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
    output_bias : float, or ndarray of shape (c,) for several outputs
        The bias of the output; 0 where there is none.
    has_intercept : bool
        Whether it is one of the networks with an intercept that costs nothing.
    loss : str or Loss
        The loss that it was trained with; ``"squared"`` where that is not known.
    alpha : float, optional
        The penalty that scikit-learn trained it with.
    labels : Labels, optional
        What a classifier calls its targets.
    feature_names : tuple of str, optional
        The columns that it was trained on, where it knows them.
    flattens : bool
        Whether it begins with images, which become rows.
    transform : callable, optional
        What makes the columns that it reads from X: the steps before it.
    scaling : Scaling, optional
        What the data that it reads, and the targets, were divided by in its training.
    remarks : tuple of str
        What else there is to say about it, for :meth:`notes`.
    """

    network: TwoLayerNetwork
    has_ones: bool = False
    has_hidden_biases: bool = False
    output_bias: float | FloatArray = 0.0
    has_intercept: bool = False
    loss: str | Loss = "squared"
    alpha: float | None = None
    labels: Labels | None = None
    feature_names: tuple[str, ...] | None = None
    flattens: bool = False
    transform: Callable[[Any], Any] | None = None
    scaling: Scaling | None = None
    remarks: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        """Columns of X that the network reads, without the column of ones."""
        return self.network.n_features - self.has_ones

    @property
    def n_outputs(self) -> int:
        """Outputs c of the network."""
        return self.network.n_outputs or 1

    def labelled_for(self, loss: str | Loss) -> ReadNetwork:
        """The same network, with labels where a loss is for classes: numbers from 0 on.

        Raises
        ------
        InputError
            If the loss does not suit the outputs, or the labels that they have.
        """
        labels, joins_outputs = self.labels, as_loss(loss).joins_outputs
        if joins_outputs and self.n_outputs == 1:
            raise InputError(
                "The softmax loss is for networks of several outputs, and the network has one; for "
                "two classes take loss='logistic'."
            )
        if labels is not None:
            labels.check_loss(loss)
        elif joins_outputs:
            labels = Columns(tuple(range(self.n_outputs)), is_named=False)
        return replace(self, labels=labels)

    def data(self, X: Any) -> FloatArray:
        """X as the network reads it: checked, and with the column of ones if it needs one.

        Raises
        ------
        InputError
            If X is no data, has other columns than the network reads, or has
            them in another order.
        """
        X = detached(X, "X")
        if self.transform is not None:
            X = self.transform(X)
        self._check_names(X)
        if self.flattens and (images := as_real_array(X, "X")).ndim > 2:
            X = images.reshape(len(images), -1)
        rows = check_data(X)
        if rows.shape[1] != self.n_features:
            raise InputError(self._width_sentence(rows))
        if self.scaling is not None:
            rows = self.scaling.transform(rows)
        return np.column_stack([rows, np.ones(len(rows))]) if self.has_ones else rows

    def target(self, y: Any, n: int) -> FloatArray:
        """Targets of the n rows, shape (n,), or (n, c) for several outputs.

        Of a classifier -1 and 1 for its classes, or a column for each of them.

        Raises
        ------
        InputError
            If y is no target, has another shape, or a label is none of the classes.
        """
        y = detached(y, "y")
        target = check_targets(y, n) if self.labels is None else self.labels.target(y, n)
        if target.shape[1:] != self.network.output_weights.shape[1:]:
            raise InputError(self._shape_sentence(target))
        if self.scaling is None or self.labels is not None:
            return target
        return self.scaling.target(target)

    def notes(self, X: FloatArray, beta: float) -> tuple[str, ...]:
        """What the conventions of the network mean for objective and bound, in sentences.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            What :meth:`data` returned.
        beta : float
        """
        notes = []
        if self.scaling is not None:
            what = "Data and targets are" if self.labels is None else "Data are"
            notes.append(
                f"{what} standardised as in the training; objective, lower bound and beta are "
                "in these units."
            )
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
        if np.any(self.output_bias):
            notes.append(self._bias_sentence(beta))
        if self.has_intercept:
            notes.append(self._intercept_sentence())
        if self.has_ones and not self.has_hidden_biases:
            notes.append(
                "The hidden layer has no biases; the lower bound holds for networks that have "
                "them as well."
            )
        if self.alpha is not None:
            notes.append(self._alpha_sentence(self.alpha))
        if self.labels is not None:
            notes.append(self.labels.note())
        return tuple(note for note in (*self.remarks, *notes) if note)

    def _squared_hidden_biases(self) -> float:
        biases = self.network.hidden_weights[:, -1]
        # The last neuron is the output bias, where there is one.
        hidden = biases[:-1] if np.any(self.output_bias) else biases
        return float(hidden @ hidden)

    def _bias_sentence(self, beta: float) -> str:
        length = _length(np.atleast_1d(self.output_bias))
        if self.n_outputs == 1:
            what = f"The output bias {self.output_bias:.6g} is counted as one more neuron on the "
            price = "column of ones, which costs beta times its modulus, in the objective "
        else:
            what = f"The {self.n_outputs} output biases are counted as one more neuron on the "
            price = (
                f"column of ones, which costs beta times their length {length:.6g}, in the "
                "objective "
            )
        return f"{what}{price}({beta * length:.6g} of it) and in the lower bound."

    def _intercept_sentence(self) -> str:
        if self.n_outputs == 1:
            return (
                f"The intercept {self.network.intercept:.6g} costs nothing, and the lower bound "
                "holds for networks with any other."
            )
        return (
            f"The intercepts of the {self.n_outputs} outputs cost nothing, and the lower bound "
            "holds for networks with any others."
        )

    def _alpha_sentence(self, alpha: float) -> str:
        name = "MLPRegressor" if self.labels is None else "MLPClassifier"
        sentence = (
            f"{name} spares its biases and penalises its other weights by alpha = {alpha:g}: "
            f"trained on all n rows at once that corresponds to the {self.loss} loss and beta = "
            "alpha, in batches of b rows to beta = alpha n / b."
        )
        if self.labels is None and self.n_outputs > 1:
            sentence += (
                " Its steps follow the sum over the targets, as here; the loss_ that it reports "
                "is their mean."
            )
        return sentence

    def _shape_sentence(self, target: FloatArray) -> str:
        n, c = len(target), self.n_outputs
        if c == 1:
            return f"y must be 1-D, of shape ({n},), got shape {target.shape}."
        sentence = (
            f"y must be of shape ({n}, {c}) for a network of {c} outputs, got shape {target.shape}"
        )
        if target.ndim == 1:
            return f"{sentence}; classes 0 to {c - 1} take loss='softmax'."
        return f"{sentence}."

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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _length(vector: FloatArray) -> float:
    """The norm, of one number its modulus exactly; squares of extreme numbers are not formed."""
    largest = float(np.abs(vector).max())
    return largest * float(np.linalg.norm(vector / largest)) if largest > 0.0 else 0.0


def from_layers(
    hidden: FloatArray,
    hidden_bias: FloatArray | None,
    output: FloatArray,
    output_bias: FloatArray | None,
) -> ReadNetwork:
    """The network of two layers with weights (m, d) and (c, m), and biases (m,) and (c,)."""
    has_ones = hidden_bias is not None or output_bias is not None
    constant = np.zeros(len(output)) if output_bias is None else output_bias
    weights = output.T
    if has_ones:
        ones = np.zeros(len(hidden)) if hidden_bias is None else hidden_bias
        hidden = np.column_stack([hidden, ones])
    length = _length(constant)
    if length != 0.0:
        root = np.sqrt(length)
        hidden = np.vstack([hidden, [*np.zeros(hidden.shape[1] - 1), root]])
        weights = np.vstack([weights, constant / length * root])
    is_single = len(output) == 1
    return ReadNetwork(
        TwoLayerNetwork(hidden, weights[:, 0] if is_single else weights),
        has_ones=has_ones,
        has_hidden_biases=hidden_bias is not None,
        output_bias=float(constant[0]) if is_single else constant,
    )
