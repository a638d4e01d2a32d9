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

    def run(self, callback):
        optimizer = torch.optim.Adam(self.descent.weights, lr=self.rate)
        while callback():
            for _ in range(10):
                optimizer.zero_grad()
                self.descent.objective().backward()
                optimizer.step()

    def get_result(self):
        return self.descent.result()
