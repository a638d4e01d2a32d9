"""Networks whose neurons see few features: proven gaps, seconds, and what a check takes.

`friedman` has five features that matter and irrelevant ones up to d, standardised (J. Friedman,
Ann. Statist. 19, 1991), with noise; `breast cancer` is that of scikit-learn with the logistic
loss; `pairs` are all pairs of ten features of `friedman`. Beta is a share of the largest one.
Every bound is recomputed from its certificate and the data, beside the network's objective.

    OMP_NUM_THREADS=2 python benchmarks/additive.py [--quick] [--out additive.json]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import harness
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, make_friedman1

import cvxnn

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """A line of the table."""

    problem: str
    n: int
    d: int
    groups: int
    share: float
    tol: float
    status: str
    gap: float
    neurons: int
    used: int
    seconds: float
    largest_beta_seconds: float
    check_seconds: float
    accepted: bool


def standardised(X: FloatArray) -> FloatArray:
    """Columns of mean 0 and deviation 1, and one of ones."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.column_stack([X, np.ones(len(X))])


def friedman(n: int, d: int) -> tuple[FloatArray, FloatArray]:
    X, y = make_friedman1(n, d, noise=1.0, random_state=0)
    return standardised(X), (y - y.mean()) / y.std()


def breast_cancer() -> tuple[FloatArray, FloatArray]:
    X, y = load_breast_cancer(return_X_y=True)
    return standardised(X), 2.0 * y - 1.0


def outcome(
    name: str, X: FloatArray, y: FloatArray, *, features: int, loss: str, share: float, tol: float
) -> Outcome:
    model, begun = cvxnn.ReLU(features=features), perf_counter()
    largest = cvxnn.largest_beta(X, y, model=model, loss=loss)
    found = perf_counter()
    solution = cvxnn.solve(X, y, share * largest, model=model, loss=loss, tol=tol)
    solved = perf_counter()
    assert solution.certificate is not None
    report = solution.certificate.verify(X, y, network=solution.network, time_limit=None)
    used = int(solution.network.hidden_weights[:, :-1].any(axis=0).sum())
    return Outcome(
        name, len(X), X.shape[1] - 1, len(model.rows(X).groups), share, tol,
        solution.status.name, solution.gap, solution.n_neurons, used, solved - found,
        found - begun, perf_counter() - solved, report.accepted,
    )  # fmt: skip


def outcomes(*, quick: bool) -> list[Outcome]:
    size = (2_000, 20) if quick else (100_000, 100)
    # Kernels are compiled before a clock runs.
    outcome("", *friedman(100, 5), features=2, loss="squared", share=0.1, tol=1e-3)
    found = [
        outcome("friedman", *friedman(*size), features=1, loss="squared", share=0.01, tol=1e-6)
    ]
    X, y = breast_cancer()
    for share in (0.1, 0.01):
        options = {"features": 1, "loss": "logistic", "share": share, "tol": 1e-6}
        found.append(outcome("breast cancer", X, y, **options))
    size = (300, 6) if quick else (2_000, 10)
    for share in (0.05, 0.01):
        found.append(
            outcome("pairs", *friedman(*size), features=2, loss="squared", share=share, tol=1e-5)
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller problems")
    parser.add_argument("--out", type=Path, help="where to write the table as JSON")
    options = parser.parse_args()
    found = outcomes(quick=options.quick)
    harness.print_table(
        ["problem", "n", "d", "groups", "beta / largest", "status", "gap", "neurons",
         "features used", "seconds", "largest beta, s", "check, s", "accepted"],
        [
            [one.problem, one.n, one.d, one.groups, f"{one.share:g}", one.status,
             f"{one.gap:.1e}", one.neurons, one.used, f"{one.seconds:.1f}",
             f"{one.largest_beta_seconds:.1f}", f"{one.check_seconds:.1f}", one.accepted]
            for one in found
        ],
    )  # fmt: skip
    if options.out is not None:
        options.out.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
