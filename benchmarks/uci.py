"""Test error of the estimators on small UCI regression sets, beside other methods.

Every method is tuned by the same five shuffled folds inside the training part of a
split, on features and targets standardised there; the error is that of the test part,
in the units of the target. Ours is `ConvexReLURegressorCV` with its default grid: a
sum over the rows, so `beta` has nothing to do with the `alpha` of others. `DIR` has a
folder for each set, with `data.csv.gz`, whose last column is the target, and
`test_mask.csv.gz`, a column of 0 and 1 for each split (the splits of the sets in
github.com/treforevans/uci_datasets).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from cvxnn import ConvexReLURegressorCV

SETS = ("autompg", "concrete", "energy", "housing", "yacht")
N_JOBS = 2


def folds() -> KFold:
    """Shuffled: rows of these sets come sorted."""
    return KFold(5, shuffle=True, random_state=0)


def ours(time_limit: float) -> Any:
    return ConvexReLURegressorCV(time_limit=time_limit, cv=folds(), n_jobs=N_JOBS)


def tuned(model: Any, grid: dict[str, Any]) -> Any:
    return GridSearchCV(model, grid, cv=folds(), n_jobs=N_JOBS)


def network(solver: str, max_iter: int) -> Any:
    plain = MLPRegressor(hidden_layer_sizes=100, solver=solver, max_iter=max_iter, random_state=0)
    return tuned(plain, {"alpha": np.geomspace(1e-4, 10.0, 6)})


def support_vectors() -> Any:
    grid = {"C": [1.0, 10.0, 100.0], "gamma": [0.03, 0.1, 0.3], "epsilon": [0.01, 0.1]}
    # Without a limit a large C takes minutes.
    return tuned(SVR(max_iter=200_000), grid)


def trees() -> Any:
    grid = {"learning_rate": [0.05, 0.1], "max_leaf_nodes": [7, 31]}
    return tuned(HistGradientBoostingRegressor(max_iter=300, random_state=0), grid)


def methods(time_limit: float) -> dict[str, Callable[[], Any]]:
    return {
        "ConvexReLURegressorCV": lambda: ours(time_limit),
        "MLPRegressor lbfgs": lambda: network("lbfgs", 500),
        "MLPRegressor adam": lambda: network("adam", 500),
        "SVR": support_vectors,
        "HistGradientBoostingRegressor": trees,
        "RidgeCV": lambda: RidgeCV(np.geomspace(1e-3, 1e3, 13)),
    }


def load(folder: Path) -> tuple[FloatArray, FloatArray, FloatArray]:
    """X, y and the masks of the test parts, shape (n, splits)."""
    table = np.loadtxt(folder / "data.csv.gz", delimiter=",")
    mask = np.loadtxt(folder / "test_mask.csv.gz", delimiter=",") > 0.0
    return table[:, :-1], table[:, -1], mask


def neurons_of(model: Any) -> float:
    if isinstance(model, GridSearchCV):
        model = model.best_estimator_
    if isinstance(model, MLPRegressor):
        return float(model.hidden_layer_sizes)
    return float(getattr(model, "n_neurons_", np.nan))


def place_of(model: Any) -> str:
    """Where the choice lies in its grid."""
    if isinstance(model, ConvexReLURegressorCV):
        return f"beta {model.beta_ / model.betas_[0]:.1e} of the largest, {model.status_.name}"
    return str(getattr(model, "best_params_", ""))


def run(
    model: Any, X: FloatArray, y: FloatArray, test: FloatArray
) -> tuple[float, float, float, str]:
    """Error on the test rows, seconds, neurons, and what was chosen."""
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), model), transformer=StandardScaler()
    )
    train = ~test.astype(bool)
    start = time.perf_counter()
    whole.fit(X[train], y[train])
    seconds = time.perf_counter() - start
    error = float(np.sqrt(np.mean((whole.predict(X[~train]) - y[~train]) ** 2)))
    fitted = whole.regressor_[-1]
    return error, seconds, neurons_of(fitted), place_of(fitted)


def mean_and_error(values: list[float]) -> str:
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):.3g} ± {spread:.2g}"


def row(
    name: str, method: str, make: Callable[[], Any], data: Path, splits: int, verbose: bool
) -> list[object]:
    X, y, masks = load(data / name)
    results = []
    for split in range(splits):
        result = run(make(), X, y, masks[:, split])
        if verbose:
            print(f"<!-- {split}: {result[0]:.4g}, {result[1]:.1f} s, {result[3]} -->", flush=True)
        results.append(result[:3])
    errors, seconds, neurons = (list(column) for column in zip(*results, strict=True))
    width = "" if np.isnan(neurons).any() else f"{np.mean(neurons):.0f}"
    return [name, len(X), method, mean_and_error(errors), f"{np.median(seconds):.1f}", width]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--splits", type=int, default=10, help="of the ten, from the first")
    parser.add_argument("--methods", nargs="*", help="all, or some of these names")
    parser.add_argument("--time-limit", type=float, default=20.0, help="of our last training")
    parser.add_argument("--verbose", action="store_true", help="what each split chose")
    arguments = parser.parse_args()
    chosen = methods(arguments.time_limit)
    if arguments.methods:
        chosen = {name: chosen[name] for name in arguments.methods}
    # Networks of scikit-learn stop at max_iter as a rule.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    print_table(
        ["set", "rows", "method", "test RMSE", "fit s", "neurons"],
        (
            row(name, method, make, arguments.data, arguments.splits, arguments.verbose)
            for name in arguments.sets
            for method, make in chosen.items()
        ),
    )


if __name__ == "__main__":
    main()
