"""How many activation patterns there can be: bound (4) of the seed paper."""

from __future__ import annotations

from math import comb

from cvxnn.validation import check_count


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
