"""Networks of one kind on the same data as one, with an output for each.

Their hidden layers are stacked, their output weights in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from scipy.linalg import block_diag

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.networks.stages import Affine, Branch, Stages, Sum
from cvxnn.networks.weights import DenseNetwork

T = TypeVar("T")


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
    found = list(dict.fromkeys(values))
    if len(found) != 1:
        raise InputError(
            f"The networks must have the same {what}, got {' and '.join(map(str, found))}."
        )
    return found[0]


def dense_layers(networks: Sequence[DenseNetwork]) -> tuple[Affine, Affine]:
    """The hidden layers stacked, and the output weights in blocks.

    Raises
    ------
    InputError
        If the networks read different numbers of features.
    """
    common((network.hidden_weights.shape[1] for network in networks), "number of features")
    hidden = np.concatenate([network.hidden_weights for network in networks])
    return Affine("hidden", hidden), output_layer(network.output_weights for network in networks)


def with_skip(layers: Branch, skips: Sequence[FloatArray | None]) -> Stages:
    """The layers beside the linear skip connections of the networks, where one has it."""
    rows = with_zeros(skips, layers[0].input_shape * len(skips))
    return layers if rows is None else (Sum((layers, (Affine("skip", np.stack(rows)),))),)


def with_zeros(
    vectors: Sequence[FloatArray | None], sizes: Sequence[int]
) -> list[FloatArray] | None:
    """The vectors, zeros in place of those that are None; None where all are."""
    if all(vector is None for vector in vectors):
        return None
    pairs = zip(vectors, sizes, strict=True)
    return [np.zeros(size) if vector is None else vector for vector, size in pairs]


def output_layer(output_weights: Iterable[FloatArray]) -> Affine:
    """One output for each vector of weights, on activations of its own."""
    # A block of no columns still counts as the row of a network without neurons.
    return Affine("output", block_diag(*[each[np.newaxis] for each in output_weights]))
