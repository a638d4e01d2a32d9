"""Problems with every loss, small enough that cvxpy solves the program on all their patterns."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from programs import LOSSES, in_cvxpy

from cvxnn.patterns import PatternSet, enumerate_patterns

FloatArray = NDArray[np.float64]

NAMES = LOSSES


def reference(
    X: FloatArray,
    y: FloatArray,
    beta: float,
    name: str,
    weights: FloatArray | None = None,
    patterns: PatternSet | None = None,
) -> float:
    """Optimum of the program on all patterns, written down in cvxpy."""
    cp = pytest.importorskip("cvxpy")
    masks = (enumerate_patterns(X) if patterns is None else patterns).masks.T.astype(float)
    w = np.ones(len(y)) if weights is None else weights
    V, W = (cp.Variable((X.shape[1], masks.shape[1])) for _ in range(2))
    f = cp.sum(cp.multiply(masks, X @ (V - W)), axis=1)
    fit = in_cvxpy(cp, name, f, y, w)
    sides = 2.0 * masks - 1.0
    cones = [cp.multiply(sides, X @ Z) >= 0 for Z in (V, W)]
    penalty = sum(cp.sum(cp.norm(Z, 2, axis=0)) for Z in (V, W))
    return float(cp.Problem(cp.Minimize(fit + beta * penalty), cones).solve(solver=cp.CLARABEL))


@cache
def data(d: int, n: int = 14) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(d)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    return X, np.where(rng.standard_normal(n) + X[:, 0] > 0.0, 1.0, -1.0)


def target_for(name: str, y: FloatArray) -> FloatArray:
    """Labels, or something with outliers."""
    return y * np.linspace(0.2, 6.0, len(y)) if name in ("squared", "huber") else y
