"""Three layers on one feature: against slopes in cvxpy, all ramps, two layers and the past."""

import math
from fractions import Fraction

import numpy as np
import pytest
from ramped import Ramped
from variants import with_long

import cvxnn
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.line import Line
from cvxnn.losses import as_loss
from cvxnn.losses.balance import balanced
from cvxnn.oracle.ramps import largest_ramp
from cvxnn.problems import Problem
from cvxnn.solvers.ramps.active_set import Broken, QuadraticModel
from cvxnn.solvers.ramps.knots import Knots
from cvxnn.solvers.ramps.neurons import Ramps
from cvxnn.solvers.ramps.search import RampSearch, RampStrategy
from cvxnn.verification.ramps import largest_of_ramps

FREE = cvxnn.Parallel(bias="free")


def wave(n, seed, noise=0.3):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    return x, np.sin(5.0 * x) + noise * rng.standard_normal(n)


def trained(x, y, beta, **options):
    return cvxnn.solve(x[:, None], y, beta, model=FREE, tol=1e-9, **options)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.03, 0.003])
@pytest.mark.parametrize("n", [2, 3, 8, 14])
def test_the_optimum_is_that_of_slopes_and_of_all_ramps(n, share):
    cp = pytest.importorskip("cvxpy")
    x, y = wave(n, n)
    beta = share * cvxnn.largest_beta(x[:, None], y, model=FREE)
    solution = trained(x, y, beta)
    assert solution.status is cvxnn.Status.OPTIMAL
    for other in (Ramped(x).optimum, Ramped(x).lasso):
        assert solution.objective == pytest.approx(other(cp, "squared", y, beta), rel=1e-6)
    # The price is what the slopes cost, whatever the ramps are made of.
    order = np.argsort(x)
    slopes = np.diff(solution.network.forward(x[order, None])) / np.diff(x[order])
    turns = np.abs(np.diff(slopes, prepend=0.0, append=0.0)).sum()
    assert solution.network.penalty() == pytest.approx(0.5 * turns, rel=1e-7)


@with_long("width", [1, 3])
def test_forty_random_starts_of_any_width_are_not_below(width):
    x, y = wave(12, 3)
    solution = trained(x, y, 0.3)
    lowest = Ramped(x).lowest("squared", y, 0.3, width=width)
    assert solution.dual_bound <= lowest + 1e-9 and lowest < 1.5 * solution.objective


def test_two_layers_are_not_better_and_at_half_of_beta_not_worse():
    x, y = wave(30, 5)
    deep = trained(x, y, 0.2).objective
    A = np.column_stack([np.maximum(s * (x[:, None] - x), 0.0) for s in (1.0, -1.0)])
    cp = pytest.importorskip("cvxpy")

    def two_layers(beta):
        z, c = cp.Variable(A.shape[1]), cp.Variable()
        fit = 0.5 * cp.sum_squares(A @ z + c - y)
        return float(cp.Problem(cp.Minimize(fit + beta * cp.norm1(z))).solve(solver="CLARABEL"))

    assert two_layers(0.1) - 1e-6 <= deep <= two_layers(0.2) + 1e-6
    assert deep < 0.99 * two_layers(0.2)


ADVERSARIAL = {
    "one row": (np.array([2.0]), np.array([3.0])),
    "one point": (np.zeros(4), np.arange(4.0)),
    "two points": (np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 3.0])),
    "repeated": (np.repeat(np.arange(6.0), 3), np.sin(np.arange(18.0))),
    "all but equal": (1.0 + np.arange(9.0) * 2.0**-20, np.cos(np.arange(9.0))),
    "of all scales": (10.0 ** np.arange(-12.0, 4.0), np.sin(np.arange(16.0))),
    "huge": (1e90 * np.arange(7.0), 1e80 * np.cos(np.arange(7.0) ** 2)),
    "tiny": (1e-90 * np.arange(7.0), 1e-80 * np.cos(np.arange(7.0) ** 2)),
    "far from 0": (1e5 + np.arange(9.0), np.cos(np.arange(9.0))),
    "nothing to learn": (np.arange(5.0), np.full(5, 7.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_bound_is_true_and_tight_on_adversarial_data(name):
    x, y = ADVERSARIAL[name]
    largest = cvxnn.largest_beta(x[:, None], y, model=FREE)
    for share in (0.3, 0.01):
        beta = share * largest if largest > 0.0 else 1.0
        solution = cvxnn.solve(x[:, None], y, beta, model=FREE)
        assert solution.status is cvxnn.Status.OPTIMAL
        assert solution.certificate.verify(x[:, None], y, network=solution.network).accepted
    v = balanced(y - y.mean())
    exact, bound = largest_of_ramps(x, v), largest_ramp(Line(x), v)
    assert exact <= bound <= exact * (1.0 + 1e-12) + 1e-290


def in_fractions(x, v):
    """The largest ramp by definition, over all pairs of points."""
    x, v = [Fraction(t) for t in x], [Fraction(t) for t in v]
    ramps = (
        [min(max(t - s, Fraction(0)), e - s) for t in x] for s in set(x) for e in set(x) if s < e
    )
    return max((abs(sum(a * b for a, b in zip(v, f, strict=True))) for f in ramps), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_oracle_is_the_largest_of_all_ramps(seed):
    rng = np.random.default_rng(seed)
    x = rng.choice(rng.standard_normal(6), 9)
    v = balanced(rng.standard_normal(9) * 10.0 ** rng.integers(-8, 8))
    assert math.fsum(v) == 0.0
    expected = in_fractions(x, v)
    assert expected <= Fraction(largest_of_ramps(x, v)) <= expected * (1 + Fraction(1, 10**15))
    assert expected <= Fraction(largest_ramp(Line(x), v)) <= expected * (1 + Fraction(1, 10**12))


def test_a_dual_point_whose_sum_is_not_zero_proves_nothing():
    assert largest_of_ramps(np.arange(3.0), np.array([1.0, -1.0, 2.0**-60])) == np.inf


@pytest.mark.parametrize("seed", range(4))
def test_ramps_of_a_function_are_that_function_at_half_of_its_turns(seed):
    rng = np.random.default_rng(seed)
    points, values = np.sort(rng.standard_normal(12)), rng.standard_normal(12)
    ramps = Ramps.of_function(points, values)
    np.testing.assert_allclose(ramps.predict(points), values, atol=1e-12)
    turns = np.diff(np.diff(values) / np.diff(points), prepend=0.0, append=0.0)
    assert ramps.sizes.sum() == pytest.approx(0.5 * np.abs(turns).sum(), rel=1e-12)
    assert (ramps.starts < ramps.ends).all()


def test_hats_are_their_own_adjoint_and_solve_their_equations():
    rng = np.random.default_rng(0)
    points, h = np.sort(rng.standard_normal(15)), rng.random(15) + 0.1
    knots = Knots(points, np.array([2, 5, 6, 11]))
    hats = np.column_stack([knots.expand(each) for each in np.eye(4)])
    r, g = rng.standard_normal(15), rng.standard_normal(4)
    np.testing.assert_allclose(knots.gathered(r), hats.T @ r)
    np.testing.assert_allclose((hats.T * h) @ hats @ knots.solve(h, g), g)
    turns = np.column_stack([knots.turns(each) for each in np.eye(4)])
    np.testing.assert_allclose(turns, turns.T, atol=1e-12)


def problem(n=40, loss="squared", beta=0.05):
    x, y = wave(n, 1)
    y = np.sign(y) if as_loss(loss).has_labels else y
    return Problem.of(Line(x), y, beta, as_loss(loss))


def test_a_start_saves_rounds_and_does_not_change_the_optimum():
    first = RampSearch(problem(loss="logistic"), UNLIMITED)
    while not first.reaches(1e-10):
        first.step(1e-10)
    again = RampSearch(problem(loss="logistic"), UNLIMITED, first.incumbent())
    assert again.objective == pytest.approx(first.objective, rel=1e-9)
    assert again.gap <= 1e-6


def test_a_deadline_leaves_a_function_and_a_bound():
    search = RampSearch(problem(400), Deadline(0.0))
    before = search.objective
    search.step(1e-6)
    assert search.objective <= before and np.isfinite(search.bound)


def test_an_opening_is_better_than_nothing():
    asked = problem()
    strategy = RampStrategy(asked)
    opening, nothing = strategy.opening(), strategy.nothing()
    both = ((each.predict(asked.rows.x), float(each.sizes.sum())) for each in (opening, nothing))
    values = [asked.value(f, size) for f, size in both]
    assert len(opening) == 1 and values[0] < values[1]


def test_the_active_set_ends_at_the_same_minimum_from_any_start():
    x, y = wave(60, 2)
    line = Line(x)
    _, y = line.points, line.gathered(y)
    model = QuadraticModel(line, np.ones(60), y, np.zeros(60), 0.02)
    from_nothing = model.solve(Broken.constant(line, 0.0), UNLIMITED)
    every = Knots(line.points, np.arange(60))
    signs = np.where(every.turns(y) >= 0.0, 1.0, -1.0)
    from_data = model.solve(Broken(every, y, signs), UNLIMITED)
    assert model.value(from_nothing) == pytest.approx(model.value(from_data), rel=1e-12)
    np.testing.assert_allclose(from_nothing.expand(), from_data.expand(), atol=1e-9)


@pytest.mark.parametrize("loss", ["absolute", "quantile", "hinge"])
def test_losses_with_kinks_are_certified(loss):
    cp = pytest.importorskip("cvxpy")
    x, y = wave(25, 4)
    y = np.sign(y) if loss == "hinge" else y
    solution = cvxnn.solve(x[:, None], y, 0.1, model=FREE, loss=loss)
    assert solution.status is cvxnn.Status.OPTIMAL
    assert solution.objective == pytest.approx(Ramped(x).optimum(cp, loss, y, 0.1), rel=2e-6)


def test_weights_and_repeated_rows_are_the_same():
    x, y = wave(20, 6)
    counts = np.arange(20) % 3
    weighted = trained(x, y, 0.1, sample_weight=counts)
    repeated = trained(np.repeat(x, counts), np.repeat(y, counts), 0.1)
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-8)
    shuffled = np.random.default_rng(0).permutation(20)
    again = trained(x[shuffled], y[shuffled], 0.1)
    assert again.objective == pytest.approx(trained(x, y, 0.1).objective, rel=1e-9)


@pytest.mark.parametrize(("n", "share"), [(20_000, 1e-2), (20_000, 1e-4)])
def test_many_rows_take_one_round(n, share):
    x, y = wave(n, 0)
    beta = share * cvxnn.largest_beta(x[:, None], y, model=FREE)
    solution = cvxnn.solve(x[:, None], y, beta, model=FREE, tol=1e-8)
    assert solution.status is cvxnn.Status.OPTIMAL and solution.n_iter == 1
