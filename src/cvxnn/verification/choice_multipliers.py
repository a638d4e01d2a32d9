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
from cvxnn.verification.evidence import BlocksEvidence, Pieces, read_units
from cvxnn.verification.largest import bound_at_once
from cvxnn.verification.multipliers import Blocks, Multipliers, relaxation_bound
from cvxnn.verification.sign_choices import SignChoices, SubNetworkEvidence
from cvxnn.verification.single import SingleMultipliers, stacked, unstacked

# Of a leaf: those of a, and those of -c.
_EACH = 2


@final
@dataclass(frozen=True, eq=False)
class ChoiceMultipliers(BlocksEvidence, SubNetworkEvidence):
    """Choices as in :class:`SignChoices`, with multipliers that bound both vectors of each.

    A leaf is bounded by the larger of the values of a and of ``-c`` on neurons of two layers,
    and either of these by its multipliers, whatever they are.

    Attributes
    ----------
    choices : SignChoices
    parts : tuple of SingleMultipliers
        Of the a of the first leaf, its ``-c``, the a of the second leaf and so on.

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
    choices: SignChoices
    parts: tuple[SingleMultipliers, ...]

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
        held = stacked(self.parts)
        return {**self.choices.arrays, "places": self.blocks.places, **held}

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
        blocks = Blocks.of(places, parts[0].parts.p)
        return cls(blocks, choices, tuple(parts), row_unit=row_unit, weight_unit=weight_unit)

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        choices = SignChoices.read(arrays, {})
        count, size = int(numbers["count"]), int(numbers["size"])
        parts = unstacked(arrays, count, size)
        if len(parts) != _EACH * len(choices.signs):
            raise ValueError("not two sets of multipliers for each leaf")
        blocks = Blocks.read(arrays["places"], count, size)
        return cls(blocks, choices, parts, **read_units(numbers))

    def in_units(self, rows: float, weights: float) -> Self:
        choices = self.choices.in_units(rows, weights)
        return replace(super().in_units(rows, weights), choices=choices)
