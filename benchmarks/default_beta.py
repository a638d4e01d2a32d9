"""What a default beta costs against cross-validation, over many tables.

For each split of each table one path of rough networks on standardised data (hidden biases,
an intercept), 15 betas from the largest downwards, a factor of 10 ** (1 / 3) apart: its
scores on the training and on the test rows, those of five shuffled folds, and those of
a single fold (`ordered_fold`) that no order of the rows changes. A rule names a beta from
that; its regret is its test error (root mean square, or share of wrong classes, by
interpolation between the betas of the path) less that at the beta with the best mean score
of the folds. The mean over the splits of a table first, then over the tables.

A table is a name of `tables.py`; ``@400`` takes 400 rows to train on, ``:3`` the class 3
against all others, ``#2`` makes the feature of number 2 the target of a regression. Only
tables whose names begin with a to l: the others are for judging. Records are kept as lines
of JSON in FILE; those in it are not repeated::

    OMP_NUM_THREADS=1 python benchmarks/default_beta.py --uci DIR --wheels DIR --out FILE
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from beta_rules import Record, rows
from harness import FloatArray, print_table
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from table_data import Library, Table

from cvxnn.layers import Layer
from cvxnn.losses import Loss, as_loss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.rough_path import RoughPath

REGRESSION_TABLES = """
uci/autompg uci/concrete uci/energy uci/housing uci/kin40k@400 uci/kin40k@3000 sklearn/diabetes
made/friedman1_2000 made/friedman1_2000@300 common/airfoil common/baseball common/boom_bikes
common/casp@500 common/casp@4000 common/ccpp@500 common/ccpp@4000 common/communities
common/compactiv@400 common/compactiv@3000 common/cpu_performance common/ele_1
common/electrical_grid@400 common/electrical_grid@3000 common/excitation_current
common/forestfires common/insurance common/laser common/daily-demand keel/abalone19#1
keel/australian#1 keel/banana#0 keel/bands#2 keel/bupa#4 keel/contraceptive#0 keel/glass1#0
keel/heart#7 keel/ionosphere#4 keel/letter#6 sklearn/breast_cancer#9 sklearn/digits#20
common/communities@100 common/communities@200 common/compactiv@40 sklearn/digits#20@100
sklearn/diabetes@60 common/insurance@50 common/casp@60 sklearn/breast_cancer#9@60
common/airfoil@80 made/friedman1_2000@60 common/baseball@60 keel/german#1@80 common/ele_1@40
"""
CLASSIFICATION_TABLES = """
sklearn/breast_cancer keel/australian keel/banana@500 keel/banana@4000 keel/bands keel/breast
keel/bupa keel/chess@600 keel/chess keel/crx keel/german keel/heart keel/housevotes
keel/ionosphere keel/haberman keel/glass0 keel/glass1 keel/ecoli1 keel/ecoli3 keel/abalone9-18
keel/car-good keel/flare-F keel/dermatology-6 keel/kr-vs-k-three_vs_eleven keel/contraceptive:0
sklearn/digits:8 sklearn/digits:1 keel/letter:3@4000 keel/hayes-roth:0 keel/led7digit:8
"""
TABLES = REGRESSION_TABLES + CLASSIFICATION_TABLES
MOST_ROWS = 4000
SHARES = 10.0 ** (-np.arange(1, 16) / 3.0)
NAME = re.compile(r"(?P<table>[^@:#]+)(?::(?P<label>\d+))?(?:#(?P<column>\d+))?(?:@(?P<rows>\d+))?")
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Task:
    """Features and target; labels are -1 and 1."""

    X: FloatArray
    y: FloatArray
    loss: Loss

    def take(self, rows: Rows) -> Task:
        return Task(self.X[rows], self.y[rows], self.loss)

    def standardised(self, other: Task) -> tuple[Task, Task]:
        """This one and another one in units in which this has mean 0 and variance 1."""
        scaler = StandardScaler().fit(self.X)
        shift, unit = (0.0, 1.0) if self.loss.has_labels else (self.y.mean(), self.y.std() or 1.0)

        def scaled(task: Task) -> Task:
            return Task(scaler.transform(task.X), (task.y - shift) / unit, self.loss)

        return scaled(self), scaled(other)


def with_ones(X: FloatArray) -> FloatArray:
    return np.column_stack([X, np.ones(len(X))])


def predict(neurons: Neurons, X: FloatArray) -> FloatArray:
    active = np.maximum(with_ones(X) @ neurons.directions.T, 0.0)
    return active @ (neurons.sizes * neurons.signs) + neurons.intercept


def rough_path(task: Task, seed: int) -> RoughPath:
    problem = Problem.of(Layer(with_ones(task.X)), task.y, 1.0, task.loss)
    return RoughPath(problem, np.random.default_rng(seed), intercept=True)


def score(task: Task, prediction: FloatArray) -> float:
    factor = 1.0 if task.loss.has_labels else 2.0
    return factor * task.loss.value(prediction, task.y) / len(task.y)


def error(task: Task, prediction: FloatArray) -> float:
    if task.loss.has_labels:
        return float(np.mean((prediction > 0.0) != (task.y > 0.0)))
    return score(task, prediction)


def scores_of_fold(
    task: Task, train: Rows, test: Rows, betas: FloatArray, seed: int
) -> list[float]:
    """Of a network trained on a part of the rows: a beta is for the sum over all of them."""
    inner, outer = task.take(train).standardised(task.take(test))
    path = rough_path(inner, seed)
    share = len(train) / len(task.y)
    return [score(outer, predict(path.advance(share * b), outer.X)) for b in betas]


def ordered_fold(task: Task) -> tuple[Rows, Rows]:
    """A fifth of the rows by their order in y, then X: the same for every order of the rows.

    Equal rows stay together, as if they were one row with their weight, and y may be -y.
    """
    columns = np.column_stack([task.y, task.X])
    distinct, place = np.unique(columns, axis=0, return_inverse=True)
    from_the_end = np.arange(len(distinct) - 1, -1, -1)
    is_test = (np.minimum(from_the_end, from_the_end[::-1]) % 5 == 2)[place.ravel()]
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def task_of(table: Table, parts: re.Match[str]) -> Task:
    if column := parts["column"]:
        X = np.delete(table.X, int(column), axis=1)
        return Task(X, table.X[:, int(column)], as_loss("squared"))
    if table.regression:
        return Task(table.X, table.y, as_loss("squared"))
    labels = np.where(table.y == int(parts["label"] or 1), 1.0, -1.0)
    return Task(table.X, labels, as_loss("logistic"))


def measured(library: Library, name: str, split: int) -> Record:
    parts = NAME.fullmatch(name)
    if parts is None:
        raise SystemExit(f"not a name of a table: {name}")
    table = library.load(parts["table"])
    rows = int(parts["rows"] or MOST_ROWS)
    train, test = table.split(split, rows)
    whole = task_of(table, parts)
    task, outer = whole.take(train), whole.take(test)
    inner, scaled = task.standardised(outer)
    path = rough_path(inner, split)
    betas = path.largest_beta * SHARES
    networks = [path.advance(beta) for beta in betas]
    splitter = StratifiedKFold if inner.loss.has_labels else KFold
    return Record(
        name=name,
        split=split,
        regression=not inner.loss.has_labels,
        n=len(train),
        rank=int(np.linalg.matrix_rank(with_ones(inner.X))),
        largest=path.largest_beta,
        betas=betas.tolist(),
        neurons=[len(each) for each in networks],
        train=[score(inner, predict(each, inner.X)) for each in networks],
        errors=[error(scaled, predict(each, scaled.X)) for each in networks],
        folds=[
            scores_of_fold(task, inside, outside, betas, split)
            for inside, outside in splitter(5, shuffle=True, random_state=split).split(
                task.X, task.y
            )
        ],
        held_out=scores_of_fold(task, *ordered_fold(task), betas, split),
    )


def read(path: Path) -> list[Record]:
    """None where there is no file."""
    if not path.exists():
        return []
    return [Record(**json.loads(line)) for line in path.read_text().splitlines()]


def measure_missing(library: Library, names: Sequence[str], splits: int, path: Path) -> None:
    """A split of all tables before the next."""
    done = {(record.name, record.split) for record in read(path)}
    for split in range(splits):
        for name in names:
            if (name, split) not in done:
                record = measured(library, name, split)
                with path.open("a") as file:
                    file.write(json.dumps(asdict(record)) + "\n")
                print(f"{name} {split}: cross-validation takes {record.chosen:.3g}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uci", type=Path, metavar="DIR", help="a folder for each UCI set")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="where the two wheels are")
    parser.add_argument("--tables", nargs="*", default=TABLES.split())
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    arguments = parser.parse_args()
    library = Library(arguments.uci, arguments.wheels)
    measure_missing(library, arguments.tables, arguments.splits, arguments.out)
    for regression, unit in ((True, "% of the error"), (False, "points")):
        records = [each for each in read(arguments.out) if each.regression == regression]
        if records:
            print(f"\nRegret against cross-validation, {unit}\n")
            print_table(["beta", "mean", "median", "ninth decile", "largest"], rows(records))


if __name__ == "__main__":
    main()
