"""The absolute loss on one feature: `solve` against the conic program over all arcs in Clarabel.

Rows ``(x_i, 1)`` cut the circle of directions into 2n arcs. In one of them a ray is ``a e + b e'``
with ``a, b >= 0`` for the unit vectors e, e' at its ends, and its activations are those of the two:
the program has two numbers and a cone of three entries for each arc and sign.
Objectives of both sides, our bound and seconds, of one run; Clarabel's clock has its solve only.

    OMP_NUM_THREADS=1 python benchmarks/absolute_line.py --n 200 1000 --out absolute_line.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
from harness import FloatArray, print_table

import cvxnn

BETA = 1.0


def draw(n: int) -> tuple[FloatArray, FloatArray]:
    """A bent line with noise of heavy tails."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-2.0, 2.0, n))
    y = np.abs(x) - np.maximum(x - 1.0, 0.0) * 2.0 + 0.2 * rng.standard_t(2.0, n)
    return np.column_stack([x, np.ones(n)]), y


def program(X: FloatArray, y: FloatArray) -> cp.Problem:
    """The convex program over all arcs."""
    angles = np.arctan2(X[:, 1], X[:, 0]) + 0.5 * np.pi
    angles = np.sort(np.mod(np.concatenate([angles, angles + np.pi]), 2.0 * np.pi))
    ends = np.column_stack([np.cos(angles), np.sin(angles)])
    following = np.roll(ends, -1, axis=0)
    activations = np.maximum(X @ ends.T, 0.0)
    f, size, constraints = 0.0, 0.0, []
    for sign in (1.0, -1.0):
        a, b = (cp.Variable(len(ends), nonneg=True) for _ in range(2))
        rays = cp.diag(a) @ ends + cp.diag(b) @ following
        lengths = cp.Variable(len(ends))
        constraints.append(cp.SOC(lengths, rays, axis=1))
        # The ray at the far end of an arc is the first of the next one.
        f = f + sign * (activations @ a + np.roll(activations, -1, axis=1) @ b)
        size = size + cp.sum(lengths)
    return cp.Problem(cp.Minimize(cp.norm1(f - y) + BETA * size), constraints)


def compare(n: int) -> dict[str, Any]:
    X, y = draw(n)
    begin = time.perf_counter()
    solution = cvxnn.solve(X, y, BETA, loss="absolute")
    seconds = time.perf_counter() - begin
    conic = program(X, y)
    conic.solve(solver="CLARABEL")
    return {
        "n": n,
        "status": solution.status.name,
        "objective": solution.objective,
        "bound": solution.dual_bound,
        "seconds": seconds,
        "clarabel": float(conic.value),
        "clarabel_seconds": float(conic.solver_stats.solve_time),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cvxnn.solve(*draw(50), BETA, loss="absolute")  # compiles
    runs = [compare(n) for n in options.n]
    heads = [
        "n",
        "status",
        "our objective",
        "our bound",
        "Clarabel",
        "differ by",
        "s",
        "Clarabel s",
    ]
    rows = [
        [
            run["n"], run["status"], f"{run['objective']:.9g}", f"{run['bound']:.9g}",
            f"{run['clarabel']:.9g}", f"{run['objective'] / run['clarabel'] - 1.0:.1e}",
            f"{run['seconds']:.2f}", f"{run['clarabel_seconds']:.2f}",
        ]
        for run in runs
    ]  # fmt: skip
    print_table(heads, rows)
    if options.out is not None:
        options.out.write_text(json.dumps(runs))


if __name__ == "__main__":
    main()
