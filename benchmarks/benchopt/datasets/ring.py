"""The data of section 4.3 of the seed paper."""

from benchopt import BaseDataset

import cvxnn


class Dataset(BaseDataset):
    """50 points of the plane with a column of ones; +1 on a ring, -1 inside and outside."""

    name = "Ring"

    def get_data(self):
        X, y = cvxnn.load_ring()
        return {"X": X, "y": y, "loss": "squared"}
