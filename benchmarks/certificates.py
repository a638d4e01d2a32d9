"""Time to check a certificate against that to find it, and the size of its file.

For each kind of proof: seconds of `solve` (or `certify`), of a check that searches its tree, of one
that follows the splits of a tree that was recorded, bytes of the file without and with them, and by
how much the recomputed bound is above the claimed one, relative to the objective.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import print_table
from sklearn.datasets import load_diabetes

import cvxnn
from cvxnn.training.solve import solve_quietly


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="a part of the names to run")
    only = parser.parse_args().only
    solve_quietly([[1.0, 2.0], [2.0, 1.0], [0.0, 1.0]], [1.0, 0.0, 2.0], 0.1)
    print_table(
        ["problem", "kind", "found s", "check s", "follow s", "bytes", "bytes with splits", "gap",
         "change"],
        (
            _row(name, *problem())
            for name, problem in PROBLEMS.items()
            if only is None or only in name
        ),
    )  # fmt: skip


def _row(
    name: str, X: Any, y: Any, found: Any, seconds: float, weights: Any = None
) -> list[object]:
    certificate = found.certificate
    searched = certificate.verify(X, y, weights, network=found.network)
    recorded = certificate.recorded(X, y, weights)
    followed = recorded.verify(X, y, weights, network=found.network)
    change = (followed.bound - found.dual_bound) / followed.objective
    sizes = [len(each.to_bytes()) for each in (certificate, recorded)]
    assert searched.accepted and followed.accepted, (searched.reason, followed.reason)
    return [
        name, certificate.kind, f"{seconds:.2f}", f"{searched.elapsed:.2f}",
        f"{followed.elapsed:.2f}", *sizes, f"{followed.gap:.1e}", f"{change:.1e}",
    ]  # fmt: skip


def _solved(X: Any, y: Any, share: float, **options: Any) -> tuple[Any, Any, Any, float]:
    beta = share * cvxnn.largest_beta(X, y, **{k: options[k] for k in options if k != "method"})
    start = time.perf_counter()
    solution = solve_quietly(X, y, beta, **options)
    return X, y, solution, time.perf_counter() - start


def _random(n: int, d: int, share: float, **options: Any) -> Callable[[], Any]:
    def problem() -> Any:
        rng = np.random.default_rng(0)
        X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
        y = np.abs(X[:, 0]) + 0.5 * rng.standard_normal(n)
        if options.get("loss") == "logistic":
            y = np.where(y > np.median(y), 1.0, -1.0)
        return _solved(X, y, share, **options)

    return problem


def _relaxed() -> Any:
    X, y = load_diabetes(return_X_y=True)
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    X = np.column_stack([X, np.ones(len(X))])
    beta = 0.3 * cvxnn.largest_beta(X, y)
    network = solve_quietly(X, y, beta, time_limit=5.0).network
    start = time.perf_counter()
    found = cvxnn.certify(network, X, y, beta, time_limit=25.0)
    return X, y, found, time.perf_counter() - start


PROBLEMS = {
    "rank 2, n = 1000": _random(1000, 2, 0.01),
    "rank 2, n = 100 000": _random(100_000, 2, 0.01),
    "rank 3, n = 100": _random(100, 3, 0.05),
    "rank 3, n = 1000": _random(1000, 3, 0.05),
    "rank 3, n = 1000, logistic": _random(1000, 3, 0.05, loss="logistic"),
    "rank 4, n = 300": _random(300, 4, 0.05),
    "rank 5, n = 200": _random(200, 5, 0.1),
    "rank 6, n = 100": _random(100, 6, 0.3),
    "rank 12, n = 12": _random(12, 12, 0.05),
    "gates, n = 1000": _random(1000, 5, 0.05, model="gated"),
    "diabetes, rank 11, relaxation": _relaxed,
}


if __name__ == "__main__":
    main()
