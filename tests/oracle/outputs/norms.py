"""``||V'(Xu)_+||`` at given directions, independent of the library."""

import numpy as np

from cvxnn.array_types import FloatArray


def norms(X: FloatArray, V: FloatArray, directions: FloatArray) -> FloatArray:
    """At directions scaled to the unit sphere, in extended precision where there is one."""
    units = directions.astype(np.longdouble)
    units = units / np.sqrt((units**2).sum(axis=1, keepdims=True))
    sums = np.maximum(X.astype(np.longdouble) @ units.T, 0.0).T @ V.astype(np.longdouble)
    return np.asarray(np.sqrt((sums**2).sum(axis=1)))


def mass(X: FloatArray, V: FloatArray) -> float:
    """``sum_i ||v_i|| ||x_i||``, which rounding is relative to."""
    return float(np.linalg.norm(V, axis=1) @ np.linalg.norm(X, axis=1))


def dual_points(rng: np.random.Generator, n: int, c: int) -> dict[str, FloatArray]:
    """Dual points of several kinds, shape (n, c)."""
    V = rng.standard_normal((n, c))
    return {
        "gaussian": V,
        "tenths": 0.1 * rng.integers(-3, 4, (n, c)),
        "of all sizes": V * 10.0 ** rng.integers(-8, 9, (n, 1)),
        "rows of sum zero": V - V.mean(axis=1, keepdims=True),
        "rank one": V[:, :1] * V[:1],
        "sparse": V * (rng.random((n, 1)) < 0.5),
    }
