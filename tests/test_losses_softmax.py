"""The loss of several classes, and sums of losses of single outputs, against other computations."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import logsumexp
from sentences import refused

from cvxnn import losses
from cvxnn.certificates import dual_bound
from cvxnn.evaluation import Prediction, evaluate
from cvxnn.losses.composed import weighted
from cvxnn.losses.offset import best_offsets

SOFTMAX = losses.SoftmaxLoss()
WEIGHTS = np.array([0.1, 1.0, 2.0, 3e5])
numbers = st.floats(-30.0, 30.0).filter(lambda value: abs(value) > 1e-9 or value == 0.0)
tables = arrays(np.float64, (4, 3), elements=numbers)
classes = arrays(np.int64, 4, elements=st.integers(0, 2))
shares = arrays(
    np.float64, (4, 3), elements=st.floats(0.0, 1.0).filter(lambda s: s == 0 or s > 0.01)
)
weights_of_rows = st.sampled_from([np.ones(4), WEIGHTS])


def one_hot(labels, weights):
    return weighted(SOFTMAX, np.eye(3)[labels], weights)[1]


@given(f=tables, labels=classes, weights=weights_of_rows)
def test_value_and_gradient(f, labels, weights):
    y = one_hot(labels, weights)
    expected = weights * (logsumexp(f, axis=1) - f[np.arange(4), labels])
    np.testing.assert_allclose(SOFTMAX.values(f, y) / weights, expected / weights, atol=1e-13)
    assert SOFTMAX.value(f, y) == pytest.approx(expected.sum(), rel=1e-9, abs=1e-8)
    step = 1e-6
    for i, k in ((0, 0), (1, 2), (3, 1)):
        e = np.zeros((4, 3))
        e[i, k] = step
        slope = (SOFTMAX.values(f + e, y)[i] - SOFTMAX.values(f - e, y)[i]) / (2.0 * step)
        assert SOFTMAX.gradient(f, y)[i, k] == pytest.approx(slope, rel=1e-5, abs=1e-5 * weights[i])


def test_values_keep_their_digits_where_they_are_small():
    f, y = np.array([[40.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    assert SOFTMAX.value(f, y) == pytest.approx(2.0 * np.exp(-40.0), rel=1e-14)


@given(f=tables, move=tables, labels=classes)
def test_curvature(f, move, labels):
    y, step = one_hot(labels, np.ones(4)), 1e-5
    slope = SOFTMAX.gradient(f + step * move, y) - SOFTMAX.gradient(f - step * move, y)
    h, g = SOFTMAX.factors(f, y)
    curved = h * move - g * (g * move).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(curved, slope / (2.0 * step), atol=1e-6 * (1.0 + np.abs(move).max()))
    of_rows = (curved * move).sum(axis=1)
    assert (of_rows <= (SOFTMAX.majorizer(f, y) * move**2).sum(axis=1) * (1.0 + 1e-12)).all()
    np.testing.assert_allclose(SOFTMAX.curvature(f, y), h - g**2, atol=1e-12)


@given(v=tables, labels=classes, weights=weights_of_rows)
def test_projection_is_in_the_domain_exactly(v, labels, weights):
    y = one_hot(labels, weights)
    dual = SOFTMAX.project(v * weights[:, None], y)
    for row in dual:
        assert sum(map(Fraction, row)) == 0
    assert (dual <= y).all()
    assert np.isfinite(SOFTMAX.conjugate(dual, y))
    np.testing.assert_allclose(SOFTMAX.project(dual, y), dual, atol=1e-11 * weights.max())
    # The residual of a prediction is moved by rounding only.
    residual = -SOFTMAX.gradient(v, y)
    near = SOFTMAX.project(residual, y)
    assert (np.abs(near - residual) <= 1e-11 * weights[:, None]).all()


@given(v=tables, labels=classes, weights=weights_of_rows, share=st.floats(0.0, 1.0))
def test_conjugate_is_a_supremum(v, labels, weights, share):
    # Fenchel-Young: never below, and equal where the dual point is minus the gradient.
    y = one_hot(labels, weights)
    dual = share * SOFTMAX.project(v * weights[:, None], y)
    for f in (v, 0.0 * v, -v, SOFTMAX.prediction(dual, y)):
        total = SOFTMAX.value(f, y) + SOFTMAX.conjugate(dual, y) + float(np.vdot(dual, f))
        assert total >= -1e-9 * (1.0 + weights.sum()) - 1e-9 * float(np.abs(dual * f).sum())
    f = SOFTMAX.prediction(0.9 * dual + 0.1 * (y - y.sum(axis=1, keepdims=True) / 3.0), y)
    tight = -SOFTMAX.gradient(f, y)
    total = SOFTMAX.value(f, y) + SOFTMAX.conjugate(tight, y) + float(np.vdot(tight, f))
    assert total == pytest.approx(0.0, abs=1e-9 * weights.sum())


def test_conjugate_of_one_row_against_a_search():
    y = np.array([[0.0, 2.0, 0.5]])
    dual = SOFTMAX.project(np.array([[-0.3, 0.9, 0.1]]), y)

    def negative(f):
        return float(np.vdot(dual, f[None])) + SOFTMAX.value(f[None], y)

    found = minimize(negative, np.zeros(3), method="BFGS")
    assert SOFTMAX.conjugate(dual, y) == pytest.approx(-found.fun, abs=1e-8)


@given(y=shares, v=tables)
def test_rows_of_any_shares(y, v):
    y = y + np.eye(3)[[0, 1, 2, 0]]
    dual = SOFTMAX.project(v, y)
    for row in dual:
        assert sum(map(Fraction, row)) == 0
    assert (dual <= y).all()
    # What is added to all outputs of a row changes nothing.
    assert SOFTMAX.value(v + 7.0, y) == pytest.approx(SOFTMAX.value(v, y), rel=1e-9, abs=1e-9)


def test_rows_whose_sum_is_not_zero_prove_nothing_but_the_bound_of_zero():
    y, v = np.eye(3), np.eye(3) - 1.0 / 3.0
    trivial = dual_bound(SOFTMAX, y, 0.0 * y, 1.0, 1.0)
    assert dual_bound(SOFTMAX, y, v, 1.0, 1.0) == trivial <= 0.0
    inside = dual_bound(SOFTMAX, y, SOFTMAX.project(v, y), 1.0, 0.5)
    assert inside == pytest.approx(3.0 * np.log(3.0), rel=1e-9)
    assert SOFTMAX.longest(v, y) == 0.0
    assert SOFTMAX.longest(SOFTMAX.project(v, y), y) == pytest.approx(1.5)


@given(f=tables, error=st.floats(0.0, 5.0), labels=classes)
def test_slopes_are_bounds(f, error, labels):
    y, rng = one_hot(labels, np.ones(4)), np.random.default_rng(0)
    bounds = SOFTMAX.slopes(f, np.full_like(f, error), y)
    for _ in range(10):
        g = f + error * rng.uniform(-1.0, 1.0, f.shape)
        assert (np.abs(SOFTMAX.gradient(g, y)) <= bounds * (1.0 + 1e-9) + 1e-12).all()


def test_evaluation_covers_predictions_that_are_off():
    rng = np.random.default_rng(1)
    f, y = rng.standard_normal((5, 3)), np.eye(3)[rng.integers(0, 3, 5)]
    sure = evaluate(SOFTMAX, y, Prediction(f, np.zeros_like(f), 0), 0.0, 0)
    unsure = evaluate(SOFTMAX, y, Prediction(f, np.full_like(f, 1e10), 0), 0.0, 0)
    off = unsure.error / 2.0
    for _ in range(20):
        g = f + 8.0 * 2.0**-52 * 1e10 * rng.uniform(-1.0, 1.0, f.shape)
        assert abs(SOFTMAX.value(g, y) - sure.value) <= unsure.error
    assert sure.error < 1e-13 * sure.value < off


@pytest.mark.parametrize(
    "loss",
    [losses.SquaredLoss(), losses.HuberLoss(0.7), losses.LogisticLoss()],
    ids=["squared", "huber", "logistic"],
)
def test_of_several_outputs_other_losses_are_sums(loss):
    rng = np.random.default_rng(2)
    f, v, y = rng.standard_normal((3, 6, 2))
    y = np.sign(y) if loss.has_labels else y
    loss = losses.WeightedLoss(loss, rng.uniform(0.5, 2.0, 6))
    v = 0.9 * loss.project(v, y)
    each = [(f[:, k], v[:, k], y[:, k]) for k in range(2)]
    assert loss.value(f, y) == pytest.approx(sum(loss.value(a, c) for a, _, c in each))
    assert loss.conjugate(v, y) == pytest.approx(sum(loss.conjugate(b, c) for _, b, c in each))
    for k, (a, b, c) in enumerate(each):
        np.testing.assert_array_equal(loss.gradient(f, y)[:, k], loss.gradient(a, c))
        np.testing.assert_array_equal(loss.majorizer(f, y)[:, k], loss.majorizer(a, c))
        np.testing.assert_array_equal(loss.prediction(v, y)[:, k], loss.prediction(b, c))
    # The best multiple of a dual point, against a grid.
    t = loss.dual_scaling(v, y, 2.0)
    best = min(
        loss.conjugate(s * v, y) for s in np.linspace(0.0, min(2.0, loss.longest(v, y)), 999)
    )
    assert loss.conjugate(t * v, y) <= best + 1e-9


@pytest.mark.parametrize(
    "y",
    [np.ones(3), np.ones((3, 1)), -np.eye(3), np.zeros((3, 3))],
    ids=["one output", "one column", "negative", "empty rows"],
)
def test_targets_are_checked(y):
    refused(lambda: SOFTMAX.check(y), "y must have a column for each class")


@given(v=tables, weights=st.sampled_from([np.ones(12), np.tile([0.5, 1.0, 2.0, 0.7], 3)]))
def test_balanced_points_are_in_the_domain_exactly_beside_intercepts(v, weights):
    y = one_hot(np.arange(12) % 3, np.ones(12)) * weights[:, None]
    f = np.vstack([v, -v, 0.5 * v])
    f = f + best_offsets(SOFTMAX, f, y)
    residual = -SOFTMAX.gradient(f, y)
    dual = SOFTMAX.balanced(residual, y)
    for line in (*dual, *dual.T):
        assert sum(map(Fraction, line)) == 0
    assert (dual <= y).all()
    # At the best intercepts it is the residual, up to rounding.
    assert np.abs(dual - residual).max() <= 1e-6
    far = SOFTMAX.balanced(-SOFTMAX.gradient(f + np.arange(3.0), y), y)
    for line in (*far, *far.T):
        assert sum(map(Fraction, line)) == 0
    assert (far <= y).all()


@given(v=tables, labels=classes)
def test_balanced_sums_of_losses(v, labels):
    y = v[::-1].copy()
    dual = losses.SquaredLoss().balanced(v, y)
    assert all(sum(map(Fraction, column)) == 0 for column in dual.T)
    hinge = losses.LogisticLoss()
    y = np.where(np.eye(3)[labels] > 0.0, 1.0, -1.0)
    dual = hinge.balanced(0.3 * v, y)
    assert all(sum(map(Fraction, column)) == 0 for column in dual.T)
    assert np.isfinite(hinge.conjugate(dual, y))


def test_probabilities_that_are_lost_beside_a_large_weight():
    dual, y = np.array([[7e-319, 0.0, -7e-319]]), np.array([[3e5, 0.0, 0.0]])
    assert abs(SOFTMAX.conjugate(dual, y)) <= 1e-300
    assert 0.0 <= SOFTMAX.conjugate_error(dual, y) < np.inf
