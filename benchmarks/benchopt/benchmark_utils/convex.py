"""What the solvers of this library share."""

import warnings

from benchopt import BaseSolver
from sklearn.exceptions import ConvergenceWarning

import cvxnn


class ConvexSolver(BaseSolver):
    """Runs ``cvxnn.solve``; the clock of benchopt sees the proof, too."""

    requirements = ["pip::cvxnn"]
    references = [
        "M. Pilanci and T. Ergen, Neural Networks are Convex Regularizers: Exact "
        "Polynomial-time Convex Optimization Formulations for Two-layer Networks, ICML 2020."
    ]

    def set_objective(self, X, y, beta, loss):
        self.X, self.y, self.beta, self.loss = X, y, beta, loss

    def warm_up(self):
        """Compiles the kernels on the data."""
        self.solve(time_limit=10.0)

    def solve(self, **options):
        with warnings.catch_warnings():
            # What a run fell short of is in the gap.
            warnings.simplefilter("ignore", ConvergenceWarning)
            solution = cvxnn.solve(self.X, self.y, self.beta, loss=self.loss, **options)
        self.network = solution.network

    def get_result(self):
        return {
            "hidden": self.network.hidden_weights,
            "output": self.network.output_weights,
        }
