"""Evidence for bounds on functions of kinks, one class for each kind; none of it is trusted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.blocked import BlockedPieces
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.multipliers import Blocks, relaxation_bound
from cvxnn.verification.signs import SignTree
from cvxnn.verification.single import SingleMultipliers
from cvxnn.verification.tree import MOST_DIMENSIONS, Tree


@final
@dataclass(frozen=True)
class Pieces:
    """What a dual point makes of a neuron: ``sum_i weights_i (x_i'u)_+ + base_i x_i'u``.

    Attributes
    ----------
    rows : ndarray, shape (N, d)
    weights, base : ndarray, shape (N,), or (N, c) for several outputs
    roundings : int
        Of weights and base, relative.
    is_one_sided : bool
        Whether its largest value is asked for, and not its largest modulus.
    """

    rows: FloatArray
    weights: FloatArray
    base: FloatArray
    roundings: int = 0
    is_one_sided: bool = False

    def reduced(self) -> Kinked:
        """Of one output, in as few dimensions as the rows have."""
        found = Kinked.of(self.rows, self.weights, self.base, self.roundings)
        return replace(found, is_one_sided=self.is_one_sided)


class Evidence(ABC):
    """What helps to prove ``|v'phi(u)| <= level`` for one dual point v, or a near one.

    Whatever it holds, what it proves is true.

    Attributes
    ----------
    kind : str
        In files.
    words : str
        How something was proven by it.
    is_of_outputs : bool
        Whether it is for several outputs, for norms in the place of moduli.
    slack : float
        By how much the bound of a check may be below the one that is claimed, relative.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> certificate = cvxnn.solve(X, y, beta=1.0).certificate
    >>> certificate.kind, certificate.evidence  # the checker lists all cells by itself
    ('cells', None)
    """

    kind: ClassVar[str]
    words: ClassVar[str]
    is_of_outputs: ClassVar[bool] = False
    slack: ClassVar[float] = 1e-7

    @abstractmethod
    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        """An upper bound on ``|v'phi(u)|`` over ``||u|| <= 1``, about `level` if that is true.

        One that is worth little, or inf, where the time was up before.

        Raises
        ------
        InputError
            If it is none for rows of this shape.
        """

    def both(
        self, pieces: Pieces, level: float, deadline: Deadline = FOREVER
    ) -> tuple[float, float]:
        """The same for ``v'phi(u)`` and for ``-v'phi(u)``."""
        bound = self.bound(pieces, level, deadline)
        return bound, bound

    @property
    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """What a file holds of it: arrays by name."""

    @property
    def numbers(self) -> dict[str, Any]:
        """And numbers by name."""
        return {}

    @classmethod
    @abstractmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        """The way back; any exception of :data:`cvxnn.files.DAMAGE` if it is damaged."""

    def in_units(self, rows: float, weights: float) -> Evidence:
        """The same for rows and a dual point multiplied by powers of two."""
        return self

    def mixed(self, other: Evidence | None, share: float) -> Evidence | None:
        """For `share` of this dual point and the rest of that of another; None where none is."""
        return None


@final
@dataclass(frozen=True, eq=False)
class ConeSplits(Evidence):
    """The splits of a :class:`~cvxnn.verification.tree.Tree` of cones for both output signs."""

    kind: ClassVar[str] = "cones"
    words: ClassVar[str] = "a tree of cones, its splits followed"

    above: Array
    below: Array

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        function = pieces.reduced()
        if not 1 <= function.rank <= MOST_DIMENSIONS:
            raise InputError("The certificate has splits of cones, but X has another rank.")
        return _followed(Tree, function, level, (self.above, self.below), deadline)

    @property
    def arrays(self) -> dict[str, Array]:
        return {"above": self.above, "below": self.below}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        return cls(*_splits(arrays, np.uint8))


@final
@dataclass(frozen=True, eq=False)
class SignSplits(Evidence):
    """The splits of a :class:`~cvxnn.verification.signs.SignTree` for both output signs."""

    kind: ClassVar[str] = "signs"
    words: ClassVar[str] = "a tree of signs of rows, its splits followed"

    above: Array
    below: Array

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        return _followed(SignTree, pieces.reduced(), level, (self.above, self.below), deadline)

    @property
    def arrays(self) -> dict[str, Array]:
        return {"above": self.above, "below": self.below}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        return cls(*_splits(arrays, np.uint16))


@dataclass(frozen=True, eq=False)
class BlocksEvidence(Evidence):
    """Evidence by multipliers of products of rows in blocks, in units of its own.

    Attributes
    ----------
    blocks : Blocks
    row_unit, weight_unit : float
        Powers of two: multipliers are for rows divided by the one, and a dual point divided by
        the other.
    """

    # They are rounded to float32, and the last numbers are looked for anew.
    slack: ClassVar[float] = 1e-6

    blocks: Blocks
    _: KW_ONLY
    row_unit: float = 1.0
    weight_unit: float = 1.0

    @property
    def units(self) -> dict[str, float]:
        """Both by name."""
        return {"row_unit": self.row_unit, "weight_unit": self.weight_unit}

    @property
    def numbers(self) -> dict[str, Any]:
        return {"count": self.blocks.count, "size": self.blocks.size, **self.units}

    def in_units(self, rows: float, weights: float) -> Self:
        return replace(self, row_unit=self.row_unit * rows, weight_unit=self.weight_unit * weights)


def read_units(numbers: Mapping[str, Any]) -> dict[str, float]:
    """The units of :class:`BlocksEvidence`; ValueError if damaged."""
    units = {name: float(numbers[name]) for name in ("row_unit", "weight_unit")}
    if not all(np.isfinite(unit) and unit > 0.0 for unit in units.values()):
        raise ValueError("units that are none")
    return units


@final
@dataclass(frozen=True, eq=False)
class RelaxationEvidence(BlocksEvidence):
    """Multipliers of the relaxation in blocks of rows, for both output signs, in float32.

    Attributes
    ----------
    above, below : SingleMultipliers
    """

    kind: ClassVar[str] = "multipliers"
    words: ClassVar[str] = "multipliers of products of rows"
    above: SingleMultipliers
    below: SingleMultipliers

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        return max(self.both(pieces, level, deadline))

    def both(
        self, pieces: Pieces, level: float, deadline: Deadline = FOREVER
    ) -> tuple[float, float]:
        blocked = BlockedPieces.of(pieces, self.blocks, self.above.parts.up.shape[1])
        above, below = (
            blocked.total(
                relaxation_bound(
                    blocked.rows, sign * blocked.weights, sign * blocked.base,
                    blocked.suited(part, self.row_unit, self.weight_unit),
                )
            )
            for sign, part in ((1.0, self.above), (-1.0, self.below))
        )  # fmt: skip
        return above, below

    @property
    def arrays(self) -> dict[str, Array]:
        named = {
            f"{side}.{name}": array
            for side in ("above", "below")
            for name, array in getattr(self, side).arrays.items()
        }
        return {"places": self.blocks.places, **named}

    @classmethod
    def of(
        cls, places: Array, parts: Mapping[float, Any], row_unit: float, weight_unit: float
    ) -> Self:
        """From multipliers by output sign, with the names of :class:`Multipliers`."""
        above, below = (SingleMultipliers.of(parts[sign]) for sign in (1.0, -1.0))
        blocks = Blocks.of(places, above.parts.p)
        return cls(blocks, above, below, row_unit=row_unit, weight_unit=weight_unit)

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        count, size = int(numbers["count"]), int(numbers["size"])
        d = arrays["above.up"].shape[1]
        units = read_units(numbers)
        sides = []
        for head in ("above.", "below."):
            own = {n.removeprefix(head): a for n, a in arrays.items() if n.startswith(head)}
            sides.append(SingleMultipliers.read(own, count, size, d))
        above, below = sides
        return cls(Blocks.read(arrays["places"], count, size), above, below, **units)


def _followed(
    kind: Any,
    function: Kinked,
    level: float,
    splits: tuple[Array, Array],
    deadline: Deadline,
) -> float:
    target = function.needed(level)
    signs = (function, function.negative())
    return function.total(
        max(kind(f, target, deadline).followed(s) for f, s in zip(signs, splits, strict=True))
    )


def _splits(arrays: Mapping[str, Array], dtype: Any) -> tuple[Array, Array]:
    above, below = arrays["above"], arrays["below"]
    if any(part.ndim != 1 or part.dtype != dtype for part in (above, below)):
        raise ValueError("splits that are none")
    return above, below
