"""Intervals of two quantiles, .05 and .95: what share of new targets they have, and their loss.

Data are simulated, with a noise whose deviation follows x, so that the quantiles are known. Per
repetition and method: the share of test targets in the interval, which should be .9 (of n rows
of the training it has a standard error of about ``sqrt(.09 / n)``); the mean pinball loss on the
test rows of both, over that of the true quantiles; and seconds. The same for
`HistGradientBoostingRegressor` and `QuantileRegressor` of scikit-learn, on the same rows.

    OMP_NUM_THREADS=1 python benchmarks/quantiles.py --out quantiles.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss

import cvxnn

LEVELS = (0.05, 0.95)
N_TEST = 20_000

METHODS: dict[str, Callable[[float], Any]] = {
    "boosting": lambda level: HistGradientBoostingRegressor(loss="quantile", quantile=level),
    "linear": lambda level: QuantileRegressor(quantile=level, alpha=0.0, solver="highs"),
}


def middle(x: FloatArray) -> FloatArray:
    return np.asarray(np.sin(4.0 * x[:, 0]))


def deviation(x: FloatArray) -> FloatArray:
    return np.asarray(0.2 + 0.8 * x[:, 0] ** 2)


def draw(rng: np.random.Generator, n: int, d: int) -> tuple[FloatArray, FloatArray]:
    x = rng.uniform(0.0, 1.0, (n, d))
    return x, middle(x) + deviation(x) * rng.standard_normal(n)


def measure(make: Callable[[float], Any], n: int, d: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    (x, y), (new, target) = draw(rng, n, d), draw(rng, N_TEST, d)
    begin = time.perf_counter()
    models = [make(level).fit(x, y) for level in LEVELS]
    seconds = time.perf_counter() - begin
    low, high = (model.predict(new) for model in models)
    found = sum(
        mean_pinball_loss(target, values, alpha=level)
        for values, level in zip((low, high), LEVELS, strict=True)
    )
    known = sum(
        mean_pinball_loss(target, middle(new) + norm.ppf(level) * deviation(new), alpha=level)
        for level in LEVELS
    )
    return {
        "coverage": float(np.mean((low <= target) & (target <= high))),
        "below": float(np.mean(target < low)),
        "excess": float(found / known - 1.0),
        "seconds": seconds,
        "gaps": [float(getattr(model, "dual_gap_", np.nan)) for model in models],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--d", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--beta", default="auto", help='a number, or "auto"')
    options = parser.parse_args()
    beta = options.beta if options.beta == "auto" else float(options.beta)

    def ours(level: float) -> Any:
        return cvxnn.ConvexReLURegressor(beta, loss="quantile", quantile=level)

    methods = {"cvxnn": ours, **METHODS}
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    for seed in range(options.repetitions):
        for name, make in methods.items():
            results[name].append(measure(make, options.n, options.d, seed))
    rows = []
    for name, runs in results.items():
        coverage = np.array([run["coverage"] for run in runs])
        rows.append(
            [
                name,
                f"{coverage.mean():.4f} +- {coverage.std(ddof=1) / np.sqrt(len(runs)):.4f}",
                f"{coverage.std(ddof=1):.4f}",
                f"{np.mean([run['below'] for run in runs]):.4f}",
                f"{100.0 * np.mean([run['excess'] for run in runs]):.2f} %",
                f"{np.median([run['seconds'] for run in runs]):.2f}",
            ]
        )
    heads = ["method", "coverage", "deviation", "below", "pinball over the least", "seconds"]
    print_table(heads, rows)
    if options.out is not None:
        options.out.write_text(json.dumps({"options": vars(options) | {"out": None}} | results))


if __name__ == "__main__":
    main()
