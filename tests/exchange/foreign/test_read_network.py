"""Reading networks of scikit-learn and pairs: the same function, and sentences for the rest."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from perceptrons import mlp
from runs import quietly
from sentences import refused
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from cvxnn.errors import InputError
from cvxnn.exchange.foreign import read_network
from cvxnn.models.quantized import QuantizedNetwork
from cvxnn.networks import TwoLayerNetwork

X = np.random.default_rng(0).standard_normal((12, 2))


def function(read, data):
    return read.network.forward(read.data(data))


def fitted(data=X, **options):
    return quietly(mlp(**options).fit, data, np.abs(X[:, 0]) + 0.1)


def test_a_regressor_is_the_same_function():
    model = fitted(alpha=0.25)
    read = read_network(model)
    assert np.abs(function(read, X) - model.predict(X)).max() <= 1e-12
    assert read.network.n_neurons == 7
    notes = read.notes(read.data(X), 0.25)
    assert "alpha = 0.25" in notes[-1] and "spares its biases" in notes[-1]


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

        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
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
def test_other_models_of_scikit_learn_are_refused(model, sentence):
    refused(lambda: read_network(model), sentence)


def test_a_subclass_of_a_regressor_is_refused():
    class Rounded(MLPRegressor):
        def predict(self, X):
            return np.rint(super().predict(X))

    model = fitted()
    model.__class__ = Rounded
    refused(lambda: read_network(model), r"The network is a Rounded, .* MLPRegressor .* as a pair")


def test_another_loss_is_refused():
    model = fitted()
    model.out_activation_, model.loss = "exp", "poisson"
    refused(lambda: read_network(model), "got 'poisson', whose output goes through 'exp'")


# ------------------------------------------------------------------ pairs and errors


def test_a_network_and_a_pair_are_taken_as_they_are():
    network = TwoLayerNetwork([[1.0, 2.0]], [3.0])
    assert read_network(network).network is network
    for pair in (([[1.0, 2.0]], [3.0]), [np.array([[1, 2]]), np.array([3])]):
        assert read_network(pair).network == network
    assert read_network(network).notes(X, 1.0) == ()


def test_a_row_of_output_weights_is_of_one_neuron_where_there_is_one():
    assert read_network((np.ones((1, 2)), np.ones((1, 3)))).network.n_outputs == 3
    assert read_network((np.ones((3, 2)), np.ones((3, 3)))).network.n_outputs == 3
    assert read_network((np.ones((3, 2)), np.ones((1, 3)))).network.n_outputs is None


def test_several_outputs_are_the_same_function():
    model = mlp(alpha=0.25)
    quietly(model.fit, X, np.column_stack([np.abs(X), X[:, 0]]))
    read = read_network(model)
    assert np.abs(function(read, X) - model.predict(X)).max() <= 1e-12
    # The output biases are one balanced neuron on the column of ones.
    biases = model.intercepts_[1]
    hidden, output = read.network.hidden_weights[-1], read.network.output_weights[-1]
    assert hidden == pytest.approx([0.0, 0.0, np.sqrt(np.linalg.norm(biases))])
    assert hidden[-1] * output == pytest.approx(biases, rel=1e-12)
    assert np.linalg.norm(output) == pytest.approx(hidden[-1])
    model.intercepts_[1] = np.zeros(3)
    assert read_network(model).network.n_neurons == 6


@pytest.mark.parametrize("m", [0, 1, 3])
@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1)])
def test_output_weights_of_a_pair_may_be_a_row_or_a_column(m, shape):
    output = np.arange(float(m))
    shaped = output.reshape(shape if m else tuple(max(size, 0) for size in shape))
    assert np.array_equal(read_network((np.ones((m, 2)), shaped)).network.output_weights, output)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (None, "network must be a TwoLayerNetwork, a pair .* got a NoneType"),
        (np.eye(2), "got a ndarray"),
        (QuantizedNetwork([[1.0]], [[1.0]], [1.0]), "got a QuantizedNetwork: what is proven"),
        ((1.0, 2.0, 3.0), "got a sequence of 3"),
        ({"0.weight": np.eye(2)}, r"got a dict; load .*, module\.load_state_dict\(weights\), and"),
        ("net.pt", r"not be a path, got 'net\.pt'; load the file first: .*load_state_dict"),
        (Path("net"), "not be a path, got 'net'; load the file first"),
        (([[1.0]], [1.0, 2.0]), r"output_weights must be of shape \(1,\)"),
        (([[1.0]] * 2, np.ones((3, 2))), r"must be of shape \(2, c\), .* \(3, 2\); pass .*\.T"),
        (([[1.0]] * 2, np.ones((3, 3))), "output_weights must be of shape"),
        ((1.0, [1.0]), "hidden_weights must be"),
        (([[np.nan]], [1.0]), "hidden_weights must be finite"),
        (SimpleNamespace(network=TwoLayerNetwork([[1.0]], [1.0])), "pass its attribute network"),
    ],
    ids=str,
)
def test_what_is_no_network_is_refused(network, sentence):
    refused(lambda: read_network(network), sentence)


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
def test_data_that_do_not_fit_are_refused(model, data, sentence):
    refused(lambda: read_network(model).data(data), sentence)
