"""Objective (2) of the seed paper for two-layer ReLU networks of any width."""

from benchmark_utils.tables import balanced, value
from benchopt import BaseObjective

import cvxnn


class Objective(BaseObjective):
    """``sum_i loss(f(x_i), y_i) + beta/2 sum_j (||u_j||^2 + a_j^2)``, f(x) = sum_j (x'u_j)_+ a_j.

    Value, bound and gap are computed here in float64 from the weights that a solver returns, for
    all solvers in the same way. The bound is one that no network of any width is below:
    ``cvxnn.certify`` proves it at the network that was returned, so that a better dual point of a
    solver does not show.
    """

    name = "Two-layer ReLU network"
    requirements = ["numpy", "pip::cvxnn"]
    min_benchopt_version = "1.7"
    sampling_strategy = "callback"
    # beta, as a share of the smallest one at which the best network is 0.
    parameters = {"share": [0.1], "proof_time": [1.0]}
    test_config = {"proof_time": 0.1}

    def set_data(self, X, y, loss):
        self.X, self.y, self.loss = X, y, loss
        self.beta = self.share * cvxnn.largest_beta(X, y, loss=loss)

    def evaluate_result(self, hidden, output):
        hidden, output = balanced(hidden, output)
        objective = value(self.X, self.y, self.beta, self.loss, hidden, output)
        bound = cvxnn.certify(
            (hidden, output), self.X, self.y, self.beta, loss=self.loss,
            time_limit=10.0, proof_time=self.proof_time,
        ).dual_bound  # fmt: skip
        return {
            "value": objective,
            "bound": bound,
            "gap": (objective - bound) / objective,
            "neurons": len(output),
        }

    def get_one_result(self):
        start = cvxnn.solve(
            self.X, self.y, self.beta, loss=self.loss, method="sampled", time_limit=1.0
        )
        return {
            "hidden": start.network.hidden_weights,
            "output": start.network.output_weights,
        }

    def get_objective(self):
        return {"X": self.X, "y": self.y, "beta": self.beta, "loss": self.loss}
