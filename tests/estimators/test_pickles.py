"""Estimators come out of a pickle as they went in, also out of those of earlier releases."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from cvxnn import (
    Conv,
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    Sampled,
    Status,
    TwoLayerNetwork,
    Verdict,
)

STORED = Path(__file__).parents[1] / "data" / "stored_models"
RELEASES = sorted(path.parent.name for path in STORED.glob("*/values.json"))

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 2))
Y = np.abs(X[:, 0]) - 0.5 * X[:, 1]
THREE = np.array(["a", "b", "c"])[np.digitize(Y, np.quantile(Y, [1 / 3, 2 / 3]))]

MODELS: dict[str, tuple[BaseEstimator, np.ndarray]] = {
    "regressor": (ConvexReLURegressor(beta=0.1, loss="huber"), Y),
    "two classes": (ConvexReLUClassifier(beta=0.1), THREE == "a"),
    "three classes": (ConvexReLUClassifier(beta=0.1), THREE),
    "regressor CV": (ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2), Y),
    "classifier CV": (ConvexReLUClassifierCV(betas=[1.0, 0.1], cv=2), THREE),
    "signals": (ConvexReLUClassifier(beta=0.1, model=Conv(2), method=Sampled(20)), THREE),
    "circular": (ConvexReLURegressor(beta=0.1, model="circular_conv"), Y),
}


def by_pickle(protocol: int) -> Callable[[Any], Any]:
    return lambda model: pickle.loads(pickle.dumps(model, protocol=protocol))


def by_joblib(model: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    **{f"protocol {number}": by_pickle(number) for number in range(2, pickle.HIGHEST_PROTOCOL + 1)},
    "joblib": by_joblib,
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    estimator, target = MODELS[request.param]
    return estimator.fit(X, target)


def assert_same(copy: Any, model: Any) -> None:
    assert type(copy) is type(model)
    assert copy.get_params() == model.get_params()
    assert vars(copy).keys() == vars(model).keys()
    for name, value in vars(model).items():
        assert np.array_equal(getattr(copy, name), value), name
    assert copy.status_ is model.status_


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_is_the_model(model: Any, copied: Callable[[Any], Any]):
    copy = copied(model)
    assert_same(copy, model)
    assert np.array_equal(copy.predict(X), model.predict(X))
    if hasattr(model, "predict_proba"):
        assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_can_be_fitted_again(copied: Callable[[Any], Any]):
    model = ConvexReLURegressor(beta=0.1).fit(X, Y)
    again = copied(model).fit(X, Y)
    assert again.network_ == model.network_


@pytest.mark.parametrize("member", [*Status, *Verdict])
def test_a_pickled_status_does_not_depend_on_its_sentence(member: Status | Verdict):
    content = pickle.dumps(member, protocol=4)
    assert pickle.loads(content) is member
    assert member.value.encode() not in content


# ---------------------------------------------------------------------- files of earlier releases


def stored_numbers(release: str) -> dict[str, Any]:
    return json.loads((STORED / release / "values.json").read_text(encoding="utf-8"))


def test_there_are_stored_models():
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["regressor", "classifier", "regressor_cv"])
def test_a_stored_estimator_predicts_as_it_did(release: str, name: str):
    model = joblib.load(STORED / release / f"{name}.joblib")
    numbers = stored_numbers(release)
    values = getattr(model, "decision_function", model.predict)(numbers["X"])
    assert values == pytest.approx(np.array(numbers[name]), rel=1e-12, abs=1e-12)
    assert model.status_ is Status.OPTIMAL
    assert model.dual_gap_ <= model.tol


@pytest.mark.parametrize("release", RELEASES)
def test_a_stored_classifier_has_its_labels(release: str):
    model = joblib.load(STORED / release / "classifier.joblib")
    numbers = stored_numbers(release)
    assert model.predict(numbers["X"]).tolist() == numbers["labels"]


@pytest.mark.parametrize("release", RELEASES)
def test_a_stored_network_has_the_values_it_had(release: str):
    network = TwoLayerNetwork.load(STORED / release / "network.npz")
    numbers = stored_numbers(release)
    values = network.forward(np.column_stack([numbers["X"], np.ones(len(numbers["X"]))]))
    assert values == pytest.approx(np.array(numbers["network"]), rel=1e-12, abs=1e-12)
