"""Time to enumerate all patterns, and to prove that no cell is missing."""

from __future__ import annotations

import argparse

import numpy as np
from harness import median_time, print_table, warm_up

import cvxnn
from cvxnn.oracle import CellOracle

SIZES = ((50, 3), (200, 3), (500, 3), (60, 4), (100, 4), (24, 5), (30, 6))


def measure(n: int, rank: int, repeats: int) -> list[object]:
    X = np.random.default_rng(0).standard_normal((n, rank))
    seconds, patterns = median_time(lambda: cvxnn.enumerate_patterns(X), repeats)
    proof, oracle = median_time(lambda: CellOracle(X, patterns), 1)
    expected = cvxnn.count_patterns_bound(n, rank)
    return [
        n,
        rank,
        len(patterns),
        "yes" if len(patterns) == expected else f"NO, {expected}",
        f"{seconds:.3f}",
        f"{len(patterns) / seconds / 1e3:.0f}",
        f"{proof:.3f}",
        f"{oracle.cover.max():.0e}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    warm_up()
    rows = [measure(n, rank, arguments.repeats) for n, rank in SIZES]
    print_table(
        ["n", "rank", "cells", "equals (4)", "enumeration s", "thousand cells / s",
         "proof s", "uncovered"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
