"""The convex program on all activation patterns, by Clarabel through cvxpy."""

import cvxpy as cp
import numpy as np
from benchopt import BaseSolver

import cvxnn

MOST_ENTRIES = 2_000_000


class Solver(BaseSolver):
    """Program (5) of the seed paper, as it is written there; the patterns are counted in."""

    name = "Clarabel"
    requirements = ["pip::cvxpy", "pip::clarabel", "pip::cvxnn"]
    sampling_strategy = "run_once"

    def skip(self, X, y, beta, loss):
        rank = np.linalg.matrix_rank(X)
        entries = 2 * cvxnn.count_patterns_bound(len(X), rank) * X.size
        return entries > MOST_ENTRIES, f"up to {entries:.2g} entries of the program"

    def set_objective(self, X, y, beta, loss):
        self.X, self.y, self.beta, self.loss = X, y, beta, loss

    def run(self, _):
        masks = cvxnn.enumerate_patterns(self.X).masks
        sides = [cp.Variable((len(masks), self.X.shape[1])) for _ in range(2)]
        products = [side @ self.X.T for side in sides]
        prediction = cp.sum(cp.multiply(masks, products[0] - products[1]), axis=0)
        constraints = [cp.multiply(2.0 * masks - 1.0, product) >= 0.0 for product in products]
        if self.loss == "squared":
            losses = 0.5 * cp.sum_squares(prediction - self.y)
        else:
            losses = cp.sum(cp.logistic(-cp.multiply(self.y, prediction)))
        norms = sum(cp.sum(cp.norm(side, axis=1)) for side in sides)
        problem = cp.Problem(cp.Minimize(losses + self.beta * norms), constraints)
        problem.solve(solver=cp.CLARABEL)
        self.blocks = [side.value for side in sides]

    def get_result(self):
        blocks = np.vstack(self.blocks)
        signs = np.repeat([1.0, -1.0], [len(side) for side in self.blocks])
        return {"hidden": blocks, "output": signs}
