"""Patterns of max pooling: which patch of each image wins for a filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import TooManyPatternsError
from cvxnn.oracle import CellOracle
from cvxnn.patterns import PatternSet, enumerate_patterns, sample_patterns
from cvxnn.patterns.reduction import reduce_rows

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Bytes of the refined arrangement, before its cells are counted.
_MOST_BYTES = 1 << 31
# Differences of patches up to which directions are drawn from all of them.
_FEW_DIFFERENCES = 50_000
# Entries of masks that are looked at at a time.
_CHUNK = 1 << 24


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
        With the cones ``{u : g'u >= -reach_c ||g||}`` over the rows g of cone c in its
        place, those of a complete set cover the unit ball: 0, or what rounding leaves.
    """

    def __init__(
        self,
        packed: NDArray[np.uint8],
        directions: FloatArray,
        n_rows: int,
        n_patches: int,
        reach: FloatArray,
        *,
        is_complete: bool = False,
    ) -> None:
        super().__init__(packed, directions, n_rows, is_complete=is_complete)
        self.n_patches, self.reach = n_patches, reach

    @classmethod
    def sampled(
        cls,
        rows: FloatArray,
        n_patches: int,
        n_samples: int,
        random_state: np.random.Generator,
        scheme: str,
    ) -> MaxPatterns:
        """The cells of sampled directions.

        They are drawn from the arrangement whose hyperplanes bound cells: those of all
        patches and of differences of two patches of an image, if these are many a random
        one for each patch.
        """
        n_differences = len(rows) * (n_patches - 1) // 2
        if n_differences <= _FEW_DIFFERENCES:
            hyperplanes = _differences(rows, n_patches)
        else:
            image, first = np.divmod(np.arange(len(rows)), n_patches)
            steps = random_state.integers(1, n_patches, len(rows))
            other = image * n_patches + (first + steps) % n_patches
            hyperplanes = np.concatenate([rows, rows - rows[other]])
        drawn = sample_patterns(hyperplanes, n_samples, random_state, scheme=scheme)
        winners, directions = _winners(rows, n_patches, drawn.directions), drawn.directions
        _, first = np.unique(winners, axis=0, return_index=True)
        first.sort()
        packed = _pack(winners[first], n_patches)
        return cls(packed, directions[first], len(rows), n_patches, np.zeros(len(first)))

    @classmethod
    def enumerated(cls, rows: FloatArray, n_patches: int) -> MaxPatterns:
        """All cells: those of the arrangement of all patches and their differences, merged.

        In such a refined cell one patch of each image wins, so that a cell is a union of
        refined ones. Let c be one of those whose cones, reaching beyond each hyperplane
        by its `cover`, cover space (:class:`CellOracle`). For u in the unit ball and in
        that of c every difference or patch x of the arrangement, with the sign s it has
        in c, has ``s x'u >= -||x|| cover_c - e_x``, where ``e_x`` is how far x is from
        the multiple of a hyperplane's normal that stands for it. The rows of the cone of
        the winners of c are among these, and so u is in that cone but for
        ``reach = cover_c + max_x e_x / ||x||`` for each row of length 1; the largest of
        the refined cells counts. Winners that are not those of the signs, because a cell
        is too thin for rounding, get a reach of 1, with which every u is in the cone.

        Raises
        ------
        TooManyPatternsError
            If the refined arrangement would not fit into memory; before any work starts.
        """
        refined = _differences(rows, n_patches)
        patterns = enumerate_patterns(refined)
        cover = CellOracle(refined, patterns).cover
        winners = _winners(rows, n_patches, patterns.directions)
        agree = _have_signs(rows, n_patches, patterns, winners)
        reach = np.where(agree, cover + _row_error(refined), 1.0)
        _, first, cell = np.unique(winners, axis=0, return_index=True, return_inverse=True)
        largest = np.zeros(len(first))
        np.maximum.at(largest, cell.reshape(-1), np.minimum(reach * (1.0 + 1e-12), 1.0 + 1e-12))
        packed = _pack(winners[first], n_patches)
        return cls(
            packed, patterns.directions[first], len(rows), n_patches, largest,
            is_complete=patterns.is_complete,
        )  # fmt: skip

    def winners(self, cells: slice | IntArray) -> IntArray:
        """The patch that wins in each image, or -1, shape (k, n)."""
        masks = self.unpack(cells).reshape(-1, self.n_rows // self.n_patches, self.n_patches)
        return np.where(masks.any(axis=2), masks.argmax(axis=2), -1)


def _pack(winners: IntArray, n_patches: int) -> NDArray[np.uint8]:
    parts = [
        np.packbits((winner[:, None] == np.arange(n_patches)).reshape(-1)) for winner in winners
    ]
    return np.stack(parts)


def _winners(rows: FloatArray, n_patches: int, directions: FloatArray) -> IntArray:
    """The first patch of each image with the largest product, or -1 if none is positive."""
    winners = np.empty((len(directions), len(rows) // n_patches), dtype=np.int64)
    first = _first_equal(rows, n_patches)
    step = max(1, _CHUNK // len(rows))
    for start in range(0, len(directions), step):
        part = slice(start, start + step)
        products = (directions[part] @ rows.T).reshape(-1, winners.shape[1], n_patches)
        best = products.argmax(axis=2)
        best = np.take_along_axis(first, best.T, axis=1).T
        winners[part] = np.where(products.max(axis=2) > 0.0, best, -1)
    return winners


def _first_equal(rows: FloatArray, n_patches: int) -> IntArray:
    """For each patch the first one of its image that is equal, shape (n, K)."""
    first = np.empty((len(rows) // n_patches, n_patches), dtype=np.int64)
    for image, patches in zip(first, rows.reshape(len(first), n_patches, -1), strict=True):
        _, index, inverse = np.unique(patches, axis=0, return_index=True, return_inverse=True)
        image[:] = index[inverse.reshape(-1)]
    return first


def _differences(rows: FloatArray, n_patches: int) -> FloatArray:
    """The patches, then the differences of each pair of an image; those of an image together."""
    n, h = len(rows) // n_patches, rows.shape[1]
    needed = 8 * n * h * (n_patches * (n_patches + 1) // 2)
    if needed > _MOST_BYTES:
        raise TooManyPatternsError(
            f"The patterns of max pooling over {n_patches} patches of {n} images have "
            f"{needed / 8 / h:.3g} hyperplanes, too many to enumerate: use method='sampled'."
        )
    a, b = np.triu_indices(n_patches, 1)
    patches = rows.reshape(n, n_patches, h)
    return np.concatenate([rows, (patches[:, a] - patches[:, b]).reshape(-1, h)])


def _row_error(refined: FloatArray) -> float:
    """How far a row of length 1 is from the hyperplane that stands for it, at most."""
    lengths = np.linalg.norm(refined, axis=1)
    alive = lengths > np.finfo(float).tiny
    errors = reduce_rows(refined).row_error[alive] / lengths[alive]
    return float(errors.max(initial=0.0)) * (1.0 + 1e-12)


def _have_signs(
    rows: FloatArray, n_patches: int, patterns: PatternSet, winners: IntArray
) -> BoolArray:
    """Whether winners agree with the mask of a pattern in all rows of their cone, shape (M,)."""
    n = winners.shape[1]
    pair = np.zeros((n_patches, n_patches), dtype=np.int64)
    pair[np.triu_indices(n_patches, 1)] = np.arange(n_patches * (n_patches - 1) // 2)
    pair += pair.T
    images, others = np.arange(n)[:, None], np.arange(n_patches)
    first = _first_equal(rows, n_patches)
    agree = np.empty(len(patterns), dtype=bool)
    step = max(1, _CHUNK // patterns.n_rows)
    for start in range(0, len(patterns), step):
        part = slice(start, start + step)
        masks, won = patterns.unpack(part), winners[part] >= 0
        sides = masks[:, : n * n_patches].reshape(-1, n, n_patches)
        orders = masks[:, n * n_patches :].reshape(len(masks), n, -1)
        k, cells = np.maximum(winners[part], 0)[:, :, None], np.arange(len(masks))[:, None, None]
        # Of equal patches none is ahead of another: their difference has no side.
        ahead = first == first[images, k]
        if n_patches > 1:
            ahead |= orders[cells, images, pair[k, others]] == (k < others)
        ahead &= sides[cells, images, k]
        agree[part] = np.where(won, ahead.all(axis=2), ~sides.any(axis=2)).all(axis=1)
    return agree
