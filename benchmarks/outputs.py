"""Several classes: one network that they share, beside one for each class and other methods.

Ten splits of each table, four fifths to train on. Ours is `ConvexReLUClassifierCV` with nothing set
(softmax, shared neurons), and with ``multi_class="ovr"`` (one network for each class against the
rest); `MLPClassifier` has its defaults on standardised data, and the C of `LogisticRegression`
(multinomial) is chosen by five folds. "Shared less this" is the mean difference of the shares of
wrong classes, paired by splits, with its standard error; "log loss" is the mean on the test rows,
and seconds are those of the processor. "like vehicle" is made: 846 rows, 18 features, 4 classes.
With ``--wheels`` any table of `tables.py` can be given as well, such as ``keel/vehicle``. Every fit
is kept as a line of JSON in FILE, and those in it are not repeated::

    OMP_NUM_THREADS=1 python benchmarks/outputs.py --out FILE
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import print_table
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from table_data import Library, Table, classes
from table_methods import standardised, tuned

import cvxnn

SHARED = "shared"
METHODS: dict[str, Callable[[int], Any]] = {
    SHARED: lambda n: cvxnn.ConvexReLUClassifierCV(),
    "one against the rest": lambda n: cvxnn.ConvexReLUClassifierCV(multi_class="ovr"),
    "MLPClassifier": lambda n: standardised(MLPClassifier(random_state=0)),
    "LogisticRegression": lambda n: tuned(
        LogisticRegression(max_iter=1000), {"C": np.geomspace(1e-3, 1e3, 13)}, n
    ),
}
LIKE_VEHICLE = "like vehicle"
TABLES = ("sklearn/digits", "sklearn/wine", LIKE_VEHICLE)
Record = dict[str, Any]


def like_vehicle() -> Table:
    return classes(
        make_classification(
            846, 18, n_informative=10, n_redundant=4, n_classes=4, n_clusters_per_class=2,
            class_sep=1.0, random_state=0,
        )
    )  # fmt: skip


def n_neurons(model: Any) -> int | None:
    """Of ours, and of a perceptron in a pipeline."""
    if hasattr(model, "n_neurons_"):
        return int(model.n_neurons_)
    last = model[-1] if hasattr(model, "steps") else model
    sizes = getattr(last, "hidden_layer_sizes", None)
    return None if sizes is None else int(np.sum(sizes))


def fitted(table: Table, name: str, method: str, split: int) -> Record:
    train, test = table.split(split)
    model = METHODS[method](len(train))
    begin = time.process_time()
    with warnings.catch_warnings():
        # Of the perceptron, whose 200 rounds are not enough, and of a best beta at an end.
        warnings.simplefilter("ignore")
        model.fit(table.X[train], table.y[train])
    seconds = time.process_time() - begin
    labels, X = table.y[test], table.X[test]
    return {
        "table": name,
        "method": method,
        "split": split,
        "error": float(np.mean(model.predict(X) != labels)),
        "log_loss": float(log_loss(labels, model.predict_proba(X), labels=np.unique(table.y))),
        "neurons": n_neurons(model),
        "seconds": seconds,
    }


def measured(tables: dict[str, Table], splits: int, known: Sequence[Record]) -> Iterator[Record]:
    """What is not known yet; methods next to each other on every split."""
    there = {(each["table"], each["method"], each["split"]) for each in known}
    for name, table in tables.items():
        if all((name, method, k) in there for method in METHODS for k in range(splits)):
            continue
        for method in METHODS:
            # Compilation is no part of a fit.
            fitted(Table(table.X[::4], table.y[::4], regression=False), name, method, 0)
        for split in range(splits):
            for method in METHODS:
                if (name, method, split) not in there:
                    yield fitted(table, name, method, split)


def column(records: Sequence[Record], table: str, method: str, key: str) -> list[Any]:
    chosen = [each for each in records if (each["table"], each["method"]) == (table, method)]
    return [each[key] for each in sorted(chosen, key=lambda each: each["split"])]


def rows(records: Sequence[Record], table: str) -> Iterator[list[str]]:
    own = np.array(column(records, table, SHARED, "error"))
    for method in METHODS:
        errors = np.array(column(records, table, method, "error"))
        if len(errors) != len(own) or not len(own):
            continue
        paired, root = 100.0 * (own - errors), np.sqrt(len(own))
        less = f"{paired.mean():+.2f} ± {paired.std(ddof=1) / root:.2f}" if len(own) > 1 else ""
        neurons = column(records, table, method, "neurons")
        losses = column(records, table, method, "log_loss")
        yield [
            table,
            method,
            f"{100.0 * errors.mean():.2f}",
            "" if method == SHARED else less,
            f"{np.mean(losses):.3f}",
            "" if neurons[0] is None else f"{np.mean(neurons):.0f}",
            f"{np.mean(column(records, table, method, 'seconds')):.2f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="lines of JSON, one for each fit")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--sets", nargs="*", default=list(TABLES))
    parser.add_argument("--wheels", type=Path, help="the folder of the wheels of tables.py")
    options = parser.parse_args()
    library = Library(wheels=options.wheels)
    tables = {
        name: like_vehicle() if name == LIKE_VEHICLE else library.load(name)
        for name in options.sets
    }
    text = options.out.read_text(encoding="utf-8") if options.out.exists() else ""
    records = [json.loads(line) for line in text.splitlines()]
    with options.out.open("a", encoding="utf-8") as file:
        for record in measured(tables, options.splits, records):
            records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()
    header = ("table", "method", "% wrong", "shared less this", "log loss", "neurons", "seconds")
    print_table(header, [row for name in tables for row in rows(records, name)])


if __name__ == "__main__":
    main()
