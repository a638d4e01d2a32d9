"""The estimators of `tables.py` by name, for regression and for classification.

Each takes a table in its own units and is what one would take it for: ours with nothing
set, the others behind a `StandardScaler`, where they need one, for features and target.
Those that are tuned, are by the same folds: five shuffled ones, from `MANY_ROWS` rows on a
single one that is held out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import FloatArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

import cvxnn

MANY_ROWS = 10_000
PLAIN, CROSS_VALIDATED = "cvxnn", "cvxnn CV"
OURS = (PLAIN, CROSS_VALIDATED)
DEFAULT_MLP, TUNED_MLP = "MLP", "MLP tuned"
# What must be installed for a method, and how.
NEEDED = {
    "LightGBM": ("lightgbm", "pip install lightgbm"),
    "pyscnn": ("scnn", "with torch there, pip install --no-deps pyscnn linalg_backends opt_einsum"),
}


def folds(n: int, regression: bool) -> Any:
    """Those that choose the parameters of the others on n rows."""
    if n < MANY_ROWS:
        return (KFold if regression else StratifiedKFold)(5, shuffle=True, random_state=0)
    single = ShuffleSplit if regression else StratifiedShuffleSplit
    return single(1, test_size=0.2, random_state=0)


def standardised(estimator: Any) -> Any:
    """With features, and a target to regress on, of mean 0 and variance 1."""
    scaled = make_pipeline(StandardScaler(), estimator)
    if isinstance(estimator, RegressorMixin):
        return TransformedTargetRegressor(scaled, transformer=StandardScaler())
    return scaled


def tuned(estimator: Any, grid: dict[str, Any], n: int) -> Any:
    """By a search that sees standardised data, as all of its grid is meant for."""
    search = GridSearchCV(estimator, grid, cv=folds(n, isinstance(estimator, RegressorMixin)))
    scaled = make_pipeline(StandardScaler(), search)
    if isinstance(estimator, RegressorMixin):
        return TransformedTargetRegressor(scaled, transformer=StandardScaler())
    return scaled


def mlp_grid() -> dict[str, Any]:
    return {
        "alpha": [1e-4, 1e-2, 1.0],
        "hidden_layer_sizes": [(50,), (200,)],
        "learning_rate_init": [1e-3, 1e-2],
    }


def support_vector_grid() -> dict[str, Any]:
    return {"C": [0.3, 1.0, 10.0, 100.0], "gamma": [0.01, 0.03, 0.1, 0.3]}


def lightgbm(regression: bool) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMRegressor if regression else LGBMClassifier)(n_jobs=1, verbose=-1, random_state=0)


class GatedNetwork(RegressorMixin, BaseEstimator):
    """Gated ReLU network of pyscnn with a column of ones; its loss is divided by 2 n."""

    def __init__(self, beta: float = 1.0, gates: int = 200) -> None:
        self.beta = beta
        self.gates = gates

    def fit(self, X: FloatArray, y: FloatArray) -> GatedNetwork:
        from scnn.metrics import Metrics
        from scnn.models import ConvexGatedReLU
        from scnn.optimize import optimize_model, sample_gate_vectors
        from scnn.regularizers import NeuronGL1
        from scnn.solvers import RFISTA

        rows = self.rows(X)
        gates = sample_gate_vectors(np.random.default_rng(0), rows.shape[1], self.gates)
        model = ConvexGatedReLU(gates)
        self.network_, _ = optimize_model(
            model, RFISTA(model, max_iters=1000, tol=1e-6), Metrics(), rows, y,
            regularizer=NeuronGL1(self.beta / len(y)), unitize_data=False,
        )  # fmt: skip
        return self

    def predict(self, X: FloatArray) -> FloatArray:
        return np.ravel(self.network_(self.rows(X))).astype(float)

    @staticmethod
    def rows(X: FloatArray) -> FloatArray:
        return np.column_stack([X, np.ones(len(X))])


# Makes an untrained estimator for a number of training rows.
Maker = Callable[[int], Any]

REGRESSORS: dict[str, Maker] = {
    PLAIN: lambda n: cvxnn.ConvexReLURegressor(),
    CROSS_VALIDATED: lambda n: cvxnn.ConvexReLURegressorCV(),
    DEFAULT_MLP: lambda n: standardised(MLPRegressor(random_state=0)),
    TUNED_MLP: lambda n: tuned(MLPRegressor(max_iter=500, random_state=0), mlp_grid(), n),
    "HistGradientBoosting": lambda n: HistGradientBoostingRegressor(random_state=0),
    "LightGBM": lambda n: lightgbm(regression=True),
    # Without a limit a large C takes minutes.
    "SVM tuned": lambda n: tuned(SVR(max_iter=200_000), support_vector_grid(), n),
    "linear CV": lambda n: tuned(Ridge(), {"alpha": np.geomspace(1e-3, 1e4, 15)}, n),
    "pyscnn": lambda n: tuned(GatedNetwork(), {"beta": np.geomspace(0.1, 100.0, 7)}, n),
}
CLASSIFIERS: dict[str, Maker] = {
    PLAIN: lambda n: cvxnn.ConvexReLUClassifier(),
    CROSS_VALIDATED: lambda n: cvxnn.ConvexReLUClassifierCV(),
    DEFAULT_MLP: lambda n: standardised(MLPClassifier(random_state=0)),
    TUNED_MLP: lambda n: tuned(MLPClassifier(max_iter=500, random_state=0), mlp_grid(), n),
    "HistGradientBoosting": lambda n: HistGradientBoostingClassifier(random_state=0),
    "LightGBM": lambda n: lightgbm(regression=False),
    "SVM tuned": lambda n: tuned(SVC(max_iter=200_000), support_vector_grid(), n),
    "linear CV": lambda n: tuned(
        LogisticRegression(max_iter=1000), {"C": np.geomspace(1e-3, 1e3, 13)}, n
    ),
}
METHODS = tuple(REGRESSORS)


def makers(regression: bool) -> dict[str, Maker]:
    return REGRESSORS if regression else CLASSIFIERS


def missing(method: str) -> str | None:
    """How to install what a method needs; None where it is there."""
    package, advice = NEEDED.get(method, ("sklearn", ""))
    return None if importlib.util.find_spec(package) else advice
