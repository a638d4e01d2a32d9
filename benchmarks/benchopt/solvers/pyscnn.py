"""The convex program on the patterns of random gates, by pyscnn."""

import numpy as np
from benchopt import BaseSolver
from scnn.metrics import Metrics
from scnn.models import ConvexGatedReLU
from scnn.optimize import optimize_model
from scnn.regularizers import NeuronGL1
from scnn.solvers import ApproximateConeDecomposition


class Solver(BaseSolver):
    """Gated program, then cone decomposition; its loss is divided by 2 n, and so is beta by n."""

    name = "pyscnn"
    requirements = ["pip::pyscnn"]
    references = [
        "A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU "
        "Networks: Equivalent Model Classes and Cone Decompositions, ICML 2022."
    ]
    sampling_strategy = "iteration"
    parameters = {"gates": [200]}
    test_config = {"gates": 20}

    def set_objective(self, X, y, beta, loss):
        self.X, self.y, self.beta = X, y, beta
        self.start = np.random.default_rng(0).standard_normal((X.shape[1], self.gates))

    def skip(self, X, y, beta, loss):
        return loss != "squared", "pyscnn is run with the squared loss only"

    def warm_up(self):
        """The first run imports and compiles."""
        self.run_once()

    def get_next(self, previous):
        return 2 * previous if previous else 10

    def run(self, n_iter):
        model = ConvexGatedReLU(self.start)
        solver = ApproximateConeDecomposition(model, max_iters=max(n_iter, 1))
        self.network, _ = optimize_model(
            model, solver, Metrics(), self.X, self.y,
            regularizer=NeuronGL1(self.beta / len(self.y)), unitize_data=False, dtype="float64",
        )  # fmt: skip

    def get_result(self):
        hidden, output = self.network.parameters[:2]
        return {"hidden": np.asarray(hidden), "output": np.asarray(output)}
