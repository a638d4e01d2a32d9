"""The breast cancer data of scikit-learn."""

from benchmark_utils.tables import standardised
from benchopt import BaseDataset
from sklearn.datasets import load_breast_cancer


class Dataset(BaseDataset):
    """569 rows of 30 features; labels -1 and 1, with the logistic loss."""

    name = "Breast cancer"
    requirements = ["scikit-learn"]

    def get_data(self):
        X, y = load_breast_cancer(return_X_y=True)
        return {"X": standardised(X), "y": 2.0 * y - 1.0, "loss": "logistic"}
