"""Store fitted models of this release, for the test that later releases can read them.

    python tests/data/stored_models/store.py

writes the folder of the installed version beside this file, once for each release:
what is there is what users have, and is never written again.
"""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np

import cvxnn

# The oldest protocol in use: what later versions of Python and joblib must read.
PROTOCOL = 4


def store(folder: Path) -> None:
    """Fit four small estimators, and write them with what they give on new rows."""
    rng = np.random.default_rng(0)
    X, new = rng.standard_normal((30, 2)), rng.standard_normal((8, 2))
    y = np.abs(X[:, 0]) - 0.5 * X[:, 1]
    labels = np.array(["low", "middle", "high"])[np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))]
    models = {
        "regressor": cvxnn.ConvexReLURegressor(beta=0.1).fit(X, y),
        "classifier": cvxnn.ConvexReLUClassifier(beta=0.1).fit(X, labels),
        "regressor_cv": cvxnn.ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2).fit(X, y),
        "signals": cvxnn.ConvexReLURegressor(beta=0.1, model=cvxnn.Conv(2)).fit(X, y),
    }
    network = models["regressor"].network_
    numbers = {
        "X": new.tolist(),
        "regressor": models["regressor"].predict(new).tolist(),
        "classifier": models["classifier"].decision_function(new).tolist(),
        "labels": models["classifier"].predict(new).tolist(),
        "regressor_cv": models["regressor_cv"].predict(new).tolist(),
        "signals": models["signals"].predict(new).tolist(),
        "network": network.forward(np.column_stack([new, np.ones(len(new))])).tolist(),
    }
    folder.mkdir()
    for name, model in models.items():
        joblib.dump(model, folder / f"{name}.joblib", protocol=PROTOCOL)
    network.save(folder / "network.npz", metadata={"beta": 0.1})
    (folder / "values.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    store(Path(__file__).with_name(cvxnn.__version__))
