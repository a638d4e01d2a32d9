"""Rows whose targets come from three neurons."""

import numpy as np


def planted(n=120, d=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.maximum(X @ rng.standard_normal((d, 3)), 0.0) @ [1.0, -1.0, 0.5]


def planted_outputs(n=120, d=8, c=3, seed=0, *, loss="squared"):
    """Targets of shape (n, c) that share three neurons; for softmax the class of the largest."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = np.maximum(X @ rng.standard_normal((d, 3)), 0.0) @ rng.standard_normal((3, c))
    if loss != "softmax":
        return X, Y
    # Classes of about one size.
    return X, np.eye(c)[((Y - np.median(Y, axis=0)) / Y.std(axis=0)).argmax(axis=1)]
