"""Friedman's first simulated regression."""

from benchmark_utils.tables import standardised
from benchopt import BaseDataset
from sklearn.datasets import make_friedman1


class Dataset(BaseDataset):
    """Five of ten features count; noise of deviation 1, targets of mean 0 and deviation 1."""

    name = "Friedman1"
    parameters = {"n_samples": [500]}
    requirements = ["scikit-learn"]
    test_config = {"n_samples": 30}

    def get_data(self):
        X, y = make_friedman1(self.n_samples, n_features=10, noise=1.0, random_state=0)
        return {"X": standardised(X), "y": (y - y.mean()) / y.std(), "loss": "squared"}
