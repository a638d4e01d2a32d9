"""The diabetes data of scikit-learn."""

from benchmark_utils.tables import standardised
from benchopt import BaseDataset
from sklearn.datasets import load_diabetes


class Dataset(BaseDataset):
    """442 rows of 10 features; targets of mean 0 and deviation 1."""

    name = "Diabetes"
    requirements = ["scikit-learn"]

    def get_data(self):
        X, y = load_diabetes(return_X_y=True)
        return {"X": standardised(X), "y": (y - y.mean()) / y.std(), "loss": "squared"}
