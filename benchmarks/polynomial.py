"""Polynomial networks: certified on 100 000 rows, beside Clarabel on the SDP, and beside ridge."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
from harness import FloatArray, print_table
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import cvxnn

SHARES = (0.1, 0.03, 0.01)
_SPLITS = 5


def teacher(n: int, d: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Rows of length 2 about, a network of five neurons of the default activation, and noise."""
    rng = np.random.default_rng(seed)
    X = 2.0 * rng.standard_normal((n, d)) / np.sqrt(d)
    U = rng.standard_normal((5, d))
    network = cvxnn.PolynomialNetwork(U, [3.0, -2.0, 1.0, 2.0, -3.0])
    return X, network.forward(X) + 0.3 * rng.standard_normal(n)


def ours(X: FloatArray, y: FloatArray, beta: float) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    solution = cvxnn.solve(X, y, beta, model="polynomial", time_limit=60.0)
    return {
        "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu,
        "gap": solution.gap, "objective": solution.objective, "neurons": solution.n_neurons,
        "status": solution.status.name, "rounds": solution.n_iter,
    }  # fmt: skip


def large() -> list[dict[str, Any]]:
    """n = 100 000, d = 100."""
    X, y = teacher(100_000, 100)
    largest = cvxnn.largest_beta(X, y, model="polynomial")
    return [{"share": share, **ours(X, y, share * largest)} for share in SHARES]


def clarabel(X: FloatArray, y: FloatArray, beta: float) -> dict[str, Any]:
    """The semidefinite program of Z and Z' as cvxpy hands it to Clarabel."""
    a, b, c = 0.09, 0.5, 0.47
    d = X.shape[1]
    pair = [cp.Variable((d + 1, d + 1), PSD=True) for _ in "+-"]
    D = pair[0] - pair[1]
    f = a * cp.sum(cp.multiply(X @ D[:d, :d], X), axis=1) + b * (X @ D[:d, d]) + c * D[d, d]
    price = pair[0][d, d] + pair[1][d, d]
    constraints = [cp.trace(Z[:d, :d]) == Z[d, d] for Z in pair]
    program = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(f - y) + beta * price), constraints)
    start, cpu = time.perf_counter(), time.process_time()
    program.solve(solver="CLARABEL")
    return {
        "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu,
        "solver_seconds": program.solver_stats.solve_time, "objective": float(program.value),
    }  # fmt: skip


def beside_clarabel() -> list[dict[str, Any]]:
    """n = 1000, for some d: Clarabel takes minutes for the largest."""
    found = []
    for d in (10, 20, 40):
        X, y = teacher(1000, d)
        beta = SHARES[0] * cvxnn.largest_beta(X, y, model="polynomial")
        row = {
            "d": d,
            "share": SHARES[0],
            "ours": ours(X, y, beta),
            "clarabel": clarabel(X, y, beta),
        }
        found.append(row)
    return found


def _compared(row: dict[str, Any]) -> list[object]:
    own, theirs = row["ours"], row["clarabel"]
    return [
        1000, row["d"], f"{row['share']:g}", f"{own['objective']:.8g}",
        f"{theirs['objective']:.8g}", f"{own['gap']:.0e}", f"{own['cpu_seconds']:.3f}",
        f"{theirs['cpu_seconds']:.1f}", f"{theirs['cpu_seconds'] / own['cpu_seconds']:.0f}",
    ]  # fmt: skip


def errors() -> list[dict[str, Any]]:
    """Root mean squared errors on a third that is held out, over some splits."""
    diabetes = load_diabetes(return_X_y=True)
    friedman = make_friedman1(500, noise=1.0, random_state=0)
    found = []
    for name, (X, y) in (("diabetes", diabetes), ("friedman1", friedman)):
        scores: dict[str, list[float]] = {}
        seconds: dict[str, float] = {}
        for split in range(_SPLITS):
            parts = train_test_split(X, y, test_size=1 / 3, random_state=split)
            for method, model in methods().items():
                start = time.perf_counter()
                model.fit(parts[0], parts[2])
                seconds[method] = seconds.get(method, 0.0) + time.perf_counter() - start
                left = model.predict(parts[1]) - parts[3]
                scores.setdefault(method, []).append(float(np.sqrt(np.mean(left**2))))
        found += [
            {"data": name, "method": method, "rmse": float(np.mean(each)),
             "spread": float(np.std(each)), "seconds": seconds[method] / _SPLITS}
            for method, each in scores.items()
        ]  # fmt: skip
    return found


def methods() -> dict[str, Any]:
    """Ours, and degree-2 features of scikit-learn with ridge and the Lasso."""

    def features(model: Any) -> Any:
        squares = PolynomialFeatures(2, include_bias=False)
        return make_pipeline(StandardScaler(), squares, StandardScaler(), model)

    return {
        "polynomial network": cvxnn.ConvexReLURegressorCV(model=cvxnn.Polynomial()),
        "ridge on squares": features(RidgeCV(np.logspace(-3, 5, 25))),
        "Lasso on squares": features(LassoCV(max_iter=20_000)),
    }


def _large(row: dict[str, Any]) -> list[object]:
    return [
        100_000, 100, f"{row['share']:g}", row["status"], f"{row['gap']:.1e}", row["neurons"],
        f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}",
    ]  # fmt: skip


def _error(row: dict[str, Any]) -> list[object]:
    return [
        row["data"], row["method"], f"{row['rmse']:.3f}", f"{row['spread']:.3f}",
        f"{row['seconds']:.2f}",
    ]  # fmt: skip


COLUMNS = {
    "large": ["n", "d", "share", "status", "gap", "neurons", "s", "CPU s"],
    "clarabel": [
        "n", "d", "share", "our objective", "Clarabel objective", "our gap", "our CPU s",
        "Clarabel CPU s", "ratio",
    ],
    "errors": ["data", "method", "RMSE", "spread", "s"],
}  # fmt: skip
CELLS = {"large": _large, "clarabel": _compared, "errors": _error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", nargs="+", default=("large", "clarabel", "errors"))
    arguments = parser.parse_args()
    ours(*teacher(50, 3), 1.0)
    runs = {"large": large, "clarabel": beside_clarabel, "errors": errors}
    report = {name: runs[name]() for name in arguments.parts}
    for name in arguments.parts:
        print_table(COLUMNS[name], map(CELLS[name], report[name]))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
