"""A loss and a square together: least values, slopes and conjugates, beside a line, too."""

import numpy as np
import pytest
from programs import COUNTS, LOSSES, targets
from scipy.optimize import minimize, minimize_scalar

from cvxnn.losses import SkipLoss, SoftmaxLoss, SquaredLoss, WeightedLoss, as_loss
from cvxnn.losses.envelope import MoreauEnvelope, envelope, nearest_jointly

THETA = np.array([1e-6, 0.1, 1.0, 3.0, 50.0, 1e3, 0.0])
F = np.array([-3.0, 0.2, 1.7, -0.4, 5.0, 0.0, 0.3])
each_name = pytest.mark.parametrize("name", (*LOSSES, *COUNTS))


def case(name, seed=0):
    loss, rng = as_loss(name), np.random.default_rng(seed)
    y = rng.standard_normal(len(F))
    weighted = WeightedLoss(loss, np.exp2(rng.integers(-3, 4, len(F)).astype(float)))
    return weighted, targets(name, 2.0 * y)


@each_name
def test_values_are_the_least_of_the_sums(name):
    loss, y = case(name)
    values = MoreauEnvelope(loss, THETA).values(F, y)
    for i in range(len(F) - 1):

        def both(e, i=i):
            return loss.values(np.full_like(F, e), y)[i] + (e - F[i]) ** 2 / (2.0 * THETA[i])

        # Between where the loss pulls and the square holds.
        width = THETA[i] * abs(loss.gradient(F, y)[i]) + 1e-3
        bounds = F[i] - width, F[i] + width
        if loss.has_log_link:
            # Nor beyond where the loss is least.
            ends = F[i], loss.prediction(np.zeros_like(y), y)[i]
            bounds = min(ends) - 1e-3, max(ends) + 1e-3
        best = minimize_scalar(both, bounds=bounds, method="bounded", options={"xatol": 1e-12})
        assert values[i] == pytest.approx(best.fun, rel=1e-8, abs=1e-12)
    assert values[-1] == loss.values(F, y)[-1]


@each_name
def test_slopes_and_parabolas(name):
    loss, y = case(name)
    smooth, step = MoreauEnvelope(loss, THETA), 1e-5
    slope = (smooth.values(F + step, y) - smooth.values(F - step, y)) / (2.0 * step)
    np.testing.assert_allclose(smooth.gradient(F, y), slope, rtol=1e-6, atol=1e-8)
    bend = (smooth.gradient(F + step, y) - smooth.gradient(F - step, y)) / (2.0 * step)
    np.testing.assert_allclose(smooth.curvature(F, y), bend, rtol=1e-5, atol=1e-6)
    above = smooth.majorizer(F, y)
    best = loss.prediction(np.zeros_like(y), y)
    for g in np.random.default_rng(1).standard_normal((30, len(F))) * 4.0:
        if not loss.has_majorizer:
            # Only on the way to where the loss is least.
            g = np.clip(g, np.minimum(F, best), np.maximum(F, best))
        parabola = (
            smooth.values(F, y) + smooth.gradient(F, y) * (g - F) + 0.5 * above * (g - F) ** 2
        )
        assert (smooth.values(g, y) <= parabola + 1e-9 * (1.0 + parabola)).all()


@each_name
def test_the_conjugate_is_reached(name):
    """``l(f) + l*(-v) >= -v'f``, with equality where v is minus the gradient."""
    loss, y = case(name)
    smooth = MoreauEnvelope(loss, THETA)
    v = -smooth.gradient(F, y)
    assert smooth.value(F, y) + smooth.conjugate(v, y) + v @ F == pytest.approx(0.0, abs=1e-9)
    inside = 0.99 * smooth.project(3.0 * v, y)
    assert smooth.longest(inside, y) >= 1.0 and smooth.conjugate_error(inside, y) > 0.0
    for g in np.random.default_rng(1).standard_normal((30, len(F))) * 4.0:
        assert smooth.value(g, y) + smooth.conjugate(inside, y) + inside @ g >= -1e-9
    np.testing.assert_allclose(-smooth.gradient(smooth.prediction(inside, y), y), inside, rtol=1e-9)


@each_name
def test_parts_units_and_targets(name):
    loss, y = case(name)
    smooth, values = MoreauEnvelope(loss, THETA), MoreauEnvelope(loss, THETA).values(F, y)
    some = np.array([5, 1, 2])
    np.testing.assert_allclose(smooth.take(some).values(F[some], y[some]), values[some])
    np.testing.assert_allclose(MoreauEnvelope(loss, 2.0).take(some).values(F[some], y[some]),
                               MoreauEnvelope(loss, 2.0).values(F, y)[some])  # fmt: skip
    unit = 4.0 if loss.unit(4.0 * y) > loss.unit(y) else 1.0
    assert smooth.unit(y) == loss.unit(y)
    scaled = smooth.in_units(unit).values(F / unit, y / unit)
    np.testing.assert_allclose(unit**2 * scaled, values)
    moved = smooth.moved(y, 0.5)
    assert (moved is None) == (loss.has_labels or loss.has_log_link)
    if moved is not None:
        np.testing.assert_allclose(smooth.values(F - 0.5, moved), smooth.values(F, y))


def test_what_is_kept_belongs_to_its_prediction():
    loss, y = case("logistic")
    smooth, f = MoreauEnvelope(loss, THETA), F.copy()
    first = smooth.gradient(f, y)
    f[2] += 1.0
    np.testing.assert_allclose(smooth.gradient(f, y), MoreauEnvelope(loss, THETA).gradient(f, y))
    np.testing.assert_allclose(smooth.gradient(F, y), first)
    np.testing.assert_allclose(smooth.gradient(F, -y), MoreauEnvelope(loss, THETA).gradient(F, -y))


@pytest.mark.parametrize("n_free", [0, 1, 2])
@each_name
def test_beside_a_line_it_is_the_least_of_both(name, n_free):
    loss, y = case(name)
    theta, S = np.maximum(THETA, 0.1), np.random.default_rng(2).standard_normal((len(F), 2))
    smooth = envelope(SkipLoss(loss, S, 0.7, n_free), theta)

    def both(z):
        f, w = z[:-2], z[-2:]
        priced = w[: 2 - n_free]
        moved = ((f - F) ** 2 / (2.0 * theta)).sum()
        return loss.value(f + S @ w, y) + 0.35 * float(priced @ priced) + moved

    best = minimize(both, np.zeros(len(F) + 2), method="BFGS", options={"gtol": 1e-8})
    assert smooth.value(F, y) == pytest.approx(best.fun, rel=1e-7)
    np.testing.assert_allclose(
        smooth.gradient(F, y), (F - best.x[:-2]) / theta, rtol=1e-3, atol=1e-4
    )


def test_near_is_a_share_of_the_slope():
    loss, y = case("logistic")
    S = np.random.default_rng(2).standard_normal((len(F), 2))
    free = SkipLoss(loss, S, 1.0, 2)
    exact, near = (envelope(free, 1.0, share).gradient(F, y) for share in (0.0, 1e-3))
    left, terms = np.abs(S.T @ near), np.abs(S.T) @ np.abs(near)
    assert (left <= 1e-3 * terms).all() and left.max() > 1e-12
    assert np.abs(S.T @ exact).max() < 1e-12
    # Where a search has ended the next one begins.
    again = free.of(SquaredLoss())
    assert again.last is free.last


def joint_case(seed=0, n=7, c=4):
    rng = np.random.default_rng(seed)
    Y = rng.dirichlet(np.ones(c), n) * np.exp2(rng.integers(-3, 4, (n, 1)).astype(float))
    Y[0] = np.eye(c)[1]
    return Y, 3.0 * rng.standard_normal((n, c)), THETA[:, None]


def test_a_loss_that_joins_outputs():
    """Least values against a search in each row; the slope, the Hessian and the conjugate."""
    Y, F2, theta = joint_case()
    loss, smooth = SoftmaxLoss(), MoreauEnvelope(SoftmaxLoss(), theta)
    point, values = nearest_jointly(loss, theta, F2, Y), smooth.values(F2, Y)
    np.testing.assert_allclose(point - F2, -theta * loss.gradient(point, Y), atol=1e-10)
    for i in range(len(Y) - 1):

        def both(e, i=i):
            e = e[None]
            gradient = loss.gradient(e, Y[i : i + 1]) + (e - F2[i]) / theta[i]
            moved = ((e - F2[i]) ** 2).sum() / (2.0 * theta[i, 0])
            return loss.value(e, Y[i : i + 1]) + moved, gradient[0]

        best = minimize(both, F2[i], jac=True, method="BFGS", options={"gtol": 1e-10})
        assert values[i] == pytest.approx(best.fun, rel=1e-7)
    assert values[-1] == loss.values(F2, Y)[-1]
    step, move = 1e-5, np.random.default_rng(2).standard_normal(F2.shape)
    ends = (smooth.gradient(F2 + step * move, Y), smooth.gradient(F2 - step * move, Y))
    h, g = smooth.factors(F2, Y)
    bend = h * move - g * (g * move).sum(axis=1, keepdims=True)
    np.testing.assert_allclose((ends[0] - ends[1]) / (2.0 * step), bend, rtol=1e-4, atol=1e-6)
    slope = smooth.values(F2 + step * move, Y) - smooth.values(F2 - step * move, Y)
    slopes = (smooth.gradient(F2, Y) * move).sum(axis=1)
    np.testing.assert_allclose(slope / (2.0 * step), slopes, rtol=1e-5, atol=1e-8)
    V = -smooth.gradient(F2, Y)
    V -= V.mean(axis=1, keepdims=True)
    assert smooth.value(F2, Y) + smooth.conjugate(V, Y) + (V * F2).sum() == pytest.approx(
        0, abs=1e-8
    )


def test_several_outputs_of_a_loss_that_is_a_sum():
    """The same as one by one."""
    loss, y = case("huber")
    Y, F2 = np.column_stack([y, 2.0 * y]), np.column_stack([F, -F])
    smooth = MoreauEnvelope(loss, THETA[:, None])
    each = [MoreauEnvelope(loss, THETA) for _ in range(2)]
    found = np.column_stack([e.gradient(f, t) for e, f, t in zip(each, F2.T, Y.T, strict=True)])
    np.testing.assert_allclose(smooth.gradient(F2, Y), found, rtol=1e-12, atol=1e-14)
    h, g = smooth.factors(F2, Y)
    assert g is None and np.allclose(h, smooth.curvature(F2, Y))
