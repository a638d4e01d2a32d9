"""Decomposed networks: the same outputs, and pairs as short as cvxpy finds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import draw_rows
from sentences import refused

from cvxnn import Gated, GatedNetwork, InputError, TwoLayerNetwork, enumerate_patterns, solve

METHODS = ("closed_form", "minimum_norm")
each_method = pytest.mark.parametrize("method", METHODS)


def gated(n, d, m, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, GatedNetwork(*rng.standard_normal((2, m, d)), rng.standard_normal(m))


def one_neuron(n, seed):
    """A neuron that is open on row 0 at least."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return X, GatedNetwork(X[:1], rng.standard_normal((1, 3)), [-1.5])


@each_method
@given(n=st.integers(1, 15), d=st.integers(1, 5), m=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_outputs_on_the_rows_are_the_same(method, n, d, m, seed):
    X, network = gated(n, d, m, seed)
    relu = network.to_relu(X, method)
    expected = network.forward(X)
    assert isinstance(relu, TwoLayerNetwork)
    assert np.abs(relu.forward(X) - expected).max() <= 1e-9 * np.abs(expected).max()
    assert relu.n_neurons <= 2 * m
    assert np.allclose(np.linalg.norm(relu.hidden_weights, axis=1), np.abs(relu.output_weights))


@each_method
def test_every_neuron_has_the_pattern_of_its_gate(method):
    X, network = one_neuron(12, seed=4)
    side = np.where(X @ network.gates[0] > 0.0, 1.0, -1.0)
    neurons = network.to_relu(X, method).hidden_weights
    assert len(neurons) == 2 and (side[:, None] * (X @ neurons.T)).min() >= -1e-14


@pytest.mark.parametrize("seed", range(8))
def test_the_minimum_norm_is_that_of_cvxpy(seed):
    cp = pytest.importorskip("cvxpy")
    X, network = one_neuron(8, seed)
    w = network.hidden_weights[0] * network.output_weights[0]
    cone = np.where(X @ network.gates[0] > 0.0, 1.0, -1.0)[:, None] * X
    u = cp.Variable(3)
    lengths = cp.norm(u) + cp.norm(w + u)
    problem = cp.Problem(cp.Minimize(lengths), [cone @ u >= 0.0, cone @ (w + u) >= 0.0])
    problem.solve(solver="CLARABEL")
    least = network.to_relu(X, "minimum_norm").penalty()
    assert least == pytest.approx(problem.value, rel=1e-6)
    assert least <= network.to_relu(X, "closed_form").penalty()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@each_method
def test_a_neuron_of_its_own_pattern_stays_one(method, sign):
    X = np.random.default_rng(0).standard_normal((10, 3))
    w = np.array([1.0, -2.0, 0.5])
    relu = GatedNetwork([w], [sign * w], [1.0]).to_relu(X, method)
    assert relu.n_neurons == 1 and np.sign(relu.output_weights[0]) == sign
    assert relu.penalty() == pytest.approx(float(np.linalg.norm(w)))


@each_method
def test_a_skip_is_a_pair_that_is_linear_everywhere(method):
    network = GatedNetwork(np.zeros((2, 3)), [[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]], [1.0, 2.0])
    relu = network.to_relu(np.ones((1, 3)), method)
    X = np.random.default_rng(1).standard_normal((20, 3))
    assert relu.n_neurons == 2 and np.allclose(relu.forward(X), X @ [3.0, 2.0, 3.0])


@each_method
def test_neurons_of_one_pattern_are_decomposed_together(method):
    X, network = one_neuron(10, seed=7)
    gates, hidden = (np.vstack([part] * 2) for part in (network.gates, network.hidden_weights))
    assert GatedNetwork(gates, hidden, [1.0, -1.0]).to_relu(X, method).n_neurons == 0


@each_method
def test_gates_closed_on_all_rows_and_zero_rows_do_no_harm(method):
    X = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]])
    network = GatedNetwork([[-1.0, 0.0], [1.0, 0.0]], [[5.0, 5.0], [1.0, 1.0]], [1.0, 1.0])
    assert np.allclose(network.to_relu(X, method).forward(X), network.forward(X))


@pytest.mark.parametrize("gate, row", [([0.0, 1.0], [1.0, 0.0]), ([0.1, -0.3], [0.3, 0.1])])
def test_a_row_on_the_boundary_is_refused(gate, row):
    network = GatedNetwork([gate], [[1.0, 1.0]], [1.0])
    refused(
        lambda: network.to_relu([[1.0, 1.0], row]), "Row 1 of X lies on the boundary of the gate"
    )


def test_a_gate_close_to_the_boundary_is_not():
    X = np.array([[1.0, 1.0], [1.0, 0.0]])
    network = GatedNetwork([[1e-300, 1.0]], [[1.0, 1.0]], [1.0])
    assert np.allclose(network.to_relu(X).forward(X), network.forward(X))


def test_unknown_methods_are_refused():
    X, network = gated(5, 2, 2, 0)
    with pytest.raises(InputError, match="method must be one of 'closed_form', 'minimum_norm'"):
        network.to_relu(X, "exact")


@pytest.mark.parametrize("unit", [1e-90, 1e90])
@each_method
def test_units_of_the_data_do_not_matter(method, unit):
    X, network = gated(10, 3, 4, seed=5)
    plain = network.to_relu(X, method)
    scaled = network.to_relu(unit * X, method)
    assert np.allclose(plain.hidden_weights, scaled.hidden_weights, rtol=1e-6)


@each_method
def test_tiny_gates_and_weights_do_no_harm(method):
    X, network = gated(10, 3, 4, seed=5)
    tiny = GatedNetwork(
        1e-200 * network.gates, 1e-100 * network.hidden_weights, 1e-100 * network.output_weights
    )
    values, expected = tiny.to_relu(X, method).forward(X), tiny.forward(X)
    assert np.abs(values - expected).max() <= 1e-9 * np.abs(expected).max()


def test_narrow_cones_of_all_patterns():
    X, y = draw_rows("squared", 20, 3)
    solution = solve(X, y, 0.01, model=Gated(enumerate_patterns(X).directions))
    expected = solution.network.forward(X)
    for method in METHODS:
        values = solution.network.to_relu(X, method).forward(X)
        assert np.abs(values - expected).max() <= 1e-9 * np.abs(expected).max()
