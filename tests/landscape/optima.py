"""Problems whose set of optima is known, and the set by other means."""

import numpy as np
from cones import project_on_cone
from problems import brute_force_cells
from reference import solve_with_clarabel
from scipy.optimize import linprog

from cvxnn.array_types import FloatArray
from cvxnn.patterns import PatternSet
from cvxnn.program import ConvexProgram


def five_points() -> tuple[FloatArray, FloatArray, float]:
    """Section 4.1 of the seed paper."""
    X = np.column_stack([[-1.0, -5.0, 2.0, 0.0, 3.0], np.ones(5)])
    return X, np.array([1.0, -1.0, 1.0, -1.0, 1.0]), 1e-4


def cross(d: int) -> tuple[FloatArray, FloatArray, float]:
    """The points e_k and -e_k with target 1; optimal directions are the 2^d corners of a cube.

    By symmetry r = c (1, ..., 1), and ``r'(X u)_+ = c ||u||_1`` is largest on the unit
    sphere at ``u = (+-1, ..., +-1) / sqrt(d)``: c = beta / sqrt(d). The weights are
    measures on the corners with mean 0 and total ``2 sqrt(d) (1 - c)``: a polytope of
    dimension ``2^d - 1 - d``, which is the point for d = 1 only.
    """
    return np.vstack([np.eye(d), -np.eye(d)]), np.ones(2 * d), 0.1


def random_problem(seed: int, n: int, d: int, beta: float) -> tuple[FloatArray, FloatArray, float]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n), beta


def independent_set(X: FloatArray, y: FloatArray, beta: float) -> tuple[FloatArray, FloatArray]:
    """Directions with their sign, shape (k, d + 1), and the activations, shape (n, k).

    Patterns by a tree of linear programs, the residual by Clarabel on the full
    program, the directions by projection with scipy's NNLS.
    """
    masks, directions = brute_force_cells(X)
    patterns = PatternSet(np.packbits(masks, axis=1), directions, len(X), is_complete=True)
    v = solve_with_clarabel(ConvexProgram(X, y, beta, patterns), tol=1e-10).v
    found: list[FloatArray] = []
    for mask in masks:
        rows = np.where(mask[:, None], X, -X)
        for sign in (1.0, -1.0):
            value, z = project_on_cone(rows, sign * (X[mask].T @ v[mask]))
            if value > beta * (1.0 - 1e-5):
                entry = np.append(z / np.linalg.norm(z), sign)
                if not any(np.linalg.norm(entry - other) < 1e-3 for other in found):
                    found.append(entry)
    entries = np.reshape(found, (len(found), X.shape[1] + 1))
    return entries, np.maximum(X @ entries[:, :-1].T, 0.0) * entries[:, -1]


def independent_dimension(activations: FloatArray, fit: FloatArray) -> int:
    """Of ``{w >= 0: A w = fit}`` up to 1e-6, by linear programs on every weight."""
    k = activations.shape[1]
    size = 1e-6 * float(np.abs(fit).max())
    largest = [
        -linprog(
            -row,
            A_ub=np.vstack([activations, -activations]),
            b_ub=np.concatenate([fit + size, size - fit]),
        ).fun
        for row in np.eye(k)
    ]
    used = np.array(largest) > 1e-3 * max(largest)
    return int(used.sum()) - int(np.linalg.matrix_rank(activations[:, used], tol=1e-4))
