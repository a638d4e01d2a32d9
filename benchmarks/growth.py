"""How `global` grows with the number of rows, for one and for two features.

The ring is the data of section 4.3 of the seed paper for any n, beta = n / 1000.
With one feature, y is a sine with a jump and noise, and beta a fraction of the
smallest one whose optimum is zero. Clarabel solves the full program (5) where it
can hold it; its clock covers the solve only. Objective, bound and gap are
recomputed here from the networks, with our exact oracles at the residual; the
solver knows better dual points at times, hence the gap it claims beside.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from harness import (
    FloatArray,
    exact_gap,
    median_time,
    network_objective,
    print_table,
    ring,
    warm_up,
    warm_up_global,
)
from reference import solve_with_clarabel

import cvxnn
from cvxnn.oracle.rank_two import RankTwoOracle

RING_SIZES = (50, 200, 1_000, 10_000, 100_000)
LINE_SIZES = (200, 10_000, 100_000, 1_000_000)
FRACTIONS = (1e-2, 1e-4)

# Rows up to which Clarabel gets the full program, by the number of columns of X.
CLARABEL_ROWS = {2: 200, 3: 50}


@dataclass(frozen=True)
class Case:
    """A problem and the gap to reach."""

    name: str
    X: FloatArray
    y: FloatArray
    beta: float
    tol: float


def ring_case(n: int) -> Case:
    X, y = ring(n)
    return Case("ring", X, y, n / 1000, 1e-4 if n >= 100_000 else 1e-6)


def line_case(n: int, fraction: float) -> Case:
    rng = np.random.default_rng(3)
    x = rng.uniform(-2.0, 2.0, n)
    y = np.sin(4.0 * x) + 0.5 * np.sign(x) + 0.3 * rng.standard_normal(n)
    X = np.column_stack([x, np.ones(n)])
    beta = fraction * RankTwoOracle(X).price(y[:, None]).bound
    return Case(f"1-D, {fraction:.0e} beta_max", X, y, beta, 1e-6)


def clarabel_columns(case: Case, seconds: float) -> list[object]:
    """Objective, gap, seconds and ratio of the other side, or why there is none."""
    n, d = case.X.shape
    if n > CLARABEL_ROWS[d]:
        cells = cvxnn.count_patterns_bound(n, d)
        return [f"- ({cells:.1e} patterns x {n} rows)", "-", "-", "-"]
    program = cvxnn.ConvexProgram(case.X, case.y, case.beta, cvxnn.enumerate_patterns(case.X))
    theirs = solve_with_clarabel(program, tol=1e-8)
    network = program.recover(theirs.Z)
    objective = network_objective(
        case.X, case.y, case.beta, network.hidden_weights, network.output_weights
    )
    _, gap = exact_gap(case.X, case.y, case.beta, network, case.tol)
    ratio = theirs.seconds / seconds
    return [f"{objective:.9g}", f"{gap:.1e}", f"{theirs.seconds:.3f}", f"{ratio:.1f}"]


def compare(case: Case, repeats: int, time_limit: float | None) -> list[object]:
    seconds, ours = median_time(
        lambda: cvxnn.solve(case.X, case.y, case.beta, tol=case.tol, time_limit=time_limit),
        repeats,
        budget=20.0,
    )
    hidden, output = ours.network.hidden_weights, ours.network.output_weights
    bound, gap = exact_gap(case.X, case.y, case.beta, ours.network, case.tol)
    return [
        case.name,
        len(case.X),
        f"{case.beta:.4g}",
        ours.status.name,
        f"{network_objective(case.X, case.y, case.beta, hidden, output):.9g}",
        f"{bound:.9g}",
        f"{gap:.1e}",
        f"{ours.gap:.1e}",
        ours.n_neurons,
        ours.n_iter,
        f"{seconds:.3f}",
        *clarabel_columns(case, seconds),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ring", type=int, nargs="*", default=RING_SIZES, help="rows of the ring")
    parser.add_argument("--line", type=int, nargs="*", default=LINE_SIZES, help="rows in 1-D")
    parser.add_argument("--without-largest", action="store_true", help="neither 1e5 nor 1e6 rows")
    parser.add_argument("--repeats", type=int, default=3, help="fewer for runs of many seconds")
    parser.add_argument("--time-limit", type=float, help="seconds for each of our runs")
    arguments = parser.parse_args()
    ring_sizes, line_sizes = list(arguments.ring), list(arguments.line)
    if arguments.without_largest:
        ring_sizes = [n for n in ring_sizes if n < 100_000]
        line_sizes = [n for n in line_sizes if n < 1_000_000]
    warm_up()
    warm_up_global()
    makers = [lambda n=n: ring_case(n) for n in ring_sizes]
    makers += [lambda n=n, f=f: line_case(n, f) for n in line_sizes for f in FRACTIONS]
    # One problem in memory at a time.
    rows = (compare(make(), arguments.repeats, arguments.time_limit) for make in makers)
    print_table(
        ["data", "n", "beta", "status", "our objective", "bound", "gap", "claimed gap",
         "neurons", "rounds", "our s", "Clarabel objective", "Clarabel gap", "Clarabel s", "ratio"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
