"""What holds for networks of every kind: values, objective, identity and refusals."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from networks.cases import CASES, each_case, each_kind, exact, penalty, values
from sentences import refused
from variants import with_long

from cvxnn import (
    CircularCNN,
    ConvolutionalNetwork,
    GatedNetwork,
    LinearCNN,
    ParallelNetwork,
    PolynomialNetwork,
    QuantizedNetwork,
)
from cvxnn.errors import InputError
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredLoss
from cvxnn.networks import TwoLayerNetwork

# Other values of the settings, each for a network that differs in nothing else.
OTHERS = {
    "slope": (0.7,), "skip_is_free": (False, True), "stride": (4,), "padding": (3,),
    "pooling": ("max", "sum"), "intercept": (0.5,), "l1_ratio": (0.25,), "a": (2.0,), "b": (2.0,),
    "c": (2.0,),
}  # fmt: skip


def of_state(network):
    """As a file of skops has it."""
    new = object.__new__(type(network))
    new.__setstate__(network.__getstate__())
    return new


COPIES = {
    "copy": copy.copy,
    "state": of_state,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda network, protocol=protocol: pickle.loads(
            pickle.dumps(network, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@each_case
def test_values_are_the_formula(case):
    found = case.network.forward(case.data)
    assert found.shape == (len(case.data),)
    np.testing.assert_allclose(found, case.values.astype(float), rtol=1e-12, atol=1e-12)
    assert np.array_equal(case.network(case.data), found)
    assert np.array_equal(case.network(case.data.tolist()), found)


@with_long("size", [1.0, 1e8, 1e-8])
@each_case
def test_the_error_covers_the_exact_objective(case, size):
    data, beta = size * case.data, 0.3
    network = case.network
    exact_values, price = values(network, data), Fraction(beta) * penalty(network)
    prediction = network.predict_on(network.rows(data))
    assert (abs(exact(prediction.values) - exact_values) <= exact(prediction.error)).all()
    assert (exact(prediction.moduli) >= abs(exact_values) * Fraction(1 - 1e-12)).all()
    rng = np.random.default_rng(1)
    for _ in range(5):
        # Targets at, next to and far from the predictions.
        noise = rng.choice([0.0, 1e-16, 1e-9, 1.0], len(data)) * rng.standard_normal(len(data))
        y = prediction.values * (1.0 + noise)
        objective = sum((exact_values - exact(y)) ** 2) / 2 + price
        for tol in (1.0, 1e-12):
            found = network.evaluate(data, y, beta, SquaredLoss(), tol)
            assert abs(Fraction(found.value) - objective) <= Fraction(found.error)
            assert size > 1.0 or found.error <= 1e-11 * found.value


@each_case
def test_penalty_is_the_formula(case):
    assert case.network.penalty() == pytest.approx(float(penalty(case.network)), rel=1e-14)
    trained = case.arrays.keys() - {"gates", "second_gates"}
    assert case.network.n_weights == sum(case.arrays[name].size for name in trained)


@pytest.mark.parametrize("loss", [HuberLoss(0.3), LogisticLoss()])
@each_case
def test_objective_is_the_formula(case, loss):
    y = np.ones(len(case.data))
    expected = loss.value(case.values.astype(float), y) + 0.7 * float(penalty(case.network))
    assert case.network.objective(case.data, y, 0.7, loss) == pytest.approx(expected, rel=1e-12)
    squared = case.network.objective(case.data, y, 0.7)
    assert squared == case.network.objective(case.data, y, 0.7, SquaredLoss())
    assert squared == case.network.evaluate(case.data, y, 0.7, SquaredLoss()).value


@each_kind
@pytest.mark.parametrize(
    ("y", "beta", "says"),
    [
        (lambda n: np.ones(n + 1), 1.0, "y has .* entries but X has"),
        (lambda n: np.full(n, np.nan), 1.0, "y must be finite"),
        (np.ones, 0.0, "beta must be a finite number above 0"),
        (np.ones, None, "beta must be a finite number above 0"),
    ],
)
def test_objective_refuses(case, y, beta, says):
    refused(lambda: case.network.objective(case.data, y(len(case.data)), beta), says)


@each_case
def test_copies_are_equal_and_read_only(case):
    for name, copied in COPIES.items():
        twin = copied(case.network)
        assert twin == case.network and hash(twin) == hash(case.network), name
        assert type(twin) is type(case.network), name
        assert all(not array.flags.writeable for array in twin._arrays.values()), name


@each_case
def test_weights_are_private_and_cannot_be_written(case):
    given = {name: array.copy(order="F") for name, array in case.arrays.items()}
    network = case.made(**given)
    for array in given.values():
        array[...] = 7.0
    assert network == case.network
    for name, array in network._arrays.items():
        assert getattr(network, name) is array and array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2.0
    for name in (*case.arrays, *case.settings, "another"):
        with pytest.raises(AttributeError):
            setattr(network, name, 1)
    for name, value in case.settings.items():
        assert getattr(network, name) == value


@each_case
def test_equality_is_of_kind_weights_and_settings(case):
    again = case.made(**{name: array.tolist() for name, array in case.arrays.items()})
    assert again == case.network and hash(again) == hash(case.network)
    others = [case.made(**{name: case.other(name)}) for name in case.arrays]
    for name, value in case.settings.items():
        others.append(case.made(**{name: next(o for o in OTHERS[name] if o != value)}))
    for name in {"biases", "skip_weights"} & case.arrays.keys():
        others.append(case.made(**{name: None}))
    others.append(case.made(**{name: array[::-1] for name, array in case.arrays.items()}))
    others += [each.network for each in CASES.values() if each is not case]
    assert all(other != case.network for other in others)
    assert len({case.network, again}) == 1 and case.network not in {*others}
    assert case.network != "network"


@each_kind
def test_zeros_of_both_signs_are_equal(case):
    if case.kind is PolynomialNetwork:
        pytest.skip("Its directions have the length 1.")
    arrays = {name: a for name, a in case.arrays.items() if not name.endswith("_signs")}
    zeros = {name: 0.0 * np.abs(array) for name, array in arrays.items()}
    first, second = case.made(**zeros), case.made(**{name: -z for name, z in zeros.items()})
    assert first == second and hash(first) == hash(second)
    for name, array in zeros.items():
        assert first != case.made(**zeros | {name: np.full_like(array, 5e-324)})


def test_kinds_with_the_same_weights_are_different():
    U, V = np.ones((2, 3)), np.full((2, 3), 2.0)
    assert LinearCNN(U, V) != CircularCNN(U, V)
    assert ConvolutionalNetwork(U[..., None], [1.0, 2.0]) != TwoLayerNetwork(U, [1.0, 2.0])
    assert TwoLayerNetwork(np.empty((0, 1)), []) != TwoLayerNetwork(np.empty((0, 2)), [])


TEXTS = {
    "ReLU": "TwoLayerNetwork(n_neurons=4, n_features=4)",
    "slope 0.2": "TwoLayerNetwork(n_neurons=4, n_features=4, slope=0.2)",
    "modulus and skip": "TwoLayerNetwork(n_neurons=4, n_features=4, slope=-1.0, skip='penalised')",
    "free skip": "TwoLayerNetwork(n_neurons=4, n_features=4, skip='free')",
    "gated": "GatedNetwork(n_neurons=4, n_features=4)",
    "deep and gated": "GatedNetwork(n_neurons=4, n_features=4, depth=3)",
    "parallel": "ParallelNetwork(n_neurons=4, n_features=4, width=3)",
    "circular 5": "CircularCNN(n_neurons=4, n_features=5)",
    "signs": "QuantizedNetwork(n_neurons=4, n_features=4)",
    "linear": "LinearCNN(n_neurons=4, filter_size=3, n_patches=5)",
    "geometry 2, max": (
        "ConvolutionalNetwork(n_neurons=4, filter_shape=(3, 2, 1), pooling='max', slope=0.1)"
    ),
    "geometry 3, sum": (
        "ConvolutionalNetwork(n_neurons=4, filter_shape=(3, 3, 1), stride=2, padding=2, "
        "pooling='sum')"
    ),
}


TEXTS["gated, intercept"] = "GatedNetwork(n_neurons=4, n_features=4, intercept=-1.5)"


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_the_representation_is_one_line(name, text):
    assert repr(CASES[name].network) == text


@each_case
def test_without_neurons_what_is_left_is_linear(case):
    none = case.made(
        **{name: array[:0] for name, array in case.arrays.items() if name != "skip_weights"}
    )
    w = case.arrays.get("skip_weights")
    expected = (np.zeros(len(case.data)) if w is None else case.data @ w) + none.intercept
    assert np.array_equal(none.forward(case.data), expected)
    assert none.predict_on(none.rows(case.data)).error.shape == expected.shape
    paid = w is not None and not case.settings["skip_is_free"]
    assert none.penalty() == (np.linalg.norm(w) if paid else 0.0)


def test_a_network_cannot_be_made_of_no_kind():
    from cvxnn.networks import Network

    with pytest.raises(TypeError, match="abstract"):
        Network({}, {})


PLAIN = {
    TwoLayerNetwork: {"hidden_weights": [[1.0, 2.0]], "output_weights": [1.0]},
    GatedNetwork: {
        "gates": [[1.0, 2.0]], "hidden_weights": [[1.0, 2.0]], "output_weights": [1.0],
    },
    ConvolutionalNetwork: {"filters": [[[1.0]]], "output_weights": [1.0]},
    LinearCNN: {"filters": [[1.0]], "output_weights": [[1.0]]},
    CircularCNN: {"filters": [[1.0]], "output_weights": [[1.0]]},
    QuantizedNetwork: {
        "left_signs": [[1.0, -1.0]], "right_signs": [[1.0, 1.0]], "output_weights": [1.0],
    },
    ParallelNetwork: {
        "hidden_weights": [[[1.0, 2.0]]], "inner_weights": [[1.0]], "output_weights": [1.0],
    },
}  # fmt: skip
HIDDEN, HEADS, FILTERS = "hidden_weights", "output_weights", "filters"
WRONG = [
    (TwoLayerNetwork, {HIDDEN: [1.0, 2.0]}, "hidden_weights must be 2-D"),
    (TwoLayerNetwork, {HIDDEN: [], HEADS: []}, "hidden_weights must be 2-D"),
    (TwoLayerNetwork, {HIDDEN: np.empty((1, 0))}, "a row that is not empty for each neuron"),
    (TwoLayerNetwork, {HEADS: [1.0, 2.0]}, r"output_weights must be of shape \(1,\), one for each"),
    (TwoLayerNetwork, {HEADS: [[1.0]]}, "output_weights must be 1-D for one output"),
    (TwoLayerNetwork, {HEADS: 1.0}, "output_weights must be 1-D"),
    (TwoLayerNetwork, {HIDDEN: [[np.nan, 1.0]]}, "hidden_weights must be finite"),
    (TwoLayerNetwork, {HEADS: [np.inf]}, "output_weights must be finite"),
    (TwoLayerNetwork, {HIDDEN: [["a", "b"]]}, "hidden_weights must be numeric"),
    (TwoLayerNetwork, {HEADS: [1j]}, "output_weights must be real"),
    (TwoLayerNetwork, {"slope": np.nan}, "slope must be a finite number"),
    (TwoLayerNetwork, {"slope": "leaky"}, "slope must be a finite number"),
    (TwoLayerNetwork, {"skip_is_free": 1}, "skip_is_free must be"),
    (TwoLayerNetwork, {"skip_weights": [1.0]}, r"skip_weights must be None or of shape \(2,\)"),
    (TwoLayerNetwork, {"skip_weights": [np.inf, 1.0]}, "skip_weights must be finite"),
    (TwoLayerNetwork, {"skip_weights": "ab"}, "skip_weights must be"),
    (GatedNetwork, {"gates": [1.0]}, "gates must be 2-D with a row"),
    (GatedNetwork, {"gates": [[1.0]]}, r"gates must be of shape \(1, 2\), one for each row"),
    (GatedNetwork, {"gates": [[np.nan, 1.0]]}, "gates must be finite"),
    (GatedNetwork, {HIDDEN: [[np.inf, 1.0]]}, "hidden_weights must be finite"),
    (GatedNetwork, {HEADS: [1.0, 2.0]}, "one for each row of hidden_weights"),
    (GatedNetwork, {HEADS: ["a"]}, "output_weights must be numeric"),
    (GatedNetwork, {"inner_weights": [1.0]}, "second_gates and inner_weights belong together"),
    (
        GatedNetwork,
        {"inner_weights": [1.0], "second_gates": [[1.0]]},
        r"second_gates must be of shape \(1, 2\)",
    ),
    (ParallelNetwork, {HIDDEN: [[1.0, 2.0]]}, "hidden_weights must be 3-D"),
    (ParallelNetwork, {"inner_weights": [[1.0, 2.0]]}, r"inner_weights must be of shape \(1, 1\)"),
    (ParallelNetwork, {HEADS: [1.0, 2.0]}, r"output_weights must be of shape \(1,\)"),
    (ParallelNetwork, {"hidden_biases": [[np.nan]]}, "hidden_biases must be finite"),
    (ParallelNetwork, {"inner_biases": [[1.0]]}, "inner_biases must be 1-D"),
    (LinearCNN, {FILTERS: [1.0]}, "filters must be 2-D"),
    (LinearCNN, {HEADS: [[1.0], [2.0]]}, "a row for each of the 1 filters"),
    (LinearCNN, {FILTERS: [[np.nan]]}, "filters must be finite"),
    (CircularCNN, {HEADS: [[1.0, 2.0]]}, "the same shape"),
    (QuantizedNetwork, {"left_signs": [[1.0, 0.0]]}, "left_signs must be of -1 and 1"),
    (QuantizedNetwork, {"right_signs": [[1.0, np.nan]]}, "right_signs must be finite"),
    (QuantizedNetwork, {"right_signs": [[1.0]]}, r"one shape, got \(1, 2\) and \(1, 1\)"),
    (QuantizedNetwork, {HEADS: [1.0, 2.0]}, "a row for each of the 2 output_weights"),
    (QuantizedNetwork, {HEADS: [[1.0]]}, "output_weights must be 1-D"),
    (ConvolutionalNetwork, {FILTERS: [[1.0]]}, "filters must be 3-D or 4-D with a row"),
    (ConvolutionalNetwork, {FILTERS: np.ones((1, 2, 0))}, "filters must be 3-D or 4-D"),
    (ConvolutionalNetwork, {FILTERS: [[[np.nan]]]}, "filters must be finite"),
    (ConvolutionalNetwork, {HEADS: [1.0, 2.0]}, "a row for each of the 1 filters"),
    (ConvolutionalNetwork, {HEADS: [[1.0]]}, "output_weights must be 1-D"),
    (ConvolutionalNetwork, {"biases": [1.0, 2.0]}, "biases must be None or one for each of the 1"),
    (ConvolutionalNetwork, {"stride": 0}, "stride must be an integer"),
    (ConvolutionalNetwork, {"padding": -1}, "padding must be an integer"),
    (ConvolutionalNetwork, {"pooling": "median"}, "pooling must be one of 'sum', 'average', 'max'"),
    (ConvolutionalNetwork, {"slope": np.inf}, "slope must be a finite number"),
    (ConvolutionalNetwork, {"slope": "leaky"}, "slope must be a finite number"),
]


@pytest.mark.parametrize(("kind", "changed", "says"), WRONG)
def test_bad_arguments_are_one_sentence(kind, changed, says):
    assert kind(**PLAIN[kind]).n_weights > 0
    refused(lambda: kind(**(PLAIN[kind] | changed)), says)


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (TwoLayerNetwork, np.ones((4, 3)), "the network has 2 features, got shape"),
        (TwoLayerNetwork, np.ones(3), "network has 2 features, got shape"),
        (TwoLayerNetwork, np.ones((1, 2, 2)), "X must be of shape"),
        (TwoLayerNetwork, 1.0, "X must be of shape"),
        (TwoLayerNetwork, [[1.0, np.nan]], "X must be finite"),
        (TwoLayerNetwork, [np.inf, 0.0], "X must be finite"),
        (TwoLayerNetwork, [["a", "b"]], "X must be numeric"),
        (GatedNetwork, np.ones((4, 3)), "X must have the 2 features of the network, got 3"),
        (LinearCNN, np.ones((2, 1, 3)), r"\(n, 1, 1\)"),
        (LinearCNN, np.ones((2, 3)), "patches must be 3-D"),
        (CircularCNN, np.ones((2, 3)), "the 1 features"),
        (QuantizedNetwork, np.ones((2, 3)), "the 2 features"),
        (ConvolutionalNetwork, np.ones(5), r"images must be of shape \(n, length"),
        (ConvolutionalNetwork, np.ones((5, 7, 6)), "must have the 1 channels of the filters"),
        (ConvolutionalNetwork, np.ones((5, 1)), "at most 1, "),
    ],
)
def test_bad_data_are_one_sentence(kind, data, says):
    changed = {"filters": [[[1.0], [1.0]]]} if kind is ConvolutionalNetwork else {}
    network = kind(**PLAIN[kind] | changed)
    for name in ("forward", "activations", "feature_maps"):
        if hasattr(network, name):
            with pytest.raises(InputError, match=says) as error:
                getattr(network, name)(data)
            assert "\n" not in str(error.value)
    with pytest.raises(InputError):
        network.objective(data, np.ones(np.shape(data)[:1] or 1), 1.0)
