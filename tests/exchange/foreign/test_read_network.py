"""Reading networks of other libraries: the same function, and sentences for what is no network."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

import cvxnn
from cvxnn.errors import InputError
from cvxnn.exchange.foreign import read_network
from cvxnn.networks import TwoLayerNetwork

X = np.random.default_rng(0).standard_normal((12, 2))
BIASES = [(True, True), (True, False), (False, True), (False, False)]


def function(read: Any, data: Any) -> np.ndarray:
    return read.network.forward(read.data(data))


# ------------------------------------------------------------------ torch, and a stand-in for it


class Layer:
    """The part of torch.nn.Module that is looked at."""

    def __init__(self) -> None:
        self._forward_hooks: dict[int, object] = {}
        self._forward_pre_hooks: dict[int, object] = {}

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return self.forward(rows)


class Linear(Layer):
    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        super().__init__()
        rng = np.random.default_rng(n_in + 10 * n_out)
        self.weight = rng.standard_normal((n_out, n_in))
        self.bias = rng.standard_normal(n_out) if bias else None

    def forward(self, rows: np.ndarray) -> np.ndarray:
        return rows @ self.weight.T + (0.0 if self.bias is None else self.bias)


class ReLU(Layer):
    def forward(self, rows: np.ndarray) -> np.ndarray:
        return np.maximum(rows, 0.0)


class Tanh(Layer):
    def forward(self, rows: np.ndarray) -> np.ndarray:
        return np.tanh(rows)


class Sequential(Layer):
    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = layers

    def __iter__(self) -> Any:
        return iter(self.layers)

    def forward(self, rows: np.ndarray) -> np.ndarray:
        for layer in self.layers:
            rows = layer(rows)
        return rows


@pytest.fixture(params=["torch", "stand-in"])
def nn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """torch.nn; no test needs it, so that a stand-in takes the same tests."""
    if request.param == "torch":
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        return torch.nn
    module = SimpleNamespace(Sequential=Sequential, Linear=Linear, ReLU=ReLU, Tanh=Tanh)
    monkeypatch.setitem(sys.modules, "torch.nn", module)
    return module


def evaluate(nn: Any, model: Any, rows: np.ndarray) -> np.ndarray:
    if isinstance(nn, SimpleNamespace):
        return model(rows)[:, 0]
    import torch

    with torch.no_grad():
        return model.double()(torch.from_numpy(rows)).numpy()[:, 0]


@pytest.mark.parametrize(("hidden_bias", "output_bias"), BIASES)
def test_torch_networks_are_the_same_function(nn: Any, hidden_bias: bool, output_bias: bool):
    model = nn.Sequential(
        nn.Linear(2, 7, bias=hidden_bias), nn.ReLU(), nn.Linear(7, 1, bias=output_bias)
    )
    read = read_network(model)
    assert np.abs(function(read, X) - evaluate(nn, model, X)).max() <= 1e-12
    assert read.has_ones == (hidden_bias or output_bias)
    assert read.has_hidden_biases == hidden_bias
    assert read.n_features == 2
    assert read.network.n_neurons == 7 + output_bias
    assert (read.output_bias != 0.0) == output_bias


def test_notes_say_what_is_penalised_and_how_much(nn: Any):
    read = read_network(nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)))
    plain = read.network.hidden_weights.copy()
    plain[:, -1] = 0.0
    output = read.network.output_weights.copy()
    output[-1] = 0.0
    shares = 0.5 * (read.network.hidden_weights[:-1, -1] ** 2).sum(), abs(read.output_bias)
    total = read.network.penalty() - TwoLayerNetwork(plain, output).penalty()
    assert sum(shares) == pytest.approx(total)
    notes = read.notes(read.data(X), 3.0)
    assert len(notes) == 3
    assert "column of ones was appended" in notes[0]
    assert f"({3.0 * shares[0]:.6g} of it)" in notes[1]
    assert f"({3.0 * shares[1]:.6g} of it)" in notes[2]


def test_an_output_bias_alone_gives_the_rivals_hidden_biases(nn: Any):
    read = read_network(nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU(), nn.Linear(5, 1)))
    assert "has no biases; the lower bound holds" in read.notes(read.data(X), 1.0)[-1]


def test_no_biases_no_notes(nn: Any):
    model = nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU(), nn.Linear(5, 1, bias=False))
    read = read_network(model)
    assert read.notes(read.data(X), 1.0) == ()
    assert np.array_equal(read.data(X), X)


def test_a_second_column_of_ones_is_noted(nn: Any):
    read = read_network(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)))
    data = np.insert(X, 1, 1.0, axis=1)
    assert "Column 1 of X is constant already" in read.notes(read.data(data), 1.0)[1]


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (lambda nn: (nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), "Sequential(Linear, Tanh, Lin"),
        (lambda nn: (nn.Linear(2, 1),), "got a Sequential(Linear);"),
        (lambda nn: (nn.ReLU(), nn.Linear(2, 3), nn.Linear(3, 1)), "Sequential(ReLU, Linear"),
        (lambda nn: (nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), "must have one output, got 2"),
    ],
)
def test_other_torch_networks_are_refused(nn: Any, layers: Callable[..., Any], sentence: str):
    with pytest.raises(InputError) as error:
        read_network(nn.Sequential(*layers(nn)))
    assert sentence in str(error.value)


@pytest.mark.parametrize("method", ["forward", "__call__"])
def test_a_layer_that_computes_something_else_is_refused(nn: Any, method: str):
    def doubled(self: Any, rows: Any) -> Any:
        return 2.0 * getattr(nn.Linear, method)(self, rows)

    Doubled = type("Doubled", (nn.Linear,), {method: doubled})
    with pytest.raises(InputError, match=r"got a Sequential\(.*\); .* as a pair"):
        read_network(nn.Sequential(Doubled(2, 3), nn.ReLU(), nn.Linear(3, 1)))


def test_a_subclass_of_sequential_is_refused(nn: Any):
    class Doubled(nn.Sequential):
        def forward(self, rows: Any) -> Any:
            return 2.0 * super().forward(rows)

    with pytest.raises(InputError, match=r"got a Doubled\(.*\); .* as a pair") as error:
        read_network(Doubled(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    assert "\n" not in str(error.value)


def test_weights_that_are_nan_are_named(nn: Any):
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    if isinstance(nn, SimpleNamespace):
        model.layers[0].bias[1] = np.nan
    else:
        model[0].bias.data[1] = np.nan
    with pytest.raises(InputError, match=r"network\[0\].bias must be finite, got 1 NaN"):
        read_network(model)


@pytest.mark.parametrize("place", [None, 0, 1, 2])
@pytest.mark.parametrize("change", ["_forward_hooks", "_forward_pre_hooks", "forward"])
def test_hooks_and_patched_modules_are_refused(nn: Any, change: str, place: int | None):
    layers = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    model = nn.Sequential(*layers)
    module = model if place is None else layers[place]
    if change == "forward":
        module.forward = lambda rows: 2.0 * type(module).forward(module, rows)
    else:
        getattr(module, change)[0] = print
    with pytest.raises(InputError, match=r"has hooks or a forward of its own.* as a pair"):
        read_network(model)


# ------------------------------------------------------------------ torch only


def test_torch_weights_of_every_kind_are_read_in_float64():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    exact = function(read_network(model), X)
    with torch.no_grad():
        single = model(torch.from_numpy(X).float()).numpy()[:, 0]
    assert np.abs(exact - single).max() <= 1e-5
    rounded = read_network(model.bfloat16()).network
    assert np.abs(function(read_network(model), X) - exact).max() <= 0.1
    assert rounded.hidden_weights.dtype == np.float64


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_pair_of_parameters_is_read(dtype: str):
    torch = pytest.importorskip("torch")
    kind = {"bias": False, "dtype": getattr(torch, dtype)}
    first, last = torch.nn.Linear(2, 3, **kind), torch.nn.Linear(3, 1, **kind)
    network = read_network((first.weight, last.weight)).network
    assert np.array_equal(network.hidden_weights, first.weight.detach().double().numpy())
    assert np.array_equal(network.output_weights, last.weight[0].detach().double().numpy())


def test_data_that_are_tensors_are_read():
    torch = pytest.importorskip("torch")
    read = read_network(([[1.0, -1.0]], [2.0]))
    assert np.array_equal(read.data(torch.from_numpy(X).requires_grad_()), X)
    assert np.abs(read.data(torch.from_numpy(X).bfloat16()) - X).max() <= 0.02
    with pytest.raises(InputError, match=r"X must be dense, .* X.to_dense\(\)"):
        read.data(torch.from_numpy(X).to_sparse())
    with pytest.raises(InputError, match="X must be real"):
        read.data(torch.from_numpy(X).cfloat())


def test_torch_networks_without_values_are_refused():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = nn.Linear(2, 3, device="meta"), nn.LazyLinear(3)
    for layer in layers:
        with pytest.raises(InputError, match=r"network\[0\].weight has no values yet"):
            read_network(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 1)))


def test_parametrized_weights_are_the_ones_in_use():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3, dtype=torch.float64))
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 1, dtype=torch.float64))
    assert np.abs(function(read_network(model), X) - evaluate(nn, model, X)).max() <= 1e-12


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_weights_that_a_hook_computes_are_refused():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layer = nn.utils.weight_norm(nn.Linear(2, 3))
    with pytest.raises(InputError, match="has hooks"):
        read_network(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 1)))


def test_torch_is_not_imported():
    program = (
        "import sys, cvxnn.exchange.foreign as f; f.read_network(([[1.0]], [1.0]));"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    path = str(Path(cvxnn.__file__).parents[1])
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": path})


# ------------------------------------------------------------------ scikit-learn


def fitted(data: Any = X, **options: Any) -> MLPRegressor:
    settings = {"hidden_layer_sizes": (6,), "solver": "lbfgs", "max_iter": 5, "random_state": 0}
    with warnings.catch_warnings():
        # Five iterations are enough to have weights.
        warnings.simplefilter("ignore")
        return MLPRegressor(**(settings | options)).fit(data, np.abs(X[:, 0]) + 0.1)


def test_a_regressor_is_the_same_function():
    model = fitted(alpha=0.25)
    read = read_network(model)
    assert np.abs(function(read, X) - model.predict(X)).max() <= 1e-12
    assert read.network.n_neurons == 7
    notes = read.notes(read.data(X), 0.25)
    assert "alpha = 0.25" in notes[-1]
    assert "spares its biases" in notes[-1]


def test_objective_is_n_times_that_of_scikit_learn_and_its_biases():
    model = fitted(alpha=0.25)
    read, y = read_network(model), np.ones(len(X))
    ones = read.data(X)
    squares = sum(float((weights**2).sum()) for weights in model.coefs_)
    own = 0.5 * ((model.predict(X) - y) ** 2).sum() + 0.125 * squares
    biases = 0.5 * (model.intercepts_[0] ** 2).sum() + abs(model.intercepts_[1][0])
    assert read.network.objective(ones, y, 0.25) == pytest.approx(own + 0.25 * biases, rel=1e-12)


def test_columns_of_a_data_frame_must_be_in_the_order_of_training():
    class Frame:
        """What scikit-learn and this library use of a data frame."""

        def __init__(self, columns: list[str]) -> None:
            self.columns = columns

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return X

    model = fitted()
    model.feature_names_in_ = np.array(["a", "b"], dtype=object)
    read = read_network(model)
    assert read.data(Frame(["a", "b"])).shape == (12, 3)
    with pytest.raises(InputError, match="X has the columns b, a, and the network was fitted on a"):
        read.data(Frame(["b", "a"]))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (MLPRegressor(), "not fitted"),
        (fitted(hidden_layer_sizes=(3, 3)), "must have one hidden layer, .* got 2"),
        (fitted(activation="tanh"), "must have activation='relu', got 'tanh'"),
        (LinearRegression(), "got a LinearRegression"),
    ],
    ids=str,
)
def test_other_models_of_scikit_learn_are_refused(model: Any, sentence: str):
    with pytest.raises(InputError, match=sentence):
        read_network(model)


def test_a_subclass_of_a_regressor_is_refused():
    class Rounded(MLPRegressor):
        def predict(self, X: Any) -> Any:
            return np.rint(super().predict(X))

    model = fitted()
    model.__class__ = Rounded
    with pytest.raises(InputError, match=r"The network is a Rounded, .* MLPRegressor .* as a pair"):
        read_network(model)


def test_another_loss_or_several_outputs_are_refused():
    model = fitted()
    model.coefs_[1] = np.ones((6, 2))
    model.intercepts_[1] = np.ones(2)
    with pytest.raises(InputError, match="must have one output, got 2"):
        read_network(model)
    model.out_activation_, model.loss = "exp", "poisson"
    with pytest.raises(InputError, match="got 'poisson', whose output goes through 'exp'"):
        read_network(model)


# ------------------------------------------------------------------ pairs and errors


def test_a_network_and_a_pair_are_taken_as_they_are():
    network = TwoLayerNetwork([[1.0, 2.0]], [3.0])
    assert read_network(network).network is network
    for pair in (([[1.0, 2.0]], [3.0]), [np.array([[1, 2]]), np.array([3])]):
        assert read_network(pair).network == network
    assert read_network(network).notes(X, 1.0) == ()


@pytest.mark.parametrize("m", [0, 1, 3])
@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1)])
def test_output_weights_of_a_pair_may_be_a_row_or_a_column(m: int, shape: tuple[int, ...]):
    output = np.arange(float(m))
    shaped = output.reshape(shape if m else tuple(max(size, 0) for size in shape))
    network = read_network((np.ones((m, 2)), shaped)).network
    assert np.array_equal(network.output_weights, output)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (None, "network must be a TwoLayerNetwork, a pair .* got a NoneType"),
        (np.eye(2), "got a ndarray"),
        ((1.0, 2.0, 3.0), "got a sequence of 3"),
        (([[1.0]], [1.0, 2.0]), r"output_weights must be of shape \(1,\)"),
        (([[1.0]] * 2, np.ones((2, 2))), "output_weights must be 1-D"),
        (([[np.nan]], [1.0]), "hidden_weights must be finite"),
        (SimpleNamespace(network=TwoLayerNetwork([[1.0]], [1.0])), "pass its attribute network"),
    ],
    ids=str,
)
def test_what_is_no_network_is_refused(network: Any, sentence: str):
    with pytest.raises(InputError, match=sentence) as error:
        read_network(network)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        (([[1.0] * 3], [1.0]), X, "reads 3 features, X has 2: append a column of ones"),
        (([[1.0]], [1.0]), X, "reads 1 feature, X has 2."),
        (fitted(), np.insert(X, 2, 1.0, axis=1), "leave the column of ones out"),
        (fitted(), np.insert(X, 2, 2.0, axis=1), "reads 2 features, X has 3."),
        (fitted(), [[1.0, np.nan]], "X must be finite"),
    ],
    ids=range(5),
)
def test_data_that_do_not_fit_are_refused(model: Any, data: Any, sentence: str):
    with pytest.raises(InputError, match=sentence):
        read_network(model).data(data)
