"""Gauges, their dual norms and the weights behind coefficients, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import LOSSES
from solvers.gauge.linear_networks import Circular, Patches, any_kind, drawn, solved
from variants import with_long

from cvxnn.certificates import dual_bound
from cvxnn.losses import as_loss
from cvxnn.solvers.gauge.programs import PatchProgram

shapes = pytest.mark.parametrize(
    "kind, shape", [(Patches, (7, 4, 3)), (Circular, (7, 1, 5)), (Circular, (7, 1, 6))]
)


@shapes
def test_weights_of_coefficients_have_their_product_and_gauge(kind, shape):
    rng = np.random.default_rng(3)
    rows, _ = drawn(kind, "squared", *shape)
    program, p = rows.program, shape[1] * shape[2]
    t, slope = rng.standard_normal((2, p))
    U, W = program.weights(t)
    np.testing.assert_allclose(program.product(U, W), t)
    np.testing.assert_allclose(program.matrix @ t, rows.function(U, W))
    assert program.gauge(t) == pytest.approx(rows.gauge(t))
    assert 0.5 * (np.sum(U**2) + np.sum(W**2)) == pytest.approx(program.gauge(t))
    np.testing.assert_allclose(*(np.linalg.norm(part, axis=1) for part in (U, W)))
    # The pull-back is the derivative, and shrinking satisfies its optimality condition.
    pulled_U, pulled_W = program.pull_back(slope, U, W)
    assert np.sum(pulled_U * U) == pytest.approx(slope @ t)
    assert np.sum(pulled_W * W) == pytest.approx(slope @ t)
    amount = 0.2 * program.gauge(t) / p
    shrunk = program.shrink(t, amount)
    assert (t - shrunk) @ shrunk == pytest.approx(amount * program.gauge(shrunk))
    assert rows.dual_norm(t - shrunk) == pytest.approx(amount)


@shapes
def test_the_pull_back_is_that_of_the_network(kind, shape):
    rng = np.random.default_rng(4)
    rows, y = drawn(kind, "squared", *shape)
    U, W = (rng.standard_normal((2, length)) for length in rows.lengths)
    pulled = rows.program.pull_back(rows.program.matrix.T @ y, U, W)
    for ours, theirs in zip(pulled, rows.pull(y, U, W), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@shapes
def test_neurons_are_the_weights_with_the_gauge_as_size(kind, shape):
    rows, _ = drawn(kind, "squared", *shape)
    program, rng = rows.program, np.random.default_rng(5)
    t = rng.standard_normal(shape[1] * shape[2])
    neurons = program.neurons(t)
    assert neurons.sizes.sum() == pytest.approx(program.gauge(t))
    assert (neurons.directions.shape[1], neurons.outputs.shape[1]) == rows.lengths
    np.testing.assert_allclose(program.coefficients(neurons), t)
    nothing = program.neurons(np.zeros_like(t))
    assert len(nothing) == 0
    assert (nothing.directions.shape[1], nothing.outputs.shape[1]) == rows.lengths
    assert not program.coefficients(nothing).any()


@any_kind
def test_units_are_powers_of_two_without_rounding(kind):
    rows, y = drawn(kind, "squared", 6, 3, 2)
    for size in (1e-90, 1.0, 1e90):
        program = kind(size * rows.data).program
        assert program.n_predictions == 6
        assert program.n_features == rows.lengths[0]
        largest = np.abs(size * rows.data).max()
        assert np.log2(program.unit) == np.rint(np.log2(largest))
        scaled = program.in_units(program.unit)
        assert type(scaled) is type(program)
        np.testing.assert_array_equal(scaled.matrix * program.unit, program.matrix)
        assert scaled.unit == 1.0
        assert scaled.n_features == program.n_features
        assert scaled.dual_norm_bound(y) * program.unit == program.dual_norm_bound(y)
    assert kind(0.0 * rows.data).program.unit == 1.0


@shapes
def test_no_prediction_of_a_network_of_size_one_is_longer_than_its_bound(kind, shape):
    rng = np.random.default_rng(0)
    rows, _ = drawn(kind, "squared", *shape)
    program = rows.program
    lengths = program.lengths * (1.0 + 1e-12)
    for t in rng.standard_normal((200, shape[1] * shape[2])):
        assert (np.abs(program.matrix @ t) <= lengths * program.gauge(t)).all()
    # What a single row can be at most is a dual norm.
    for unit, length in zip(np.eye(len(lengths)), lengths, strict=True):
        assert rows.dual_norm(program.matrix.T @ unit) <= length


@any_kind
@with_long("loss", LOSSES)
@given(
    n=st.integers(1, 6),
    K=st.integers(1, 4),
    h=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_no_dual_point_bounds_above_any_network(kind, loss, n, K, h, seed, scale):
    rows, y = drawn(kind, loss, n, K, h, seed=seed)
    rng = np.random.default_rng(seed)
    chosen, beta = as_loss(loss), float(10.0 ** rng.uniform(-2, 1))
    program = rows.program
    best = solved(program, y, beta, loss, tol=1e-4).objective
    for v in (scale * rng.standard_normal(n), scale * y, -chosen.gradient(0.1 * y, y)):
        bound = program.dual_norm_bound(v)
        exact = rows.dual_norm(program.matrix.T @ v)
        # The reference, a dense transform, errs as well.
        assert exact * (1.0 - 1e-14) <= bound <= exact * (1.0 + 1e-11) + 1e-10 * scale
        assert dual_bound(chosen, y, v, beta, bound) <= best


@given(
    n=st.integers(1, 6),
    K=st.integers(1, 4),
    h=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-150, 1.0, 1e150]),
)
def test_no_spectral_norm_is_above_its_bound(n, K, h, seed, scale):
    rng = np.random.default_rng(seed)
    program, v = PatchProgram(rng.standard_normal((n, K, h))), scale * rng.standard_normal(n)
    exact = np.linalg.norm((program.matrix.T @ v).reshape(K, h), 2)
    assert exact <= program.dual_norm_bound(v) <= exact * (1.0 + 1e-11) + 1e-11 * scale
