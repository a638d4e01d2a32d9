"""What every kind of networks is for a checker, of a certificate and of a network alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.largest import largest_of_kinks, recorded_evidence
from cvxnn.verification.outputs.largest import largest_of_outputs, recorded_splits
from cvxnn.verification.rounding import gamma, power_of_two
from cvxnn.verification.values import Values

Weights = Mapping[str, FloatArray]
# A level that is said to hold, and evidence.
Claim = tuple[float, Evidence | None]


class CheckedModel(ABC):
    """A kind of networks with its settings: what a bound is about, and what a network is.

    Attributes
    ----------
    kind : str
        The name of the model in :func:`cvxnn.solve`.
    network : str
        The class of its networks.
    """

    kind: ClassVar[str]
    network: ClassVar[str]

    @property
    def has_free_skip(self) -> bool:
        """Whether there is a linear part beside the neurons that costs nothing."""
        return False

    @property
    def takes_outputs(self) -> bool:
        """Whether dual points of several outputs, of shape (n, c), can be checked."""
        return False

    @property
    def words(self) -> tuple[str, ...]:
        """Settings that are not those of a plain network, each in words."""
        return ()

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """From the settings of a certificate, where any of them matter.

        Raises
        ------
        InputError
            If its certificates cannot be checked.
        """
        return cls()

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        """The kind that a network is of, by its own settings and weights; InputError if none."""
        return cls()

    @classmethod
    def outputs_of(cls, arrays: Weights) -> tuple[int, ...]:
        """The shape of the values of a network in a row: () for one output, (c,) for several."""
        return weights_of(arrays, "output_weights", 1, 2).shape[1:]

    def on(self, data: FloatArray) -> Self:
        """With settings that follow from the shape of the data."""
        return self

    def difference(self, given: Self) -> str:
        """What a network of the kind `given` has that networks of this kind have not.

        Returns
        -------
        str
            A sentence; empty where a bound for this kind is one for that network.
        """
        return ""

    @abstractmethod
    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        """A bound on ``||v'phi(u)||`` over ``||u|| <= 1``, and how it is proven.

        It is about the claimed level or less. Of several outputs v has the shape (n, c).

        Raises
        ------
        InputError
            If data or evidence are none for such networks.
        """

    def recorded(self, data: FloatArray, v: FloatArray, level: float) -> Evidence | None:
        """Evidence that saves a check its search, where there is any."""
        return None

    @abstractmethod
    def values(self, data: FloatArray, arrays: Weights) -> Values:
        """Predictions of a network of these weights; InputError if it does not suit the data."""

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        """What beta multiplies for these weights, from below and from above."""
        return half_of_squares(arrays.values())


class KinkedModel(CheckedModel):
    """Networks whose neurons are sums of kinks."""

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        largest = largest_of_kinks if v.ndim == 1 else largest_of_outputs
        return largest(self.pieces(data, v), *claim, deadline)

    def recorded(self, data: FloatArray, v: FloatArray, level: float) -> Evidence | None:
        recorded = recorded_evidence if v.ndim == 1 else recorded_splits
        return recorded(self.pieces(data, v), level)

    @abstractmethod
    def pieces(self, data: FloatArray, v: FloatArray) -> Pieces:
        """``v'phi(u)``."""


def leaky(rows: FloatArray, v: FloatArray, slope: float, roundings: int = 0) -> Pieces:
    """``sum_i v_i s(x_i'u)`` with ``s(t) = (t)_+ - slope (-t)_+ = (1 - slope) (t)_+ + slope t``."""
    if slope == 0.0:
        return Pieces(rows, v, np.zeros_like(v), roundings)
    # One rounding of 1 - slope, relative to it, and one of each product.
    return Pieces(rows, (1.0 - slope) * v, slope * v, roundings + 2)


def half_of_squares(parts: Iterable[FloatArray]) -> tuple[float, float]:
    """Half the sum of all squares, from below and from above."""
    low = high = 0.0
    for part in parts:
        total, rounding = 0.5 * float(np.vdot(part, part)), gamma(part.size + 8)
        low, high = low + total * (1.0 - rounding), high + total * (1.0 + rounding)
    return low, high


def third_of_cubes(parts: Iterable[FloatArray]) -> tuple[float, float]:
    """A third of the sum of the cubes of the lengths of all rows, from below and from above."""
    low = high = 0.0
    for part in parts:
        flat = part.reshape(len(part), int(np.prod(part.shape[1:])))
        unit = power_of_two(flat)
        lengths = np.sqrt(((flat / unit) ** 2).sum(axis=1))
        total = float((lengths**3).sum()) * unit**3 / 3.0
        rounding = gamma(3 * (flat.shape[1] + 8) + len(flat))
        low, high = low + total * (1.0 - rounding), high + total * (1.0 + rounding)
    return low, high


def weights_of(arrays: Weights, name: str, *ndims: int) -> FloatArray:
    """Those of a network by name; InputError if it has none with so many axes."""
    found = arrays.get(name)
    if found is None or found.ndim not in ndims:
        raise InputError(f"network must be a Network of cvxnn: its {name} are none.")
    return found


def unlike(name: str, given: object, stated: object) -> str:
    """The sentence for a setting of a network that is another one, if it is."""
    if given == stated:
        return ""
    return (
        f"The network has {name} {given}, and the certificate is about networks with {name} "
        f"{stated}."
    )


def table(data: FloatArray) -> FloatArray:
    """Data of rows; InputError if they are none."""
    if data.ndim != 2:
        raise InputError(f"X must be 2-D, of shape (n, d), got shape {data.shape}.")
    return data


def number(settings: Mapping[str, Any], name: str) -> float:
    """A setting that is a number; InputError if it is none."""
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InputError(f"The certificate has a {name} that is no number.")
    return float(value)


def count(value: object, least: int) -> int:
    """A setting that is a number of pixels; InputError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError("The certificate has a setting that is no number of pixels.")
    return value
