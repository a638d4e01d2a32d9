"""Simulated counts: test deviance of networks, of linear Poisson regression and of boosted trees.

    python benchmarks/counts.py --seeds 10 --out counts.json

Each method has the same rows; the mean deviance is measured on 5 000 fresh rows, less that of the
true mean, which nobody can beat but by chance. Differences to the network are paired over the
seeds.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import print_table
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import mean_poisson_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cvxnn import ConvexReLURegressorCV

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
_FEATURES, _TEST_ROWS = 5, 5_000

# Logarithms of means.
TARGETS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "linear": lambda X: 0.5 + 0.6 * X[:, 0] - 0.4 * X[:, 1],
    "kinks": lambda X: 0.5 + np.maximum(X[:, 0], 0.0) - 0.7 * np.abs(X[:, 1] + 0.5 * X[:, 2]),
    "product": lambda X: 0.5 + 0.6 * X[:, 0] * X[:, 1] + 0.3 * np.sin(2.0 * X[:, 2]),
    "steps": lambda X: 0.3 + 0.8 * (X[:, 0] > 0.3) - 0.8 * (X[:, 1] > 0.0),
    "rare": lambda X: -2.0 + np.maximum(X[:, 0], 0.0) + 0.5 * np.abs(X[:, 1]),
    "large": lambda X: 6.0 + 0.5 * np.abs(X[:, 0]) - 0.3 * X[:, 1],
}
METHODS: dict[str, Callable[[int], Any]] = {
    "network": lambda seed: ConvexReLURegressorCV(loss="poisson", random_state=seed),
    "PoissonRegressor": lambda seed: GridSearchCV(
        make_pipeline(StandardScaler(), PoissonRegressor(max_iter=1000)),
        {"poissonregressor__alpha": np.logspace(-4.0, 1.0, 6)},
    ),
    "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(
        loss="poisson", random_state=seed
    ),
}


def drawn(
    target: str, n: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows, counts and their means."""
    X = rng.standard_normal((n, _FEATURES))
    mean = np.exp(TARGETS[target](X))
    return X, rng.poisson(mean).astype(float), mean


def measured(target: str, n: int, seed: int) -> dict[str, Any]:
    """Deviances above that of the true mean, and seconds, of all methods."""
    rng = np.random.default_rng([seed, n, list(TARGETS).index(target)])
    X, y, _ = drawn(target, n, rng)
    fresh, counts, mean = drawn(target, _TEST_ROWS, rng)
    least = mean_poisson_deviance(counts, mean)
    found: dict[str, Any] = {"target": target, "n": n, "seed": seed, "least": least}
    for name, make in METHODS.items():
        start = time.perf_counter()
        model = make(seed).fit(X, y)
        seconds = time.perf_counter() - start
        deviance = mean_poisson_deviance(counts, model.predict(fresh))
        found[name] = {"excess": deviance - least, "seconds": seconds}
    return found


def rows(outcomes: list[dict[str, Any]]) -> Iterator[list[object]]:
    """Means over seeds, and paired differences to the network with their standard errors."""
    for key in dict.fromkeys((outcome["target"], outcome["n"]) for outcome in outcomes):
        part = [outcome for outcome in outcomes if (outcome["target"], outcome["n"]) == key]
        excess = {name: np.array([one[name]["excess"] for one in part]) for name in METHODS}
        cells = [f"{excess['network'].mean():.4f}"]
        for name in list(METHODS)[1:]:
            difference = excess[name] - excess["network"]
            error = difference.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.nan
            cells.append(f"{difference.mean():+.4f} ± {error:.4f}")
        least = np.mean([one["least"] for one in part])
        yield [*key, f"{least:.4f}", *cells]
    seconds = {name: np.mean([one[name]["seconds"] for one in outcomes]) for name in METHODS}
    yield ["seconds", "", "", *(f"{seconds[name]:.2f}" for name in METHODS)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 2000])
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--out", type=Path, help="a JSON file with all outcomes")
    arguments = parser.parse_args()
    threadpool_limits(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        outcomes = [
            measured(target, n, seed)
            for target in arguments.targets
            for n in arguments.rows
            for seed in range(arguments.seeds)
        ]
    print_table(["counts", "rows", "true mean", *METHODS], rows(outcomes))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(outcomes, indent=1), "utf-8")


if __name__ == "__main__":
    main()
