"""Memory of a program with 500 patterns at n = 20 000, d = 20: held, and evaluated."""

from __future__ import annotations

import resource
import sys

import numpy as np
from harness import print_table

import cvxnn

N, D, PATTERNS = 20_000, 20, 500


def peak_mib() -> float:
    """Largest resident size of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def main() -> None:
    rng = np.random.default_rng(0)
    before = peak_mib()
    X, y = rng.standard_normal((N, D)), rng.standard_normal(N)
    patterns = cvxnn.sample_patterns(X, PATTERNS, 0)
    program = cvxnn.ConvexProgram(X, y, 1.0, patterns)
    held = (X.nbytes + patterns.packed.nbytes + patterns.directions.nbytes) / 2**20
    Z = rng.standard_normal((program.n_blocks, D))
    program.objective(Z)
    program.correlations(y)
    program.cone_violation(Z)
    dense = program.n_blocks * N * D * 8 / 2**30
    print_table(
        ["what", "MiB"],
        [
            [f"data and {len(patterns)} patterns", f"{held:.1f}"],
            ["process before", f"{before:.0f}"],
            ["peak after objective, adjoint and cones of all blocks", f"{peak_mib():.0f}"],
            ["the stacked matrices D(S) X would take", f"{dense * 1024:.0f}"],
        ],
    )


if __name__ == "__main__":
    main()
