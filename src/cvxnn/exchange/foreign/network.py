"""A network of any library in the form of this one: its data, labels and conventions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.scaled import Scaling
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import as_real_array, check_data, check_dense, check_finite, check_target

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


def signs_of(y: Any, classes: tuple[Any, Any]) -> FloatArray:
    """-1 for the first of the classes and 1 for the second, in the shape of y.

    Parameters
    ----------
    y : array-like
        Labels, equal to those of the classes: 1 is 1.0 and True, but not "1".
    classes : pair of labels

    Raises
    ------
    InputError
        If a label is masked, or none of the classes.

    Examples
    --------
    >>> signs_of(["yes", "no"], ("no", "yes"))
    array([ 1., -1.])
    """
    check_dense(y, "y")
    labels = np.asarray(y)
    flat = labels.ravel().tolist()
    known = dict(zip(classes, (-1.0, 1.0), strict=True))
    signs = [known.get(label) if _is_hashable(label) else None for label in flat]
    if None in signs:
        k = signs.index(None)
        names = " and ".join(map(repr, known))
        raise InputError(
            f"y must have labels of the network, which are {names}, got {flat[k]!r} at entry {k}."
        )
    return np.array(signs, dtype=np.float64).reshape(labels.shape)


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


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
    output_bias : float
        The bias of the output; 0 where there is none.
    has_intercept : bool
        Whether it is one of the networks with an intercept that costs nothing.
    loss : str or Loss
        The loss that it was trained with; ``"squared"`` where that is not known.
    alpha : float, optional
        The penalty that scikit-learn trained it with.
    classes : tuple of two labels, optional
        What a classifier calls the labels -1 and 1.
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
    output_bias: float = 0.0
    has_intercept: bool = False
    loss: str | Loss = "squared"
    alpha: float | None = None
    classes: tuple[Any, Any] | None = None
    feature_names: tuple[str, ...] | None = None
    flattens: bool = False
    transform: Callable[[Any], Any] | None = None
    scaling: Scaling | None = None
    remarks: tuple[str, ...] = ()

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
        """Targets of the n rows; of a classifier -1 and 1 for its classes.

        Raises
        ------
        InputError
            If y is no target, or a label is none of the classes.
        """
        y = detached(y, "y")
        if self.classes is not None:
            return check_target(signs_of(y, self.classes), n)
        target = check_target(y, n)
        return target if self.scaling is None else self.scaling.target(target)

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
            what = "Data and targets are" if self.classes is None else "Data are"
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
        if self.output_bias != 0.0:
            notes.append(
                f"The output bias {self.output_bias:.6g} is counted as one more neuron on the "
                "column of ones, which costs beta times its modulus, in the objective "
                f"({beta * abs(self.output_bias):.6g} of it) and in the lower bound."
            )
        if self.has_intercept:
            notes.append(
                f"The intercept {self.network.intercept:.6g} costs nothing, and the lower bound "
                "holds for networks with any other."
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
        return (*self.remarks, *notes)

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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def from_layers(
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
