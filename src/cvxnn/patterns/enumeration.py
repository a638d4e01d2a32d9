"""All activation patterns of a data matrix, also for degenerate data."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.errors import TooManyPatternsError
from cvxnn.interrupts import UNLIMITED, Deadline, deferred_interrupts
from cvxnn.patterns.cell_walk import walk_flats
from cvxnn.patterns.pattern_set import PatternSet, pack_signs
from cvxnn.patterns.reduction import PARALLEL_TOLERANCE, Reduction, reduce_rows
from cvxnn.validation import check_count, check_data

DEFAULT_MAX_BYTES = 1 << 31


def count_patterns_bound(n: int, rank: int) -> int:
    """The largest number of activation patterns of n rows of a given rank.

    ``2 * sum_{k < rank} C(n - 1, k)``: attained when the rows are in general
    position. The seed paper prints (4) without the factor 2, which counts the
    patterns up to a change of all signs; five points on a line with a bias
    have 10 patterns, not 5.

    Parameters
    ----------
    n : int
        Number of non-zero rows, pairwise not parallel.
    rank : int
        Rank of the data matrix.

    Returns
    -------
    int
        Exact, of any size.

    Raises
    ------
    InputError
        If `n` or `rank` is negative or not an integer.

    References
    ----------
    P. C. Ojha, IEEE Trans. Neural Networks 11(4), 2000; seed paper, (4).

    Examples
    --------
    >>> from cvxnn import count_patterns_bound
    >>> count_patterns_bound(5, 2)
    10
    >>> count_patterns_bound(50, 3)
    2452
    """
    n = check_count(n, "n", minimum=0)
    rank = check_count(rank, "rank", minimum=0)
    if n == 0 or rank == 0:
        return 1
    return 2 * sum(comb(n - 1, k) for k in range(min(rank, n)))


WordArray = NDArray[np.uint64]


def enumerate_patterns(X: FloatArray, *, max_bytes: int = DEFAULT_MAX_BYTES) -> PatternSet:
    """All activation patterns ``1[X u > 0]`` of the full-dimensional cells of X.

    Complete for any data: duplicated, parallel and zero rows, integer grids,
    constant and collinear columns, ``rank(X) < d`` and ``n < d``. Patterns of
    lower-dimensional cells are left out, as in program (5): their cones are
    faces of the closed cones of the cells around them. So are cells too thin
    for float64, in which no direction can be told from its neighbours.

    Parameters
    ----------
    X : array-like, shape (n, d)
        Data; a bias is a column of ones.
    max_bytes : int, default 2 GiB
        Memory that the enumeration may take; decided by the bound (4) for the
        distinct hyperplanes of X, before any work starts.

    Returns
    -------
    PatternSet
        Complete, in a fixed order, with one interior direction for each pattern.

    Raises
    ------
    InputError
        If X is not a finite, non-empty numeric matrix.
    TooManyPatternsError
        If the bound does not fit into `max_bytes`.

    Notes
    -----
    Rows are merged when parallel to 1e-10 and X is reduced to its rank r. The
    walk restricts the arrangement to every (r - 2)-fold intersection of
    hyperplanes, where it is a set of lines sorted by angle: each arc, with each
    choice of sides, gives one cell. Time is O(C(p, r - 2) p 2^(r - 2)) words
    for p distinct hyperplanes in general position.

    References
    ----------
    Seed paper, Table 1 and (4); H. Edelsbrunner, Algorithms in Combinatorial
    Geometry, 1987, for arrangements.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import enumerate_patterns
    >>> X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    >>> patterns = enumerate_patterns(X)
    >>> len(patterns)
    10
    >>> bool(((X @ patterns.directions.T > 0).T == patterns.masks).all())
    True
    """
    X = check_data(X)
    return enumerate_until(X, Deadline(), check_count(max_bytes, "max_bytes"))


def enumerate_until(
    X: FloatArray, deadline: Deadline, max_bytes: int = DEFAULT_MAX_BYTES
) -> PatternSet:
    """:func:`enumerate_patterns`; OutOfTimeError if the deadline passes before the end."""
    reduction = reduce_rows(X, deadline)
    _refuse_if_too_large(reduction, X.shape, max_bytes)
    with deferred_interrupts():
        words, centres = enumerate_cells(reduction.coordinates, deadline)
    directions = centres @ reduction.to_direction.T
    if reduction.rank == 0:
        directions = np.eye(1, X.shape[1])
    return _realise(X, reduction, words, directions, deadline)


def enumerate_cells(
    coordinates: FloatArray, deadline: Deadline = UNLIMITED
) -> tuple[WordArray, FloatArray]:
    """Cells of the arrangement of pairwise non-parallel unit rows that span R^r.

    Returns
    -------
    words : ndarray of uint64, shape (M, ceil(p / 64))
        Bit j: the side of hyperplane j.
    centres : ndarray, shape (M, r)
        An interior direction of each cell.
    """
    p, r = coordinates.shape
    n_words = max(1, -(-p // 64))
    if r <= 1:
        words = np.zeros((1 + r, n_words), dtype=np.uint64)
        words[1:, 0] = 1
        return words, np.array([[-1.0], [1.0]])[: 1 + r, :r] * (coordinates[0] if r else 1.0)
    capacity = 1 << 10
    state = (
        np.full(2 * capacity, -1, dtype=np.int64),
        np.zeros(capacity, dtype=np.uint64),
        np.zeros((capacity, n_words), dtype=np.uint64),
        np.zeros((capacity, r)),
        0,
    )
    # One kernel call for each hyperplane, so that an interrupt gets through.
    for first in range(p if r > 2 else 1):
        state = walk_flats(coordinates, first, PARALLEL_TOLERANCE, *state)
        deadline.check()
    _, _, words, centres, count = state
    order = np.lexsort(words[:count].T)
    return words[order], centres[order]


def _refuse_if_too_large(reduction: Reduction, shape: tuple[int, int], max_bytes: int) -> None:
    p, rank = reduction.n_classes, reduction.rank
    bound = count_patterns_bound(p, rank)
    # Words, centre, hash and two to four table slots, then mask and direction.
    each = 8 * -(-p // 64) + 8 * rank + 40 + -(-shape[0] // 8) + 16 * shape[1]
    needed = 2 * bound * each
    if needed > max_bytes:
        raise TooManyPatternsError(
            f"The arrangement has {p} distinct hyperplanes of rank {rank}: up to "
            f"{_roughly(bound)} patterns, which need about {_roughly(needed >> 30)} GiB (limit "
            f"{max_bytes / 2**30:.3g} GiB). Use method='sampled' or sample_patterns for a subset "
            "of them; enumerate_patterns takes a larger max_bytes."
        )


def _roughly(count: int) -> str:
    """Three digits of a count, also where it exceeds every float."""
    if count < 10**300:
        return f"{float(count):.3g}"
    return f"10^{int(count.bit_length() * 0.30103)}"


def _realise(
    X: FloatArray,
    reduction: Reduction,
    words: WordArray,
    directions: FloatArray,
    deadline: Deadline,
) -> PatternSet:
    """Masks of the rows from the sides of the hyperplanes, and directions that produce them."""
    masks_packed = _row_masks(reduction, words, deadline)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    # In floating point some directions do not produce their mask.
    produced = pack_signs(X, directions, deadline)
    wrong = np.flatnonzero((produced != masks_packed).any(axis=1))
    keep = np.ones(len(directions), dtype=bool)
    for cell in wrong:
        deadline.check()
        better = _widest_direction(X, np.unpackbits(masks_packed[cell], count=len(X)) > 0)
        keep[cell] = better is not None
        if better is not None:
            directions[cell] = better
    return PatternSet(masks_packed[keep], directions[keep], len(X), is_complete=True)


def _row_masks(reduction: Reduction, words: WordArray, deadline: Deadline) -> NDArray[np.uint8]:
    """Masks of the n rows, packed, from the sides of the p hyperplanes; in chunks."""
    n = len(reduction.scale)
    alive = reduction.class_of_row >= 0
    column = np.where(alive, reduction.class_of_row, 0)
    packed = np.empty((len(words), -(-n // 8)), dtype=np.uint8)
    for part in deadline.chunks(len(words), (1 << 25) // max(n, 1)):
        sides = np.unpackbits(words[part].view(np.uint8), axis=1, bitorder="little")
        on = (sides[:, column] == (reduction.scale > 0)) & alive
        packed[part] = np.packbits(on, axis=1)
    return packed


def _widest_direction(X: FloatArray, mask: BoolArray) -> FloatArray | None:
    """The direction that keeps farthest from all hyperplanes, if floating point can see it.

    A cell thinner than rounding has no direction that produces its mask; such a
    sliver is left out, and the certificate accounts for what it covers.
    """
    lengths = np.linalg.norm(X, axis=1)
    rows = lengths > 0
    signed = np.where(mask, 1.0, -1.0)[rows, None] * X[rows] / lengths[rows, None]
    d = X.shape[1]
    result = linprog(
        np.r_[np.zeros(d), -1.0],
        A_ub=np.c_[-signed, np.ones(len(signed))],
        b_ub=np.zeros(len(signed)),
        bounds=[(-1.0, 1.0)] * d + [(0.0, None)],
    )
    if result.x is None:
        return None
    u: FloatArray = result.x[:d]
    return u if bool(((X @ u > 0) == mask).all()) else None
