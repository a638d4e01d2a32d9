"""Losses with a kink, and the smooth ones beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from sentences import refused

from cvxnn.layers import Layer
from cvxnn.losses import AbsoluteLoss, HingeLoss, HuberLoss, QuantileLoss, WeightedLoss, as_loss
from cvxnn.losses.kinked import SmoothedKink, TiltedLoss
from cvxnn.losses.offset import OffsetLoss, best_offset
from cvxnn.problems import Problem
from cvxnn.solvers.line_search import best_size

WEIGHTS = np.array([0.5, 1.0, 2.0, 3.0])
PLAIN = [AbsoluteLoss(), QuantileLoss(0.9), QuantileLoss(0.05), HingeLoss(), TiltedLoss(-3.0, 0.5)]
# Weights of numbers and of labels.
WEIGHTED = [WeightedLoss(loss, WEIGHTS) for loss in (QuantileLoss(0.9), HingeLoss())]
each_loss = pytest.mark.parametrize("loss", [*PLAIN, *WEIGHTED])
scalars = st.floats(-10.0, 10.0).filter(lambda value: abs(value) > 1e-6 or value == 0.0)
vectors = arrays(np.float64, 4, elements=scalars)
widths = st.sampled_from([2.0**-10, 0.25, 1.0, 3.0])


def targets(loss, y):
    return np.where(y >= 0.0, 1.0, -1.0) if loss.has_labels else y


@each_loss
@given(f=vectors, v=vectors, y=vectors)
def test_fenchel_young(loss, f, v, y):
    y = targets(loss, y)
    assert loss.value(f, y) == pytest.approx(loss.values(f, y).sum(), rel=1e-12, abs=1e-12)
    assert loss.value(f, y) + loss.conjugate(v, y) + float(v @ f) >= -1e-9
    # A step inside: a side times a weight is rounded.
    dual = -(1.0 - 1e-15) * loss.gradient(f, y)
    tight = loss.value(f, y) + loss.conjugate(dual, y) + float(dual @ f)
    assert tight == pytest.approx(0.0, abs=1e-9)


@each_loss
@given(v=vectors, y=vectors, largest=st.floats(0.0, 20.0))
def test_the_domain_is_a_box(loss, v, y, largest):
    y = targets(loss, y)
    inside = loss.project(v, y)
    np.testing.assert_array_equal(loss.project(inside, y), inside)
    assert loss.conjugate(inside * (1.0 - 1e-15), y) < np.inf
    longest = loss.longest(v, y)
    if np.isfinite(longest):
        assert loss.conjugate((1.0 - 1e-9) * longest * v, y) < np.inf
        assert loss.conjugate(2.0 * max(longest, 1e-3) * v, y) == np.inf
    t = loss.dual_scaling(inside, y, largest)
    assert 0.0 <= t <= largest
    grid = [-loss.conjugate(s * inside, y) for s in np.linspace(0.0, largest, 101)]
    assert -loss.conjugate(t * inside, y) >= max(grid) - 1e-9


@pytest.mark.parametrize("loss", PLAIN)
@given(v=scalars, y=scalars)
def test_the_conjugate_is_the_supremum(loss, v, y):
    target = targets(loss, np.array([y]))
    dual = 0.999 * loss.project(np.array([v]), target)

    def negative(f):
        return dual[0] * f + loss.value(np.array([f]), target)

    best = minimize_scalar(negative, bounds=(-50.0, 50.0), method="bounded")
    assert loss.conjugate(dual, target) == pytest.approx(-best.fun, abs=1e-3)


@each_loss
@given(f=vectors, y=vectors, width=widths)
def test_the_smooth_loss_is_the_envelope_times_the_width(loss, f, y, width):
    """Below the loss by at most width / 2 times the square of the larger side, and its least."""
    y, smooth = targets(loss, y), loss.smoothed(width)
    weights = getattr(loss, "weights", np.ones(4))
    plain = getattr(loss, "loss", loss)
    low, high = (np.broadcast_to(side, y.shape) for side in plain.sides(y))
    below = loss.values(f, y) - smooth.values(f, y) / width
    most = 0.5 * width * weights * np.maximum(-low, high) ** 2
    assert (below >= -1e-9).all() and (below <= most * (1.0 + 1e-9) + 1e-9).all()
    # The envelope of each row with a weight has the width over the weight.
    grid = np.linspace(-12.0, 12.0, 2001)
    for k in range(4):
        move = (grid - f[k]) ** 2 * weights[k] / (2.0 * width)
        ends = loss_of_row(plain, grid, y[k]) * weights[k] + move
        assert smooth.values(f, y)[k] / width <= ends.min() + 1e-9
        assert smooth.values(f, y)[k] / width >= ends.min() - 0.02 * (1.0 + weights[k] / width)


def loss_of_row(loss, predictions, y):
    return loss.values(predictions, np.full_like(predictions, y))


@each_loss
@given(f=vectors, v=vectors, y=vectors, width=widths)
def test_dual_points_of_the_smooth_loss_are_in_the_box(loss, f, v, y, width):
    y, smooth = targets(loss, y), loss.smoothed(width)
    dual = -smooth.gradient(f, y)
    assert loss.conjugate((1.0 - 1e-15) * dual / width, y) < np.inf
    dual = (1.0 - 1e-15) * dual
    tight = smooth.value(f, y) + smooth.conjugate(dual, y) + float(dual @ f)
    assert tight == pytest.approx(0.0, abs=1e-8)
    assert smooth.value(f, y) + smooth.conjugate(v, y) + float(v @ f) >= -1e-9
    inside = 0.99 * smooth.project(v, y)
    np.testing.assert_allclose(-smooth.gradient(smooth.prediction(inside, y), y), inside, atol=1e-9)


@each_loss
@given(f=vectors, g=vectors, y=vectors, width=widths)
def test_curvatures_of_the_smooth_loss(loss, f, g, y, width):
    y, smooth = targets(loss, y), loss.smoothed(width)
    curvature = smooth.majorizer(f, y)
    assert (curvature > 0.0).all() and (curvature >= smooth.curvature(f, y) * (1.0 - 1e-9)).all()
    parabola = smooth.values(f, y) + smooth.gradient(f, y) * (g - f) + curvature * (g - f) ** 2 / 2
    assert (smooth.values(g, y) <= parabola + 1e-9 * (1.0 + np.abs(parabola))).all()
    step = 1e-6
    slopes = (smooth.values(f + step, y) - smooth.values(f - step, y)) / (2.0 * step)
    np.testing.assert_allclose(smooth.gradient(f, y), slopes, rtol=1e-5, atol=1e-4)
    slope, less = smooth.growth(y)
    assert (smooth.values(f, y) >= slope * np.abs(f - y) - less - 1e-9).all()


def test_two_equal_sides_are_those_of_huber():
    f, y = np.linspace(-2.0, 2.0, 9), np.zeros(9)
    smooth, huber = SmoothedKink(AbsoluteLoss(), 0.5), HuberLoss(0.5)
    for name in ("values", "gradient", "curvature", "majorizer"):
        np.testing.assert_allclose(getattr(smooth, name)(f, y), getattr(huber, name)(f, y))
    np.testing.assert_allclose(smooth.in_units(2.0).values(f, y), huber.in_units(2.0).values(f, y))


@each_loss
def test_units_and_offsets(loss):
    f, y = np.array([0.3, -2.0, 5.0, 1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    unit = 1.0 if loss.has_labels else 4.0
    scaled = unit**2 * loss.in_units(unit).value(f, y)
    assert loss.value(unit * f, unit * y) == pytest.approx(scaled, rel=1e-14)
    moved = OffsetLoss(loss, 0.5)
    assert moved.is_kinked and moved.value(f, y) == pytest.approx(loss.value(f + 0.5, y))
    np.testing.assert_allclose(moved.kinks(y), y - 0.5)
    np.testing.assert_allclose(
        moved.smoothed(0.5).values(f, y), loss.smoothed(0.5).values(f + 0.5, y)
    )


@each_loss
@given(f=vectors, move=vectors)
def test_best_intercepts_and_sizes(loss, f, move):
    """A weighted quantile of residuals, and the best kink on any line: against a grid."""
    y = np.array([1.0, -1.0, 1.0, -1.0])
    b = best_offset(loss, f, y)
    least = min(loss.value(f + c, y) for c in [*np.linspace(-15.0, 15.0, 301), *(y - f)])
    assert loss.value(f + b, y) <= least + 1e-9
    problem = Problem.of(Layer(np.eye(4)), y, 0.3, loss)
    size = best_size(problem, f, move)
    kinks = [t for t in (y - f) / np.where(move == 0.0, np.inf, move) if t >= 0.0]
    values = [loss.value(f + t * move, y) + 0.3 * t for t in [0.0, *kinks]]
    # At a kink of the network itself the slope that is taken is one of several.
    if not (f == y).any():
        assert loss.value(f + size * move, y) + 0.3 * size <= min(values) + 1e-9


def test_weighted_quantiles():
    y = np.arange(10.0)
    assert best_offset(QuantileLoss(0.75), np.zeros(10), y) == 7.0
    heavy = WeightedLoss(AbsoluteLoss(), np.where(y == 2.0, 100.0, 1.0))
    assert best_offset(heavy, np.zeros(10), y) == 2.0


def test_names_and_refusals():
    names = {"absolute": AbsoluteLoss, "quantile": QuantileLoss, "hinge": HingeLoss}
    assert all(type(as_loss(name)) is kind for name, kind in names.items())
    assert as_loss("quantile").level == 0.5
    f, y = np.array([1.0, 4.0]), np.array([2.0, 2.0])
    assert QuantileLoss(0.9).values(f, y) == pytest.approx([0.9, 0.2])
    assert HingeLoss().values(np.array([0.5, 0.5]), np.array([1.0, -1.0])).tolist() == [0.5, 1.5]
    for level in (0.0, 1.0, -1.0, np.nan, "half"):
        refused(lambda level=level: QuantileLoss(level), "level must be")
    refused(lambda: HingeLoss().check(f), "labels -1 and 1 only")
    with pytest.raises(TypeError, match="no parabola"):
        AbsoluteLoss().majorizer(f, y)
