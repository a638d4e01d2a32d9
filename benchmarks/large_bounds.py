"""Bounds for many rows: of all together, or as a sum over parts of them.

The problem is friedman1 with standardised columns and a column of ones, at shares of the least
beta for which no neuron is left, as far as it is known (`largest_beta`). `solve` finds a network
first; from it bounds are proven in the same time each, in a process of its own: one relaxation of
all rows, or a sum over K parts of them, with equal shares of beta and with shares that are chosen
at the end. Memory is the largest resident size of the process, with all that it has loaded; beside
it is that before the proof.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from harness import FloatArray, print_table
from memory import peak_mib
from sklearn.datasets import make_friedman1

import cvxnn
from cvxnn.certificates import spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.oracle.tree_search import available_cores
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.parts import PartsProver
from cvxnn.relaxation.prover import RelaxationProver

FEATURES = 10


@dataclass(frozen=True)
class Start:
    """A problem and the network that bounds are proven from."""

    n: int
    features: int
    share: float
    beta: float
    hidden: FloatArray
    output: FloatArray
    objective: float
    search_seconds: float
    search_gap: float

    def problem(self) -> Problem[Layer]:
        X, y = friedman(self.n, self.features)
        return Problem.of(Layer(X), y, self.beta, SquaredLoss())


@dataclass(frozen=True)
class Outcome:
    """What one way has proven."""

    n: int
    rank: int
    share: float
    n_parts: int
    seconds: float
    gap_equal: float
    gap: float
    elapsed: float
    cpu: float
    peak_mib: float
    mib_before: float

    def cells(self) -> list[object]:
        return [
            self.n, self.rank, self.share, self.n_parts, self.seconds, f"{self.gap_equal:.4f}",
            f"{self.gap:.4f}", f"{self.elapsed:.1f}", f"{self.cpu:.1f}", f"{self.peak_mib:.0f}",
            f"{self.mib_before:.0f}",
        ]  # fmt: skip


def friedman(n: int, features: int) -> tuple[FloatArray, FloatArray]:
    """The first features, of which five matter, with standard deviation one, and the ones."""
    X, y = make_friedman1(n, n_features=FEATURES, noise=1.0, random_state=0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.column_stack([X[:, :features], np.ones(n)]), (y - y.mean()) / y.std()


def searched(n: int, features: int, share: float, seconds: float) -> Start:
    X, y = friedman(n, features)
    beta = share * cvxnn.largest_beta(X, y)
    start = time.perf_counter()
    solution = cvxnn.solve(X, y, beta, time_limit=seconds)
    network = solution.network
    return Start(
        n, features, share, beta, network.hidden_weights, network.output_weights,
        solution.objective, time.perf_counter() - start, solution.gap,
    )  # fmt: skip


def prove(start: Start, n_parts: int, seconds: float) -> Outcome:
    """In the process that measures its memory."""
    problem, before = start.problem(), peak_mib()
    neurons = Neurons.of_weights(start.hidden, start.output)
    clock, cpu = time.perf_counter(), time.process_time()
    first = spectral_proof(problem.rows, problem.residual_at_zero)
    deadline = Deadline(seconds)
    if n_parts == 1:
        bound = RelaxationProver(problem).improve(neurons, first, 1e-6, deadline).bound(problem)
        equal = bound
    else:
        threads = max(1, available_cores() // n_parts)
        prover = PartsProver(problem, n_parts, partial(RelaxationProver, threads=threads))
        joined, units = prover.joined(neurons, 1e-6, deadline)
        proofs = joined.proof(np.ones(n_parts)), joined.best()
        equal, bound = (proof.bound(joined.problem) * units.objective for proof in proofs)
    return Outcome(
        start.n, start.features + 1, start.share, n_parts, seconds,
        1.0 - equal / start.objective, 1.0 - bound / start.objective,
        time.perf_counter() - clock, time.process_time() - cpu, peak_mib(), before,
    )  # fmt: skip


def outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    # A fresh process for each, whose peak is its own.
    context = multiprocessing.get_context("spawn")
    for n in arguments.rows:
        for share in arguments.shares:
            start = searched(n, arguments.features, share, arguments.search)
            print(
                f"# {n} rows: the search took {start.search_seconds:.1f} s, and its own proof "
                f"leaves a gap of {start.search_gap:.4f}", flush=True,
            )  # fmt: skip
            for seconds in arguments.seconds:
                for n_parts in arguments.parts:
                    with context.Pool(1) as pool:
                        yield pool.apply(prove, (start, n_parts, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="*", default=[20_000, 100_000])
    parser.add_argument("--features", type=int, default=FEATURES, help="besides the ones")
    parser.add_argument(
        "--shares", type=float, nargs="*", default=[0.1], help="of the largest beta"
    )
    parser.add_argument("--parts", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, nargs="*", default=[60.0, 120.0])
    parser.add_argument("--search", type=float, default=60.0, help="seconds for the network")
    parser.add_argument("--out", type=Path, help="where to write the outcomes, as JSON")
    arguments = parser.parse_args()
    found: list[Outcome] = []

    def rows() -> Iterator[list[object]]:
        for outcome in outcomes(arguments):
            found.append(outcome)
            yield outcome.cells()

    print_table(
        [
            "rows",
            "rank",
            "share",
            "parts",
            "seconds",
            "equal shares",
            "gap",
            "took",
            "CPU",
            "MiB",
            "before",
        ],
        rows(),
    )
    if arguments.out is not None:
        arguments.out.write_text(json.dumps([asdict(o) for o in found], indent=1), "utf-8")


if __name__ == "__main__":
    main()
