"""What a network computes, step by step, in words that other libraries know.

Images and signals have their channels before their sides, as in other libraries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar, cast

import numpy as np
from scipy.linalg import block_diag

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers.images import Sides, map_shape

T = TypeVar("T")


class Stage:
    """One step of a network, of the kinds below."""


class FirstStage(Stage, ABC):
    """A step that may be the first."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int | str, ...]:
        """Of one row or image; a word stands for a side of any size."""


class RowStage(FirstStage):
    """A step that reads rows of features."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int]:
        """The number of features."""

    @abstractmethod
    def without_ones(self) -> Self:
        """The same step on rows without their last column, which is of ones.

        Raises
        ------
        InputError
            If there is no other column.
        """


Stages = tuple[FirstStage, *tuple[Stage, ...]]
Branch = tuple[RowStage, *tuple[Stage, ...]]


@dataclass(frozen=True, eq=False)
class Affine(RowStage):
    """``X weight' + bias``.

    Attributes
    ----------
    name : str
        What the weights are called.
    weight : ndarray, shape (k, p)
    bias : ndarray, shape (k,), optional

    Examples
    --------
    >>> import numpy as np
    >>> step = Affine("hidden", np.array([[1.0, 2.0, 3.0]])).without_ones()
    >>> step.weight, step.bias
    (array([[1., 2.]]), array([3.]))
    """

    name: str
    weight: FloatArray
    bias: FloatArray | None = None

    @property
    def input_shape(self) -> tuple[int]:
        return (int(self.weight.shape[1]),)

    def without_ones(self) -> Self:
        if self.weight.shape[1] == 1:
            raise InputError("With has_ones the network must read a column besides that of ones.")
        ones = self.weight[:, -1]
        bias = ones if self.bias is None else ones + self.bias
        return replace(self, weight=self.weight[:, :-1], bias=bias)


@dataclass(frozen=True, eq=False)
class Gate(RowStage):
    """``1[gates(X) >= 0] * sums(X)``, entry by entry; the gates are not trained.

    The sums may be behind gates of their own.
    """

    gates: Affine
    sums: Affine | Gate

    @property
    def input_shape(self) -> tuple[int]:
        return self.sums.input_shape

    def without_ones(self) -> Self:
        return replace(self, gates=self.gates.without_ones(), sums=self.sums.without_ones())


@dataclass(frozen=True, eq=False)
class Sum(RowStage):
    """The sum of what several branches make of the same rows."""

    branches: tuple[Branch, ...]

    @property
    def input_shape(self) -> tuple[int]:
        return self.branches[0][0].input_shape

    def without_ones(self) -> Self:
        return replace(
            self, branches=tuple((first.without_ones(), *rest) for first, *rest in self.branches)
        )


@dataclass(frozen=True)
class Activation(Stage):
    """``max(t, 0) + slope * min(t, 0)``."""

    slope: float = 0.0


@dataclass(frozen=True)
class Probabilities(Stage):
    """Probabilities of classes: ``exp t_k / sum_j exp t_j`` of each row t.

    Of one output, that of the second of two classes, ``1 / (1 + exp(-t))``.
    """

    n_outputs: int


@dataclass(frozen=True)
class Windows:
    """Where the filters of a convolution are applied.

    Attributes
    ----------
    sides : tuple of int
        Of a filter: one for signals, two for images.
    stride, padding : int
        The same in all directions.
    """

    sides: Sides
    stride: int = 1
    padding: int = 0

    def map_shape(self, image_sides: Sides) -> Sides:
        """How many there are in each direction of an image of these sides."""
        return map_shape(image_sides, self.sides, self.stride, self.padding)


@dataclass(frozen=True, eq=False)
class Convolution(FirstStage):
    """Filters on all windows of an image: a map for each, of their sums.

    Attributes
    ----------
    filters : ndarray, shape (m, C, height, width) or (m, C, length)
    biases : ndarray, shape (m,), optional
    windows : Windows
    """

    filters: FloatArray
    biases: FloatArray | None
    windows: Windows

    @property
    def input_shape(self) -> tuple[int | str, ...]:
        sides = ("length",) if len(self.windows.sides) == 1 else ("height", "width")
        return (self.filters.shape[1], *sides)


@dataclass(frozen=True)
class Pooling(Stage):
    """The ``"sum"``, ``"average"`` or ``"max"`` of each map, which a convolution made."""

    kind: str
    windows: Windows


@dataclass(frozen=True)
class Flatten(FirstStage):
    """Each image, or the patches of each, as a row.

    Attributes
    ----------
    input_shape : tuple of int
        Of what it reads, where it is the first step.
    """

    input_shape: tuple[int | str, ...] = ()


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


def with_skip(layers: Branch, skips: Sequence[FloatArray | None]) -> Stages:
    """The layers beside the linear skip connections of the networks, where one has it."""
    rows = with_zeros(skips, layers[0].input_shape * len(skips))
    return layers if rows is None else (Sum((layers, (Affine("skip", np.stack(rows)),))),)


def with_biases(stages: Stages, biases: Sequence[float]) -> Stages:
    """The stages, of which the last is linear, with a number added to each output."""
    if not any(biases):
        return stages
    steps: list[Stage] = list(stages)
    steps[-1] = _biased(steps[-1], np.asarray(biases, dtype=np.float64))
    return cast(Stages, tuple(steps))


def _biased(stage: Stage, biases: FloatArray) -> Stage:
    if isinstance(stage, Sum):
        (first, *rest), *others = stage.branches
        branch = with_biases((first, *rest), list(biases))
        return replace(stage, branches=(cast(Branch, branch), *others))
    assert isinstance(stage, Affine)
    return replace(stage, bias=biases if stage.bias is None else stage.bias + biases)


def with_zeros(
    vectors: Sequence[FloatArray | None], sizes: Sequence[int]
) -> list[FloatArray] | None:
    """The vectors, zeros in place of those that are None; None where all are."""
    if all(vector is None for vector in vectors):
        return None
    pairs = zip(vectors, sizes, strict=True)
    return [np.zeros(size) if vector is None else vector for vector, size in pairs]


def output_layer(output_weights: Iterable[FloatArray]) -> Affine:
    """Outputs for the weights of each network, on activations of its own.

    Weights are of shape (m,), or (m, c) for several outputs.
    """
    # A block of no columns still counts as the row of a network without neurons.
    return Affine("output", block_diag(*[np.atleast_2d(each.T) for each in output_weights]))
