"""Three layers: proven optima at rank two and three, and proven gaps on tables.

Gaussian rows and targets (n = 6, d = 2, twenty seeds, .03 of the largest beta), noisy tents on a
line with a bias, and a noisy pyramid on a grid of 25 points with a bias. For each the optimum of
two layers, and that of three between proven bounds from `depth_gain`; the best of starts of
L-BFGS on all weights of eight sub-networks of three hidden units beside it. Seconds are those of
the processor.

With `--tables` instead: diabetes (n = 442, d = 10) and friedman1 (n = 500, d = 10), all columns and
targets of deviation 1, with a column of ones, at shares of the largest beta of two layers: the
network and the bound of `cvxnn.solve` by itself, and with more time for the proof, beside two
layers.

    OMP_NUM_THREADS=1 python benchmarks/parallel.py --out parallel.json
    OMP_NUM_THREADS=1 python benchmarks/parallel.py --tables --out parallel_tables.json
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.exceptions import ConvergenceWarning

import cvxnn

_COUNT, _WIDTH = 8, 3


def gaussian(seed: int) -> tuple[FloatArray, FloatArray, float]:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal(6)
    return X, y, 0.03 * cvxnn.largest_beta(X, y)


def tent(n: int) -> tuple[FloatArray, FloatArray, float]:
    u = np.linspace(-1.5, 1.5, n)
    noise = 0.05 * np.random.default_rng(0).standard_normal(n)
    return np.column_stack([u, np.ones(n)]), np.maximum(1.0 - np.abs(u), 0.0) + noise, 0.02


def pyramid(beta: float) -> tuple[FloatArray, FloatArray, float]:
    u = np.linspace(-1.5, 1.5, 5)
    points = np.array([(a, b) for a in u for b in u])
    noise = 0.05 * np.random.default_rng(0).standard_normal(25)
    y = np.maximum(1.0 - np.abs(points).sum(axis=1), 0.0) + noise
    return np.column_stack([points, np.ones(25)]), y, beta


def descend(X: FloatArray, y: FloatArray, beta: float, starts: int) -> float:
    """The best local optimum that L-BFGS finds from random weights."""
    d = X.shape[1]
    sizes = np.cumsum([_COUNT * _WIDTH * d, _COUNT * _WIDTH])

    def function(theta: FloatArray) -> tuple[float, FloatArray]:
        W, b, a = np.split(theta, sizes)
        W, b = W.reshape(_COUNT, _WIDTH, d), b.reshape(_COUNT, _WIDTH)
        first = np.maximum(X @ W.reshape(-1, d).T, 0.0).reshape(-1, _COUNT, _WIDTH)
        second = np.maximum((first * b).sum(axis=2), 0.0)
        left = second @ a - y
        norms = [np.sqrt((W**2).sum((1, 2))), np.sqrt((b**2).sum(1)), np.abs(a)]
        value = 0.5 * left @ left + beta / 3.0 * sum((norm**3).sum() for norm in norms)
        pull = left[:, None] * (second > 0.0) * a
        back = (pull[:, :, None] * b * (first > 0.0)).reshape(len(X), -1)
        slopes = [
            (X.T @ back).T.reshape(W.shape) + beta * norms[0][:, None, None] * W,
            (pull[:, :, None] * first).sum(axis=0) + beta * norms[1][:, None] * b,
            second.T @ left + beta * norms[2] * a,
        ]
        return value, np.concatenate([slope.ravel() for slope in slopes])

    best = np.inf
    for seed in range(starts):
        start = np.random.default_rng(seed).standard_normal(sizes[-1] + _COUNT)
        best = min(best, float(minimize(function, start, jac=True, method="L-BFGS-B").fun))
    return best


def compare(
    name: str, data: tuple[FloatArray, FloatArray, float], tol: float, limit: float, starts: int
) -> dict[str, Any]:
    begin = time.process_time()
    gain = cvxnn.depth_gain(*data, tol=tol, time_limit=limit)
    seconds = time.process_time() - begin
    begin = time.process_time()
    local = descend(*data, starts)
    return {
        "name": name,
        "two": gain.two.objective,
        "bound": gain.dual_bound,
        "objective": gain.objective,
        "gap": 1.0 - gain.dual_bound / gain.objective,
        "helps": gain.helps,
        "criterion": list(gain.criterion),
        "sub_networks": gain.network.n_neurons,
        "seconds": seconds,
        "local": local,
        "local_seconds": time.process_time() - begin,
    }


def table(name: str) -> tuple[FloatArray, FloatArray]:
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
    else:
        X, y = make_friedman1(n_samples=500, n_features=10, noise=1.0, random_state=0)
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    return np.column_stack([X, np.ones(len(X))]), y


def timed(X: FloatArray, y: FloatArray, beta: float, **settings: Any) -> tuple[Any, float]:
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = cvxnn.solve(X, y, beta, tol=1e-3, **settings)
    return solution, time.process_time() - begin


def of_table(name: str, share: float, longer: float) -> dict[str, Any]:
    X, y = table(name)
    beta = share * cvxnn.largest_beta(X, y)
    two, two_seconds = timed(X, y, beta)
    run: dict[str, Any] = {
        "name": name, "share": share, "two": two.objective, "two_gap": two.gap,
        "two_seconds": two_seconds,
    }  # fmt: skip
    for words, proof_time in (("default", "auto"), ("longer", longer)):
        method = cvxnn.Global(proof_time=proof_time)
        three, seconds = timed(X, y, beta, model="parallel", method=method, time_limit=None)
        assert three.certificate.verify(X, y, network=three.network).accepted
        run[words] = {
            "objective": three.objective, "bound": three.dual_bound, "gap": three.gap,
            "seconds": seconds, "wall": three.elapsed, "status": three.status.name,
            "sub_networks": three.n_neurons,
        }  # fmt: skip
    return run


def on_tables(longer: float) -> list[dict[str, Any]]:
    runs = [
        of_table(name, share, longer)
        for name in ("diabetes", "friedman1")
        for share in (0.3, 0.1, 0.03)
    ]
    heads = ["data", "share", "two layers", "gap", "s", "three", "gap", "s", f"{longer:g} s: gap"]
    rows = [
        [
            run["name"], f"{run['share']:g}", f"{run['two']:.2f}", f"{run['two_gap']:.3f}",
            f"{run['two_seconds']:.1f}", f"{run['default']['objective']:.2f}",
            f"{run['default']['gap']:.3f}", f"{run['default']['seconds']:.1f}",
            f"{run['longer']['gap']:.3f}",
        ]
        for run in runs
    ]  # fmt: skip
    print_table(heads, rows)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=40)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--longer", type=float, default=30.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs = on_tables(options.longer) if options.tables else small(options.limit, options.starts)
    if options.out is not None:
        options.out.write_text(json.dumps(runs, indent=1), encoding="utf-8")


def small(limit: float, starts: int) -> list[dict[str, Any]]:
    cvxnn.depth_gain(*tent(5), tol=1e-2)  # compiles
    runs = [compare(f"gaussian {k}", gaussian(k), 1e-4, 20.0, starts) for k in range(20)]
    runs += [compare(f"tent {n}", tent(n), 1e-4, limit, starts) for n in (12, 20, 30)]
    runs += [compare(f"pyramid, beta {beta}", pyramid(beta), 1e-2, limit, starts)
             for beta in (0.2, 0.05, 0.02)]  # fmt: skip
    heads = ["data", "two layers", "three, from", "to", "gap", "helps", "s", "L-BFGS", "its s"]
    rows = [
        [
            run["name"], f"{run['two']:.5f}", f"{run['bound']:.5f}", f"{run['objective']:.5f}",
            f"{run['gap']:.1e}", str(run["helps"]), f"{run['seconds']:.2f}",
            f"{run['local']:.5f}", f"{run['local_seconds']:.1f}",
        ]
        for run in runs
    ]  # fmt: skip
    print_table(heads, rows)
    return runs


if __name__ == "__main__":
    main()
