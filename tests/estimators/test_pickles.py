"""Estimators come out of a pickle as they went in, also out of those of earlier releases."""

import io
import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from estimators.cases import ESTIMATORS, each_estimator, fitted
from variants import with_long

from cvxnn import Status, TwoLayerNetwork, Verdict

STORED = Path(__file__).parents[1] / "data" / "stored_models"
RELEASES = sorted(path.parent.name for path in STORED.glob("*/values.json"))


def by_pickle(protocol):
    return lambda model: pickle.loads(pickle.dumps(model, protocol=protocol))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    **{f"protocol {number}": by_pickle(number) for number in range(2, pickle.HIGHEST_PROTOCOL + 1)},
    "joblib": by_joblib,
}


def assert_same(copy, model):
    assert type(copy) is type(model)
    # Gates are arrays.
    assert repr(copy.get_params()) == repr(model.get_params())
    assert vars(copy).keys() == vars(model).keys()
    for name, value in vars(model).items():
        copied = getattr(copy, name)
        assert np.array_equal(copied, value) or repr(copied) == repr(value), name
    assert copy.status_ is model.status_


@each_estimator
def test_a_copy_is_the_model(name):
    model, data = fitted(name)
    for copied in COPIES.values():
        copy = copied(model)
        assert_same(copy, model)
        assert np.array_equal(copy.predict(data), model.predict(data))
        if hasattr(model, "predict_proba"):
            assert np.array_equal(copy.predict_proba(data), model.predict_proba(data))


@with_long("copied", COPIES.values(), ids=COPIES, always=2)
def test_a_copy_can_be_fitted_again(copied):
    model, data = fitted("ReLU, numbers")
    assert copied(model).fit(data, ESTIMATORS["ReLU, numbers"][2]).network_ == model.network_


def test_a_pickled_status_does_not_depend_on_its_sentence():
    for member in (*Status, *Verdict):
        content = pickle.dumps(member, protocol=4)
        assert pickle.loads(content) is member and member.value.encode() not in content


# ---------------------------------------------------------------------- files of earlier releases


def stored_numbers(release):
    return json.loads((STORED / release / "values.json").read_text(encoding="utf-8"))


def test_there_are_stored_models():
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["regressor", "classifier", "regressor_cv", "signals"])
def test_a_stored_estimator_predicts_as_it_did(release, name):
    model = joblib.load(STORED / release / f"{name}.joblib")
    numbers = stored_numbers(release)
    values = getattr(model, "decision_function", model.predict)(numbers["X"])
    assert values == pytest.approx(np.array(numbers[name]), rel=1e-12, abs=1e-12)
    assert model.status_ is Status.OPTIMAL and model.dual_gap_ <= model.tol
    if name == "classifier":
        assert model.predict(numbers["X"]).tolist() == numbers["labels"]


@pytest.mark.parametrize("release", RELEASES)
def test_a_stored_network_has_the_values_it_had(release):
    network = TwoLayerNetwork.load(STORED / release / "network.npz")
    numbers = stored_numbers(release)
    values = network.forward(np.column_stack([numbers["X"], np.ones(len(numbers["X"]))]))
    assert values == pytest.approx(np.array(numbers["network"]), rel=1e-12, abs=1e-12)
