"""Non-negative Lasso on given neuron directions: the weights that are best for them."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def nonnegative_lasso(
    atoms: FloatArray, y: FloatArray, beta: float, start: FloatArray | None = None
) -> FloatArray:
    """Minimise ``1/2 ||A c - y||^2 + beta sum(c)`` over ``c >= 0`` by an active set.

    The support of the answer has linearly independent columns, so that a
    network built from it has at most n neurons (a vertex of the optimal set).

    Parameters
    ----------
    atoms : ndarray, shape (n, k)
        Columns ``s_j (X u_j)_+`` for unit directions ``u_j``.
    y : ndarray, shape (n,)
    beta : float
    start : ndarray, shape (k,), optional
        A guess; its support, thinned to independent columns, starts the set.

    Returns
    -------
    ndarray, shape (k,)

    Notes
    -----
    Lawson and Hanson's method with a shift in the right-hand side; the
    subproblems are solved by QR, since columns of neighbouring cells are nearly
    parallel and a Gram matrix would lose half of the digits. O(k^2 n) per step.
    """
    n, k = atoms.shape
    c = np.zeros(k)
    lengths = np.linalg.norm(atoms, axis=0)
    usable = lengths > 0
    passive = np.zeros(k, dtype=bool)
    if start is not None:
        passive = _independent(atoms / np.where(usable, lengths, 1.0), (start > 0) & usable, start)
        c[passive] = start[passive]
        c, passive = _descend(atoms, y, beta, c, passive)
    barred = ~usable
    for _ in range(3 * k + 10):
        slope = atoms.T @ (y - atoms @ c) - beta
        slope[passive | barred] = -np.inf
        entering = int(np.argmax(slope)) if k else 0
        if k == 0 or slope[entering] <= 1e-13 * max(beta, lengths[entering] * np.linalg.norm(y)):
            break
        trial = passive.copy()
        trial[entering] = True
        moved, kept = _descend(atoms, y, beta, c, trial)
        if not kept[entering]:
            barred[entering] = True
            continue
        c, passive = moved, kept
        barred = ~usable
    return c


def _independent(units: FloatArray, chosen: NDArray[np.bool_], size: FloatArray) -> NDArray[np.bool_]:
    """A subset of the chosen columns that is linearly independent, heaviest first."""
    index = np.flatnonzero(chosen)
    keep = np.zeros(len(chosen), dtype=bool)
    if len(index) == 0:
        return keep
    weighted = units[:, index] * size[index]
    _, triangle, order = scipy.linalg.qr(weighted, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    good = diagonal > 1e-11 * diagonal[0]
    keep[index[order[: len(diagonal)][good]]] = True
    return keep


def _descend(
    atoms: FloatArray, y: FloatArray, beta: float, c: FloatArray, passive: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Move to the minimiser on the passive columns, dropping those that reach zero."""
    passive = passive.copy()
    while passive.any():
        index = np.flatnonzero(passive)
        target = _stationary(atoms[:, index], y, beta)
        if (target > 0).all():
            c = np.zeros_like(c)
            c[index] = target
            return c, passive
        current = c[index]
        falling = target <= 0
        step = float((current[falling] / (current[falling] - target[falling])).min())
        moved = current + step * (target - current)
        moved[falling & (moved <= 1e-15 * max(float(moved.max()), 1e-300))] = 0.0
        if not (moved[falling] == 0.0).any():
            moved[np.flatnonzero(falling)[np.argmin(moved[falling])]] = 0.0
        c = np.zeros_like(c)
        c[index] = np.maximum(moved, 0.0)
        passive[index[moved == 0.0]] = False
        passive[index[(moved <= 0.0)]] = False
    return np.zeros_like(c), passive


def _stationary(columns: FloatArray, y: FloatArray, beta: float) -> FloatArray:
    """Solve ``A'A c = A'y - beta`` through the triangle of A, refined once."""
    orthogonal, triangle = np.linalg.qr(columns)
    diagonal = np.abs(np.diag(triangle))
    if len(diagonal) < columns.shape[1] or diagonal.min() <= 1e-13 * diagonal.max():
        solution: FloatArray = np.linalg.lstsq(
            columns.T @ columns, columns.T @ y - beta, rcond=1e-13
        )[0]
        return solution
    shift = scipy.linalg.solve_triangular(triangle, np.full(len(diagonal), beta), trans="T")
    result: FloatArray = scipy.linalg.solve_triangular(triangle, orthogonal.T @ y - shift)
    return result
