"""Evidence about sub-networks of three layers: choices of signs, and multipliers for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array
from cvxnn.errors import InputError
from cvxnn.verification.blocked import BlockedPieces
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import Pieces, RelaxationEvidence
from cvxnn.verification.largest import bound_at_once
from cvxnn.verification.multipliers import Blocks, Multipliers, relaxation_bound
from cvxnn.verification.sign_choices import SignChoices, SubNetworkEvidence
from cvxnn.verification.single import SingleMultipliers

# Of a leaf: those of a, and those of -c.
_EACH = 2


@final
@dataclass(frozen=True, eq=False)
class ChoiceMultipliers(SubNetworkEvidence):
    """Choices as in :class:`SignChoices`, with multipliers that bound both vectors of each.

    A leaf is bounded by the larger of the values of a and of ``-c`` on neurons of two layers,
    and either of these by its multipliers, whatever they are.

    Attributes
    ----------
    choices : SignChoices
    blocks : Blocks
    parts : tuple of SingleMultipliers
        Of the a of the first leaf, its ``-c``, the a of the second leaf and so on; for rows
        divided by `row_unit`, and a dual point divided by `weight_unit`.
    row_unit, weight_unit : float
        Powers of two.

    Examples
    --------
    >>> none = Multipliers(*(np.zeros((1, *s)) for s in
    ...     [(2,), (2,), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2)]))
    >>> v = np.array([3.0, -4.0])
    >>> choices = SignChoices.without_choices(v)
    >>> evidence = ChoiceMultipliers.of(choices, range(2), [none] * 4, 1.0, 1.0)
    >>> bool(4.0 <= evidence.bound(Pieces(np.eye(2), v, np.zeros(2)), 4.0) < 4.1)
    True
    """

    kind: ClassVar[str] = "choices with multipliers"
    words: ClassVar[str] = "multipliers of products of rows, for choices of signs"
    # They are rounded to float32, and the last numbers are looked for anew.
    slack: ClassVar[float] = RelaxationEvidence.slack

    choices: SignChoices
    blocks: Blocks
    parts: tuple[SingleMultipliers, ...]
    row_unit: float = 1.0
    weight_unit: float = 1.0

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        """For sub-networks on the rows of the pieces, by the multipliers or without any."""
        vectors = self.choices.vectors(pieces)
        if len(self.parts) != _EACH * len(vectors):
            raise InputError("The certificate has not two sets of multipliers for each leaf.")
        wanted, largest = level * (1.0 + self.slack), 0.0
        both = (weights for pair in vectors for weights in pair)
        for weights, part in zip(both, self.parts, strict=True):
            if deadline.passed:
                return np.inf
            one = Pieces(pieces.rows, weights, np.zeros_like(weights), is_one_sided=True)
            found = self._by_multipliers(one, part)
            if found > wanted:
                found = min(found, bound_at_once(one.reduced())[0])
            largest = max(largest, found)
        return largest

    def _by_multipliers(self, pieces: Pieces, part: SingleMultipliers) -> float:
        blocked = BlockedPieces.of(pieces, self.blocks, part.parts.up.shape[1])
        given = blocked.suited(part, self.row_unit, self.weight_unit)
        return blocked.total(relaxation_bound(blocked.rows, blocked.weights, blocked.base, given))

    @property
    def arrays(self) -> dict[str, Array]:
        held = [part.arrays for part in self.parts]
        stacked = {name: np.stack([arrays[name] for arrays in held]) for name in held[0]}
        return {**self.choices.arrays, "places": self.blocks.places, **stacked}

    @property
    def numbers(self) -> dict[str, Any]:
        return {
            "count": self.blocks.count, "size": self.blocks.size,
            "row_unit": self.row_unit, "weight_unit": self.weight_unit,
        }  # fmt: skip

    @classmethod
    def of(
        cls,
        choices: SignChoices,
        places: Sequence[int] | Array,
        multipliers: Sequence[Any],
        row_unit: float,
        weight_unit: float,
    ) -> Self:
        """From multipliers in the order of `parts`, with the names of :class:`Multipliers`.

        What is kept is what a check would make of them: zeros that need no room.
        """
        parts = []
        for given in multipliers:
            own = Multipliers(*(getattr(given, name) for name in Multipliers._fields))
            parts.append(SingleMultipliers.of(own.inside()))
        count, size = parts[0].parts.p.shape
        blocks = Blocks(np.asarray(places, dtype=np.int64), count, size)
        return cls(choices, blocks, tuple(parts), row_unit, weight_unit)

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        choices = SignChoices.read(arrays, {})
        count, size = int(numbers["count"]), int(numbers["size"])
        units = float(numbers["row_unit"]), float(numbers["weight_unit"])
        if not all(np.isfinite(unit) and unit > 0.0 for unit in units):
            raise ValueError("units that are none")
        places = arrays["places"]
        if places.ndim != 1 or places.dtype.kind != "i":
            raise ValueError("places that are none")
        names = (*Multipliers._fields, "exponents")
        if any(len(arrays[name]) != _EACH * len(choices.signs) for name in names):
            raise ValueError("not two sets of multipliers for each leaf")
        d = arrays["up"].shape[2]
        parts = tuple(
            SingleMultipliers.read({name: arrays[name][k] for name in names}, count, size, d)
            for k in range(_EACH * len(choices.signs))
        )
        return cls(choices, Blocks(places.astype(np.int64), count, size), parts, *units)

    def in_units(self, rows: float, weights: float) -> ChoiceMultipliers:
        return replace(
            self,
            choices=self.choices.in_units(rows, weights),
            row_unit=self.row_unit * rows,
            weight_unit=self.weight_unit * weights,
        )
