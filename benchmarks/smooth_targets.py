"""`global` against local search on smooth targets in three to six dimensions.

The data are normal, the last column of X is ones, and ``y = sin(2 x_1) + (x_2)_+ +
0.3 noise`` (generator 3). The other side is what most people would run: L-BFGS on
objective (2) with a fixed width, the best of several random starts that share our
time. beta is a fraction of beta_max, the smallest one whose optimum is zero.
Objectives are recomputed here from the weights; the bound comes from branch and
bound at the residual of our network, outside the clock, and holds for both sides.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from harness import (
    FloatArray,
    balance,
    count_neurons,
    exact_gap,
    median_time,
    network_objective,
    print_table,
    smooth_target,
    warm_up_global,
)
from scipy.optimize import minimize

import cvxnn
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.oracle.choice import Effort, oracle_for

# d with the ones, n, gap to reach.
CASES = ((3, 1000, 1e-6), (3, 5000, 1e-6), (4, 2000, 1e-6), (5, 2000, 1e-6), (6, 1000, 1e-4))
FRACTIONS = (0.1, 0.02)


def largest_beta(X: FloatArray, y: FloatArray) -> float:
    """beta_max to three digits: the oracle at y."""
    # The half spaces of two directions are a floor below which no precision is needed.
    floor = max(float(np.linalg.norm(np.maximum(s * X, 0.0).T @ y)) for s in (1.0, -1.0))
    oracle = oracle_for(Layer(X), Effort())
    return oracle.price(y[:, None], 0.1 * floor, tol=1e-4, deadline=Deadline(120.0)).bound


def descend(
    X: FloatArray, y: FloatArray, beta: float, width: int, seconds: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    """L-BFGS from one balanced random start, until it converges or the time is over."""
    rng = np.random.default_rng(seed)
    d = X.shape[1]
    hidden = rng.standard_normal((width, d)) / np.sqrt(d)
    output = rng.choice([-1.0, 1.0], width) * np.linalg.norm(hidden, axis=1)
    start = np.concatenate([hidden.ravel(), output]) / width**0.25

    def value(weights: FloatArray) -> tuple[float, FloatArray]:
        hidden, output = weights[: width * d].reshape(width, d), weights[width * d :]
        active = np.maximum(X @ hidden.T, 0.0)
        residual = active @ output - y
        inner = (active > 0.0) * np.outer(residual, output)
        gradient = np.concatenate([(inner.T @ X).ravel(), active.T @ residual])
        objective = 0.5 * residual @ residual + 0.5 * beta * weights @ weights
        return objective, gradient + beta * weights

    end = time.perf_counter() + seconds

    def stop(_: FloatArray) -> None:
        if time.perf_counter() > end:
            raise StopIteration

    options = {"maxiter": 10**6, "maxfun": 10**7, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-9}
    weights = minimize(value, start, jac=True, method="L-BFGS-B", callback=stop, options=options).x
    return weights[: width * d].reshape(width, d), weights[width * d :]


def local_search(
    X: FloatArray, y: FloatArray, beta: float, width: int, starts: int, seconds: float
) -> tuple[float, int]:
    """Best objective of the starts, and its neurons."""
    found = []
    for seed in range(starts):
        hidden, output = balance(*descend(X, y, beta, width, seconds / starts, seed))
        found.append((network_objective(X, y, beta, hidden, output), count_neurons(hidden, output)))
    return min(found)


def compare(
    d: int, n: int, tol: float, fraction: float, arguments: argparse.Namespace
) -> list[object]:
    X, y = smooth_target(n, d, np.random.default_rng(3))
    beta = fraction * largest_beta(X, y)
    seconds, ours = median_time(
        lambda: cvxnn.solve(X, y, beta, tol=tol, time_limit=arguments.time_limit),
        arguments.repeats,
        budget=20.0,
    )
    objective = network_objective(
        X, y, beta, ours.network.hidden_weights, ours.network.output_weights
    )
    bound, gap = exact_gap(X, y, beta, ours.network, tol)
    start = time.perf_counter()
    theirs, neurons = local_search(
        X, y, beta, arguments.width, arguments.starts, arguments.times_as_long * seconds
    )
    their_seconds = time.perf_counter() - start
    return [
        d,
        n,
        f"{fraction:g}",
        ours.status.name,
        f"{objective:.9g}",
        f"{bound:.9g}",
        f"{gap:.1e}",
        f"{ours.gap:.1e}",
        ours.n_neurons,
        f"{seconds:.2f}",
        f"{theirs:.9g}",
        f"{(theirs - bound) / theirs:.1e}",
        neurons,
        f"{their_seconds:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, nargs="*", help="numbers of the cases, from 0")
    parser.add_argument("--width", type=int, default=50, help="neurons of the local search")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--times-as-long", type=float, default=1.0, help="for the local search")
    parser.add_argument("--repeats", type=int, default=3, help="fewer for runs of many seconds")
    parser.add_argument("--time-limit", type=float, help="seconds for each of our runs")
    arguments = parser.parse_args()
    chosen = range(len(CASES)) if arguments.cases is None else arguments.cases
    warm_up_global()
    rows = (compare(*CASES[i], fraction, arguments) for i in chosen for fraction in FRACTIONS)
    print_table(
        ["d", "n", "beta / beta_max", "status", "our objective", "bound", "our gap",
         "claimed gap", "neurons",
         "our s", "L-BFGS objective", "L-BFGS gap", "neurons", "L-BFGS s"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
