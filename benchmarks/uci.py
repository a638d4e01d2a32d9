"""Test error of the estimators on small UCI regression sets, beside other methods.

Every method is tuned by the same five shuffled folds inside the training part of a
split, on features and targets standardised there; the error is that of the test part,
in the units of the target. Ours is `ConvexReLURegressorCV` with its default grid: a
sum over the rows, so `beta` has nothing to do with the `alpha` of others. `DIR` has a
folder for each set, with `data.csv.gz`, whose last column is the target, and
`test_mask.csv.gz`, a column of 0 and 1 for each split (the splits of the sets in
github.com/treforevans/uci_datasets). Every fit is kept in a file as soon as it is there:
an interrupted run goes on where it was, and files of several runs can be joined.
"Ours less this" is the mean difference over the splits that both have been fitted to.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from cvxnn import ConvexReLURegressorCV

SETS = ("yacht", "autompg", "housing", "energy", "concrete")
OURS = "ConvexReLURegressorCV"
# A method, a set and a split.
Case = tuple[str, str, int]


def folds() -> KFold:
    """Shuffled: rows of these sets come sorted."""
    return KFold(5, shuffle=True, random_state=0)


def network(solver: str) -> tuple[Any, dict[str, Any]]:
    plain = MLPRegressor(hidden_layer_sizes=100, solver=solver, max_iter=500, random_state=0)
    return plain, {"alpha": np.geomspace(1e-5, 10.0, 7)}


def support_vectors() -> tuple[Any, dict[str, Any]]:
    # Without a limit a large C takes minutes.
    plain = SVR(max_iter=200_000)
    return plain, {"C": [1.0, 10.0, 100.0], "gamma": [0.03, 0.1, 0.3], "epsilon": [0.01, 0.1]}


def trees() -> tuple[Any, dict[str, Any]]:
    plain = HistGradientBoostingRegressor(max_iter=300, random_state=0)
    return plain, {"learning_rate": [0.05, 0.1], "max_leaf_nodes": [7, 31]}


def ridge() -> tuple[Any, dict[str, Any]]:
    return Ridge(), {"alpha": np.geomspace(1e-3, 1e3, 13)}


PEERS: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "MLPRegressor lbfgs": lambda: network("lbfgs"),
    "MLPRegressor adam": lambda: network("adam"),
    "SVR": support_vectors,
    "HistGradientBoostingRegressor": trees,
    "Ridge": ridge,
}
METHODS = (OURS, *PEERS)


def untrained(method: str, n_jobs: int, time_limit: float) -> Any:
    if method == OURS:
        return ConvexReLURegressorCV(time_limit=time_limit, cv=folds(), n_jobs=n_jobs)
    return GridSearchCV(*PEERS[method](), cv=folds(), n_jobs=n_jobs)


def load(folder: Path) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
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


def fit(model: Any, X: FloatArray, y: FloatArray, test: NDArray[np.bool_]) -> list[str]:
    """Error on the test rows, seconds, neurons, and what was chosen."""
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), model), transformer=StandardScaler()
    )
    train = ~test
    start = time.perf_counter()
    whole.fit(X[train], y[train])
    seconds = time.perf_counter() - start
    error = float(np.sqrt(np.mean((whole.predict(X[test]) - y[test]) ** 2)))
    fitted = whole.regressor_[-1]
    return [f"{error:.6g}", f"{seconds:.2f}", f"{neurons_of(fitted):.0f}", place_of(fitted)]


def read(results: Path) -> dict[Case, list[str]]:
    """Fits by method, set and split; none where there is no file."""
    if not results.exists():
        return {}
    with results.open(newline="") as file:
        return {(method, name, int(k)): rest for method, name, k, *rest in csv.reader(file)}


def fit_missing(
    results: Path, data: Path, cases: Iterable[Case], make: Callable[[str], Any]
) -> None:
    """Fit what the file lacks, and append each fit as soon as it is there."""
    done = read(results)
    for method, name, split in cases:
        if (method, name, split) in done:
            continue
        X, y, masks = load(data / name)
        result = fit(make(method), X, y, masks[:, split])
        with results.open("a", newline="") as file:
            csv.writer(file).writerow([method, name, split, *result])


def mean_and_error(values: FloatArray) -> str:
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{np.mean(values):.3g} ± {spread:.2g}"


def rows(fits: dict[Case, list[str]]) -> Iterator[list[object]]:
    """Of the table: a set and a method each."""
    for name in SETS:
        for method in METHODS:
            splits = sorted(k for m, s, k in fits if (m, s) == (method, name))
            if not splits:
                continue
            values = np.array([fits[method, name, k][:3] for k in splits], dtype=float)
            errors, seconds, neurons = values.T
            shared = [k for k in splits if (OURS, name, k) in fits]
            less = [float(fits[OURS, name, k][0]) - float(fits[method, name, k][0]) for k in shared]
            yield [
                name, method, len(splits), mean_and_error(errors),
                mean_and_error(np.array(less)) if less and method != OURS else "",
                f"{np.median(seconds):.1f}",
                "" if np.isnan(neurons).any() else f"{np.mean(neurons):.0f}",
            ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--splits", type=int, default=10, help="of the ten, from the first")
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS)
    parser.add_argument("--time-limit", type=float, default=20.0, help="of our last training")
    parser.add_argument("--n-jobs", type=int, default=2, help="folds at the same time")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="where fits are kept; those in it are not repeated, all in it are shown",
    )  # fmt: skip
    arguments = parser.parse_args()
    # Networks of scikit-learn stop at max_iter as a rule.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    cases = (
        (method, name, split)
        for name in arguments.sets
        for split in range(arguments.splits)
        for method in arguments.methods
    )

    def make(method: str) -> Any:
        return untrained(method, arguments.n_jobs, arguments.time_limit)

    fit_missing(arguments.out, arguments.data, cases, make)
    print_table(
        ["set", "method", "splits", "test RMSE", "ours less this", "fit s", "neurons"],
        rows(read(arguments.out)),
    )


if __name__ == "__main__":
    main()
