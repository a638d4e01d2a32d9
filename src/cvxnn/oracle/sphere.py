"""The largest value of a quadratic function on the unit sphere, with a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray

# Steps to the root of the secular equation: a bracket that is halved needs no more.
_MOST_STEPS = 100


@final
@dataclass(frozen=True)
class SpherePeak:
    """``max u'Q u + p'u`` over ``||u|| = 1``: a trust-region problem on its boundary.

    Attributes
    ----------
    directions : ndarray, shape (k, h)
        Unit maximisers: one, or two where the function is the same on both sides of its axis.
    values : ndarray, shape (k,)
    bound : float
        Proven, rounding included; O(h^3).

    Notes
    -----
    With ``Q = sum_i q_i v_i v_i'`` and ``p = 2 sum_i g_i v_i`` the maximiser is
    ``sum_i g_i v_i / (lam - q_i)`` for the lam above all q_i at which it has the length 1
    (J. Moré and D. Sorensen, SIAM J. Sci. Stat. Comput. 4, 1983); in the hard case, where g is 0
    along the largest q and the rest is shorter, ``lam = q_max`` and that direction fills it up.
    The bound is weak duality: whenever ``[[lam I - Q, -p/2], [-p'/2, mu]]`` is positive
    semidefinite, the maximum is at most ``lam + mu``. Of any R that matrix is ``R'R + E`` and at
    least ``-||E||_F``; so is ``lam + mu + 2 ||E||_F`` a bound, whatever the eigenvalues are worth.

    Examples
    --------
    >>> peak = SpherePeak.of(np.diag([2.0, 1.0]), np.array([0.0, 1.0]))
    >>> peak.directions.round(3).tolist(), bool(2.25 <= peak.bound < 2.25 + 1e-13)
    ([[0.866, 0.5], [-0.866, 0.5]], True)
    """

    directions: FloatArray
    values: FloatArray
    bound: float

    @classmethod
    def of(cls, matrix: FloatArray, vector: FloatArray) -> Self:
        """For a symmetric Q and p."""
        unit = _unit(matrix, vector)
        Q, g = matrix / unit, 0.5 * vector / unit
        q, V = np.linalg.eigh(Q)
        shares, gaps = V.T @ g, q[-1] - q
        s = _root(shares, gaps)
        below = s + gaps
        parts = np.divide(shares, below, out=np.zeros_like(shares), where=below > 0.0)
        bound = _bound(Q, g, (q[-1] + s, below, parts), V)
        directions = _filled(parts) @ V.T
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        values = ((directions @ matrix + vector) * directions).sum(axis=1)
        return cls(directions, values, float(np.nextafter(bound * unit, np.inf)))


def peaks(matrix: FloatArray, vector: FloatArray, least: float, most: int) -> FloatArray:
    """Directions of values above `least`, orthogonal ones that are each best after those before.

    Parameters
    ----------
    matrix, vector
        Q and p.
    least : float
    most : int
        Directions at most.

    Returns
    -------
    ndarray, shape (k, h)

    Examples
    --------
    >>> np.abs(peaks(np.diag([3.0, 1.0, 2.0]), np.zeros(3), 1.5, 9)).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    unit = _unit(matrix, vector)
    matrix, vector, least = matrix / unit, vector / unit, least / unit
    found: list[FloatArray] = []
    basis = np.eye(len(vector))
    while len(found) < min(most, len(vector)):
        q, V = np.linalg.eigh(basis.T @ matrix @ basis)
        shares, gaps = 0.5 * (V.T @ (basis.T @ vector)), q[-1] - q
        below = _root(shares, gaps) + gaps
        parts = np.divide(shares, below, out=np.zeros_like(shares), where=below > 0.0)
        direction = V @ _filled(parts)[0]
        u = basis @ direction
        if not float(u @ (matrix @ u) + vector @ u) > least:
            break
        found.append(u / np.linalg.norm(u))
        if basis.shape[1] == 1:
            break
        basis = basis @ _complement(direction)
    return np.array(found).reshape(len(found), len(vector))


def _complement(direction: FloatArray) -> FloatArray:
    """Orthonormal columns next to a unit vector, by a reflection, shape (r, r - 1)."""
    mirror = direction.copy()
    mirror[0] += 1.0 if mirror[0] >= 0.0 else -1.0
    mirror /= np.linalg.norm(mirror)
    whole = np.eye(len(direction)) - 2.0 * np.outer(mirror, mirror)
    return np.asarray(whole[:, 1:])


def _root(shares: FloatArray, gaps: FloatArray) -> float:
    """The s >= 0 with ``sum_i shares_i^2 / (s + gaps_i)^2 = 1``; 0 where it is less everywhere."""
    squares = shares**2
    low, high = float(np.abs(shares[gaps == 0.0]).max(initial=0.0)), float(np.sqrt(squares.sum()))
    if low == 0.0:
        inside = squares > 0.0
        if (squares[inside] / np.maximum(gaps[inside], 1e-150) ** 2).sum() <= 1.0:
            return 0.0
    s = max(low, EPS * high)
    for _ in range(_MOST_STEPS):
        below = s + gaps
        ratios = np.divide(squares, below**2, out=np.zeros_like(squares), where=below > 0.0)
        total = float(ratios.sum())
        if total >= 1.0:
            low = s
        if total <= 1.0:
            high = s
        if abs(total - 1.0) <= 4.0 * EPS or high - low <= EPS * high:
            break
        # Newton's step on 1 / length - 1, which is nearly a line.
        slope = float(np.divide(ratios, below, out=np.zeros_like(ratios), where=below > 0.0).sum())
        s += (np.sqrt(total) - 1.0) * total / slope if slope > 0.0 else 0.0
        if not low < s < high:
            s = 0.5 * (low + high)
    return s


def _filled(parts: FloatArray) -> FloatArray:
    """A maximiser in coordinates of eigenvectors, and its mirror image along the last one."""
    parts = parts.copy()
    left = 1.0 - float((parts[:-1] ** 2).sum())
    parts[-1] = np.copysign(np.sqrt(max(left, 0.0)), parts[-1])
    if parts[-1] == 0.0:
        return parts[None]
    image = parts.copy()
    image[-1] = -parts[-1]
    return np.stack([parts, image])


def _bound(
    Q: FloatArray, g: FloatArray, found: tuple[float, FloatArray, FloatArray], V: FloatArray
) -> float:
    level, below, parts = found
    h = len(Q)
    roots = np.sqrt(below)[:, None]
    R = np.column_stack([roots * V.T, -roots[:, 0] * parts])
    mu = float(below @ parts**2)
    whole = np.empty((h + 1, h + 1))
    whole[:h, :h], whole[h, h] = -Q, mu
    whole[np.arange(h), np.arange(h)] += level
    whole[:h, h] = whole[h, :h] = -g
    left = np.abs(whole - R.T @ R)
    moduli = np.abs(whole) + np.abs(R).T @ np.abs(R)
    # The diagonal of lam I - Q is itself a difference.
    moduli[np.arange(h), np.arange(h)] += abs(level) + np.abs(np.diag(Q))
    rest = left + 2.0 * (h + 8) * EPS * moduli
    norm = float(np.linalg.norm(rest)) * (1.0 + 4.0 * (h * h + 8) * EPS) + 1e-150
    return level + mu + 2.0 * norm + 8.0 * EPS * (abs(level) + mu)


def _unit(matrix: FloatArray, vector: FloatArray) -> float:
    """The power of two next to the largest entry, 1 for zeros."""
    largest = max(float(np.abs(matrix).max()), float(np.abs(vector).max()))
    return float(np.exp2(np.rint(np.log2(largest)))) if largest > 0.0 else 1.0
