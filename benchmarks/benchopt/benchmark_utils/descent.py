"""Objective (2) of a network of fixed width, as PyTorch sees it."""

import numpy as np
import torch


class Descent:
    """Weights to start from, and the objective that is differentiated.

    Start: normal hidden weights, and output weights as long as their rows.
    """

    def __init__(self, X, y, beta, loss, width, seed):
        rng = np.random.default_rng(seed)
        hidden = rng.standard_normal((width, X.shape[1])) / np.sqrt(X.shape[1])
        output = rng.choice([-1.0, 1.0], width) * np.linalg.norm(hidden, axis=1)
        self.X, self.y, self.beta, self.loss = torch.tensor(X), torch.tensor(y), beta, loss
        self.weights = [
            torch.tensor(weights / width**0.25, requires_grad=True) for weights in (hidden, output)
        ]

    def objective(self):
        hidden, output = self.weights
        prediction = (self.X @ hidden.T).relu() @ output
        if self.loss == "squared":
            losses = 0.5 * (prediction - self.y) ** 2
        else:
            losses = torch.nn.functional.softplus(-self.y * prediction)
        return losses.sum() + 0.5 * self.beta * ((hidden**2).sum() + (output**2).sum())

    def result(self):
        hidden, output = (weights.detach().numpy().copy() for weights in self.weights)
        return {"hidden": hidden, "output": output}
