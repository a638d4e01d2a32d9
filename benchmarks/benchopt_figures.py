"""What benchopt measured (`benchopt/`): a table of all its points, which `draw_figures.py` draws.

    benchopt run benchmarks/benchopt --no-plot --output results/all.parquet
    python benchmarks/record.py benchopt_figures.py results/all.parquet
    python benchmarks/draw_figures.py benchopt

reads one or several files of results and prints them, so that `record.py` keeps them with the day
and the commit. Needs pandas with pyarrow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import harness

COLUMNS = ["data", "solver", "s", "objective (2)", "bound", "gap", "neurons"]


def points(paths: list[Path]) -> Iterator[list[object]]:
    """One row for each result, in the order of the clock."""
    import pandas as pd

    results = pd.concat([pd.read_parquet(path) for path in paths])
    results = results.sort_values(["dataset_name", "solver_name", "time"])
    for _, row in results.iterrows():
        yield [
            row["dataset_name"], row["solver_name"], f"{row['time']:.4f}",
            f"{row['objective_value']:.10g}", f"{row['objective_bound']:.10g}",
            f"{row['objective_gap']:.2e}", f"{row['objective_neurons']:.0f}",
        ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="files that benchopt wrote")
    harness.print_table(COLUMNS, points(parser.parse_args().results))


if __name__ == "__main__":
    main()
