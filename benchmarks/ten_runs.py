"""Ten runs of gradient descent beside the certified optimum; the figure of README is of its record.

The data of section 4.3 of the seed paper: 50 points of the plane, a ring, and a column of ones.
Each run is of all rows at once with momentum, on 20 neurons, from random weights of its own, on the
objective that `cvxnn.solve` certifies; needs PyTorch.

    OMP_NUM_THREADS=1 python benchmarks/record.py ten_runs.py
    python benchmarks/draw_figures.py ten_runs
"""

from __future__ import annotations

import numpy as np
from harness import print_table

import cvxnn
from cvxnn.baselines import local_search

BETA, WIDTH, RUNS, STEPS = 1.0, 20, 10, 20_000
# Recorded steps, closer at the beginning, where more happens.
SHOWN = np.unique(np.geomspace(20, STEPS, 60).round().astype(int))


def main() -> None:
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


if __name__ == "__main__":
    main()
