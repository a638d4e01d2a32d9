"""Gated networks against cvxpy with Clarabel on the same gates.

Normal data, targets of a network of five neurons with noise, or the signs of those;
gates are normal directions. beta is a fraction of the largest for which anything is
learned. Our clock covers everything from the data to the certified network, theirs
the call of `solve`, with what cvxpy does in it. Objectives are recomputed here; a gap
is measured from our proven bound, for both.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from harness import FloatArray, print_table

import cvxnn
from cvxnn.losses import as_loss

SIZES = ((200, 10, 100), (500, 20, 200), (1000, 20, 500))


def draw(n: int, d: int, n_gates: int, loss: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows, targets and gates."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    f = np.maximum(X @ rng.standard_normal((d, 5)), 0.0) @ rng.standard_normal(5)
    y = f + 0.3 * rng.standard_normal(n)
    y = np.where(y > np.median(y), 1.0, -1.0) if as_loss(loss).has_labels else y
    return X, y, rng.standard_normal((n_gates, d))


def with_cvxpy(
    X: FloatArray, y: FloatArray, beta: float, loss: str, masks: FloatArray
) -> tuple[float, float]:
    """Seconds and objective of cvxpy with Clarabel; it stops at relative gaps of 1e-8."""
    import cvxpy as cp

    n, d = X.shape
    products = (masks[:, :, None] * X[:, None, :]).reshape(n, -1)
    blocks = cp.Variable((masks.shape[1], d))
    prediction = products @ cp.vec(blocks, order="C")
    losses: dict[str, Any] = {
        "squared": lambda: 0.5 * cp.sum_squares(prediction - y),
        "logistic": lambda: cp.sum(cp.logistic(-cp.multiply(y, prediction))),
    }
    penalty = beta * cp.sum(cp.norm(blocks, 2, axis=1))
    problem = cp.Problem(cp.Minimize(losses[loss]() + penalty))
    start = time.perf_counter()
    problem.solve(solver="CLARABEL")
    seconds = time.perf_counter() - start
    lengths = np.linalg.norm(blocks.value, axis=1)
    value = as_loss(loss).value(products @ blocks.value.ravel(), y)
    return seconds, value + beta * float(lengths.sum())


def compare(n: int, d: int, n_gates: int, loss: str, fraction: float, tol: float) -> list[object]:
    """One row of the table."""
    X, y, gates = draw(n, d, n_gates, loss)
    masks = (X @ gates.T >= 0.0).astype(float)
    slope = as_loss(loss).gradient(np.zeros(n), y)
    beta = fraction * float(np.linalg.norm((masks * slope[:, None]).T @ X, axis=1).max())
    start = time.perf_counter()
    ours = cvxnn.solve(X, y, beta, model=cvxnn.Gated(gates), loss=loss, tol=tol)
    seconds = time.perf_counter() - start
    their_seconds, theirs = with_cvxpy(X, y, beta, loss, masks)
    return [
        f"{n} x {d}, {n_gates}",
        loss,
        f"{fraction:g}",
        ours.network.n_neurons,
        f"{ours.objective:.8g}",
        f"{ours.gap:.1e}",
        f"{seconds:.2f}",
        f"{theirs:.8g}",
        f"{(theirs - ours.dual_bound) / theirs:.1e}",
        f"{their_seconds:.2f}",
        f"{their_seconds / seconds:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--losses", nargs="+", default=["squared", "logistic"])
    parser.add_argument("--fractions", nargs="+", type=float, default=[0.1, 0.01])
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many, small first")
    parser.add_argument("--tol", type=float, default=1e-8)
    arguments = parser.parse_args()
    rows = [
        compare(*size, loss, fraction, arguments.tol)
        for size in SIZES[: arguments.sizes]
        for loss in arguments.losses
        for fraction in arguments.fractions
    ]
    header = ["n x d, gates", "loss", "beta / max", "neurons", "ours", "gap", "s"]
    print_table([*header, "cvxpy", "gap", "s", "ratio"], rows)


if __name__ == "__main__":
    main()
