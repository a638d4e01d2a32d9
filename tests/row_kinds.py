"""Rows of every kind that an arrangement of hyperplanes may be made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st
from problems import with_bias

from cvxnn.array_types import FloatArray

Generator = np.random.Generator

seeds = st.integers(0, 2**32 - 1)


def gaussian(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.standard_normal((n, d))


def integers(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.integers(-2, 3, (n, d)).astype(float)


def repeated(rng: Generator, n: int, d: int) -> FloatArray:
    half = max(n // 2, 1)
    return gaussian(rng, half, d)[rng.integers(0, half, n)]


def collinear(rng: Generator, n: int, d: int) -> FloatArray:
    X = gaussian(rng, n, d)
    return np.column_stack([X, np.ones(n), 3.0 * X[:, 0] - 2.0])[:, : d + 1]


def rank_deficient(rng: Generator, n: int, d: int) -> FloatArray:
    rank = max(d - 1, 1)
    return gaussian(rng, n, rank) @ gaussian(rng, rank, d + 1)


def decades(rng: Generator, *shape: int) -> FloatArray:
    return 10.0 ** rng.integers(-6, 7, shape)


def standardised(rng: Generator, n: int, d: int) -> FloatArray:
    grid = integers(rng, n, max(d - 1, 1))
    spread = grid.std(axis=0)
    return with_bias((grid - grid.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))


def nearly_degenerate(rng: Generator, n: int, d: int) -> FloatArray:
    """Integer rows with perturbations far below, at and above the tolerance of merging."""
    return integers(rng, n, d) + 10.0 ** rng.integers(-16, -6, (n, 1)) * gaussian(rng, n, d)


KINDS: dict[str, Callable[[Generator, int, int], FloatArray]] = {
    "gaussian": gaussian,
    "integers": integers,
    "repeated": repeated,
    "parallel": lambda rng, n, d: repeated(rng, n, d) * rng.choice([-3.0, -1.0, 0.1, 1.0], (n, 1)),
    "zero rows": lambda rng, n, d: repeated(rng, n, d) * rng.choice([-2.0, 0.0, 1.0], (n, 1)),
    "collinear columns": collinear,
    "rank deficient": rank_deficient,
    # Sums of few rows: many hyperplanes share a line, a plane, ...
    "concurrent": lambda rng, n, d: rng.integers(-1, 2, (n, d)) @ gaussian(rng, d, d),
    "scaled columns": lambda rng, n, d: gaussian(rng, n, d) * decades(rng, d),
    "scaled rows": lambda rng, n, d: gaussian(rng, n, d) * decades(rng, n, 1),
    "standardised": standardised,
}
"""Those whose cells are the same for every tolerance."""

# Of these, the ones that are like parallel rows, a deficient rank and scaled columns.
LIKE_OTHERS = ("repeated", "collinear columns", "scaled rows")


def _each(kinds: dict[str, Callable[[Generator, int, int], FloatArray]]) -> pytest.MarkDecorator:
    """Parametrised by kinds, those that are like others for long tests only."""
    return pytest.mark.parametrize(
        "kind",
        [
            pytest.param(kind, id=name, marks=pytest.mark.long if name in LIKE_OTHERS else ())
            for name, kind in kinds.items()
        ],
    )


each_kind = _each(KINDS)
each_kind_and_near = _each({**KINDS, "nearly degenerate": nearly_degenerate})
