"""Neurons one after the other, until a proof shows that none is missing."""

from benchmark_utils.convex import ConvexSolver


class Solver(ConvexSolver):
    """``method="global"`` with growing limits of time: a run that is proven ends before its own.

    benchopt's iterations are steps of `step` seconds.
    """

    name = "cvxnn global"
    sampling_strategy = "iteration"
    parameters = {"step": [0.1]}

    def get_next(self, previous):
        return 2 * previous if previous else 1

    def run(self, n_iter):
        self.solve(method="global", time_limit=self.step * max(n_iter, 1))
