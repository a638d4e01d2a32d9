"""Evidence for a sum over parts of the rows, each with evidence of its own; all kinds by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.choice_multipliers import ChoiceMultipliers
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import (
    ConeSplits,
    Evidence,
    Pieces,
    RelaxationEvidence,
    SignSplits,
)
from cvxnn.verification.largest import bound_at_once, largest_of_kinks
from cvxnn.verification.leaves import LeavesEvidence
from cvxnn.verification.outputs.evidence import OutputsSplits, PairsEvidence
from cvxnn.verification.rounding import sum_up
from cvxnn.verification.sign_choices import SignChoices
from cvxnn.verification.sign_multipliers import SignMultipliers


@final
@dataclass(frozen=True, eq=False)
class PartsEvidence(Evidence):
    """Rows in parts: for each output sign, the largest value of a sum is at most that of the sums.

    Attributes
    ----------
    part_of_row : ndarray of int, shape (N,)
    levels : ndarray, shape (K,)
        Bounds that are said to hold for each part alone.
    parts : tuple of Evidence or None
        One for each; None where the check finds the bound by itself.

    Examples
    --------
    >>> evidence = PartsEvidence(np.array([0, 1]), np.array([3.0, 4.0]), (None, None))
    >>> round(evidence.bound(Pieces(np.eye(2), np.array([3.0, 4.0]), np.zeros(2)), 7.0), 9)
    7.0
    """

    kind: ClassVar[str] = "parts"
    words: ClassVar[str] = "a sum over parts of the rows"
    slack: ClassVar[float] = RelaxationEvidence.slack

    part_of_row: Array
    levels: FloatArray
    parts: tuple[Evidence | None, ...]

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        members = self.part_of_row
        inside = bool(((members >= 0) & (members < len(self.parts))).all())
        if len(members) != len(pieces.rows) or not inside:
            raise InputError("The parts of the certificate are not those of the rows of X.")
        bounds = []
        for k, evidence in enumerate(self.parts):
            own = members == k
            part = Pieces(pieces.rows[own], pieces.weights[own], pieces.base[own], pieces.roundings)
            if own.any():
                share = deadline.share(len(self.parts) - k)
                bounds.append(_both(part, float(self.levels[k]), evidence, share))
        above, below = np.array(bounds).T
        return max(sum_up(above), sum_up(below))

    @property
    def arrays(self) -> dict[str, Array]:
        found = {"part_of_row": self.part_of_row, "levels": self.levels}
        for k, evidence in enumerate(self.parts):
            if evidence is not None:
                found |= {f"{k}.{name}": array for name, array in evidence.arrays.items()}
        return found

    @property
    def numbers(self) -> dict[str, Any]:
        kinds = [
            None if part is None else {"kind": part.kind, "numbers": part.numbers}
            for part in self.parts
        ]
        return {"parts": kinds}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        members, levels = arrays["part_of_row"], arrays["levels"]
        if members.ndim != 1 or members.dtype.kind != "i":
            raise ValueError("parts that are none")
        parts = []
        for k, words in enumerate(numbers["parts"]):
            head = f"{k}."
            own = {n.removeprefix(head): a for n, a in arrays.items() if n.startswith(head)}
            parts.append(None if words is None else _read_part(own, words))
        if levels.shape != (len(parts),) or levels.dtype != np.float64:
            raise ValueError("levels that are none")
        return cls(members, levels, tuple(parts))

    def in_units(self, rows: float, weights: float) -> PartsEvidence:
        parts = tuple(None if part is None else part.in_units(rows, weights) for part in self.parts)
        return replace(self, levels=self.levels * (rows * weights), parts=parts)


def _both(
    part: Pieces, level: float, evidence: Evidence | None, deadline: Deadline
) -> tuple[float, float]:
    """For ``v'phi(u)`` and for ``-v'phi(u)``: by the evidence, or what else proves more."""
    if evidence is None:
        bound, _ = largest_of_kinks(part, level, None, deadline)
        return bound, bound
    above, below = evidence.both(part, level, deadline)
    if max(above, below) <= level * (1.0 + evidence.slack):
        return above, below
    any_sign, _ = bound_at_once(part.reduced())
    return min(above, any_sign), min(below, any_sign)


def _read_part(arrays: Mapping[str, Array], words: Mapping[str, Any]) -> Evidence:
    kind = EVIDENCE[words["kind"]]
    # Of parts there are no parts: a file cannot nest them without end.
    if kind is PartsEvidence or kind.is_of_outputs:
        raise ValueError("parts in parts, or of several outputs")
    return kind.read(arrays, words["numbers"])


_KINDS: tuple[type[Evidence], ...] = (
    ConeSplits, SignSplits, RelaxationEvidence, LeavesEvidence, PartsEvidence, OutputsSplits,
    PairsEvidence, SignMultipliers, SignChoices, ChoiceMultipliers,
)  # fmt: skip
EVIDENCE = {kind.kind: kind for kind in _KINDS}
