"""Fitted estimators as PyTorch modules and ONNX models: the same decision values."""

import json

import numpy as np
import pytest
from estimators.cases import ESTIMATORS, each_estimator, fitted
from exchange.outputs import by_onnx, by_torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from cvxnn import Conv


@each_estimator
@pytest.mark.parametrize("run", [by_torch, by_onnx])
def test_exports_give_the_same_values(run, name):
    model, data = fitted(name)
    expected = getattr(model, "decision_function", model.predict)(data).reshape(len(data), -1)
    for dtype, tol in (("float64", 1e-12), ("float32", 1e-4)):
        # Images have their channels first there.
        values = run(model, data[:, None] if isinstance(model.model, Conv) else data, dtype)
        assert values.dtype == dtype and values.shape == expected.shape
        assert values == pytest.approx(expected, rel=tol, abs=tol)


def test_layers_of_three_classes_are_blocks():
    torch = pytest.importorskip("torch")
    model, _ = fitted("one for each class")
    hidden, _, output = model.to_torch()
    assert tuple(hidden.weight.shape) == (model.n_neurons_, 2)
    assert tuple(output.weight.shape) == (3, model.n_neurons_)
    owner = np.repeat(np.arange(3), [network.n_neurons for network in model.networks_])
    others = torch.from_numpy(owner[np.newaxis] != np.arange(3)[:, np.newaxis])
    assert (output.weight[others] == 0.0).all() and (output.weight[~others] != 0.0).all()


def test_an_option_set_after_the_fit_changes_nothing():
    estimator, X, y = ESTIMATORS["ReLU, numbers"]
    model = clone(estimator).fit(X, y).set_params(hidden_bias=False, model="circular_conv")
    assert np.array_equal(model.predict(X), fitted("ReLU, numbers")[0].predict(X))
    pytest.importorskip("torch")
    assert model.to_torch()[0].in_features == 2 and model.to_torch()[0].bias is not None


def test_onnx_knows_columns_and_classes():
    pytest.importorskip("onnx")
    estimator, X, species = ESTIMATORS["two classes"]
    model = clone(estimator).fit(X, np.where(species, "high", "low"))
    # As after a fit on a table of pandas, which the tests do without.
    model.feature_names_in_ = np.array(["width", "height"], dtype=object)
    metadata = {prop.key: json.loads(prop.value) for prop in model.to_onnx().metadata_props}
    assert metadata == {"feature_names": ["width", "height"], "classes": ["high", "low"]}


def test_onnx_of_a_regressor_on_an_array_has_no_metadata():
    pytest.importorskip("onnx")
    assert not fitted("ReLU, numbers")[0].to_onnx().metadata_props


@pytest.mark.parametrize("method", ["to_torch", "to_onnx"])
def test_a_model_must_be_fitted(method):
    for estimator, _, _ in ESTIMATORS.values():
        with pytest.raises(NotFittedError):
            getattr(clone(estimator), method)()
