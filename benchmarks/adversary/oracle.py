"""Neurons that improve a network: all stationary directions where rows are few."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from adversary.problem import FloatArray

# Rows up to which all 2^N masks are listed, and the most boundaries for each.
COMPLETE = 8
_MOST_BOUNDARIES = 130
_SAMPLES, _ASCENTS = 400, 4


def directions(
    rows: FloatArray, q: FloatArray, slope: float, rng: np.random.Generator
) -> FloatArray:
    """Unit vectors u among which ``max |sum_i q_i phi(m_i'u)|`` is attained, if rows are few.

    The maximiser is ``P_S M'(D q)`` over its length for its own activation pattern D and
    the rows S on its boundary, P_S the projection on their complement. With N <= 8
    rows all D, also those of no direction, and all S of up to p - 1 rows are tried; with
    more rows those of sampled directions, improved by ascents.
    """
    scale = float(np.abs(q).max(initial=0.0))
    if scale == 0.0:
        return np.zeros((0, rows.shape[1]))
    q = q / scale
    if len(rows) <= COMPLETE:
        masks = ((np.arange(2 ** len(rows))[:, None] >> np.arange(len(rows))) & 1).astype(bool)
    elif rows.shape[1] <= 2:
        # In a plane a boundary is one direction: there is nothing to project.
        boundaries = _beside_boundaries(rows)
        gradients = np.where(boundaries @ rows.T > 0.0, 1.0, slope) * q @ rows
        return _units(np.vstack([gradients, -gradients, boundaries]))
    else:
        masks = _masks_of(rows, _ascended(rows, q, slope, rng))
    gradients = np.unique(np.where(masks, 1.0, slope), axis=0) * q @ rows
    found = [gradients, -gradients]
    for projection in _projections(rows, rng):
        shortened = gradients @ projection
        found += [shortened, -shortened]
    return _units(np.vstack(found))


def values(rows: FloatArray, q: FloatArray, slope: float, units: FloatArray) -> FloatArray:
    """``sum_i q_i phi(m_i'u)`` for every direction."""
    sums = rows @ units.T
    return q @ np.where(sums > 0.0, sums, slope * sums)


def max_pooling_directions(
    rows: FloatArray, v: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Good directions for max pooling over rows (n, K, p), with their signed values."""
    n, _, p = rows.shape
    starts = _units(np.vstack([rng.standard_normal((_SAMPLES, p)), rows.reshape(-1, p)]))
    found = [starts]
    for sign in (1.0, -1.0):
        u = starts
        for _ in range(_ASCENTS):
            sums = rows @ u.T
            best = sums.argmax(axis=1)
            on = np.take_along_axis(sums, best[:, None], axis=1)[:, 0] > 0.0
            picked = rows[np.arange(n)[:, None], best]
            u = _units(np.einsum("n,nc,ncp->cp", sign * v, on, picked))
            found.append(u)
    units = np.vstack(found)
    return units, v @ np.maximum((rows @ units.T).max(axis=1), 0.0)


def _units(vectors: FloatArray) -> FloatArray:
    sizes = np.abs(vectors).max(axis=1, initial=0.0)
    vectors = vectors[sizes > 1e-290] / sizes[sizes > 1e-290, None]
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def _masks_of(rows: FloatArray, units: FloatArray) -> Any:
    return np.unique(units @ rows.T > 0.0, axis=0)


def _beside_boundaries(rows: FloatArray) -> FloatArray:
    """Between any two neighbouring boundaries of the plane, and on them."""
    if rows.shape[1] == 1:
        return np.array([[1.0], [-1.0]])
    angles = np.arctan2(rows[:, 0], -rows[:, 1])
    angles = np.unique(np.concatenate([angles, angles + np.pi]))
    middles = 0.5 * (angles + np.append(angles[1:], angles[0] + 2.0 * np.pi))
    every = np.concatenate([angles, middles])
    return np.column_stack([np.cos(every), np.sin(every)])


def _ascended(
    rows: FloatArray, q: FloatArray, slope: float, rng: np.random.Generator
) -> FloatArray:
    starts = _units(np.vstack([rng.standard_normal((_SAMPLES, rows.shape[1])), rows, -rows]))
    found = [starts]
    for sign in (1.0, -1.0):
        u = starts
        for _ in range(_ASCENTS):
            u = _units((np.where(rows @ u.T > 0.0, 1.0, slope) * (sign * q)[:, None]).T @ rows)
            found.append(u)
    return np.vstack(found)


def _projections(rows: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """Onto the complements of up to p - 1 rows."""
    N, p = rows.shape
    subsets = [s for size in range(1, p) for s in combinations(range(N), size)]
    if len(subsets) > _MOST_BOUNDARIES:
        chosen = rng.choice(len(subsets), _MOST_BOUNDARIES, replace=False)
        subsets = [subsets[k] for k in chosen]
    found = []
    for subset in subsets:
        part = rows[list(subset)]
        lengths = np.abs(part).max(axis=1)
        if not lengths.all():
            continue
        base, _ = np.linalg.qr((part / lengths[:, None]).T)
        # Twice: what is left of a vector that was nearly in the span keeps its digits.
        once = np.eye(p) - base @ base.T
        found.append(once @ once)
    return found
