"""Small problems of gated networks, and their program written out anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from architectures.cnn_problems import in_cvxpy, search

from cvxnn.losses import as_loss

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


def draw(loss: str, n: int, d: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Rows and targets that no linear function fits."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = 2.0 * np.maximum(X[:, 0], 0.0) - X[:, -1] + 0.3 * rng.standard_normal(n)
    return X, np.where(y > 0.5, 1.0, -1.0) if as_loss(loss).has_labels else y


def masks_of(X: FloatArray, gates: FloatArray, skip: bool = False) -> FloatArray:
    """The distinct patterns of gates as columns of 0 and 1, and one of ones for a skip."""
    masks = np.unique(X @ gates.T >= 0.0, axis=1).astype(float)
    return np.column_stack([masks, np.ones(len(X))]) if skip else masks


def cvxpy_value(
    cp: Any, X: FloatArray, y: FloatArray, beta: float, loss: str, masks: FloatArray
) -> float:
    """The optimal value of the group lasso in cvxpy."""
    blocks = cp.Variable((masks.shape[1], X.shape[1]))
    prediction = cp.sum(cp.multiply(masks, X @ blocks.T), axis=1)
    penalty = beta * cp.sum(cp.norm(blocks, 2, axis=1))
    problem = cp.Problem(cp.Minimize(in_cvxpy(cp, loss, prediction, y) + penalty))
    problem.solve(solver="CLARABEL", tol_gap_rel=1e-9, tol_gap_abs=1e-9, tol_feas=1e-9)
    return float(problem.value)


def gated_search(X: FloatArray, y: FloatArray, beta: float, loss: str, masks: FloatArray) -> float:
    """The lowest objective of L-BFGS on the weights of one neuron for each pattern."""
    m, d = masks.shape[1], X.shape[1]

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        hidden, output = weights[: m * d].reshape(m, d), weights[m * d :]
        outputs = masks * (X @ hidden.T)
        slope = as_loss(loss).gradient(outputs @ output, y)
        inner = output[:, None] * ((masks * slope[:, None]).T @ X)
        value = as_loss(loss).value(outputs @ output, y) + 0.5 * beta * float(weights @ weights)
        return value, np.concatenate([inner.ravel(), outputs.T @ slope]) + beta * weights

    return search(objective, m * (d + 1), jac=True)
