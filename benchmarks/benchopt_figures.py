"""What benchopt measured (`benchopt/`): a table of all its points, and the figure of the docs.

    benchopt run benchmarks/benchopt --no-plot --output results/all.parquet
    python benchmarks/record.py benchopt_figures.py results/all.parquet
    python benchmarks/benchopt_figures.py --draw docs/figures/benchopt.svg

The first reads one or several files of results and prints them, so that `record.py` keeps them
with the day and the commit; `--draw` takes that record. Needs pandas with pyarrow, and Matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import harness
from records import Record, Table

COLUMNS = ["data", "solver", "s", "objective (2)", "bound", "gap", "neurons"]
# Above the best objective of a set of data; what lies below is drawn on the axis.
LEAST = 1e-9


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


def curves(table: Table, data: str) -> dict[str, list[tuple[float, float, float]]]:
    """For each solver seconds, objective and bound of its points on a set of data."""
    names = ("data", "solver", "s", "objective (2)", "bound")
    data_at, solver_at, *numbers = (table.place(name) for name in names)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in table.rows:
        if row[data_at] == data:
            seconds, objective, bound = (float(row[place]) for place in numbers)
            found.setdefault(row[solver_at], []).append((seconds, objective, bound))
    return found


def draw(table: Table, path: Path) -> None:
    """Objective above the best one, relatively, and the best bound below it, against seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sets = list(dict.fromkeys(row[table.place("data")] for row in table.rows))
    width = max(4.2 * len(sets), 6.5)
    figure, axes = pyplot.subplots(1, len(sets), figsize=(width, 3.9), squeeze=False)
    solvers = sorted({row[table.place("solver")] for row in table.rows})
    colors = {solver: f"C{number}" for number, solver in enumerate(solvers)}
    for ax, data in zip(axes[0], sets, strict=True):
        of_data = curves(table, data)
        best = min(value for points in of_data.values() for _, value, _ in points)
        bound = max(bound for points in of_data.values() for _, _, bound in points)
        for solver, found in of_data.items():
            seconds = [max(second, 1e-3) for second, _, _ in found]
            above = [max(value / best - 1.0, LEAST) for _, value, _ in found]
            ax.loglog(
                seconds,
                above,
                marker="o",
                ms=4,
                label=solver.partition("[")[0],
                color=colors[solver],
            )
        gap = 1.0 - bound / best
        ax.axhline(max(gap, LEAST), color="gray", ls=":", lw=1)
        ax.set_title(f"{data}: the best is proven within {max(gap, LEAST):.0e}")
        ax.set_xlabel("seconds")
    axes[0, 0].set_ylabel("objective above the best, relatively")
    handles = {
        label: line
        for ax in axes[0]
        for line, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, frameon=False)
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=110, facecolor="white")
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="*", type=Path, help="files that benchopt wrote")
    parser.add_argument("--draw", type=Path, metavar="FIGURE", help="from the record")
    given = parser.parse_args()
    if given.results:
        harness.print_table(COLUMNS, points(given.results))
    if given.draw:
        draw(Record.load("benchopt_figures").tables[0], given.draw)


if __name__ == "__main__":
    main()
