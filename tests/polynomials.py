"""Polynomial networks: their semidefinite program, and the plain problem, written out anew."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from programs import in_cvxpy, search

from cvxnn.array_types import FloatArray
from cvxnn.losses import as_loss


@dataclass(frozen=True)
class Spectrahedron:
    """Patches of shape (n, K, h) under ``a t^2 + b t + c``, averaged over the K."""

    patches: FloatArray
    coefficients: tuple[float, float, float]

    def lifts(self) -> FloatArray:
        """``f_i = <lift_i, Z>`` for the Z of order h + 1, shape (n, h + 1, h + 1)."""
        n, K, h = self.patches.shape
        a, b, c = self.coefficients
        found = np.zeros((n, h + 1, h + 1))
        found[:, :h, :h] = a * np.einsum("nki,nkj->nij", self.patches, self.patches) / K
        found[:, :h, h] = found[:, h, :h] = 0.5 * b * self.patches.mean(axis=1)
        found[:, h, h] = c
        return found

    def optimum(
        self, cp: Any, loss: Any, y: FloatArray, beta: float, *, intercept: bool = False
    ) -> float:
        """By Clarabel."""
        order = self.patches.shape[2] + 1
        columns = 1 if y.ndim == 1 else y.shape[1]
        flat = self.lifts().reshape(len(y), -1)
        predictions, price, constraints = [], 0.0, []
        for _ in range(columns):
            pair = [cp.Variable((order, order), PSD=True) for _ in "+-"]
            constraints += [cp.trace(Z) == 2 * Z[-1, -1] for Z in pair]
            price += sum(Z[-1, -1] for Z in pair)
            b = cp.Variable() if intercept else 0.0
            predictions.append(flat @ cp.vec(pair[0] - pair[1], order="C") + b)
        f = predictions[0] if y.ndim == 1 else cp.vstack(predictions).T
        program = cp.Problem(cp.Minimize(in_cvxpy(cp, loss, f, y) + beta * price), constraints)
        with warnings.catch_warnings():
            # It stops short of its goal of 1e-8 at times; the tests ask for 1e-6.
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            return float(program.solve(solver="CLARABEL"))

    def lowest(self, loss: Any, y: FloatArray, beta: float, m: int = 6) -> float:
        """Of random starts, over ``w_j = alpha_j^(1/2) u_j`` of both signs."""
        _, _, h = self.patches.shape
        (a, b, c), loss = self.coefficients, as_loss(loss)
        signs = np.resize([1.0, -1.0], m)

        def values(W: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            lengths = np.linalg.norm(W, axis=1)
            sums = self.patches @ W.T
            squares = (a * sums**2 + b * lengths * sums).mean(axis=1) + c * lengths**2
            return squares @ signs, sums, lengths

        def objective(flat: FloatArray) -> tuple[float, FloatArray]:
            W = flat.reshape(m, h)
            f, sums, lengths = values(W)
            r = loss.gradient(f, y)
            slopes = (2.0 * a * sums + b * lengths) * r[:, None, None] * signs
            K = self.patches.shape[1]
            pulled = np.einsum("nkm,nkh->mh", slopes, self.patches) / K
            along = b * np.einsum("n,nkm->m", r, sums) / K * signs / lengths
            gradient = pulled + (along + 2.0 * c * r.sum() * signs + 2.0 * beta)[:, None] * W
            return loss.value(f, y) + beta * float(lengths @ lengths), gradient.ravel()

        return float(search(objective, m * h, jac=True))
