"""L-BFGS on the weights, from a random start."""

import torch
from benchmark_utils.descent import Descent
from benchopt import BaseSolver


class Solver(BaseSolver):
    """PyTorch's, with a strong Wolfe line search, in float64."""

    name = "L-BFGS"
    requirements = ["pip::torch"]
    sampling_strategy = "callback"
    parameters = {"width": [100], "seed": [0]}
    test_config = {"width": 10}

    def set_objective(self, X, y, beta, loss):
        self.descent = Descent(X, y, beta, loss, self.width, self.seed)
        # Here, as the first optimizer imports much of PyTorch.
        self.optimizer = torch.optim.LBFGS(
            self.descent.weights, max_iter=20, history_size=20, line_search_fn="strong_wolfe",
            tolerance_grad=1e-9, tolerance_change=0.0,
        )  # fmt: skip

    def run(self, callback):
        def closure():
            self.optimizer.zero_grad()
            objective = self.descent.objective()
            objective.backward()
            return objective

        while callback():
            self.optimizer.step(closure)

    def get_result(self):
        return self.descent.result()
