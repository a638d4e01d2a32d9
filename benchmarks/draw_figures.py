"""Draws the figures of README and docs that are of records, and runs nothing.

    python benchmarks/draw_figures.py [NAME ...]

A figure has no background and colours that are seen on white and on dark pages; it says of which
run it is, and the same record gives the same file. Needs Matplotlib.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from records import ROOT, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = ROOT / "docs" / "figures"
GREY, RUN, OPTIMUM = "#808080", "#e08214", "#2c8fd1"
# Okabe and Ito without black and yellow, and greys between.
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#999999")


def ten_runs(ax: Axes, record: Record) -> None:
    """The objective of each run against steps, and the proven bound."""
    optimum, _, course = record.tables
    bound = float(optimum.rows[0][optimum.place("proven bound")])
    steps, *runs = np.array(course.rows, dtype=float).T
    for number, run in enumerate(runs):
        label = "ten runs of gradient descent" if number == 0 else None
        ax.semilogx(steps, run, color=RUN, linewidth=1.0, label=label)
    ax.axhline(bound, color=OPTIMUM, linewidth=2.5, label="proven: no network is below")
    ax.set(
        xlabel="step", ylabel="objective", xlim=(100, steps[-1]), ylim=(0.985 * bound, 1.2 * bound)
    )
    ax.legend(frameon=False)


def depth(ax: Axes, record: Record) -> None:
    """The optimum of three layers over that of two against beta, a line for each target."""
    table = record.tables[0]
    places = [table.place(name) for name in ("share of beta", "ratio")]
    for target, color in zip(dict.fromkeys(row[0] for row in table.rows), COLORS, strict=False):
        points = [[float(row[i]) for i in places] for row in table.beginning(target)]
        ax.semilogx(*np.transpose(points), "o-", color=color, label=target)
    ax.set(
        xlabel="beta in shares of the largest", ylabel="optimum, three layers over two",
        ylim=(0.5, 1.02),
    )  # fmt: skip
    ax.legend(frameon=False)


def gap_beta(ax: Axes, record: Record) -> None:
    """The proven gap of ten tables against beta."""
    table = record.tables[0]
    shares = [float(share) for share in table.columns[2:]]
    for number, (name, size, *cells) in enumerate(table.rows):
        gaps = np.maximum(np.array(cells, dtype=float), 1e-7)
        style = {"color": COLORS[number % len(COLORS)], "marker": "osD^v<>Pp*"[number % 10]}
        ax.loglog(shares, gaps, label=f"{name} {size}", **style)
    ax.set(xlabel="beta over the largest", ylabel="proven gap")
    ax.legend(frameon=False, fontsize="small", bbox_to_anchor=(1.0, 1.0), loc="upper left")


def gap_time(ax: Axes, record: Record) -> None:
    """The proven gap of some problems against seconds of proof; crosses are one eigenvalue."""
    overview, course = record.tables
    for name, color in zip((row[0] for row in overview.rows), COLORS, strict=False):
        seconds, gaps = np.array([row[1:] for row in course.rows if row[0] == name], dtype=float).T
        ax.loglog(seconds, np.maximum(gaps, 1e-7), color=color, label=name)
        spectral = float(overview.row(name)[overview.place("spectral")])
        ax.plot(seconds[0], spectral, "x", color=color)
    ax.set(xlabel="seconds of proof", ylabel="proven gap")
    ax.legend(frameon=False, fontsize="small", bbox_to_anchor=(1.0, 1.0), loc="upper left")


def draws(ax: Axes, record: Record) -> None:
    """The distance of networks of m draws to the fit of the relaxation against m."""
    counts, found = np.array(record.tables[4].rows, dtype=float).T
    ax.loglog(counts, found, "o-", color=OPTIMUM, label="networks of m draws")
    root = found[0] * np.sqrt(counts[0] / counts)
    ax.loglog(counts, root, "--", color=GREY, label="1 / sqrt(m)")
    ax.set(xlabel="draws m", ylabel="distance to the fit of the relaxation")
    ax.legend(frameon=False)


def benchopt(axes: Sequence[Axes], record: Record) -> None:
    """Objectives above the best one against seconds, a panel for each set of data."""
    *panels, last = axes
    table = record.tables[0]
    names = ("s", "objective (2)", "bound")
    places = [table.place(name) for name in names]
    solvers = sorted({row[table.place("solver")] for row in table.rows})
    styles = {
        solver: {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.2}
        for solver, color, marker in zip(solvers, COLORS, "osD^v<>", strict=False)
    }
    data = dict.fromkeys(row[table.place("data")] for row in table.rows)
    for ax, name in zip(panels, data, strict=True):
        points = {
            solver: np.array([[row[i] for i in places] for row in rows], dtype=float).T
            for solver in solvers
            if (rows := [row for row in table.rows if row[:2] == [name, solver]])
        }
        best = min(values.min() for _, values, _ in points.values())
        bound = max(bounds.max() for *_, bounds in points.values())
        for solver, (seconds, values, _) in points.items():
            above = np.maximum(values / best - 1.0, 1e-9)
            ax.loglog(np.maximum(seconds, 1e-3), above, **styles[solver])
        ax.axhline(max(1.0 - bound / best, 1e-9), color=GREY, linestyle=":")
        ax.set_title(name.partition("[")[0], fontsize="medium")
    for place in (0, 3):
        axes[place].set_ylabel("above the best")
    for place in (2, 3, 4):
        axes[place].set_xlabel("seconds")
    last.axis("off")
    for solver in solvers:
        last.plot([], [], label=solver.partition("[")[0], **styles[solver])
    last.plot([], [], color=GREY, linestyle=":", label="proven gap of the best")
    last.legend(frameon=False, loc="center", fontsize="small")


@dataclass(frozen=True)
class Drawing:
    """How a figure is made of a record, and how many tables that must have.

    Of several panels, in a grid of `shape`, `draw_on` gets all, row by row.
    """

    record: str
    tables: int
    draw_on: Callable[[Any, Record], None]
    shape: tuple[int, int] = (1, 1)

    @property
    def is_there(self) -> bool:
        """Whether the script has run, and prints what is drawn."""
        return self.record in Record.names() and len(Record.load(self.record).tables) >= self.tables


# By the name of the file.
FIGURES = {
    "ten_runs": Drawing("ten_runs", 3, ten_runs),
    "depth": Drawing("depth", 1, depth),
    "draws": Drawing("quantised", 5, draws),
    "gap_beta": Drawing("bounds_beta", 1, gap_beta),
    "gap_time": Drawing("bounds", 2, gap_time),
    "benchopt": Drawing("benchopt_figures", 1, benchopt, (2, 3)),
}


def source(record: Record) -> str:
    """Of which run a figure is."""
    return f"benchmarks/{record.command}, commit {record.commit}"


def draw(name: str) -> None:
    """One figure, into the folder of the docs."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    record = Record.load(FIGURES[name].record)
    colors = {f"{part}color": GREY for part in ("text.", "axes.label", "axes.edge", "xtick.")}
    with rc_context({**colors, "ytick.color": GREY, "svg.hashsalt": "cvxnn"}):
        rows, columns = FIGURES[name].shape
        figure = Figure(figsize=(7.0, 2.5 * rows if rows > 1 else 3.2), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        FIGURES[name].draw_on(axes if len(axes) > 1 else axes[0], record)
        for ax in axes:
            ax.spines[["top", "right"]].set_visible(False)
        about = {"Date": record.date, "Description": source(record)}
        figure.savefig(FOLDER / f"{name}.svg", transparent=True, metadata=about)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="by default all that have a record")
    there = [name for name, drawing in FIGURES.items() if drawing.is_there]
    for name in parser.parse_args().names or there:
        draw(name)


if __name__ == "__main__":
    main()
