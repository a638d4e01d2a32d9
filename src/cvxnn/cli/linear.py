"""What a linear model would score on the same columns: what a network is to be better than."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvxnn.array_types import Array, FloatArray
from cvxnn.cli.options import Task

# Penalties, of which leave-one-out chooses one in closed form: a moment also for many rows.
_PENALTIES = np.logspace(-2.0, 4.0, 7)


def linear_predictions(X: FloatArray, y: Array, new: FloatArray, task: Task) -> Array:
    """Those of ridge regression on standardised columns, or of its classifier.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,), or (n, c) for c targets
    new : ndarray, shape (m, d)
        The rows to predict for.
    task : Task

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> linear_predictions(X, 2.0 * X[:, 0], np.array([[4.0]]), Task.REGRESSION).round(1)
    array([8.])
    """
    kind = RidgeClassifierCV if task is Task.CLASSIFICATION else RidgeCV
    model = make_pipeline(StandardScaler(), kind(alphas=_PENALTIES))
    return np.asarray(model.fit(X, y).predict(new))
