"""Targets of a planted network, with noise."""

import numpy as np
from benchmark_utils.tables import standardised
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """Normal X; y is a network of `n_neurons` neurons and noise of a tenth of its deviation."""

    name = "Simulated"
    parameters = {"n_samples, n_features": [(200, 5)], "n_neurons": [5]}
    test_config = {"n_samples": 20, "n_features": 2}

    def get_data(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_samples, self.n_features))
        hidden = rng.standard_normal((self.n_features, self.n_neurons))
        signal = np.maximum(X @ hidden, 0.0) @ rng.standard_normal(self.n_neurons)
        y = signal + 0.1 * signal.std() * rng.standard_normal(self.n_samples)
        return {"X": standardised(X), "y": y - y.mean(), "loss": "squared"}
