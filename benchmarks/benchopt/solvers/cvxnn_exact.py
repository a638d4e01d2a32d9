"""The convex program on all activation patterns."""

import numpy as np
from benchmark_utils.convex import ConvexSolver

import cvxnn

MOST_PATTERNS = 50_000


class Solver(ConvexSolver):
    """``method="exact"`` to falling tolerances; for few patterns."""

    name = "cvxnn exact"
    sampling_strategy = "tolerance"

    def skip(self, X, y, beta, loss):
        bound = cvxnn.count_patterns_bound(len(X), np.linalg.matrix_rank(X))
        return bound > MOST_PATTERNS, f"up to {bound:.2g} patterns"

    def run(self, tolerance):
        self.solve(method="exact", tol=min(max(tolerance, 1e-10), 1e-1))
