"""Bounds on ``u'N v`` over vectors of signs from a semidefinite relaxation, at any size."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from cvxnn.array_types import EPS, FloatArray

# Doublings of what is added to an eigenvalue until a factorisation exists: one or two do.
_MOST_DOUBLINGS = 200


def multiplier_bound(N: FloatArray, multipliers: FloatArray) -> float:
    """An upper bound on ``u'N v`` over vectors u, v of signs, rounding included; O(d^3).

    Parameters
    ----------
    N : ndarray, shape (d, d)
        Symmetric.
    multipliers : ndarray, shape (d,)
        Any m; best if ``sum m`` is small and ``-Diag(m) <= N <= Diag(m)`` nearly.

    Notes
    -----
    With ``p = u + v`` and ``q = u - v``,

        u'N v = sum m + 1/4 p'(N - Diag m) p + 1/4 q'(-N - Diag m) q,

    as ``||p_i||^2 + ||q_i||^2 = 4`` for every i; and ``||p||^2 + ||q||^2 = 4 d``. So it is at most
    ``sum m + d t`` for t above both largest eigenvalues. The best m gives the value of the
    relaxation ``max { u'N v : u_i, v_i unit vectors }``, with the two copies
    of each constraint merged by symmetry.

    Examples
    --------
    >>> N = np.array([[1.0, 2.0], [2.0, -1.0]])
    >>> round(multiplier_bound(N, np.array([np.sqrt(5.0), np.sqrt(5.0)])), 6)  # exact: 4
    4.472136
    """
    d = len(N)
    shift = np.diag(multipliers)
    top = max(largest_eigenvalue(N - shift), largest_eigenvalue(-N - shift))
    # Sums of d numbers, and the differences on the diagonals.
    moduli = float(np.abs(multipliers).sum()) + d * abs(top) + float(np.abs(np.diag(N)).sum())
    return float(multipliers.sum()) + d * top + 4.0 * (d + 8) * EPS * moduli


def largest_eigenvalue(matrix: FloatArray) -> float:
    """An upper bound on the largest eigenvalue of a symmetric matrix, rounding included; O(d^3).

    Notes
    -----
    Where a Cholesky factorisation of ``A = s I - M`` comes to its end, it is that of a positive
    semidefinite matrix which differs from A by ``gamma_(d+1) sqrt(a_ii a_jj)`` in the entry
    (i, j) at most (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem
    10.3), so by ``gamma_(d+1) tr A`` in norm: s plus that is a bound. The diagonal of A is rounded
    once more.

    Examples
    --------
    >>> bool(3.0 <= largest_eigenvalue(np.array([[2.0, 1.0], [1.0, 2.0]])) < 3.0 + 1e-9)
    True
    """
    d = len(matrix)
    size = float(np.abs(matrix).sum(axis=1).max(initial=0.0))
    if size == 0.0:
        return 0.0
    top = float(scipy.linalg.eigvalsh(matrix, check_finite=False)[-1])
    more = (d + 8) * EPS * size
    for _ in range(_MOST_DOUBLINGS):
        s = top + more
        shifted = -matrix
        shifted[np.diag_indices(d)] += s
        _, info = scipy.linalg.lapack.dpotrf(shifted, lower=1)
        if info == 0:
            trace = float(np.diag(shifted).sum())
            rounding = 2.0 * (d + 4) * EPS * trace + 4.0 * EPS * (abs(s) + size)
            return s + rounding + d * d * 1e-300
        more *= 2.0
    return size * (1.0 + 2.0 * (d + 4) * EPS)


def unit_vectors(
    N: FloatArray, left: FloatArray, right: FloatArray, sweeps: int, enough: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Raise ``sum_ij N_ij left_i'right_j`` over unit vectors, each side at once beside the other.

    Parameters
    ----------
    N : ndarray, shape (d, d)
    left, right : ndarray, shape (d, r)
    sweeps : int
    enough : float
        It ends when a sweep gains less than this share.

    Notes
    -----
    ``left_i <- sum_j N_ij right_j``, normalised, is the best beside `right`: the value never
    falls. O(d^2 r) a sweep.
    """
    value = -np.inf
    for _ in range(sweeps):
        left, _ = _normalised(N @ right, left)
        right, lengths = _normalised(N @ left, right)
        reached = float(lengths.sum())
        if reached <= value * (1.0 + enough):
            break
        value = reached
    return left, right


def multipliers_of(N: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """The multipliers that belong to unit vectors where these are optimal, shape (d,).

    The mean of both sides, as the same constraints hold of both.
    """
    sides = [np.linalg.norm(N @ side, axis=1) for side in (left, right)]
    return 0.5 * (sides[0] + sides[1])


def _normalised(vectors: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors, as they were where there is no direction, and the lengths."""
    lengths = np.linalg.norm(vectors, axis=1)
    alive = (lengths > 0.0)[:, None]
    return np.where(alive, vectors / np.where(alive, lengths[:, None], 1.0), before), lengths
