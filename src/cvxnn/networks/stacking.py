"""Networks of one kind on the same data as one, with an output for each.

Their hidden layers are stacked, their output weights in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from cvxnn.errors import InputError
from cvxnn.networks.stages import Affine, Branch, Convolution, Stages, Sum, Windows

FloatArray = NDArray[np.float64]
T = TypeVar("T")


class _Dense(Protocol):
    @property
    def hidden_weights(self) -> FloatArray: ...
    @property
    def output_weights(self) -> FloatArray: ...


class FilterWeights(NamedTuple):
    """Those of one convolutional network.

    Attributes
    ----------
    filters : ndarray, shape (m, height, width, C) or (m, length, C)
    biases : ndarray, shape (m,), or None
    output_weights : ndarray, shape (m, p)
        For the p numbers that a filter makes.
    """

    filters: FloatArray
    biases: FloatArray | None
    output_weights: FloatArray


def common(values: Iterable[T], what: str) -> T:
    """The value that all networks share.

    Raises
    ------
    InputError
        If they do not.

    Examples
    --------
    >>> common([3, 3], "number of features")
    3
    """
    found: list[T] = []
    for value in values:
        if value not in found:
            found.append(value)
    if len(found) != 1:
        raise InputError(
            f"The networks must have the same {what}, got {' and '.join(map(str, found))}."
        )
    return found[0]


def dense_layers(networks: Sequence[_Dense]) -> tuple[Affine, Affine]:
    """The hidden layers stacked, and the output weights in blocks.

    Raises
    ------
    InputError
        If the networks read different numbers of features.
    """
    common((network.hidden_weights.shape[1] for network in networks), "number of features")
    hidden = np.concatenate([network.hidden_weights for network in networks])
    return Affine("hidden", hidden), _blocks(network.output_weights for network in networks)


def with_skip(layers: Branch, skips: Sequence[FloatArray | None]) -> Stages:
    """The layers beside the linear skip connections of the networks, where one has it."""
    rows = _with_zeros(skips, [(layers[0].n_features,)] * len(skips))
    return layers if rows is None else (Sum((layers, (Affine("skip", np.stack(rows)),))),)


def filter_layers(weights: Sequence[FilterWeights], windows: Windows) -> tuple[Convolution, Affine]:
    """The filters stacked, and the output weights in blocks.

    Raises
    ------
    InputError
        If the networks have filters of different shapes.
    """
    common((each.filters.shape[1:] for each in weights), "shape of a filter")
    if not any(len(each.filters) for each in weights):
        # No library has convolutions of no filters: one that is zero stands for them.
        weights = [_zero_filter(weights[0]), *weights[1:]]
    filters = np.concatenate([each.filters for each in weights])
    biases = _with_zeros([each.biases for each in weights], [(len(w.filters),) for w in weights])
    constants = None if biases is None else np.concatenate(biases)
    convolution = Convolution("hidden", np.moveaxis(filters, -1, 1), constants, windows)
    return convolution, _blocks(each.output_weights for each in weights)


def _zero_filter(like: FilterWeights) -> FilterWeights:
    filters, biases, output_weights = like
    return FilterWeights(
        np.zeros((1, *filters.shape[1:])),
        None if biases is None else np.zeros(1),
        np.zeros((1, output_weights.shape[1])),
    )


def _with_zeros(
    arrays: Sequence[FloatArray | None], shapes: Sequence[tuple[int, ...]]
) -> list[FloatArray] | None:
    """The arrays, zeros in place of those that are None; None where all are."""
    if all(array is None for array in arrays):
        return None
    pairs = zip(arrays, shapes, strict=True)
    return [np.zeros(shape) if array is None else array for array, shape in pairs]


def _blocks(output_weights: Iterable[FloatArray]) -> Affine:
    """One output for each array, on activations of its own."""
    # A block of no columns still counts as the row of a network without neurons.
    return Affine("output", block_diag(*[each.reshape(1, -1) for each in output_weights]))
