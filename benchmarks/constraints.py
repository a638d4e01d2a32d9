"""Monotone fits, and fits of few features: what they cost, and what they are worth on new rows.

`monotone`: prices that rise with two features, fall with one, and have noise of half their
deviation. Additive networks with and without `monotonic_cst` beside scikit-learn's boosted trees
with and without it, each with its beta or its number of trees by five folds. Of
100 000 pairs of rows that differ in one of the three features, how many predictions go the wrong
way, and by how much at most, in deviations of the prices.

`selection`: Friedman's function of five features, standardised, with 95 columns of noise more.
Networks that see all columns with an `l1_ratio` of 0, 0.5 and 1, additive ones, and the Lasso; the
penalty of each is the largest with an error up to 3 % above the least on a quarter of as many rows
more. Features are those that a prediction
depends on at all.

    OMP_NUM_THREADS=2 python benchmarks/constraints.py [--quick] [--out constraints.json]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import harness
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV

import cvxnn
from cvxnn import ConvexReLURegressorCV, ReLU

FloatArray = NDArray[np.float64]
CONSTRAINTS = [1, 1, -1, 0, 0]
PAIRS, TEST_ROWS = 100_000, 5_000
# Of the least error on rows held out: the largest penalty with one up to this is taken.
CLOSE = 1.03
# Beta for each row.
BETAS = (0.3, 0.2, 0.12, 0.07, 0.04, 0.02)


@dataclass(frozen=True)
class Monotone:
    """A line of the first table: medians over the seeds."""

    n: int
    method: str
    error: float
    wrong: float
    worst: float
    seconds: float
    gap: float


@dataclass(frozen=True)
class Selection:
    """A line of the second one."""

    n: int
    method: str
    error: float
    features: float
    right: float
    neurons: float
    gap: float
    seconds: float


def prices(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows, prices with noise and without."""
    X = rng.random((n, len(CONSTRAINTS)))
    truth = 2.0 * np.log1p(9.0 * X[:, 0]) / np.log(10.0) + np.maximum(X[:, 1] - 0.4, 0.0) * 2.0
    truth = truth - 1.5 * X[:, 2] ** 2 + 0.5 * np.sin(6.0 * X[:, 3])
    truth = (truth - 0.9) / 0.85
    return X, truth + 0.5 * rng.standard_normal(n), truth


METHODS: dict[str, Callable[[], Any]] = {
    "network": lambda: ConvexReLURegressorCV(model=ReLU(features=1)),
    "monotone network": lambda: ConvexReLURegressorCV(
        model=ReLU(features=1), monotonic_cst=CONSTRAINTS
    ),
    "trees": lambda: trees(),
    "monotone trees": lambda: trees(monotonic_cst=CONSTRAINTS),
}


def trees(**settings: Any) -> GridSearchCV:
    """Boosted, with their number by cross-validation."""
    boosted = HistGradientBoostingRegressor(random_state=0, **settings)
    return GridSearchCV(boosted, {"max_iter": [12, 25, 50, 100, 200]}, cv=5)


def violations(model: Any, rng: np.random.Generator) -> tuple[float, float]:
    """The share of pairs whose predictions go the wrong way, and by how much at most."""
    column = rng.choice(np.flatnonzero(CONSTRAINTS), PAIRS)
    X = rng.random((PAIRS, len(CONSTRAINTS)))
    other = X.copy()
    other[np.arange(PAIRS), column] = rng.random(PAIRS)
    ways = np.array(CONSTRAINTS)[column] * np.sign((other - X)[np.arange(PAIRS), column])
    gains = ways * (model.predict(other) - model.predict(X))
    # What rounding makes of two predictions that are the same.
    return float((gains < -1e-12).mean()), float(max(-gains.min(), 0.0))


def monotone(n: int, seeds: int) -> Iterator[Monotone]:
    found: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n])
        X, y, _ = prices(n, rng)
        fresh, _, truth = prices(TEST_ROWS, rng)
        for name, make in METHODS.items():
            start = perf_counter()
            model = make().fit(X, y)
            seconds = perf_counter() - start
            error = float(np.sqrt(np.mean((model.predict(fresh) - truth) ** 2)))
            wrong, worst = violations(model, np.random.default_rng(seed))
            gap = getattr(model, "dual_gap_", np.nan)
            found[name].append([error, wrong, worst, seconds, gap])
    for name, rows in found.items():
        yield Monotone(n, name, *np.median(rows, axis=0).tolist())


def friedman(n: int, seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """Rows to train, to choose and to test on, in units of the first."""
    sizes = np.cumsum([n, n // 4, TEST_ROWS])
    X, y = make_friedman1(sizes[-1], 100, noise=1.0, random_state=seed)
    X = (X - X[:n].mean(axis=0)) / X[:n].std(axis=0)
    y = (y - y[:n].mean()) / y[:n].std()
    return list(zip(np.split(X, sizes[:-1]), np.split(y, sizes[:-1]), strict=True))


MODELS: dict[str, ReLU | None] = {
    "all columns": ReLU(),
    "l1_ratio=0.5": ReLU(l1_ratio=0.5),
    "l1_ratio=1": ReLU(l1_ratio=1.0),
    "features=1": ReLU(features=1),
    "features=1, l1_ratio=1": ReLU(features=1, l1_ratio=1.0),
    "Lasso": None,
}


def with_ones(X: FloatArray) -> FloatArray:
    return np.column_stack([X, np.ones(len(X))])


def networks(model: ReLU, X: FloatArray, y: FloatArray, seconds: float) -> Iterator[Any]:
    """Solutions for falling beta, each from the one before."""
    start = None
    for beta in BETAS:
        solution = cvxnn.solve(
            with_ones(X), y, beta * len(y), model=model, intercept=True, warm_start=start,
            time_limit=seconds,
        )  # fmt: skip
        start = solution.network
        yield solution


def lassos(X: FloatArray, y: FloatArray) -> Iterator[Any]:
    largest = float(np.abs(X.T @ y).max()) / len(y)
    for share in np.geomspace(0.9, 0.01, 20):
        yield Lasso(share * largest).fit(X, y)


def chosen(name: str, parts: list[tuple[FloatArray, FloatArray]], seconds: float) -> list[float]:
    (X, y), (held, of_held), (fresh, truth) = parts
    model, start = MODELS[name], perf_counter()

    def error(found: Any, rows: FloatArray, targets: FloatArray) -> float:
        values = found.predict(rows) if model is None else found.network(with_ones(rows))
        return float(np.sqrt(np.mean((values - targets) ** 2)))

    tried = list(lassos(X, y) if model is None else networks(model, X, y, seconds))
    errors = [error(found, held, of_held) for found in tried]
    # Penalties fall.
    best = tried[next(k for k, found in enumerate(errors) if found <= CLOSE * min(errors))]
    elapsed = perf_counter() - start
    if model is None:
        used, neurons, gap = np.flatnonzero(best.coef_), np.nan, np.nan
    else:
        used = np.flatnonzero((best.network.hidden_weights[:, :-1] != 0.0).any(axis=0))
        neurons, gap = best.n_neurons, best.gap
    right = np.count_nonzero(used < 5)
    return [error(best, fresh, truth), len(used), right, neurons, gap, elapsed]


def selection(n: int, seeds: int, seconds: float) -> Iterator[Selection]:
    for name in MODELS:
        rows = [chosen(name, friedman(n, seed), seconds) for seed in range(seeds)]
        yield Selection(n, name, *np.median(rows, axis=0).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small problem of each")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each beta of a selection")
    parser.add_argument("--only", choices=("monotone", "selection"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    seconds = 2.0 if arguments.quick else arguments.seconds
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    harness.warm_up()
    record: dict[str, list[dict[str, Any]]] = {"monotone": [], "selection": []}

    def kept(part: str, lines: Iterator[Any]) -> Iterator[Any]:
        for line in lines:
            record[part].append(asdict(line))
            yield line

    if arguments.only != "selection":
        sizes = (100,) if arguments.quick else (100, 300, 1000)
        lines = kept("monotone", (line for n in sizes for line in monotone(n, seeds)))
        harness.print_table(
            ["n", "method", "error", "wrong pairs", "worst", "s", "gap"],
            (
                [line.n, line.method, f"{line.error:.3f}", f"{line.wrong:.2%}",
                 f"{line.worst:.2g}", f"{line.seconds:.1f}", f"{line.gap:.0e}"]
                for line in lines
            ),
        )  # fmt: skip
    if arguments.only != "monotone":
        sizes = (200,) if arguments.quick else (500, 2000)
        found = kept("selection", (line for n in sizes for line in selection(n, seeds, seconds)))
        harness.print_table(
            ["n", "method", "error", "features", "right", "neurons", "gap", "s"],
            (
                [line.n, line.method, f"{line.error:.3f}", f"{line.features:g}",
                 f"{line.right:g}", f"{line.neurons:g}", f"{line.gap:.0e}", f"{line.seconds:.1f}"]
                for line in found
            ),
        )  # fmt: skip
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
