"""Fitted estimators as PyTorch modules and ONNX models: the same decision values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from cvxnn import (
    Conv,
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    ReLU,
    Sampled,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 2))
Y = np.abs(X[:, 0]) - 0.5 * X[:, 1] + 1.0
TWO = np.where(np.mean(Y) < Y, "high", "low")
THREE = np.digitize(Y, np.quantile(Y, [1 / 3, 2 / 3]))

IMAGES = RNG.standard_normal((30, 4, 3))
CNN: dict[str, Any] = {"model": Conv(2), "method": Sampled(20)}
MODELS: dict[str, tuple[BaseEstimator, np.ndarray]] = {
    "regressor": (ConvexReLURegressor(beta=0.1), Y),
    "regressor without intercept": (ConvexReLURegressor(beta=0.1, hidden_bias=False), Y),
    "regressor without neurons": (ConvexReLURegressor(beta=1e6), Y),
    "two classes": (ConvexReLUClassifier(beta=0.1), TWO),
    "three classes": (ConvexReLUClassifier(beta=0.1), THREE),
    "three classes, no intercept": (ConvexReLUClassifier(beta=0.1, hidden_bias=False), THREE),
    "three classes, no neurons": (ConvexReLUClassifier(beta=1e6), THREE),
    "regressor CV": (ConvexReLURegressorCV(betas=[1.0, 0.1], cv=2), Y),
    "three classes CV": (ConvexReLUClassifierCV(betas=[1.0, 0.1], cv=2), THREE),
    "gated": (ConvexReLURegressor(beta=0.1, model="gated"), Y),
    "skip": (ConvexReLURegressor(beta=0.1, model=ReLU(0.1, "penalised")), Y),
    "circular, three classes": (ConvexReLUClassifier(beta=0.1, model="circular_conv"), THREE),
    "patches": (ConvexReLURegressor(beta=0.1, model="linear_conv"), Y),
    "images": (ConvexReLURegressor(beta=1.0, **CNN).set_params(model__pooling="average"), Y),
    "images of three classes": (
        ConvexReLUClassifier(beta=2.0, **CNN).set_params(model__slope=0.1),
        THREE,
    ),
    "images without filters": (ConvexReLURegressor(beta=1e6, hidden_bias=False, **CNN), Y),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    estimator, target = MODELS[request.param]
    has_patches = "images" in request.param or request.param == "patches"
    return estimator.fit(IMAGES if has_patches else X, target)


def by_torch(model: Any, inputs: np.ndarray) -> np.ndarray:
    torch = pytest.importorskip("torch")
    module = model.to_torch(dtype=getattr(torch, str(inputs.dtype)))
    with torch.no_grad():
        return module(torch.from_numpy(inputs)).numpy()


def by_onnx(model: Any, inputs: np.ndarray) -> np.ndarray:
    reference = pytest.importorskip("onnx.reference")
    exported = model.to_onnx(dtype=str(inputs.dtype))
    (values,) = reference.ReferenceEvaluator(exported).run(None, {"X": inputs})
    return values


@pytest.mark.parametrize("run", [by_torch, by_onnx])
@pytest.mark.parametrize(("dtype", "tol"), [("float64", 1e-12), ("float32", 1e-4)])
def test_exports_give_the_same_values(model: Any, run: Any, dtype: str, tol: float):
    data = X if len(model.sample_shape_) == 1 else IMAGES
    # Images have their channels first there.
    inputs = IMAGES[:, None] if isinstance(model.get_params()["model"], Conv) else data
    expected = getattr(model, "decision_function", model.predict)(data).reshape(len(X), -1)
    values = run(model, inputs.astype(dtype))
    assert values.dtype == dtype
    assert values.shape == expected.shape
    assert values == pytest.approx(expected, rel=tol, abs=tol)


def test_layers_of_three_classes_are_blocks():
    torch = pytest.importorskip("torch")
    model = ConvexReLUClassifier(beta=0.1).fit(X, THREE)
    hidden, _, output = model.to_torch()
    assert tuple(hidden.weight.shape) == (model.n_neurons_, 2)
    assert tuple(output.weight.shape) == (3, model.n_neurons_)
    owner = np.repeat(np.arange(3), [network.n_neurons for network in model.networks_])
    others = torch.from_numpy(owner[np.newaxis] != np.arange(3)[:, np.newaxis])
    assert (output.weight[others] == 0.0).all()
    assert (output.weight[~others] != 0.0).all()


def test_the_largest_output_is_the_class():
    torch = pytest.importorskip("torch")
    model = ConvexReLUClassifier(beta=0.1).fit(X, THREE)
    best = model.to_torch()(torch.from_numpy(X)).argmax(dim=1).numpy()
    assert np.array_equal(model.classes_[best], model.predict(X))


def test_an_option_set_after_the_fit_changes_nothing():
    pytest.importorskip("torch")
    model = ConvexReLURegressor(beta=0.1).fit(X, Y).set_params(hidden_bias=False)
    assert model.to_torch()[0].in_features == 2
    assert model.to_torch()[0].bias is not None


def test_onnx_knows_columns_and_classes():
    pytest.importorskip("onnx")
    model = ConvexReLUClassifier(beta=0.1).fit(X, TWO)
    # As after a fit on a table of pandas, which the tests do without.
    model.feature_names_in_ = np.array(["width", "height"], dtype=object)
    metadata = {prop.key: json.loads(prop.value) for prop in model.to_onnx().metadata_props}
    assert metadata == {"feature_names": ["width", "height"], "classes": ["high", "low"]}


def test_onnx_of_a_regressor_on_an_array_has_no_metadata():
    pytest.importorskip("onnx")
    assert not ConvexReLURegressor(beta=0.1).fit(X, Y).to_onnx().metadata_props


@pytest.mark.parametrize("method", ["to_torch", "to_onnx"])
@pytest.mark.parametrize(
    "kind",
    [ConvexReLURegressor, ConvexReLUClassifier, ConvexReLURegressorCV, ConvexReLUClassifierCV],
)
def test_a_model_must_be_fitted(kind: Any, method: str):
    with pytest.raises(NotFittedError):
        getattr(kind(), method)()
