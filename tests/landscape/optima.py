"""Problems whose set of optima is known, and the set by other means."""

import numpy as np
import pytest
from cones import project_on_cone
from problems import brute_force_cells
from reference import solve_with_clarabel
from scipy.optimize import linprog
from scipy.sparse import block_diag, csr_array

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


def hill_and_valley() -> tuple[FloatArray, FloatArray, float]:
    """The points e_k and -e_k of the plane with targets 1 and -1: an intercept is free to move.

    ``r = beta (1, -1, 1, -1)``, so that ``r'(X u)_+ = beta (|u_1| - |u_2|)``, largest at +-e_1
    and smallest at +-e_2. With ``h = 1 - beta`` and the intercept b in [-h, h] the weights are
    h - b on the first two and h + b on the others: a segment, whose ends have two neurons.
    """
    return np.vstack([np.eye(2), -np.eye(2)]), np.array([1.0, -1.0, 1.0, -1.0]), 0.1


def tent(d: int) -> tuple[FloatArray, FloatArray, float]:
    """The points e_k and -e_k with target 1, and 0 with target 0: the cross on an intercept.

    With c on the 2 d points the residual is -2 d c at 0, where it is minus the intercept. The
    directions are those of :func:`cross`, and the total is ``2 sqrt(d) (1 - c - 2 d c)``.
    """
    X, y, beta = cross(d)
    return np.vstack([X, np.zeros(d)]), np.append(y, 0.0), beta


def residual_beside_intercept(
    X: FloatArray, y: FloatArray, beta: float, masks: FloatArray
) -> FloatArray:
    """By Clarabel on the full program with a column of ones that costs nothing."""
    cp = pytest.importorskip("cvxpy")
    parts = cp.Variable((2 * len(masks), X.shape[1]))
    b, left = cp.Variable(), cp.Variable(len(X))
    both = np.concatenate([masks, masks])
    signs = np.repeat([1.0, -1.0], len(masks))
    columns = np.hstack([s * mask[:, None] * X for s, mask in zip(signs, both, strict=True)])
    cones = block_diag([csr_array(np.where(mask[:, None], X, -X)) for mask in both], format="csr")
    flat = cp.vec(parts, order="C")
    cost = 0.5 * cp.sum_squares(left) + beta * cp.sum(cp.norm(parts, axis=1))
    constraints = [left == y - columns @ flat - b, cones @ flat >= 0.0]
    program = cp.Problem(cp.Minimize(cost), constraints)
    tolerances = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
    program.solve(solver="CLARABEL", **tolerances)
    return np.asarray(left.value)


def independent_set(
    X: FloatArray, y: FloatArray, beta: float, *, intercept: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Directions with their sign, shape (k, d + 1), and the activations, shape (n, k).

    Patterns by a tree of linear programs, the residual by Clarabel on the full
    program, the directions by projection with scipy's NNLS.
    """
    masks, directions = brute_force_cells(X)
    patterns = PatternSet(np.packbits(masks, axis=1), directions, len(X), is_complete=True)
    if intercept:
        v = residual_beside_intercept(X, y, beta, masks)
    else:
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
