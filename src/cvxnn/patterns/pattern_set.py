"""A set of activation patterns, bit-packed, each with an interior direction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline

# Bytes of products that exist at a time.
_CHUNK_BYTES = 1 << 24


@dataclass(eq=False, repr=False)
class PatternSet:
    """Activation patterns of a data matrix: diagonals of the ``D(S)`` of program (5).

    A mask is stored as n bits; :attr:`masks` unpacks all of them, and
    :meth:`unpack` some. ``D(S)`` itself is never formed.

    Parameters
    ----------
    packed : ndarray of uint8, shape (M, ceil(n / 8))
        ``np.packbits(masks, axis=1)``.
    directions : ndarray of float64, shape (M, d)
        For each pattern a ``u`` with ``(X u > 0)`` equal to its mask.
    n_rows : int
        n, the number of rows of the data.
    is_complete : bool
        Whether the set claims to hold every pattern of the data. A claim, which
        the oracle proves or pays for; not a fact to rely on.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.patterns import PatternSet
    >>> patterns = PatternSet.from_directions(np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]]))
    >>> patterns.masks
    array([[ True, False],
           [ True,  True]])
    """

    packed: NDArray[np.uint8]
    directions: FloatArray
    n_rows: int
    is_complete: bool = field(default=False, kw_only=True)

    @classmethod
    def from_directions(
        cls, X: FloatArray, directions: FloatArray, *, deadline: Deadline = UNLIMITED
    ) -> PatternSet:
        """The distinct patterns ``1[X u > 0]`` of the rows ``u`` of `directions`.

        Patterns come in the order of their first direction; O(M n d) time. A deadline
        that passes before the end raises OutOfTimeError.
        """
        packed = pack_signs(X, directions, deadline)
        first = np.sort(np.unique(packed, axis=0, return_index=True)[1])
        return cls(packed[first], directions[first], len(X))

    def belongs_to(self, X: FloatArray) -> bool:
        """Whether the directions produce the masks on the data X; O(M n d)."""
        if (len(X), X.shape[1]) != (self.n_rows, self.directions.shape[1]):
            return False
        return bool((pack_signs(X, self.directions) == self.packed).all())

    def __len__(self) -> int:
        return len(self.packed)

    def __repr__(self) -> str:
        return (
            f"PatternSet({len(self)} patterns of {self.n_rows} rows, complete={self.is_complete})"
        )

    @property
    def masks(self) -> BoolArray:
        """All masks, (M, n) bool, unpacked on each access."""
        return self.unpack(slice(None))

    def unpack(self, index: slice | NDArray[np.integer]) -> BoolArray:
        """The masks of the patterns in `index`, (k, n) bool."""
        return np.unpackbits(self.packed[index], axis=1, count=self.n_rows).view(np.bool_)

    def select(self, index: NDArray[np.integer] | BoolArray) -> PatternSet:
        """The patterns in `index`, as a set that claims nothing about completeness."""
        return PatternSet(self.packed[index], self.directions[index], self.n_rows)


def pack_signs(
    X: FloatArray, directions: FloatArray, deadline: Deadline = UNLIMITED
) -> NDArray[np.uint8]:
    """``packbits(X u > 0)`` for each direction, in chunks: the products never all exist at once."""
    packed = np.empty((len(directions), -(-len(X) // 8)), dtype=np.uint8)
    for part in deadline.chunks(len(directions), _CHUNK_BYTES // (8 * max(len(X), 1))):
        packed[part] = np.packbits(directions[part] @ X.T > 0, axis=1)
    return packed
