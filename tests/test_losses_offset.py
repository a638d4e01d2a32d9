"""The best constant, beside scipy's scalar minimisation."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from cvxnn.losses import (
    HuberLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
    WeightedLoss,
    as_loss,
)
from cvxnn.losses.margin import LogisticLoss
from cvxnn.losses.offset import OffsetLoss, best_offset, best_offsets

LOSSES = [SquaredLoss(), HuberLoss(0.3), LogisticLoss(), SquaredHingeLoss()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("offset", [0.0, 30.0, -400.0])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_no_constant_is_better(loss, offset, is_weighted):
    rng = np.random.default_rng(0)
    f, y = rng.standard_normal(40) + offset, rng.standard_normal(40)
    y = np.where(y > 0.5, 1.0, -1.0) if loss.has_labels else y
    loss = WeightedLoss(loss, rng.uniform(0.1, 3.0, 40)) if is_weighted else loss
    b = best_offset(loss, f, y)
    bounds = (-offset - 20.0, -offset + 20.0)
    reference = minimize_scalar(lambda c: loss.value(f + c, y), bounds=bounds, method="bounded")
    assert loss.value(f + b, y) <= reference.fun * (1.0 + 1e-12)
    gradient = loss.gradient(f + b, y)
    assert abs(gradient.sum()) <= 1e-12 * np.abs(gradient).sum() + 1e-12


def test_a_mean_and_log_odds():
    y = np.array([1.0, 1.0, 1.0, -1.0])
    assert best_offset(as_loss("squared"), np.zeros(4), y) == pytest.approx(0.5)
    assert best_offset(as_loss("logistic"), np.zeros(4), y) == pytest.approx(np.log(3.0))


def test_odds_far_from_even():
    loss = WeightedLoss(LogisticLoss(), np.array([1.0, 1e-30]))
    b = best_offset(loss, np.zeros(2), np.array([1.0, -1.0]))
    assert b == pytest.approx(30.0 * np.log(10.0))


def test_a_guess_changes_nothing():
    rng = np.random.default_rng(1)
    f, y = rng.standard_normal(30), np.where(rng.standard_normal(30) > 0.0, 1.0, -1.0)
    found = [best_offset(LogisticLoss(), f, y, start) for start in (-50.0, 0.0, 8.0)]
    np.testing.assert_allclose(found, found[0], rtol=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_loss_beside_an_offset_is_the_loss_of_shifted_predictions(loss, is_weighted):
    rng = np.random.default_rng(2)
    f, y = rng.standard_normal(20), np.where(rng.standard_normal(20) > 0.0, 1.0, -1.0)
    loss = WeightedLoss(loss, rng.uniform(0.1, 3.0, 20)) if is_weighted else loss
    moved = loss.moved(y, 0.7)
    assert (moved is None) == loss.has_labels
    pairs = [(OffsetLoss(loss, 0.7), y), (OffsetLoss(OffsetLoss(loss, 0.2), 0.5), y)]
    for beside, target in pairs if moved is None else [*pairs, (loss, moved)]:
        assert beside.value(f, target) == pytest.approx(loss.value(f + 0.7, y), rel=1e-13)
        dual = -loss.gradient(f + 0.7, y)
        np.testing.assert_allclose(-beside.gradient(f, target), dual, atol=1e-13)
        # Fenchel and Young: equality at the gradient.
        conjugate = beside.conjugate(dual, target)
        assert conjugate + beside.value(f, target) == pytest.approx(-dual @ f, abs=1e-10)
        np.testing.assert_allclose(beside.curvature(f, target), loss.curvature(f + 0.7, y))
        pair = beside.value_of_pair(f, 1e-17 * f, target)
        assert pair == pytest.approx(beside.value(f, target), rel=1e-13)


def test_the_best_scaling_of_a_dual_point_may_be_tiny():
    """Its slope is 0.8 log(1/t) less 0.4 times the offset, and terms that stay."""
    y, v = np.array([1.0, -1.0]), np.array([0.6, -0.2])
    loss = OffsetLoss(LogisticLoss(), 300.0)
    t = loss.dual_scaling(v, y, np.inf)
    assert 1e-70 < t < 1e-60
    values = [loss.conjugate(s * v, y) for s in (0.5 * t, t, 2.0 * t)]
    assert values[1] <= min(values)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_outputs_that_are_not_joined_have_each_its_own(loss):
    rng = np.random.default_rng(3)
    f, y = rng.standard_normal((30, 2)), rng.standard_normal((30, 2))
    y = np.where(y > 0.2, 1.0, -1.0) if loss.has_labels else y
    weighted = WeightedLoss(loss, rng.uniform(0.1, 3.0, 30))
    each = [best_offset(weighted, f[:, j], y[:, j]) for j in range(2)]
    np.testing.assert_array_equal(best_offsets(weighted, f, y), each)
    assert best_offsets(weighted, f[:, 0], y[:, 0]) == each[0]


@pytest.mark.parametrize("start", [0.0, [50.0, -50.0, 0.0], [-800.0, 0.0, 3.0]], ids=str)
@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_classes_have_the_best_that_scipy_finds(start, spread):
    rng = np.random.default_rng(4)
    f, Y = spread * rng.standard_normal((50, 3)), np.eye(3)[rng.choice(3, 50, p=[0.1, 0.3, 0.6])]
    Y *= rng.uniform(0.5, 2.0, (50, 1))
    loss = SoftmaxLoss()
    b = best_offsets(loss, f, Y, np.array(start))
    gradient = loss.gradient(f + b, Y)
    assert (np.abs(gradient.sum(axis=0)) <= 1e-9 * np.abs(gradient).sum() + 1e-12).all()
    reference = minimize(lambda c: loss.value(f + c, Y), np.zeros(3), method="BFGS", tol=1e-9)
    assert loss.value(f + b, Y) <= reference.fun * (1.0 + 1e-12)


def test_log_odds_of_rare_classes():
    Y = np.eye(3)[[0] * 1000 + [1] * 10 + [2]]
    b = best_offsets(SoftmaxLoss(), np.zeros((1011, 3)), Y)
    np.testing.assert_allclose(b - b[2], np.log([1000.0, 10.0, 1.0]), atol=1e-9)


def test_the_curvature_of_sums_is_the_slope_of_summed_gradients():
    rng = np.random.default_rng(5)
    f, Y = rng.standard_normal((20, 3)), np.eye(3)[rng.integers(0, 3, 20)]
    for loss, target in ((SoftmaxLoss(), Y), (HuberLoss(0.7), f + rng.standard_normal((20, 3)))):
        hessian = loss.summed_curvature(f, target)
        ends = [
            [loss.gradient(f + step * move, target).sum(axis=0) for move in np.eye(3)]
            for step in (1e-6, -1e-6)
        ]
        np.testing.assert_allclose(hessian, (np.array(ends[0]) - ends[1]) / 2e-6, atol=1e-6)


def test_losses_made_of_one_that_joins_outputs_join_them_too():
    rng = np.random.default_rng(6)
    f, Y = rng.standard_normal((40, 3)), np.eye(3)[rng.integers(0, 3, 40)]
    weights, b = rng.uniform(0.1, 3.0, 40), np.array([0.3, -0.2, 1.0])
    weighted, repeated = WeightedLoss(SoftmaxLoss(), weights), Y * weights[:, None]
    beside = OffsetLoss(weighted, b)
    assert weighted.joins_outputs and beside.joins_outputs
    # What all outputs have in common changes nothing.
    expected = np.diff(best_offsets(SoftmaxLoss(), f, repeated))
    np.testing.assert_allclose(np.diff(best_offsets(weighted, f, Y)), expected, atol=1e-8)
    np.testing.assert_allclose(np.diff(best_offsets(beside, f, Y) + b), expected, atol=1e-8)
    for found, known in zip(
        beside.factors(f, Y), SoftmaxLoss().factors(f + b, repeated), strict=True
    ):
        np.testing.assert_allclose(found, known, atol=1e-12)
