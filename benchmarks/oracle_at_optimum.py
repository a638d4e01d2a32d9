"""The exact oracle where it is hardest: at the optimum, where every neuron ties at beta.

The network is trained first, to a gap of 1e-6, outside the clock. Then one call of
the branch and bound at the residual has to prove that no direction exceeds beta
by more than half of that, with the neurons known and without. The other side is
the oracle of method "exact", a conic projection for each of the activation
patterns, where these can be listed; its clock covers the pricing only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from harness import FloatArray, median_time, print_table, ring, smooth_target, warm_up_global

import cvxnn
from cvxnn.oracle import BranchAndBound, CellOracle

TOL = 1e-6
# Rows of the ring up to which all of its n^2 or so patterns are listed.
MOST_LISTED = 200


def measure(name: str, X: FloatArray, y: FloatArray, beta: float, repeats: int) -> list[object]:
    solution = cvxnn.solve(X, y, beta, tol=TOL)
    network = solution.network
    residual = y - network.forward(X)
    tree = BranchAndBound(X)
    cold, result = median_time(lambda: tree.price(residual[:, None], beta, tol=0.5 * TOL), repeats)
    warm, _ = median_time(
        lambda: tree.price(residual[:, None], beta, tol=0.5 * TOL, starts=network.hidden_weights),
        repeats,
    )
    cells = "-"
    if len(X) <= MOST_LISTED:
        oracle = CellOracle(X, cvxnn.enumerate_patterns(X))
        seconds, _ = median_time(lambda: oracle.price(residual[:, None], beta), repeats)
        cells = f"{seconds:.3f}"
    excess = result.bound / beta - 1.0
    return [
        name, len(X), f"{beta:g}", solution.n_neurons, f"{solution.gap:.1e}", result.finished,
        f"{excess:.1e}", result.n_nodes, f"{cold:.3f}", f"{warm:.3f}", cells,
    ]  # fmt: skip


def cases(sizes: list[int], repeats: int) -> Iterator[list[object]]:
    for n in sizes:
        X, y = ring(n)
        yield measure("ring", X, y, n / 1000, repeats)
    for d in (4, 5):
        X, y = smooth_target(2000, d, np.random.default_rng(0))
        beta = 0.02 * float(np.linalg.norm(X.T @ y))
        yield measure(f"smooth, d = {d}", X, y, beta, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ring", type=int, nargs="*", default=[200, 1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warm_up_global()
    print_table(
        ["data", "n", "beta", "neurons", "gap", "finished", "bound / beta - 1", "nodes",
         "oracle s", "with the neurons s", "all patterns s"],
        cases(arguments.ring, arguments.repeats),
    )  # fmt: skip


if __name__ == "__main__":
    main()
