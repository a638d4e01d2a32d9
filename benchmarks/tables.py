"""Test error and time of the estimators on real tables, beside other methods.

Every method gets the same training rows of the same splits, in one thread, one after the
other, and is fitted as in `table_methods.py`; the clock runs over the whole fit, with the
choice of its parameters. An error is the root mean square on the test rows in units of the
standard deviation of the training target, or the share of wrong classes. "Ours less this"
compares in pairs, on each split: in per cent of the other's error, or in points (per cent
of the test rows); then the mean over the sets, each the mean of its splits.

    OMP_NUM_THREADS=1 python benchmarks/tables.py --uci DIR --wheels DIR --out tables.jsonl

All of it takes hours: `--sets`, `--methods`, `--splits` and `--most-rows` take a part. Each
fit is a line of JSON in FILE as soon as it is there; with `--resume` those in FILE are not
repeated, so that a long run can be done in parts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from table_data import DOCUMENTED, Library, Table, for_tuning
from table_methods import METHODS, OURS, makers, missing
from table_report import Fit, report
from threadpoolctl import threadpool_limits


def error_of(table: Table, train: Any, test: Any, predicted: Any) -> float:
    if table.regression:
        squares = np.mean((predicted - table.y[test]) ** 2)
        return float(np.sqrt(squares) / np.std(table.y[train]))
    return float(np.mean(predicted != table.y[test]))


def chosen(model: Any) -> str:
    """The beta of ours, for whoever wonders about an error."""
    return "".join(
        f"{name}={getattr(model, name):.4g} "
        for name in ("beta_", "n_neurons_")
        if hasattr(model, name)
    ).strip()


def fit(table: Table, name: str, split: int, method: str, most_rows: int | None) -> Fit:
    train, test = table.split(split, most_rows)
    model = makers(table.regression)[method](len(train))
    with warnings.catch_warnings(), threadpool_limits(1):
        # A network of scikit-learn stops at max_iter as a rule; constant features are dropped.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        start = time.perf_counter()
        model.fit(table.X[train], table.y[train])
        seconds = time.perf_counter() - start
        error = error_of(table, train, test, model.predict(table.X[test]))
    return Fit(
        set=name, split=split, method=method, regression=table.regression, rows=len(train),
        features=table.X.shape[1], error=error, seconds=seconds, note=chosen(model),
    )  # fmt: skip


def warm_up() -> None:
    """Compile the kernels of searches and of proofs, so that no clock sees it."""
    rng = np.random.default_rng(0)
    for X in (rng.standard_normal((120, 6)), rng.standard_normal((120, 2))):
        for regression, y in ((True, np.abs(X[:, 0]) + X[:, 1]), (False, X[:, 0] > 0.3)):
            for method in OURS:
                makers(regression)[method](len(X)).fit(X, y)


def cases(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """A split of all sets before the next, so that a run that is cut short has seen all."""
    return ((split, name) for split in range(arguments.splits) for name in names)


def run(arguments: argparse.Namespace, names: Sequence[str], methods: Sequence[str]) -> None:
    """Fit what FILE lacks."""
    done = {fit.case for fit in read(arguments.out)}
    library = Library(arguments.uci, arguments.wheels)
    warm_up()
    for split, name in cases(arguments, names):
        table = library.load(name)
        for method in methods:
            if (name, split, method) in done or method not in makers(table.regression):
                continue
            result = fit(table, name, split, method, arguments.most_rows)
            with arguments.out.open("a") as file:
                file.write(json.dumps(vars(result)) + "\n")
            print(
                f"{name} {split} {method}: {result.error:.4g}, {result.seconds:.2f} s", flush=True
            )


def read(path: Path) -> list[Fit]:
    """None where there is no file."""
    if not path.exists():
        return []
    return [Fit(**json.loads(line)) for line in path.read_text().splitlines()]


def default_sets(library: Library) -> list[str]:
    """Those of the documentation, and of the wheels those that defaults may be tuned on."""
    there = library.names()
    documented = [name for name in there if name in DOCUMENTED]
    return documented + [name for name in there if name not in DOCUMENTED and for_tuning(name)]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uci", type=Path, metavar="DIR", help="a folder for each UCI set")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="where the two wheels are")
    parser.add_argument("--sets", nargs="*", help="default: those documented, wheels from a to l")
    parser.add_argument(
        "--methods",
        nargs="*",
        choices=METHODS,
        default=METHODS[:-1],
        help="default: all but pyscnn, whose folds take minutes on hundreds of rows",
    )
    parser.add_argument("--splits", type=int, default=3, help="of each set, from the first")
    parser.add_argument("--most-rows", type=int, help="of those to train on")
    parser.add_argument("--list", action="store_true", help="print the names of the sets")
    parser.add_argument("--resume", action="store_true", help="go on with what FILE has")
    parser.add_argument("--out", type=Path, default=Path("tables.jsonl"), metavar="FILE")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    library = Library(arguments.uci, arguments.wheels)
    if arguments.list:
        print("\n".join(library.names()))
        return
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("one thread for all: set OMP_NUM_THREADS=1")
    if arguments.out.exists() and not arguments.resume:
        raise SystemExit(f"{arguments.out} exists: --resume goes on with it")
    for method in arguments.methods:
        if advice := missing(method):
            print(f"{method} is left out: {advice}")
    methods = [method for method in arguments.methods if not missing(method)]
    names = arguments.sets or default_sets(library)
    unknown = set(names) - set(library.names())
    if unknown:
        raise SystemExit(f"no sets of these names: {', '.join(sorted(unknown))}; --list shows them")
    run(arguments, names, methods)
    report(read(arguments.out))


if __name__ == "__main__":
    main()
