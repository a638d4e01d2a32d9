"""Multipliers as a file holds them: float32, relative to sizes of their own for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.verification.multipliers import Multipliers

# Powers of two of rows that are nothing, and how often the sizes of pairs are balanced.
_NONE, _ROUNDS = 0, 12


@final
@dataclass(frozen=True, eq=False)
class SingleMultipliers:
    """Multipliers in float32 and powers of two, one of each row for itself and one for its pairs.

    Rows of little weight have multipliers that are small, and products of two such rows have
    those that leave the range of float32; beside sizes of the rows they are of size one.

    Attributes
    ----------
    parts : Multipliers
        Of float32.
    exponents : ndarray of int16, shape (2, B, b)
        Heads and products with u of a row are ``2^exponents[0]`` times what is in `parts`; of
        two rows products are 2 to the sum of both their `exponents[1]` times it.

    Examples
    --------
    >>> sizes = np.array([[1.0, 1e-60]])
    >>> pairs = sizes[:, :, None] * sizes[:, None, :]
    >>> given = Multipliers(sizes, sizes, sizes[:, None], sizes[:, None], pairs, pairs, pairs)
    >>> single = SingleMultipliers.of(given)
    >>> all(np.allclose(*both, rtol=1e-7, atol=0.0) for both in zip(given, single.doubled()))
    True
    """

    parts: Multipliers
    exponents: NDArray[np.int16]

    @classmethod
    def of(cls, given: Any) -> Self:
        """From float64, any object with the names of :class:`Multipliers`; O(B b (b + d))."""
        L = Multipliers(
            *(np.asarray(getattr(given, name), dtype=np.float64) for name in Multipliers._fields)
        )
        heads = np.stack([np.abs(L.p), np.abs(L.q), *(np.abs(t).max(axis=1) for t in (L.up, L.uq))])
        pairs = np.stack([L.pp, L.pq, L.pq.mT, L.qq])
        found = np.stack([_exponents(heads.max(axis=0)), _balanced(np.abs(pairs).max(axis=0))])
        return cls(Multipliers(*_shifted(L, -found, np.float32)), found.astype(np.int16))

    def doubled(self) -> Multipliers:
        """In float64."""
        return Multipliers(*_shifted(self.parts, self.exponents.astype(np.intc), np.float64))

    @property
    def arrays(self) -> dict[str, Array]:
        """What a file holds of it."""
        return {**self.parts._asdict(), "exponents": self.exponents}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], count: int, size: int, d: int) -> Self:
        """The way back for so many blocks of so many rows; ValueError or KeyError if damaged."""
        shapes = [(count, size)] * 2 + [(count, d, size)] * 2 + [(count, size, size)] * 3
        parts = [arrays[name] for name in Multipliers._fields]
        for part, shape in zip(parts, shapes, strict=True):
            if part.shape != shape or part.dtype != np.float32:
                raise ValueError("multipliers of another shape")
        exponents = arrays["exponents"]
        if exponents.shape != (2, count, size) or exponents.dtype != np.int16:
            raise ValueError("powers of two of another shape")
        return cls(Multipliers(*parts), exponents)


def stacked(parts: Sequence[SingleMultipliers]) -> dict[str, Array]:
    """What a file holds of several: their arrays, one after the other."""
    held = [part.arrays for part in parts]
    return {name: np.stack([arrays[name] for arrays in held]) for name in held[0]}


def unstacked(arrays: Mapping[str, Array], count: int, size: int) -> tuple[SingleMultipliers, ...]:
    """The way back, where other arrays do no harm; as :meth:`SingleMultipliers.read`."""
    own = {name: arrays[name] for name in (*Multipliers._fields, "exponents")}
    (n_parts, *others), d = {len(array) for array in own.values()}, own["up"].shape[2]
    if others or not n_parts:
        raise ValueError("not one set of multipliers for each leaf")
    return tuple(
        SingleMultipliers.read({name: array[k] for name, array in own.items()}, count, size, d)
        for k in range(n_parts)
    )


def _shifted(L: Multipliers, exponents: Array, dtype: Any) -> list[Array]:
    """Multiplied by powers of two, rounded at the end; what leaves the range is infinite."""
    own, pair = exponents
    both = pair[:, :, None] + pair[:, None, :]
    powers = [own, own, own[:, None], own[:, None], both, both, both]
    with np.errstate(all="ignore"):
        return [
            np.ldexp(part.astype(np.float64), power).astype(dtype)
            for part, power in zip(L, powers, strict=True)
        ]


def _exponents(sizes: FloatArray) -> NDArray[np.intc]:
    """The powers of two that numbers are about; of zeros, and of what is no number, none."""
    is_size = np.isfinite(sizes) & (sizes > 0.0)
    return np.where(is_size, np.frexp(np.where(is_size, sizes, 1.0))[1], _NONE)


def _balanced(pairs: FloatArray) -> NDArray[np.intc]:
    """Powers of two of rows, beside which the largest entry of every row is about 1.

    D. Ruiz, A scaling algorithm to equilibrate both rows and columns norms in matrices, 2001:
    rows and columns are divided by the root of their largest entry, and again. No entry is
    above 1 at any time, to a factor of two for the powers that are rounded.
    """
    found = np.zeros(pairs.shape[:2], dtype=np.intc)
    logs = np.where(pairs > 0.0, np.frexp(pairs)[1], np.iinfo(np.int32).min // 4)
    for _ in range(_ROUNDS):
        largest = (logs - found[:, :, None] - found[:, None, :]).max(axis=2)
        is_size = largest > np.iinfo(np.int32).min // 8
        found += np.where(is_size, -(-largest // 2), 0)
    return found
