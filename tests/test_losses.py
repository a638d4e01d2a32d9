"""The four functions of a loss, each against an independent computation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from sentences import refused

from cvxnn import losses

PLAIN = [
    losses.SquaredLoss(), losses.HuberLoss(1.5), losses.LogisticLoss(), losses.SquaredHingeLoss(),
    losses.PoissonLoss(), losses.GammaLoss(),
]  # fmt: skip
WEIGHTS = np.array([0.5, 1.0, 2.0, 3.0])


def name_of(loss):
    inner = f"-{name_of(loss.loss)}" if hasattr(loss, "loss") else ""
    return type(loss).__name__ + inner


# What is made of a loss asks it for its functions and domain: one of all numbers, of an interval
# and of a half line.
INNER = [losses.SquaredLoss(), losses.LogisticLoss(), losses.PoissonLoss()]
WEIGHTED = [losses.WeightedLoss(loss, WEIGHTS) for loss in INNER]
each_loss = pytest.mark.parametrize("loss", [*PLAIN, *WEIGHTED], ids=name_of)
# With a ridge regression inside, which rows share.
SKIP = [losses.SkipLoss(loss, np.array([[1.0, 0.3, -0.5, 2.0]]).T, 0.7) for loss in INNER]
each_loss_and_skip = pytest.mark.parametrize("loss", [*PLAIN, *WEIGHTED, *SKIP], ids=name_of)
each_plain_loss = pytest.mark.parametrize("loss", PLAIN, ids=name_of)
scalars = st.floats(-10.0, 10.0).filter(lambda value: abs(value) > 1e-6 or value == 0.0)
vectors = arrays(np.float64, 4, elements=scalars)


def inner(loss):
    return inner(loss.loss) if hasattr(loss, "loss") else loss


def targets(loss, y):
    """Labels, counts or amounts, where the loss wants them."""
    if loss.has_log_link:
        return np.abs(y) + (0.1 if isinstance(inner(loss), losses.GammaLoss) else 0.0)
    return np.where(y >= 0.0, 1.0, -1.0) if loss.has_labels else y


def of_size(loss, f):
    """Predictions whose exponentials are of the size of the targets, where they are logarithms."""
    return 0.3 * f if loss.has_log_link else f


def away_from_kinks(loss, f, y):
    """Predictions moved off the points where a second derivative jumps."""
    f = of_size(loss, f)
    f = np.where(np.abs(np.abs(f - y) - 1.5) < 1e-3, f + 0.01, f)
    return np.where(np.abs(y * f - 1.0) < 1e-3, f + 0.01, f) if loss.has_labels else f


@each_loss
@given(f=vectors, y=vectors)
def test_value_is_a_sum_over_the_rows(loss, f, y):
    y = targets(loss, y)
    assert loss.value(f, y) == pytest.approx(loss.values(f, y).sum(), rel=1e-12, abs=1e-12)


@each_loss_and_skip
@given(f=vectors, y=vectors)
def test_gradient_is_the_slope_of_the_value(loss, f, y):
    y = targets(loss, y)
    f = away_from_kinks(loss, f, y)
    step = 1e-5
    slopes = [
        (loss.value(f + step * e, y) - loss.value(f - step * e, y)) / (2 * step)
        for e in np.eye(len(f))
    ]
    np.testing.assert_allclose(loss.gradient(f, y), slopes, rtol=1e-6, atol=1e-6)


@each_loss
@given(f=vectors, y=vectors)
def test_curvature_is_the_slope_of_the_gradient(loss, f, y):
    y = targets(loss, y)
    f = away_from_kinks(loss, f, y)
    step = 1e-5
    slopes = (loss.gradient(f + step, y) - loss.gradient(f - step, y)) / (2 * step)
    np.testing.assert_allclose(loss.curvature(f, y), slopes, rtol=1e-6, atol=1e-6)
    assert (loss.curvature(f, y) >= 0.0).all()


@each_loss
@given(f=vectors, g=vectors, y=vectors)
def test_majorizing_parabola_is_nowhere_below(loss, f, g, y):
    y = targets(loss, y)
    f, g = of_size(loss, f), of_size(loss, g)
    curvature = loss.majorizer(f, y)
    if not loss.has_majorizer:
        # Nowhere below it on the way to where the loss of the row is least.
        best = loss.prediction(np.zeros_like(y), y)
        g = np.clip(g, np.minimum(f, best), np.maximum(f, best))
    assert (curvature > 0.0).all() and (curvature >= loss.curvature(f, y) * (1.0 - 1e-9)).all()
    parabola = loss.values(f, y) + loss.gradient(f, y) * (g - f) + 0.5 * curvature * (g - f) ** 2
    assert (loss.values(g, y) <= parabola + 1e-9 * (1.0 + parabola)).all()


@each_plain_loss
@given(v=scalars, y=scalars)
def test_conjugate_is_the_supremum(loss, v, y):
    target = targets(loss, np.array([y]))
    dual = 0.999 * loss.project(np.array([v]), target)

    def negative(f):
        return dual[0] * f + loss.value(np.array([f]), target)

    best = minimize_scalar(negative, bounds=(-50.0, 50.0), method="bounded")
    assert loss.conjugate(dual, target) == pytest.approx(-best.fun, abs=1e-4)


@each_loss
@given(v=vectors, y=vectors)
def test_prediction_belongs_to_its_dual_point(loss, v, y):
    y = targets(loss, y)
    dual = 0.99 * loss.project(v, y)
    np.testing.assert_allclose(-loss.gradient(loss.prediction(dual, y), y), dual, atol=1e-9)


@each_loss
@given(v=vectors, y=vectors)
def test_domain(loss, v, y):
    y = targets(loss, y)
    inside = loss.project(v, y)
    np.testing.assert_array_equal(loss.project(inside, y), inside)
    longest = loss.longest(v, y)
    if np.isfinite(longest):
        assert loss.conjugate((1.0 - 1e-9) * longest * v, y) < np.inf
        assert loss.conjugate(2.0 * max(longest, 1e-3) * v, y) == np.inf


@each_loss_and_skip
@given(f=vectors, v=vectors, y=vectors)
def test_fenchel_young(loss, f, v, y):
    # l(f) + l*(-v) >= -v'f, with equality at v = -gradient: what makes a dual bound a bound.
    y, f = targets(loss, y), of_size(loss, f)
    assert (loss.value(f, y) + loss.conjugate(v, y) + float(v @ f)) >= -1e-9
    dual = -loss.gradient(f, y)
    tight = loss.value(f, y) + loss.conjugate(dual, y) + float(dual @ f)
    assert tight == pytest.approx(0.0, abs=1e-9)


@each_loss_and_skip
@given(v=vectors, y=vectors, largest=st.floats(0.0, 20.0))
def test_dual_scaling_is_the_best_of_a_grid(loss, v, y, largest):
    y = targets(loss, y)
    v = loss.project(v, y)
    t = loss.dual_scaling(v, y, largest)
    assert 0.0 <= t <= largest
    best = -loss.conjugate(t * v, y)
    assert best >= max([-loss.conjugate(s * v, y) for s in np.linspace(0.0, largest, 51)]) - 1e-9


@each_loss
def test_dual_scaling_of_no_direction_and_no_room(loss):
    y = np.array([1.0, -1.0, 1.0, 1.0])
    assert loss.dual_scaling(np.zeros(4), y, 3.0) == 0.0 and loss.dual_scaling(y, y, 0.0) == 0.0


def test_squared_loss_by_hand():
    loss, f, y = losses.SquaredLoss(), np.array([1.0, 4.0]), np.array([3.0, 3.0])
    assert loss.value(f, y) == 2.5 and loss.gradient(f, y).tolist() == [-2.0, 1.0]
    assert loss.curvature(f, y).tolist() == [1.0, 1.0] and loss.conjugate(f, y) == 0.5 * 17.0 - 15.0
    assert loss.dual_scaling(f, y, 10.0) == 15.0 / 17.0


def test_loss_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        losses.Loss()


def test_losses_by_hand():
    labels = np.array([1.0, -1.0])
    f = np.array([0.0, 2.0])
    assert losses.LogisticLoss().value(f, labels) == pytest.approx(
        np.log(2.0) + np.log1p(np.exp(2.0))
    )
    assert losses.SquaredHingeLoss().values(f, labels).tolist() == [0.5, 4.5]
    assert losses.HuberLoss(2.0).values(np.array([1.0, 5.0]), np.zeros(2)).tolist() == [0.5, 8.0]


@given(v=arrays(np.float64, 30, elements=st.floats(0.0, 1.0)))
def test_error_of_the_entropy_is_covered(v):
    """Against the same sum in extended precision."""
    y = np.where(np.arange(30) % 2 == 0, 1.0, -1.0)
    loss = losses.LogisticLoss()
    s = v.astype(np.longdouble)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(s > 0, s * np.log(s), 0) + np.where(s < 1, (1 - s) * np.log1p(-s), 0)
    dual = y * v
    assert abs(loss.conjugate(dual, y) - float(terms.sum())) <= loss.conjugate_error(dual, y)


def test_names_of_losses():
    assert type(losses.as_loss("squared_hinge")) is losses.SquaredHingeLoss
    loss = losses.HuberLoss(3.0)
    assert losses.as_loss(loss) is loss
    refused(lambda: losses.as_loss("cubic"), r"loss must be one of 'squared', .* got 'cubic'")
    refused(lambda: losses.HuberLoss(0.0), "delta")
