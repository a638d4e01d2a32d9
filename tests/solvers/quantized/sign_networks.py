"""Quantised networks on few features, by all pairs of signs."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from programs import in_cvxpy, search

from cvxnn.array_types import FloatArray
from cvxnn.losses import as_loss


def all_signs(d: int) -> FloatArray:
    """Vectors of signs, shape (2^d, d)."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=d)))


def all_pairs(d: int) -> tuple[FloatArray, FloatArray]:
    """Pairs of signs, each product of two sums once, up to its sign."""
    half = all_signs(d)[2 ** (d - 1) :]
    first, second = np.triu_indices(len(half))
    return half[first], half[second]


@dataclass(frozen=True)
class Pairs:
    """``f = sum_j (X u_j)(X v_j) a_j`` over all pairs, shape (n, d) of X."""

    X: FloatArray

    @property
    def columns(self) -> FloatArray:
        left, right = all_pairs(self.X.shape[1])
        return np.einsum("ni,ki,nj,kj->nk", self.X, left, self.X, right, optimize=True)

    def optimum(self, cp: Any, loss: Any, y: FloatArray, beta: float, *, intercept: bool = False):
        """The Lasso over all columns."""
        columns = self.columns
        a, b = cp.Variable(columns.shape[1]), cp.Variable() if intercept else 0.0
        data = in_cvxpy(cp, loss, columns @ a + b, y)
        program = cp.Problem(cp.Minimize(data + beta * cp.norm1(a)))
        return float(program.solve(solver="CLARABEL"))

    def relaxation(self, cp: Any, y: FloatArray, beta: float) -> float:
        """The semidefinite program of Bartan and Pilanci, squared loss, in one matrix of 2 d."""
        d = self.X.shape[1]
        whole, rho = cp.Variable((2 * d, 2 * d), PSD=True), cp.Variable()
        f = cp.sum(cp.multiply(self.X @ whole[:d, d:], self.X), axis=1)
        objective = 0.5 * cp.sum_squares(f - y) + beta * rho
        program = cp.Problem(cp.Minimize(objective), [cp.diag(whole) == rho])
        return float(program.solve(solver="CLARABEL"))

    def lowest(self, loss: Any, y: FloatArray, beta: float) -> float:
        """L-BFGS on ``a = p q`` of all pairs, with the penalty ``(p^2 + q^2) / 2``."""
        columns, chosen = self.columns, as_loss(loss)

        def objective(weights: FloatArray) -> tuple[float, FloatArray]:
            p, q = weights.reshape(2, -1)
            prediction = columns @ (p * q)
            value = chosen.value(prediction, y) + 0.5 * beta * float(weights @ weights)
            slope = columns.T @ chosen.gradient(prediction, y)
            return value, np.concatenate([slope * q, slope * p]) + beta * weights

        return search(objective, 2 * columns.shape[1], jac=True)
