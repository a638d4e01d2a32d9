"""Problems with every loss, small enough that cvxpy solves the program on all their patterns."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from programs import LOSSES as NAMES
from programs import Activations

from cvxnn.array_types import FloatArray
from cvxnn.patterns import PatternSet

__all__ = ["NAMES", "FloatArray", "data", "reference", "target_for"]


def reference(
    X: FloatArray,
    y: FloatArray,
    beta: float,
    name: str,
    weights: FloatArray | float = 1.0,
    patterns: PatternSet | None = None,
) -> float:
    """Optimum of the program on all patterns, or some, written down in cvxpy."""
    cp = pytest.importorskip("cvxpy")
    chosen = None if patterns is None else patterns.masks
    return Activations(X[:, None], patterns=chosen).optimum(cp, name, y, beta, weights)


@cache
def data(d: int, n: int = 10) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(d)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    return X, np.where(rng.standard_normal(n) + X[:, 0] > 0.0, 1.0, -1.0)


def target_for(name: str, y: FloatArray) -> FloatArray:
    """Labels, or something with outliers."""
    return y * np.linspace(0.2, 6.0, len(y)) if name in ("squared", "huber") else y
