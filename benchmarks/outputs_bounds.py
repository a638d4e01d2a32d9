"""How far from optimal a network of several outputs is at most: the relaxation on three tables.

Squares on one column for each class, and softmax, at shares of the largest beta, that above which
no neuron pays. Networks are those of `solve` without a proof of its own; gaps are those of
`OutputsProver` after some seconds of one run, proven in float64, rounding included. "search" is
what the search proves by itself: a tree of cones in low rank, else one eigenvalue.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import sklearn.datasets as sets
from harness import FloatArray, print_table

import cvxnn
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import Loss, SoftmaxLoss, SquaredLoss
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.outputs.prover import OutputsProver

# Table, shares of the largest beta, and seconds of proof.
RUNS = {"iris": ((0.3, 0.1), 10.0), "wine": ((0.3, 0.1), 20.0), "digits": ((0.05,), 120.0)}
LOSSES: dict[str, Loss] = {"squared": SquaredLoss(), "softmax": SoftmaxLoss()}


def read(name: str) -> tuple[FloatArray, FloatArray]:
    """Columns of unit variance, for pixels of at most 1, beside ones; a column for each class."""
    X, labels = getattr(sets, f"load_{name}")(return_X_y=True)
    X = X / 16.0 if name == "digits" else (X - X.mean(axis=0)) / X.std(axis=0)
    return np.column_stack([X, np.ones(len(X))]), np.eye(labels.max() + 1)[labels]


def largest_beta(X: FloatArray, V: FloatArray) -> float:
    """``max_u ||V'(Xu)_+||`` as far as climbs find it."""
    ascent = OutputsAscent(X, np.eye(X.shape[1]), np.random.default_rng(0))
    return float(ascent.search(V, 0.0, 200, polish=True).values[0])


def gaps(problem: Problem[Layer], solution: cvxnn.Solution[Any], seconds: float) -> list[str]:
    """After a tenth of the time, a third, and all of it."""
    start, seen = time.perf_counter(), []
    network = solution.network
    neurons = Neurons.of_weights(network.hidden_weights, network.output_weights)

    def note(proof: DualProof) -> None:
        gap = 1.0 - proof.bound(problem) / solution.objective
        seen.append((time.perf_counter() - start, gap))

    nothing = DualProof(np.zeros_like(problem.Y), np.zeros(1), "nothing")
    OutputsProver(problem, on_bound=note).improve(neurons, nothing, 1e-4, Deadline(seconds))
    ends = (0.1 * seconds, 0.3 * seconds, np.inf)
    return [f"{min((gap for t, gap in seen if t <= end), default=1.0):.2g}" for end in ends]


def measured(tables: list[str], search: float) -> Iterator[list[object]]:
    """A row for each problem."""
    for name in tables:
        X, Y = read(name)
        shares, seconds = RUNS[name]
        for share, (loss_name, loss) in product(shares, LOSSES.items()):
            beta = share * largest_beta(X, -loss.gradient(np.zeros_like(Y), Y))
            method = cvxnn.Global(proof_time=0.0)
            solution = cvxnn.solve(X, Y, beta, loss=loss, method=method, time_limit=search)
            found = gaps(Problem(Layer(X), Y, beta, loss), solution, seconds)
            yield [name, loss_name, share, f"{solution.gap:.2g}", seconds, *found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(RUNS))
    parser.add_argument("--search", type=float, default=30.0, help="seconds for the network")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    heads = ["table", "loss", "share", "search", "seconds", "at 10 %", "at 30 %", "at the end"]
    print_table(heads, measured(arguments.tables, arguments.search))


if __name__ == "__main__":
    main()
