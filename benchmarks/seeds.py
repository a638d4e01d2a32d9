"""The same answer for every seed: spread of predictions over ten values of random_state.

Each model is fitted ten times to the same rows, with features and targets standardised,
and differs in `random_state` alone. The spread is the largest difference of two
predictions of the same row, on a grid around the data; that of the objective (2), for
ours, is relative. MLPRegressor has width 100, L-BFGS, and the weight decay that
corresponds to beta: its loss is 1 / n times (2), but for its biases.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import FloatArray, print_table, reference_problem, ring, smooth_target
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from cvxnn import ConvexReLURegressor

SEEDS = range(10)


def spread(
    make: Callable[[int], Any], X: FloatArray, y: FloatArray, at: FloatArray
) -> tuple[float, list[Any]]:
    models = [make(seed).fit(X, y) for seed in SEEDS]
    predictions = np.array([model.predict(at) for model in models])
    return float(np.ptp(predictions, axis=0).max()), models


def row(name: str, X: FloatArray, y: FloatArray, beta: float) -> list[object]:
    at = np.vstack([X, 1.2 * X])
    mine, models = spread(lambda seed: ConvexReLURegressor(beta, random_state=seed), X, y, at)
    objectives = np.array([model.objective_ for model in models])
    theirs, _ = spread(
        lambda seed: MLPRegressor(
            hidden_layer_sizes=100, solver="lbfgs", alpha=beta, max_iter=5000, random_state=seed
        ),
        X, y, at,
    )  # fmt: skip
    return [
        name, len(X), X.shape[1], f"{beta:g}", models[0].status_.name, f"{mine:.1e}",
        f"{np.ptp(objectives) / objectives[0]:.1e}", f"{theirs:.2g}",
    ]  # fmt: skip


def main() -> None:
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    rng = np.random.default_rng(0)
    cases = []
    for name in ("d2_n50_beta1", "d5_n10"):
        X, y, beta = reference_problem(name)
        cases.append((name, X, y, beta))
    X, y = ring(200)
    cases.append(("ring", X[:, :2] / 5.0, y, 1.0))
    X, y = smooth_target(500, 4, rng)
    cases.append(("smooth", X[:, :3], y, 5.0))
    print_table(
        ["data", "n", "features", "beta", "status", "spread of ours", "of its objective",
         "spread of MLPRegressor"],
        (row(*case) for case in cases),
    )  # fmt: skip


if __name__ == "__main__":
    main()
