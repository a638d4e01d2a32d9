"""The convex program on the patterns of random directions."""

from benchmark_utils.convex import ConvexSolver

import cvxnn

MOST_DIRECTIONS = 1000


class Solver(ConvexSolver):
    """``method="sampled"`` with ever more directions: benchopt's iterations are tens of them."""

    name = "cvxnn sampled"
    sampling_strategy = "iteration"

    def get_next(self, previous):
        return 2 * previous if previous else 1

    def run(self, n_iter):
        directions = min(10 * max(n_iter, 1), MOST_DIRECTIONS)
        self.solve(method=cvxnn.Sampled(directions))
