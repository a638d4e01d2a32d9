"""Additive networks beside EBM and splines: test errors and seconds on the same splits.

`cvxnn CV` is an estimator with cross-validation and `cvxnn` one with ``beta="auto"``, both with
``model=ReLU(features=1)``. `EBM` are the mains of explainable boosting (package `interpret`, Y. Lou
et al., KDD 2013): ``interactions=0``. `splines` are cubic B-splines of each feature and a ridge, or
a logistic regression, with knots and penalty by cross-validation. All on one core, with their
defaults otherwise, and on the columns as they are; seconds are of the processor.

Errors are root mean squares, over the deviation of all targets, or the mean logistic loss. The
difference to EBM is in per cent of that of EBM, of the same splits, with the standard error of its
mean and, since splits share rows, the larger one for a new draw of them (C. Nadeau and Y. Bengio,
Machine Learning 52, 2003). Only tables by which defaults may be chosen. Records are kept as lines
of JSON in FILE; those in it are not repeated::

    pip install interpret-core
    OMP_NUM_THREADS=1 python benchmarks/additive_peers.py --uci DIR --out FILE
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import FloatArray, print_table
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from table_data import Library, Table, for_tuning

import cvxnn

TABLES = """
sklearn/diabetes sklearn/breast_cancer made/friedman1_2000@400 made/friedman1_2000 uci/autompg
uci/concrete uci/energy uci/housing uci/kin40k@2000
""".split()  # noqa: SIM905
PEER = "EBM"


@dataclass(frozen=True)
class Record:
    """One fit: the error on test rows, the share of wrong classes, and what it took."""

    table: str
    split: int
    method: str
    n: int
    n_test: int
    error: float
    wrong: float | None
    seconds: float
    status: str = ""
    gap: float | None = None
    neurons: int | None = None
    beta: float | None = None


def boosting(regression: bool) -> Any:
    try:
        from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
    except ModuleNotFoundError:
        raise SystemExit(
            "EBM needs the package interpret: pip install interpret-core, or choose --methods."
        ) from None
    kind = ExplainableBoostingRegressor if regression else ExplainableBoostingClassifier
    return kind(interactions=0, n_jobs=1, random_state=0)


def splines(regression: bool) -> Any:
    """Penalties and numbers of knots of one grid; knots at quantiles."""
    bases = SplineTransformer(knots="quantile", extrapolation="linear", include_bias=False)
    strengths = 10.0 ** np.arange(-3.0, 4.0)
    if regression:
        last, grid = Ridge(), {"ridge__alpha": strengths}
    else:
        last, grid = LogisticRegression(max_iter=2000), {"logisticregression__C": strengths}
    pipeline = make_pipeline(StandardScaler(), bases, last)
    scoring = None if regression else "neg_log_loss"
    knots = {"splinetransformer__n_knots": [2, 3, 5, 8, 12, 20]}
    return GridSearchCV(pipeline, grid | knots, cv=5, scoring=scoring)


def network(kind: str) -> Callable[[bool], Any]:
    def make(regression: bool) -> Any:
        name = f"ConvexReLU{'Regressor' if regression else 'Classifier'}{kind}"
        options = {} if regression or not kind else {"scoring": "neg_log_loss"}
        # Without a limit: what a clock ends depends on what else the machine does.
        model = cvxnn.ReLU(features=1)
        return getattr(cvxnn, name)(model=model, time_limit=None, random_state=0, **options)

    return make


METHODS: dict[str, Callable[[bool], Any]] = {
    "cvxnn CV": network("CV"),
    "cvxnn": network(""),
    PEER: boosting,
    "splines": splines,
}


def measured(table: Table, name: str, split: int, method: str) -> Record:
    rows = name.partition("@")[2]
    train, test = table.split(split, int(rows) if rows else None)
    model = METHODS[method](table.regression)
    begun = time.process_time()
    model.fit(table.X[train], table.y[train])
    seconds, X, y = time.process_time() - begun, table.X[test], table.y[test]
    wrong = None
    if table.regression:
        error = float(np.sqrt(np.mean((model.predict(X) - y) ** 2)) / table.y.std())
    else:
        error = float(log_loss(y, model.predict_proba(X)))
        wrong = float(np.mean(model.predict(X) != y))
    ours = hasattr(model, "dual_gap_")
    about = {
        "status": model.status_.name, "gap": model.dual_gap_, "neurons": int(model.n_neurons_),
        "beta": model.beta_,
    } if ours else {}  # fmt: skip
    return Record(name, split, method, len(train), len(test), error, wrong, seconds, **about)


def read(path: Path) -> list[Record]:
    """None where there is no file."""
    if not path.exists():
        return []
    return [Record(**json.loads(line)) for line in path.read_text().splitlines()]


def measure_missing(
    library: Library, tables: Sequence[str], methods: Sequence[str], splits: int, path: Path
) -> None:
    """All methods on a split, one after the other, before the next."""
    done = {(record.table, record.split, record.method) for record in read(path)}
    loaded = {name: library.load(name.partition("@")[0]) for name in tables}
    for split in range(splits):
        for name, table in loaded.items():
            for method in methods:
                if (name, split, method) not in done:
                    record = measured(table, name, split, method)
                    with path.open("a") as file:
                        file.write(json.dumps(asdict(record)) + "\n")


def difference(ours: FloatArray, theirs: FloatArray, share: float) -> str:
    """Mean of the paired differences in per cent, and its two standard errors.

    `share` is that of test rows over training rows.
    """
    less = 100.0 * (ours - theirs) / theirs.mean()
    deviation = float(np.std(less, ddof=1)) if len(less) > 1 else np.nan
    plain, whole = (deviation * np.sqrt(1.0 / len(less) + more) for more in (0.0, share))
    return f"{less.mean():+.1f} ± {plain:.1f} ({whole:.1f})"


def rows(records: Sequence[Record]) -> Iterator[list[object]]:
    """Of the table: a set and a method each."""
    for name in dict.fromkeys(record.table for record in records):
        of_set = [record for record in records if record.table == name]
        peers = {record.split: record.error for record in of_set if record.method == PEER}
        for method in dict.fromkeys(record.method for record in of_set):
            runs = [record for record in of_set if record.method == method]
            shared = [run for run in runs if run.split in peers]
            errors = np.array([run.error for run in shared])
            theirs = np.array([peers[run.split] for run in shared])
            wrong = [run.wrong for run in runs if run.wrong is not None]
            neurons = [run.neurons for run in runs if run.neurons is not None]
            proven = [run.gap is not None and run.gap <= 1e-6 for run in runs]
            yield [
                name, method, len(runs), f"{np.mean([run.error for run in runs]):.4f}",
                f"{100.0 * np.mean(wrong):.1f} %" if wrong else "",
                difference(errors, theirs, runs[0].n_test / runs[0].n)
                if method != PEER and len(shared) else "",
                f"{statistics.median(run.seconds for run in runs):.2f}",
                f"{np.mean(neurons):.0f}" if neurons else "",
                f"{sum(proven)} of {len(runs)}" if neurons else "",
            ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uci", type=Path, metavar="DIR", help="a folder for each UCI set")
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    if held_out := [name for name in arguments.tables if not for_tuning(name)]:
        parser.error(f"for judging only, not for choosing defaults: {', '.join(held_out)}")
    warnings.filterwarnings("ignore")
    library = Library(arguments.uci)
    # Kernels are compiled before a clock runs.
    for name in ("sklearn/diabetes", "sklearn/breast_cancer"):
        for method in arguments.methods:
            measured(library.load(name), f"{name}@60", 0, method)
    measure_missing(library, arguments.tables, arguments.methods, arguments.splits, arguments.out)
    print_table(
        ["table", "method", "splits", "error", "wrong", "less EBM, %", "seconds", "neurons",
         "proven"],
        rows(read(arguments.out)),
    )  # fmt: skip


if __name__ == "__main__":
    main()
