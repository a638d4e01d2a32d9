"""Patterns of max pooling: which patch of each image wins for a filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.errors import TooManyPatternsError
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.patterns import PatternSet
from cvxnn.patterns.max_pooling_walk import MaxCellWalk, first_equal
from cvxnn.patterns.sampling import sample_until

# Differences of patches up to which directions are drawn from all of them.
_FEW_DIFFERENCES = 50_000
# Entries of masks that are looked at at a time.
_CHUNK = 1 << 24


@dataclass(eq=False, repr=False)
class MaxPatterns(PatternSet):
    """Masks of the patches, each image's winner alone, or none of an image.

    In a cell the patch ``x_ik`` of image i has the largest ``x_ik'u`` and that is
    positive, or none of them is: there ``max_k (x_ik'u)_+`` is linear, and the mask is
    the diagonal of a D for which the predictions are the sums of ``D M u`` over each image.
    The closed cone of a cell has the rows

        (x_ik - x_iq)'u >= 0 for all q, x_ik'u >= 0   where patch k wins,
        -x_iq'u >= 0 for all q                        where none does.

    Parameters
    ----------
    packed, directions, n_rows, is_complete
        As for :class:`PatternSet`.
    n_patches : int
        K, patches of an image.
    reach : ndarray, shape (M,)
        Every u in the unit ball is in one of the cones ``{u : g'u >= -reach_c ||g||}`` over
        the rows g of cone c, if the set is complete; else 0.
    """

    n_patches: int
    reach: FloatArray

    def winners(self) -> IntArray:
        """The patch that wins in each image, or -1, shape (M, n)."""
        winners = np.empty((len(self), self.n_rows // self.n_patches), dtype=np.int64)
        for part in UNLIMITED.chunks(len(self), _CHUNK // self.n_rows):
            masks = self.unpack(part).reshape(-1, winners.shape[1], self.n_patches)
            winners[part] = np.where(masks.any(axis=2), masks.argmax(axis=2), -1)
        return winners


@dataclass(frozen=True)
class MaxArrangement:
    """Cells of directions for which the same patch of each image wins.

    Attributes
    ----------
    rows : ndarray, shape (n K, d)
        Patches, K after K for each image.
    n_patches : int
        K.
    """

    rows: FloatArray
    n_patches: int

    def enumerate(self, deadline: Deadline) -> MaxPatterns:
        """All cells, see :class:`MaxCellWalk`.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end.
        TooManyPatternsError
            If they do not fit into memory, or are too many to be listed.
        """
        return self._listed(deadline)

    def enumerate_few(self, most: int, deadline: Deadline) -> MaxPatterns | None:
        """All cells where they are so many at most, else None; OutOfTimeError as above."""
        try:
            return self._listed(deadline, most)
        except TooManyPatternsError:
            return None

    def cells_of(self, directions: FloatArray, deadline: Deadline) -> MaxPatterns:
        """The cells of directions, shape (k, d); OutOfTimeError if the deadline passes."""
        rows, n_patches = self.rows, self.n_patches
        winners = _winners(rows, n_patches, directions, deadline)
        first = np.sort(np.unique(winners, axis=0, return_index=True)[1])
        packed = _pack(winners[first], n_patches)
        return MaxPatterns(packed, directions[first], len(rows), n_patches, np.zeros(len(first)))

    def _listed(self, deadline: Deadline, *most: int) -> MaxPatterns:
        rows, n_patches = self.rows, self.n_patches
        walk = MaxCellWalk(rows.reshape(-1, n_patches, rows.shape[1]), deadline, *most)
        cells = walk.list_cells()
        packed = _pack(cells.winners - 1, n_patches)
        return MaxPatterns(
            packed, cells.directions, len(rows), n_patches, cells.reach, is_complete=True
        )

    def sample(
        self, n_samples: int, scheme: str, random_state: np.random.Generator, deadline: Deadline
    ) -> MaxPatterns:
        """The cells of sampled directions; OutOfTimeError if the deadline passes before the end.

        They are drawn from the arrangement whose hyperplanes bound cells: those of all
        patches and of differences of two patches of an image, if these are many a random
        one for each patch.
        """
        rows, n_patches = self.rows, self.n_patches
        n_differences = len(rows) * (n_patches - 1) // 2
        if n_differences <= _FEW_DIFFERENCES:
            hyperplanes = _differences(rows, n_patches)
        else:
            image, first = np.divmod(np.arange(len(rows)), n_patches)
            steps = random_state.integers(1, n_patches, len(rows))
            other = image * n_patches + (first + steps) % n_patches
            hyperplanes = np.concatenate([rows, rows - rows[other]])
        directions = sample_until(hyperplanes, deadline, n_samples, random_state, scheme).directions
        return self.cells_of(directions, deadline)


def _pack(winners: IntArray, n_patches: int) -> NDArray[np.uint8]:
    every = np.arange(n_patches)
    return np.stack([np.packbits((winner[:, None] == every).reshape(-1)) for winner in winners])


def _winners(
    rows: FloatArray, n_patches: int, directions: FloatArray, deadline: Deadline
) -> IntArray:
    """The first patch of each image with the largest product, or -1 if none is positive."""
    winners = np.empty((len(directions), len(rows) // n_patches), dtype=np.int64)
    first = first_equal(rows.reshape(winners.shape[1], n_patches, -1), deadline)
    for part in deadline.chunks(len(directions), _CHUNK // len(rows)):
        products = (directions[part] @ rows.T).reshape(-1, winners.shape[1], n_patches)
        best = products.argmax(axis=2)
        best = np.take_along_axis(first, best.T, axis=1).T
        winners[part] = np.where(products.max(axis=2) > 0.0, best, -1)
    return winners


def _differences(rows: FloatArray, n_patches: int) -> FloatArray:
    """The patches, then the differences of each pair of an image."""
    a, b = np.triu_indices(n_patches, 1)
    patches = rows.reshape(-1, n_patches, rows.shape[1])
    return np.concatenate([rows, (patches[:, a] - patches[:, b]).reshape(-1, rows.shape[1])])
