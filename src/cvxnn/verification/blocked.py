"""A function of kinks with its rows in blocks and of size one, and bounds in its own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.multipliers import Blocks, Multipliers
from cvxnn.verification.rounding import U, power_of_two
from cvxnn.verification.single import SingleMultipliers


class Pieces(Protocol):
    """Those of :class:`~cvxnn.verification.evidence.Pieces`, which knows of this file."""

    @property
    def rows(self) -> FloatArray:
        """Shape (N, d)."""

    @property
    def weights(self) -> FloatArray:
        """Shape (N,)."""

    @property
    def base(self) -> FloatArray:
        """Shape (N,)."""

    @property
    def roundings(self) -> int:
        """Of weights and base."""


@final
@dataclass(frozen=True)
class BlockedPieces:
    """``sum_i weights_i (x_i'u)_+ + base'u``, rows and weights divided by powers of two.

    Attributes
    ----------
    rows : ndarray, shape (B, b, d)
    weights : ndarray, shape (B, b)
    base : ndarray, shape (d,)
    unit, weight_unit : float
        What they are divided by.
    error : float
        Of the largest value, from the rounding of weights and base.
    """

    rows: FloatArray
    weights: FloatArray
    base: FloatArray
    unit: float
    weight_unit: float
    error: float

    @classmethod
    def of(cls, pieces: Pieces, blocks: Blocks, width: int) -> Self:
        """For multipliers of blocks of so many columns; InputError if they do not suit."""
        rows = pieces.rows
        blocks.check(len(rows))
        if width != rows.shape[1]:
            missing = "; is the column of ones missing?" if width == rows.shape[1] + 1 else "."
            raise InputError(
                f"The multipliers of the certificate are for X of another width, {width} columns, "
                f"and X has {rows.shape[1]}{missing}"
            )
        unit, weight_unit = power_of_two(rows), power_of_two(pieces.weights)
        rows, base = rows / unit, pieces.base / weight_unit
        # A row of zeros adds nothing, whatever its weight; the form of a block would pay for it.
        weights = np.where(rows.any(axis=1), pieces.weights, 0.0) / weight_unit
        nothing = np.zeros(rows.shape[1])
        mass = Kinked(rows, pieces.weights / weight_unit, nothing).mass
        mass += Kinked(rows, base, nothing).mass
        share = 2.0 * U * (pieces.roundings + (len(rows) + 4 if base.any() else 0))
        return cls(
            blocks.scattered(rows), blocks.scattered(weights), base @ rows, unit, weight_unit,
            share * mass,
        )  # fmt: skip

    def suited(self, part: SingleMultipliers, row_unit: float, weight_unit: float) -> Multipliers:
        """Multipliers for rows and weights that were divided by other units, in float64."""
        share = weight_unit / self.weight_unit
        pairs, given = share * self.unit / row_unit, part.doubled()
        return Multipliers(
            *(array * share for array in given[:4]), *(array * pairs for array in given[4:])
        )

    def total(self, bound: float) -> float:
        """The bound on the function itself, 0 at least, from one on what is of size one."""
        scaled = (max(bound, 0.0) + self.error) * self.unit * self.weight_unit
        return float(np.nextafter(scaled * (1.0 + 8.0 * U), np.inf))
