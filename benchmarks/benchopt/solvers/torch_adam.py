"""Adam on the weights, from a random start."""

import torch
from benchmark_utils.descent import Descent
from benchopt import BaseSolver


class Solver(BaseSolver):
    """All rows in every step, in float64."""

    name = "Adam"
    requirements = ["pip::torch"]
    sampling_strategy = "callback"
    parameters = {"rate": [1e-2], "width": [100], "seed": [0]}
    test_config = {"width": 10}

    def set_objective(self, X, y, beta, loss):
        self.descent = Descent(X, y, beta, loss, self.width, self.seed)
        # Here, as the first optimizer imports much of PyTorch.
        self.optimizer = torch.optim.Adam(self.descent.weights, lr=self.rate)

    def run(self, callback):
        while callback():
            for _ in range(200):
                self.optimizer.zero_grad()
                self.descent.objective().backward()
                self.optimizer.step()

    def get_result(self):
        return self.descent.result()
