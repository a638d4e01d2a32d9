"""Few rows of every kind at any rank: how many are proven, and in what time.

n = 10 and 20 rows with 4 to 15 columns - random, with ones, repeated, on a grid of integers,
one-hot beside ones, of low rank and noise, of signs, labels by the radius, and with a network
planted - at 0.03, 0.1 and 0.3 of the largest beta. The other side is Clarabel on the full program
(5), where its blocks have few enough entries to be held and solved in seconds; its clock covers the
solve only, ours everything. A problem is closed when the proven gap is at most `--tol`; objectives
are recomputed here, and a bound above the objective of either side is reported as a violation.

    OMP_NUM_THREADS=1 python benchmarks/small_problems.py --out small_problems.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from harness import FloatArray, network_objective, print_table, warm_up_global
from reference import solve_with_clarabel

import cvxnn

SHARES = (0.03, 0.1, 0.3)
COLUMNS = (4, 6, 8, 10, 12, 15)
ROWS = (10, 20)
# Entries of the blocks up to which Clarabel gets the full program.
MOST_ENTRIES = 60_000
# What rounding may lift a bound by, relative.
ROUNDING = 1e-7

Generator = np.random.Generator


def gaussian(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.standard_normal((n, d))


def with_ones(rng: Generator, n: int, d: int) -> FloatArray:
    return np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])


def repeated(rng: Generator, n: int, d: int) -> FloatArray:
    rows = rng.standard_normal((n // 2, d))[rng.integers(0, n // 2, n)]
    return np.asarray(rows * rng.choice([-1.0, 1.0, 2.0], (n, 1)))


def grid(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.integers(-2, 3, (n, d)).astype(float)


def one_hot(rng: Generator, n: int, d: int) -> FloatArray:
    categories = np.eye(d - 2)[rng.integers(0, d - 2, n)]
    return np.column_stack([categories, rng.standard_normal(n), np.ones(n)])


def low_rank(rng: Generator, n: int, d: int) -> FloatArray:
    factors = rng.standard_normal((n, 2)) @ rng.standard_normal((2, d))
    return np.asarray(factors + 0.1 * rng.standard_normal((n, d)))


def signs(rng: Generator, n: int, d: int) -> FloatArray:
    return rng.choice([-1.0, 1.0], (n, d))


def noise(rng: Generator, X: FloatArray) -> FloatArray:
    return rng.standard_normal(len(X))


def by_radius(rng: Generator, X: FloatArray) -> FloatArray:
    return np.where(np.linalg.norm(X[:, :-1], axis=1) <= np.sqrt(X.shape[1] - 1.0), 1.0, -1.0)


def planted(rng: Generator, X: FloatArray) -> FloatArray:
    hidden = rng.standard_normal((X.shape[1], 2))
    clean = np.maximum(X @ hidden, 0.0) @ np.array([1.0, -1.0])
    return np.asarray(clean + 0.1 * rng.standard_normal(len(X)))


Rows = Callable[[Generator, int, int], FloatArray]
Targets = Callable[[Generator, FloatArray], FloatArray]
FAMILIES: dict[str, tuple[Rows, Targets]] = {
    "gaussian": (gaussian, noise),
    "with ones": (with_ones, noise),
    "repeated": (repeated, noise),
    "grid": (grid, noise),
    "one-hot": (one_hot, noise),
    "low rank": (low_rank, noise),
    "signs": (signs, noise),
    "radius": (with_ones, by_radius),
    "planted": (with_ones, planted),
}


@dataclass(frozen=True)
class Outcome:
    """One problem: what ours has proven, and what Clarabel has reached where it was asked."""

    family: str
    n: int
    d: int
    rank: int
    share: float
    objective: float
    gap: float
    seconds: float
    status: str
    clarabel: float | None
    clarabel_seconds: float | None
    violated: bool

    def cells(self) -> list[object]:
        theirs = ["-", "-"]
        if self.clarabel is not None:
            theirs = [f"{self.clarabel:.9g}", f"{self.clarabel_seconds:.2f}"]
        return [
            self.family, self.n, self.d, self.rank, self.share, f"{self.objective:.9g}",
            f"{self.gap:.1e}", f"{self.seconds:.2f}", self.status, *theirs,
            "yes" if self.violated else "no",
        ]  # fmt: skip


def reference(X: FloatArray, y: FloatArray, beta: float) -> tuple[float, float] | None:
    """Objective and seconds of Clarabel on the full program; None where that is too large."""
    entries = cvxnn.count_patterns_bound(len(X), int(np.linalg.matrix_rank(X))) * X.size
    if entries > MOST_ENTRIES:
        return None
    program = cvxnn.ConvexProgram(X, y, beta, cvxnn.enumerate_patterns(X))
    found = solve_with_clarabel(program)
    network = program.recover(found.Z)
    objective = network_objective(X, y, beta, network.hidden_weights, network.output_weights)
    return objective, found.seconds


def solve(
    family: str, n: int, d: int, share: float, seed: int, tol: float, limit: float
) -> Outcome:
    rng = np.random.default_rng([seed, n, d, *family.encode()])
    rows, targets = FAMILIES[family]
    X = rows(rng, n, d)
    y = targets(rng, X)
    beta = share * cvxnn.largest_beta(X, y)
    start = time.perf_counter()
    ours = cvxnn.solve(X, y, beta, tol=tol, time_limit=limit)
    seconds = time.perf_counter() - start
    network = ours.network
    objective = network_objective(X, y, beta, network.hidden_weights, network.output_weights)
    theirs = reference(X, y, beta)
    best = objective if theirs is None else min(objective, theirs[0])
    return Outcome(
        family, n, d, int(np.linalg.matrix_rank(X)), share, objective,
        (objective - ours.dual_bound) / objective, seconds, ours.status.name,
        None if theirs is None else theirs[0], None if theirs is None else theirs[1],
        ours.dual_bound > best * (1.0 + ROUNDING),
    )  # fmt: skip


def outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    count = 0
    for family in FAMILIES:
        for n in ROWS:
            for d in COLUMNS:
                share = SHARES[count % len(SHARES)]
                count += 1 + (count % len(COLUMNS) == len(COLUMNS) - 1)
                yield solve(
                    family, n, d, share, arguments.seed, arguments.tol, arguments.limit
                )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tol", type=float, default=1e-6)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the outcomes, as JSON")
    arguments = parser.parse_args()
    warm_up_global()
    solve("gaussian", 20, 10, 0.1, 1, arguments.tol, arguments.limit)
    found: list[Outcome] = []

    def rows() -> Iterator[list[object]]:
        for outcome in outcomes(arguments):
            found.append(outcome)
            yield outcome.cells()

    print_table(
        ["rows", "n", "d", "rank", "share", "objective", "gap", "s", "status", "Clarabel",
         "Clarabel s", "bound above it"],
        rows(),
    )  # fmt: skip
    closed = [o for o in found if o.gap <= arguments.tol]
    seconds = np.array([o.seconds for o in found])
    print(
        f"{len(closed)} of {len(found)} closed to {arguments.tol:g}; seconds: median "
        f"{np.median(seconds):.2f}, 9 of 10 within {np.quantile(seconds, 0.9):.2f}, "
        f"at most {seconds.max():.2f}; {sum(o.violated for o in found)} violations"
    )
    if arguments.out is not None:
        arguments.out.write_text(json.dumps([asdict(o) for o in found], indent=1), "utf-8")


if __name__ == "__main__":
    main()
