"""Evidence for bounds with several outputs; none of it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array
from cvxnn.errors import InputError
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import BlocksEvidence, Evidence, Pieces, read_units
from cvxnn.verification.multipliers import Blocks
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.outputs.multipliers import Pairs, pairs_bound
from cvxnn.verification.outputs.tree import OutputsTree
from cvxnn.verification.rounding import gamma, norms_up, power_of_two, sum_up
from cvxnn.verification.tree import MOST_DIMENSIONS


@final
@dataclass(frozen=True, eq=False)
class OutputsSplits(Evidence):
    """The splits of an :class:`~cvxnn.verification.outputs.tree.OutputsTree`."""

    kind: ClassVar[str] = "cones of outputs"
    words: ClassVar[str] = "a tree of cones, its splits followed"
    is_of_outputs: ClassVar[bool] = True

    splits: Array

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        function = OutputsKinked.of(pieces)
        if not 1 <= function.rank <= MOST_DIMENSIONS:
            raise InputError("The certificate has splits of cones, but X has another rank.")
        tree = OutputsTree(function, function.needed(level), deadline)
        return function.total(tree.followed(self.splits))

    @property
    def arrays(self) -> dict[str, Array]:
        return {"splits": self.splits}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        splits = arrays["splits"]
        if splits.ndim != 1 or splits.dtype != np.uint8:
            raise ValueError("splits that are none")
        return cls(splits)


@final
@dataclass(frozen=True, eq=False)
class PairsEvidence(BlocksEvidence):
    """Multipliers of the relaxation in blocks of rows, in float32.

    Attributes
    ----------
    pairs : Pairs
        Of float32.
    """

    kind: ClassVar[str] = "pairs of outputs"
    words: ClassVar[str] = "multipliers of products of rows"
    is_of_outputs: ClassVar[bool] = True

    pairs: Pairs

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        self.blocks.check(len(pieces.rows))
        # A row of zeros adds nothing, whatever its weight; the form of a block would pay for it.
        alive = (pieces.rows != 0.0).any(axis=1)[:, None]
        unit, weight_unit = power_of_two(pieces.rows), power_of_two(pieces.weights)
        rows = pieces.rows / unit
        weights, base = (
            np.where(alive, part, 0.0) / weight_unit for part in (pieces.weights, pieces.base)
        )
        share = self.weight_unit / weight_unit * (unit / self.row_unit)
        given = Pairs(*(np.asarray(part, dtype=np.float64) * share for part in self.pairs))
        blocked, own = self.blocks.scattered(rows), self.blocks.scattered(weights)
        bound = pairs_bound(blocked, own, rows.T @ base, given)
        # What weights and base are rounded by.
        lengths = norms_up(rows)
        count = pieces.roundings + (len(rows) + 4 if base.any() else 0)
        error = gamma(count) * sum_up((norms_up(weights) + norms_up(base)) * lengths)
        total = (max(bound, 0.0) + error) * unit * weight_unit * (1.0 + 2.0**-50)
        return float(np.nextafter(total, np.inf))

    @property
    def arrays(self) -> dict[str, Array]:
        return {"places": self.blocks.places, **self.pairs._asdict()}

    @property
    def numbers(self) -> dict[str, Any]:
        return self.units

    @classmethod
    def of(cls, places: Array, multipliers: Any, row_unit: float, weight_unit: float) -> Self:
        """From any object with arrays pp, pq and qq, shape (B, b, b)."""
        parts: list[Any] = [
            np.asarray(getattr(multipliers, name), dtype=np.float32) for name in Pairs._fields
        ]
        pairs = Pairs(*parts)
        blocks = Blocks.of(places, pairs.pp[:, 0])
        return cls(blocks, pairs, row_unit=row_unit, weight_unit=weight_unit)

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        pairs = Pairs(*(arrays[name] for name in Pairs._fields))
        count, size = pairs.pp.shape[:2]
        shapes = {part.shape for part in pairs}
        if shapes != {(count, size, size)} or any(part.dtype != np.float32 for part in pairs):
            raise ValueError("multipliers of another shape")
        blocks = Blocks.read(arrays["places"], count, size)
        return cls(blocks, pairs, **read_units(numbers))
