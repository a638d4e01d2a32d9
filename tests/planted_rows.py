"""Rows whose targets come from three neurons."""

import numpy as np


def planted(n=120, d=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.maximum(X @ rng.standard_normal((d, 3)), 0.0) @ [1.0, -1.0, 0.5]
