"""What our estimators are good for beside an MLP, boosting and ridge, on four kinds of data.

One real table, and three made ones that suit one method each: Friedman's first function is smooth,
steps are what trees are made of, and a linear function is for ridge. Everything has its defaults,
but for ridge, which has its penalty by cross-validation, and MLPRegressor, which gets standardised
columns and as many iterations as it wants. R2 on a quarter of the rows, mean and standard deviation
over the same splits, and seconds of the processor for fits and scores of all splits:

    OMP_NUM_THREADS=1 python benchmarks/beside_others.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from harness import FloatArray, print_table
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cvxnn


def tables() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Rows and targets by name; the generator of the made ones is 0."""
    rng = np.random.default_rng(0)
    friedman = make_friedman1(500, noise=1.0, random_state=0)
    cells = rng.uniform(size=(2000, 4))
    corner = (cells[:, 1] > 0.5) & (cells[:, 2] > 0.3)
    steps = np.floor(5.0 * cells[:, 0]) + 3.0 * corner + 0.3 * rng.standard_normal(2000)
    normal = rng.standard_normal((300, 8))
    line = normal @ np.linspace(-1.0, 1.0, 8) + rng.standard_normal(300)
    return {
        "diabetes, 442 rows": load_diabetes(return_X_y=True),
        "smooth, 500 rows": friedman,
        "steps, 2000 rows": (cells, steps),
        "linear, 300 rows": (normal, line),
    }


def methods() -> dict[str, BaseEstimator]:
    perceptron = MLPRegressor(max_iter=20_000, random_state=0)
    return {
        "ConvexReLURegressor": cvxnn.ConvexReLURegressor(),
        "the same, features=1": cvxnn.ConvexReLURegressor(model=cvxnn.ReLU(features=1)),
        "MLPRegressor": make_pipeline(StandardScaler(), perceptron),
        "HistGradientBoostingRegressor": HistGradientBoostingRegressor(random_state=0),
        "RidgeCV": make_pipeline(StandardScaler(), RidgeCV(np.geomspace(0.01, 100.0, 9))),
    }


def lines(n_splits: int) -> Iterator[list[object]]:
    for name, (X, y) in tables().items():
        for method, estimator in methods().items():
            splits = ShuffleSplit(n_splits, test_size=0.25, random_state=0)
            start = time.process_time()
            scores = cross_val_score(estimator, X, y, cv=splits, error_score="raise")
            seconds = time.process_time() - start
            yield [name, method, f"{scores.mean():.3f}", f"{scores.std():.3f}", f"{seconds:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=5)
    print_table(["data", "method", "R2", "deviation", "CPU s"], lines(parser.parse_args().splits))


if __name__ == "__main__":
    main()
