"""How much a default fit depends on chance: ten values of `random_state`, ten orders of the rows.

Per table, for `ConvexReLURegressor()` and for an `MLPRegressor()` behind a `StandardScaler` of
features and target: the largest root mean square difference of the predictions of two fits,
on the rows of the training and on those of the test, in standard deviations of the target;
beta, where it is chosen, changes with the fits. `--time-limit` gives ours that many seconds.

    OMP_NUM_THREADS=1 python benchmarks/steadiness.py --uci DIR --out steadiness.json
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from table_data import Library
from table_methods import standardised
from threadpoolctl import threadpool_limits

import cvxnn

SETS = ("sklearn/diabetes", "uci/concrete", "made/friedman1_2000")


def largest_difference(predictions: list[FloatArray], deviation: float) -> float:
    pairs = combinations(predictions, 2)
    return max(float(np.sqrt(np.mean((one - other) ** 2))) for one, other in pairs) / deviation


def fits(
    make: Callable[[int], Any], X: FloatArray, y: FloatArray, test: FloatArray, count: int,
    *, shuffles: bool,
) -> Iterator[tuple[FloatArray, FloatArray, float]]:  # fmt: skip
    """Predictions on both parts and seconds, for states or for orders of the rows."""
    for k in range(count):
        order = np.random.default_rng(k).permutation(len(y)) if shuffles else np.arange(len(y))
        model = make(0 if shuffles else k)
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X[order], y[order])
        yield model.predict(X), model.predict(test), time.perf_counter() - begin


def measured(
    name: str, library: Library, limit: float | str, count: int
) -> Iterator[dict[str, Any]]:
    table = library.load(name)
    train, test = table.split(0, None)
    X, y = table.X[train], table.y[train]
    makers = {
        "cvxnn": lambda k: cvxnn.ConvexReLURegressor(random_state=k, time_limit=limit),
        "MLPRegressor": lambda k: standardised(MLPRegressor(random_state=k)),
    }
    for method, make in makers.items():
        for shuffles in (False, True):
            found = list(fits(make, X, y, table.X[test], count, shuffles=shuffles))
            yield {
                "set": name, "method": method, "varies": "order" if shuffles else "state",
                "training": largest_difference([fit[0] for fit in found], float(np.std(y))),
                "test": largest_difference([fit[1] for fit in found], float(np.std(y))),
                "seconds": float(np.median([fit[2] for fit in found])),
            }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uci", type=Path, metavar="DIR")
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--fits", type=int, default=10, help="of each kind")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON of all figures")
    arguments = parser.parse_args()
    library = Library(arguments.uci, None)
    with threadpool_limits(1):
        results = [
            result
            for name in arguments.sets
            for result in measured(name, library, arguments.time_limit or "auto", arguments.fits)
        ]
    print_table(
        ["set", "method", "varies", "training rows", "test rows", "median s"],
        ([r["set"], r["method"], r["varies"], f"{r['training']:.4f}", f"{r['test']:.4f}",
          f"{r['seconds']:.2f}"] for r in results),
    )  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
