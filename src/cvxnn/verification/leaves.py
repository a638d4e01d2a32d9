"""Evidence by multipliers for the leaves of trees of signs, in each of which some are free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.blocked import BlockedPieces
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import BlocksEvidence, Pieces, read_units
from cvxnn.verification.multipliers import Blocks, Multipliers, form_bound
from cvxnn.verification.single import SingleMultipliers, stacked, unstacked

# Of the output, one tree for each.
_SIGNS = (1.0, -1.0)
# Where a tree has no split.
LEAF = -1
_DAMAGED = "The splits of the certificate are none of a tree."


def leaves_of(splits: Sequence[int], n_places: int) -> tuple[list[NDArray[np.int8]], ...]:
    """The signs of rows in the leaves of two trees, one tree after the other.

    Parameters
    ----------
    splits : sequence of int
        Of a tree: the place of a row, then the splits of the tree for ``x_i'u >= 0``, then those
        for ``x_i'u <= 0``; or `LEAF`. So the leaves of any tree cover all u.
    n_places : int

    Returns
    -------
    tuple of two lists
        Of each tree the signs of its leaves, each of shape (n_places,), 0 where a row may have
        either sign. Of a row that is split twice the last sign is kept, which holds, too.

    Raises
    ------
    InputError
        If these are no two trees.

    Examples
    --------
    >>> above, below = leaves_of([1, LEAF, 0, LEAF, LEAF, LEAF], 2)
    >>> [leaf.tolist() for leaf in above], [leaf.tolist() for leaf in below]
    ([[0, 1], [1, -1], [-1, -1]], [[0, 0]])
    """
    given = iter(splits)
    trees = tuple(list(_leaves(given, n_places)) for _ in range(2))
    if next(given, None) is not None:
        raise InputError(_DAMAGED)
    return trees


def _leaves(splits: Iterator[int], n_places: int) -> Iterator[NDArray[np.int8]]:
    """Of one tree; a stack, since a damaged file may hold a deep one."""
    stack = [np.zeros(n_places, dtype=np.int8)]
    while stack:
        signs, place = stack.pop(), next(splits, None)
        if place == LEAF:
            yield signs
            continue
        if place is None or not 0 <= place < n_places:
            raise InputError(_DAMAGED)
        for sign in (-1, 1):
            half = signs.copy()
            half[place] = sign
            stack.append(half)


def leaf_bound(
    pieces: BlockedPieces, sign: float, given: Multipliers, signs: NDArray[np.int8]
) -> float:
    """An upper bound on the function times a sign where rows have these signs, and ||u|| <= 1.

    Parameters
    ----------
    pieces : BlockedPieces
    sign : float
        Of the output.
    given : Multipliers
        Any numbers.
    signs : ndarray of {-1, 0, 1}, shape (B, b)
        u has ``signs_i x_i'u >= 0``.

    Notes
    -----
    As :func:`~cvxnn.verification.multipliers.relaxation_bound`. Where ``x_i'u >= 0`` is
    known, ``q_i = 0``, and so is every product with q_i: what the form of the multipliers at ``(1,
    u, p, q)`` has of q_i is 0 whatever they are, and those of q_i need no sign and no cone. The
    same holds for p_i where ``x_i'u <= 0``. All other terms are as they are without signs.
    """
    return form_bound(
        pieces.rows, sign * pieces.weights, sign * pieces.base, given, _inside(given, signs)
    )


def _inside(given: Multipliers, signs: NDArray[np.int8]) -> Multipliers:
    """Those given where they are free, elsewhere the nearest that may be used."""
    inside, no_p, no_q = given.inside(), signs < 0, signs > 0

    def kept(part: str, free: Array) -> FloatArray:
        own = getattr(given, part)
        # As a form sees them.
        own = 0.5 * (own + own.mT) if part in ("pp", "qq") else own
        return np.where(free, own, getattr(inside, part))

    def either(one: Array, other: Array) -> Array:
        return one[:, :, None] | other[:, None, :]

    return Multipliers(
        kept("p", no_p), kept("q", no_q),
        kept("up", no_p[:, None, :]), kept("uq", no_q[:, None, :]),
        kept("pp", either(no_p, no_p)), kept("pq", either(no_p, no_q)),
        kept("qq", either(no_q, no_q)),
    )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class LeavesEvidence(BlocksEvidence):
    """For each output sign a tree of signs of rows, and multipliers for each of its leaves.

    Attributes
    ----------
    splits : ndarray of int, shape (K,)
        Of both trees, see :func:`leaves_of`: places in the blocks.
    leaves : tuple of SingleMultipliers
        In the order of the leaves.

    Examples
    --------
    >>> none = Multipliers(*(np.zeros((1, *s)) for s in
    ...     [(2,), (2,), (2, 2), (2, 2), (2, 2), (2, 2), (2, 2)]))
    >>> evidence = LeavesEvidence.of(range(2), [0, LEAF, LEAF, LEAF], [none] * 3, 1.0, 1.0)
    >>> pieces = Pieces(np.eye(2), np.array([3.0, -4.0]), np.zeros(2))
    >>> bool(4.0 <= evidence.bound(pieces, 4.0) < 5.1)
    True
    """

    kind: ClassVar[str] = "leaves"
    words: ClassVar[str] = "multipliers of products of rows, for the leaves of a tree of signs"
    splits: Array
    leaves: tuple[SingleMultipliers, ...]

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        return max(self.both(pieces, level, deadline))

    def both(
        self, pieces: Pieces, level: float, deadline: Deadline = FOREVER
    ) -> tuple[float, float]:
        blocks = self.blocks
        blocked = BlockedPieces.of(pieces, blocks, self.leaves[0].parts.up.shape[1])
        # Before they are listed: of crafted splits there may be any number.
        if np.count_nonzero(self.splits == LEAF) != len(self.leaves):
            raise InputError("The certificate has not one set of multipliers for each leaf.")
        given, found = iter(self.leaves), []
        for sign, tree in zip(_SIGNS, self._trees(), strict=True):
            bounds = []
            for signs in tree:
                if deadline.passed:
                    return np.inf, np.inf
                own = blocked.suited(next(given), self.row_unit, self.weight_unit)
                bounds.append(leaf_bound(blocked, sign, own, signs))
            # Every u is in one of the leaves.
            found.append(blocked.total(max(bounds)))
        above, below = found
        return above, below

    def _trees(self) -> tuple[list[NDArray[np.int8]], ...]:
        """For each output sign the signs of rows in the leaves, shape (B, b)."""
        blocks = self.blocks
        shape, splits = (blocks.count, blocks.size), self.splits.tolist()
        # A binary tree has one leaf more than splits, and the stack of a deep one is large.
        if len(splits) != 2 * len(self.leaves) - len(_SIGNS):
            raise InputError(_DAMAGED)
        trees = leaves_of(splits, blocks.count * blocks.size)
        return tuple([signs.reshape(shape) for signs in tree] for tree in trees)

    @property
    def arrays(self) -> dict[str, Array]:
        held = stacked(self.leaves)
        pp, qq = held.pop("pp"), held.pop("qq")
        # Two symmetric matrices as one, and the other diagonal.
        held["pp_qq"] = np.triu(pp) + np.tril(qq, -1)
        held["qq"] = np.diagonal(qq, axis1=-2, axis2=-1)
        return {"places": self.blocks.places, "splits": self.splits, **held}

    @classmethod
    def of(
        cls,
        places: Array,
        splits: Sequence[int],
        leaves: Sequence[Any],
        row_unit: float,
        weight_unit: float,
    ) -> Self:
        """From multipliers by leaf, with the names of :class:`Multipliers`.

        What is kept is what a check would make of them: zeros that need no room.
        """
        blocks = Blocks.of(places, leaves[0].p)
        count, size = blocks.count, blocks.size
        trees = leaves_of(splits, count * size)
        kept = []
        for leaf, signs in zip(leaves, (signs for tree in trees for signs in tree), strict=True):
            own = Multipliers(*(getattr(leaf, name) for name in Multipliers._fields))
            kept.append(SingleMultipliers.of(_inside(own, signs.reshape(count, size))))
        given = np.array(splits, np.int64)
        return cls(blocks, given, tuple(kept), row_unit=row_unit, weight_unit=weight_unit)

    @staticmethod
    def bytes_each(count: int, size: int, d: int) -> int:
        """What a file holds for each leaf, for so many blocks, rows in each, and columns."""
        return count * size * (8 * size + 8 * d + 16)

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        count, size = int(numbers["count"]), int(numbers["size"])
        units, splits = read_units(numbers), arrays["splits"]
        blocks = Blocks.read(arrays["places"], count, size)
        if splits.ndim != 1 or splits.dtype.kind != "i":
            raise ValueError("splits that are none")
        shape = arrays["pp_qq"].shape
        if shape[1:] != (count, size, size) or arrays["qq"].shape != shape[:-1]:
            raise ValueError("multipliers of another shape")
        leaves = unstacked(_unpacked(arrays), count, size)
        return cls(blocks, splits.astype(np.int64), leaves, **units)


def _unpacked(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """All arrays, with both matrices that a file holds as one."""
    mixed, diagonal = arrays["pp_qq"], arrays["qq"]
    lower = np.tril(mixed, -1)
    pp, qq = np.triu(mixed) + np.triu(mixed, 1).mT, lower + lower.mT
    every = np.arange(diagonal.shape[-1])
    qq[..., every, every] = diagonal
    return {**arrays, "pp": pp, "qq": qq}
