"""Values of ``||V'(Xu)_+||``, found independently of the library."""

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.oracle import Proposals


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


def climbed(X: FloatArray, V: FloatArray, directions: FloatArray, steps: int = 60) -> FloatArray:
    """Directions of large values above some: fixed points of the normalised gradient."""
    best, reached = directions, norms(X, V, directions)
    u = directions
    for step in range(steps):
        u = u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300)
        active = np.maximum(X @ u.T, 0.0)
        sums = V.T @ active
        values = np.linalg.norm(sums, axis=0)
        rises = values > reached
        best, reached = np.where(rises[:, None], u, best), np.where(rises, values, reached)
        pull = V @ (sums / np.maximum(values, 1e-300))
        gradient = np.where(active > 0.0, pull, 0.0).T @ X
        lengths = np.linalg.norm(gradient, axis=1, keepdims=True)
        u = np.where(lengths > 0.0, gradient / np.maximum(lengths, 1e-300), u)
        # A mean with the best point damps the steps across kinks.
        u = u + best if step % 2 else u
    return best


def check_proposals(X: FloatArray, V: FloatArray, found: Proposals) -> None:
    """Unit directions and outputs that have the values they claim, best first."""
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found.outputs, axis=1), 1.0, rtol=1e-12)
    sums = np.maximum(X @ found.directions.T, 0.0).T @ V
    attained = (sums * found.outputs).sum(axis=1)
    np.testing.assert_allclose(attained, found.values, rtol=1e-9, atol=1e-12 * mass(X, V))
    assert (np.diff(found.values) <= 0.0).all()
