"""Losses whose exponentials are what is expected: digits, ends of domains, and what overflows."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn.evaluation import Prediction, evaluate
from cvxnn.losses import GammaLoss, PoissonLoss, WeightedLoss, as_loss
from cvxnn.losses.envelope import MoreauEnvelope
from cvxnn.losses.offset import OffsetLoss, best_offset
from cvxnn.problems import Problem

each_loss = pytest.mark.parametrize("loss", [PoissonLoss(), GammaLoss()], ids=["poisson", "gamma"])
WEIGHTS = np.array([0.5, 1.0, 2.0, 3.0])


def exact(loss, f, y):
    """The loss of one row, with digits for squares of small numbers."""
    with localcontext(prec=150):
        f, y = Decimal(float(f)), Decimal(float(y))
        if y == 0:
            return f.exp()
        r = f - y.ln() if isinstance(loss, PoissonLoss) else y.ln() - f
        return (y if isinstance(loss, PoissonLoss) else 1) * (r.exp() - 1 - r)


def is_number(value):
    """Not one whose square is nothing."""
    return value == 0.0 or abs(value) > 1e-15


@each_loss
@given(
    f=st.floats(-40.0, 40.0).filter(is_number),
    off=st.floats(-1.0, 1.0).filter(is_number),
    decades=st.floats(-25.0, 25.0),
    near=st.booleans(),
)
def test_values_err_by_what_is_said(loss, f, off, decades, near):
    y = np.array([10.0**decades])
    f = np.log(y) + off * 10.0 ** (-8.0 * near) if near else np.array([f])
    value, truth = loss.value(f, y), exact(loss, f[0], y[0])
    prediction = Prediction(f, np.zeros(1), 0)
    error = evaluate(loss, y, prediction, 0.0, 0).error
    assert value >= 0.0 and abs(Decimal(value) - truth) <= Decimal(error)
    size = 1.0 + abs(f[0]) + abs(np.log(y[0]))
    slope = abs(loss.gradient(f, y)[0]) + 1e-15 * size * loss.majorizer(f, y)[0]
    assert error <= 1e-12 * value + 1e-14 * slope * size


@each_loss
def test_pairs_have_more_digits(loss):
    y, high, low = np.array([3.0, 7e5]), np.log([3.0, 7e5]) + 1e-5, np.array([1e-17, -3e-16])
    with localcontext(prec=60):
        total = [Decimal(a) + Decimal(b) for a, b in zip(high.tolist(), low.tolist(), strict=True)]
        logs = [Decimal(a).ln() for a in y.tolist()]
        sign = 1 if isinstance(loss, PoissonLoss) else -1
        r = [sign * (a - b) for a, b in zip(total, logs, strict=True)]
        truth = [float(a.exp() - 1 - a) for a in r]
    values = loss.values_of_pair(high, low, y) / (y if sign == 1 else 1.0)
    np.testing.assert_allclose(values, truth, rtol=1e-9)


def test_counts_of_zero():
    loss, y, f = PoissonLoss(), np.zeros(3), np.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(loss.values(f, y), np.exp(f))
    np.testing.assert_allclose(loss.gradient(f, y), np.exp(f))
    assert loss.conjugate(np.array([0.0, -1.0, -np.e]), y) == pytest.approx(-1.0)
    assert loss.conjugate(np.array([1e-300, 0.0, 0.0]), y) == np.inf
    assert loss.longest(np.array([-1.0, 0.0, 0.0]), y) == np.inf
    assert loss.longest(np.array([-1.0, 1e-9, 0.0]), y) == 0.0
    assert loss.project(np.array([-1.0, 2.0, 0.0]), y).tolist() == [-1.0, 0.0, 0.0]


def test_ends_of_the_domains_are_in_them():
    y = np.array([2.0, 5.0])
    assert PoissonLoss().conjugate(y, y) == pytest.approx(float((y - y * np.log(y)).sum()))
    assert GammaLoss().conjugate(-np.ones(2), y) == pytest.approx(2.0 + float(np.log(y).sum()))
    assert PoissonLoss().conjugate(np.nextafter(y, 9.0), y) == np.inf
    assert GammaLoss().conjugate(np.full(2, -1.0000001), y) == np.inf


@each_loss
@given(
    v=st.floats(-50.0, 1.0).filter(is_number),
    share=st.floats(0.0, 1.0),
    decades=st.floats(-20.0, 20.0),
    weight=st.floats(0.01, 100.0),
)
def test_errors_of_the_conjugate_are_covered(loss, v, share, decades, weight):
    """Against the same formula with eighty digits, weights included."""
    y = np.array([10.0**decades])
    poisson = isinstance(loss, PoissonLoss)
    v = np.array([v * y[0] if poisson else share * 20.0 - 1.0]) * weight
    weighted = WeightedLoss(loss, np.array([weight]))
    v = weighted.project(v * (1.0 - 1e-15), y)
    found, error = weighted.conjugate(v, y), weighted.conjugate_error(v, y)
    with localcontext(prec=150):
        a, b, w = (Decimal(float(x)) for x in (v[0], y[0], weight))
        u = a / w
        mean = b - u if poisson else 1 + u
        if mean < 0:
            return
        entropy = mean * mean.ln() if mean else Decimal(0)
        truth = entropy + u - b * b.ln() if poisson else entropy - u - u * b.ln()
        assert abs(Decimal(found) - w * truth) <= Decimal(error)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_warns_where_the_exponential_ends(loss, dtype):
    f = np.array([-1e30, -1e4, -800.0, 0.0, 800.0, 1e4, 1e30], dtype=dtype)
    for size in (1e-30, 1.0, 1e30):
        y = np.full_like(f, size)
        gradient, curvature = loss.gradient(f, y), loss.curvature(f, y)
        assert np.isfinite(gradient).all() and np.isfinite(curvature).all()
        assert (np.diff(gradient) >= 0.0).all() and gradient.dtype == dtype
        assert np.isfinite(float(gradient.astype(float) @ gradient.astype(float)))
        assert not np.isnan(loss.values(f, y)).any() and loss.value(f, y) == np.inf
        majorizer = loss.majorizer(f, y)
        assert (majorizer > 0.0).all() and (majorizer >= curvature).all()
        slopes = loss.slopes(f.astype(float), np.ones(7), y.astype(float))
        assert (slopes >= np.abs(gradient) * (1.0 - 1e-5)).all()


@each_loss
@given(f=st.floats(-300.0, 300.0), decades=st.floats(-25.0, 25.0), power=st.floats(-12.0, 12.0))
def test_the_proximal_step_is_a_root(loss, f, decades, power):
    y, theta, f = np.array([10.0**decades]), 10.0**power, np.array([f])
    e = loss.proximal(f, y, theta)
    # Between f and where the loss is least; the slope changes its sign there.
    best = np.log(y)
    assert min(f, best) - 1e-9 <= e <= max(f, best) + 1e-9
    step = 1e-9 * (1.0 + np.abs(e) + np.abs(f))
    slopes = [e + s * step - f + theta * loss.gradient(e + s * step, y) for s in (-1.0, 1.0)]
    assert slopes[0] <= 0.0 <= slopes[1]


@each_loss
def test_proximal_steps_of_what_is_made_of_it(loss):
    y, f, theta = np.array([0.5, 1.0, 4.0, 9.0]), np.array([-2.0, 0.3, 5.0, 0.0]), 2.0
    for made in (WeightedLoss(loss, WEIGHTS), OffsetLoss(loss, 0.7)):
        e = made.proximal(f, y, theta)
        np.testing.assert_allclose(e - f, -theta * made.gradient(e, y), atol=1e-12)
        np.testing.assert_array_equal(MoreauEnvelope(made, theta).nearest(f, y), e)
    zero = PoissonLoss().proximal(f, np.zeros(4), theta)
    np.testing.assert_allclose(zero - f, -theta * np.exp(zero), atol=1e-12)
    np.testing.assert_array_equal(loss.proximal(f, y, 0.0), f)


@each_loss
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e6, 1e20])
def test_the_best_constant_is_the_logarithm_of_the_mean(loss, size):
    rng = np.random.default_rng(0)
    y, weights = size * rng.gamma(0.5, 1.0, 50), rng.uniform(0.1, 3.0, 50)
    y[:3] *= 0.0 if isinstance(loss, PoissonLoss) else 1e-3
    best = best_offset(WeightedLoss(loss, weights), np.zeros(50), y)
    assert best == pytest.approx(np.log(np.average(y, weights=weights)), rel=1e-12, abs=1e-12)
    solution = cvxnn.solve(
        rng.standard_normal((50, 2)), y, 1e3 * size + 1e3, loss=loss, intercept=True,
        sample_weight=weights,
    )  # fmt: skip
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_neurons == 0
    assert solution.network.intercept == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert solution.objective == pytest.approx(float(weights @ loss.values(np.full(50, best), y)))


def test_what_targets_are_none():
    X = np.eye(2)
    for y in ([-1.0, 2.0], [1e-40, 1.0], [1e31, 1.0]):
        refused(lambda y=y: cvxnn.solve(X, y, 0.1, loss="poisson"), "y must have counts .* >= 0")
    for y in ([0.0, 2.0], [-1.0, 2.0]):
        refused(lambda y=y: cvxnn.solve(X, y, 0.1, loss="gamma"), "y must have amounts above 0")
    for options in ({}, {"sample_weight": [1.0, 2.0]}):
        refused(
            lambda options=options: cvxnn.solve(
                X, [0.0, 0.0], 0.1, loss="poisson", intercept=True, **options
            ),
            "y must have a count above 0 for an intercept, got zeros only",
        )
    # A row of weight 0 is none.
    refused(
        lambda: cvxnn.solve(
            X, [3.0, 0.0], 0.1, loss="poisson", intercept=True, sample_weight=[0.0, 1.0]
        ),
        "got zeros only",
    )


@pytest.mark.long
def test_a_free_line_along_which_zeros_fall_for_ever():
    model = cvxnn.ReLU(skip="free")
    for X, y in (
        ([[-1.0, 1.0], [0.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [0.0, 3.0, 0.0, 2.0]),
        ([[-1.0], [0.0], [-2.0]], [0.0, 3.0, 0.0]),
    ):
        refused(
            lambda X=X, y=y: cvxnn.solve(X, y, 0.1, loss="poisson", model=model), "no best weights"
        )
        penalised = cvxnn.solve(X, y, 0.1, loss="poisson", model=cvxnn.ReLU(skip="penalised"))
        assert penalised.status is cvxnn.Status.OPTIMAL
    # A row on the other side holds it.
    X, y = [[-1.0], [0.0], [-2.0], [1.0]], [0.0, 3.0, 0.0, 1.0]
    assert cvxnn.solve(X, y, 0.1, loss="poisson", model=model).status is cvxnn.Status.OPTIMAL


@with_long(
    ("loss", "size", "intercept"),
    [
        (PoissonLoss(), 1e-3, True), (GammaLoss(), 1e6, False), (PoissonLoss(), 1e6, False),
        (GammaLoss(), 1e-3, True), (PoissonLoss(), 1.0, True), (GammaLoss(), 1.0, False),
    ],
    ids=["poisson-small", "gamma-large", "poisson-large", "gamma-small", "poisson", "gamma"],
)  # fmt: skip
def test_counts_of_any_size_are_certified(loss, size, intercept):
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.standard_normal((40, 2)), np.ones(40)])
    mean = size * np.exp(np.maximum(X[:, 0], 0.0) - X[:, 1])
    y = rng.poisson(mean) * 1.0 if isinstance(loss, PoissonLoss) else mean * rng.gamma(3.0, size=40)
    y[0] += 1.0
    beta = 0.05 * cvxnn.largest_beta(X, y, loss=loss, intercept=intercept)
    solution = cvxnn.solve(X, y, beta, loss=loss, intercept=intercept)
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_neurons > 0
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted and report.gap <= 1e-6
    certificate = cvxnn.certify(solution.network, X, y, beta, loss=loss)
    assert certificate.verdict.name == "OPTIMAL"


@pytest.mark.long
def test_a_factor_of_amounts_is_a_number_that_is_added():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal((30, 2)), np.ones(30)])
    y = np.exp(X[:, 0]) * rng.gamma(3.0, size=30)
    one, other = (cvxnn.solve(X, c * y, 0.5, loss="gamma", intercept=True) for c in (1.0, 1e9))
    assert other.objective == pytest.approx(one.objective, rel=1e-6)
    np.testing.assert_allclose(other.network(X), one.network(X) + np.log(1e9), atol=1e-3)


@pytest.mark.long
def test_an_exposure_is_a_weight():
    """Counts in some time, and rates with the time as weight: the same up to a constant."""
    rng = np.random.default_rng(4)
    X, time = rng.standard_normal((30, 3)), rng.uniform(0.5, 5.0, 30)
    counts = rng.poisson(time * np.exp(X[:, 0])).astype(float)
    rates = cvxnn.solve(X, counts / time, 1.0, loss="poisson", sample_weight=time, intercept=True)
    f = rates.network(X)
    beside = Problem.of(None, counts, 1.0, OffsetLoss(as_loss("poisson"), np.log(time)))
    assert rates.objective == pytest.approx(
        beside.value(f, float(rates.network.penalty())), rel=1e-9
    )


@each_loss
@pytest.mark.parametrize("size", [1e-3, 3.0, 1e6])
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2.0, 30)], ids=["plain", "weights"])
def test_a_constant_is_optimal_for_targets_that_are_all_the_same(loss, size, weights):
    """Its logarithm is no float, so that no objective is 0 in exact arithmetic."""
    X, y = np.column_stack([np.linspace(-1.0, 1.0, 30), np.ones(30)]), np.full(30, size)
    solution = cvxnn.solve(X, y, 0.1, loss=loss, intercept=True, sample_weight=weights)
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_neurons == 0
    assert solution.network.intercept == pytest.approx(np.log(size), rel=1e-15)
    of_weights = np.ones(30) if weights is None else weights
    zero = float(of_weights @ loss.values(np.zeros(30), y))
    assert solution.objective_floor == pytest.approx(2.0**-52 * zero, rel=1e-9)
    assert solution.objective + solution.objective_error <= 1e-6 * solution.objective_floor
    certificate = cvxnn.certify(solution.network, X, y, 0.1, loss=loss, sample_weight=weights)
    assert certificate.verdict is cvxnn.Verdict.OPTIMAL and certificate.gap <= 1e-6
    assert solution.certificate.verify(X, y, weights, network=solution.network).accepted


@each_loss
def test_an_objective_that_is_small_has_no_floor_beside_ordinary_targets(loss):
    X, y = np.array([[-1.0, 1.0], [1.0, 1.0]]), np.array([1.0, 3.0])
    solution = cvxnn.solve(X, y, 1e-6, loss=loss, intercept=True)
    assert solution.status is cvxnn.Status.OPTIMAL
    assert 0.0 < solution.objective_floor < 1e-6 * solution.objective
    assert solution.gap == pytest.approx(
        max(solution.objective + solution.objective_error - solution.dual_bound, 0.0)
        / solution.objective,
        abs=1e-12,
    )


@with_long("largest", [1e6, 1e3])
@pytest.mark.parametrize("model", [cvxnn.ReLU(), cvxnn.ReLU(features=1)], ids=["all", "one"])
def test_one_large_count_among_small_ones(largest, model):
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.standard_normal((40, 2)), np.ones(40)])
    y = rng.poisson(1.0, 40).astype(float)
    y[7] = largest
    beta = 0.05 * cvxnn.largest_beta(X, y, model=model, loss="poisson")
    assert cvxnn.solve(X, y, beta, model=model, loss="poisson").status is cvxnn.Status.OPTIMAL
