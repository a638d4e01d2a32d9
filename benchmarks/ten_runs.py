"""Ten runs of gradient descent beside the certified optimum; draws the figure of README.

The data of section 4.3 of the seed paper: 50 points of the plane, a ring, and a column of ones.
Each run is of all rows at once with momentum, on 20 neurons, from random weights of its own, on the
objective that `cvxnn.solve` certifies; needs PyTorch.

    OMP_NUM_THREADS=1 python benchmarks/record.py ten_runs.py
    python benchmarks/ten_runs.py --figure docs/figures/ten_runs.svg

The second command draws what the first has kept, and runs nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from harness import print_table
from records import Record

import cvxnn
from cvxnn.baselines import local_search

BETA, WIDTH, RUNS, STEPS = 1.0, 20, 10, 20_000
# Recorded steps, closer at the beginning, where more happens.
SHOWN = np.unique(np.geomspace(20, STEPS, 60).round().astype(int))
# Seen on white and on dark pages.
GREY, RUN, OPTIMUM = "#808080", "#e08214", "#2c8fd1"


def measure() -> None:
    X, y = cvxnn.load_ring()
    solution = cvxnn.solve(X, y, BETA)
    found = local_search(
        X, y, BETA, width=WIDTH, optimizer="sgd", iterations=STEPS, n_trials=RUNS,
        n_records=STEPS + 1,
    )  # fmt: skip
    print_table(
        ["status", "optimum", "proven bound", "gap", "neurons", "s"],
        [[solution.status.name, f"{solution.objective:.6f}", f"{solution.dual_bound:.6f}",
          f"{solution.gap:.1e}", solution.n_neurons, f"{solution.elapsed:.2f}"]],
    )  # fmt: skip
    print_table(
        ["run", "objective", "above the bound, %"],
        ([run + 1, f"{objective:.4f}", f"{100.0 * (objective / solution.dual_bound - 1.0):.2f}"]
         for run, objective in enumerate(found.objectives)),
    )  # fmt: skip
    print_table(
        ["step", *(f"run {run + 1}" for run in range(RUNS))],
        ([step, *(f"{loss:.6g}" for loss in found.losses[:, step])] for step in SHOWN),
    )


def draw(path: Path) -> None:
    """From the record; a figure without a background, the same file for the same record."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    record = Record.load("ten_runs")
    optimum, _, course = record.tables
    bound = float(optimum.rows[0][optimum.place("proven bound")])
    steps, *runs = np.array(course.rows, dtype=float).T
    colors = {f"{part}color": GREY for part in ("text.", "axes.label", "xtick.", "ytick.")}
    with rc_context({**colors, "axes.edgecolor": GREY, "svg.hashsalt": "cvxnn"}):
        figure = Figure(figsize=(7.0, 3.2), layout="constrained")
        ax = figure.add_subplot()
        for number, run in enumerate(runs):
            label = "ten runs of gradient descent" if number == 0 else None
            ax.semilogx(steps, run, color=RUN, linewidth=1.0, label=label)
        ax.axhline(bound, color=OPTIMUM, linewidth=2.5, label="proven: no network is below")
        ax.set(
            xlabel="step",
            ylabel="objective",
            xlim=(steps[0], steps[-1]),
            ylim=(0.95 * bound, 1.5 * bound),
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        about = {"Date": record.date, "Description": f"benchmarks/ten_runs.py, {record.commit}"}
        figure.savefig(path, transparent=True, metadata=about)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figure", type=Path, help="only draw the record, into this file")
    path = parser.parse_args().figure
    measure() if path is None else draw(path)


if __name__ == "__main__":
    main()
