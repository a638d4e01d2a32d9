"""Values of dual points: exactly for squares, against the losses for all of them."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sentences import refused

from cvxnn.errors import InputError
from cvxnn.losses import (
    AbsoluteLoss,
    GammaLoss,
    HingeLoss,
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    QuantileLoss,
    SquaredHingeLoss,
    SquaredLoss,
    WeightedLoss,
)
from cvxnn.verification.duals import (
    AbsoluteDual,
    HingeDual,
    HuberDual,
    LogisticDual,
    QuantileDual,
    SquaredDual,
    SquaredHingeDual,
)
from cvxnn.verification.log_links import GammaDual, PoissonDual
from cvxnn.verification.losses import DUALS, check_targets

PAIRS = [
    (SquaredLoss(), SquaredDual, {}),
    (HuberLoss(0.7), HuberDual, {"delta": 0.7}),
    (LogisticLoss(), LogisticDual, {}),
    (SquaredHingeLoss(), SquaredHingeDual, {}),
    (PoissonLoss(), PoissonDual, {}),
    (GammaLoss(), GammaDual, {}),
    (AbsoluteLoss(), AbsoluteDual, {}),
    (QuantileLoss(0.9), QuantileDual, {"level": 0.9}),
    (HingeLoss(), HingeDual, {}),
]
each_loss = pytest.mark.parametrize(
    ("loss", "dual", "numbers"), PAIRS, ids=[pair[1].name for pair in PAIRS]
)


def drawn(loss, seed, n=9):
    rng = np.random.default_rng(seed)
    y, weights = rng.standard_normal(n), rng.uniform(0.1, 3.0, n)
    y = np.sign(y) if loss.has_labels else y
    if loss.has_log_link:
        y = np.floor(np.exp(y)) if isinstance(loss, PoissonLoss) else np.exp(y)
    weighted = WeightedLoss(loss, weights)
    v = weighted.project(-weighted.gradient(rng.standard_normal(n), y), y)
    return v, y, weights


def conjugate(loss, v, y, weights):
    """``l*(-v)`` row by row, by a search for the best prediction."""
    total = 0.0
    for a, target, w in zip(v, y, weights, strict=True):
        row = np.array([target])

        def fall(f, a=a, row=row, w=w):
            return a * f + w * float(loss.values(np.array([f]), row)[0])

        total -= float(minimize_scalar(fall, bounds=(-60.0, 60.0), method="bounded").fun)
    return total


@each_loss
def test_a_bound_is_the_best_multiple_of_the_dual_point(loss, dual, numbers):
    for seed in range(5):
        v, y, weights = drawn(loss, seed)
        for largest in (0.3, 3.0):
            bound = dual(v, y, weights, **numbers).lower_bound(largest, 0.5)
            shares = np.linspace(0.0, 1.0, 201)
            ends = min(0.5 / largest, loss.longest(v / weights, y))
            values = [-conjugate(loss, t * ends * v, y, weights) for t in shares[[50, 100, 150]]]
            assert bound >= max(values) - 1e-6
            assert bound <= WeightedLoss(loss, weights).value(0.0 * y, y)


@each_loss
def test_it_is_below_every_network(loss, dual, numbers):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((9, 3))
    largest = float(np.linalg.norm(X, axis=1).sum()) * 3.0
    for seed in range(5):
        v, y, weights = drawn(loss, seed)
        bound = dual(v, y, weights, **numbers).lower_bound(largest, 0.5)
        for _ in range(20):
            U, a = rng.standard_normal((4, 3)), 0.2 * rng.standard_normal(4)
            sizes = float(np.linalg.norm(U, axis=1) @ np.abs(a))
            f = np.maximum(X @ U.T, 0.0) @ a
            assert bound <= WeightedLoss(loss, weights).value(f, y) + 0.5 * sizes


def test_squares_in_rational_numbers():
    v, y, weights = drawn(SquaredLoss(), 3)
    exact = [[Fraction(float(number)) for number in part] for part in (v, y, weights)]
    t = Fraction(1, 2) / Fraction(3)
    value = sum(t * a * b - t * t * a * a / (2 * w) for a, b, w in zip(*exact, strict=True))
    bound = Fraction(SquaredDual(v, y, weights).lower_bound(3.0, 0.5))
    best = sum(a * b for a, b, _ in zip(*exact, strict=True)) / sum(
        a * a / w for a, _, w in zip(*exact, strict=True)
    )
    assert best > t and value * (1 - Fraction(1, 2**50)) <= bound <= value


def test_entropies_are_rounded_down():
    for s in (1e-300, 1e-30, 1e-12, 0.3, 0.5, 1.0 - 1e-12, 1.0):
        dual = LogisticDual(np.array([s]), np.ones(1), np.ones(1))
        value = dual.value(dual.longest if s == 1.0 else type(dual.longest)(1))
        expected = -s * np.log(s) - (1.0 - s) * np.log1p(-s) if s < 1.0 else 0.0
        assert max(expected * (1.0 - 1e-13), 0.0) <= value <= expected * (1.0 + 1e-13)


def test_a_point_outside_of_the_domain_proves_what_0_does():
    y = np.array([1.0, -1.0])
    for kind in (LogisticDual, SquaredHingeDual, HingeDual):
        assert kind(-y, y, np.ones(2)).lower_bound(1.0, 1.0) == 0.0
    assert SquaredDual(np.array([np.nan]), np.ones(1), np.ones(1)).lower_bound(1.0, 1.0) == -np.inf
    assert SquaredDual(y, y, np.ones(2)).lower_bound(np.inf, 1.0) == -np.inf


def test_every_loss_by_its_name():
    assert set(DUALS) == {
        "squared", "huber", "absolute", "quantile", "logistic", "squared_hinge", "hinge", "softmax",
        "poisson", "gamma",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [PoissonDual, GammaDual])
def test_ends_of_the_domain_where_the_logarithm_is_predicted(kind):
    """A dual point at the end of its domain, to which float64 has rounded it."""
    y, weights = np.array([3.0, 0.1, 1e6, 1e-20]), np.array([1.0, 0.3, 3.0, 7.0])
    v = y * weights if kind is PoissonDual else -weights
    dual = kind(v, y, weights)
    t = dual.longest
    # With the mean 0, or the share, minus the conjugate is ``y log y - y``, or ``- log y - 1``.
    expected = y * np.log(y) - y if kind is PoissonDual else -np.log(y) - 1.0
    assert abs(float(t) - 1.0) <= 1e-15
    assert dual.value(t) == pytest.approx(float(weights @ expected), rel=1e-12)
    assert dual.value(t) <= -conjugate_in_decimals(kind, t, v, y, weights)


def conjugate_in_decimals(kind, t, v, y, weights):
    """With sixty digits, and rounded to the nearest."""
    with localcontext(prec=60):
        total = Decimal(0)
        for a, b, c in zip(v.tolist(), y.tolist(), weights.tolist(), strict=True):
            u, target = t * Decimal(a) / Decimal(c), Decimal(b)
            mean = max(target - u if kind is PoissonDual else 1 + u, Decimal(0))
            entropy = mean * mean.ln() if mean else Decimal(0)
            if kind is PoissonDual:
                total += Decimal(c) * (entropy + u - (target * target.ln() if target else 0))
            else:
                total += Decimal(c) * (entropy - u - u * target.ln())
        return float(total)


@pytest.mark.parametrize("kind", [PoissonDual, GammaDual])
def test_values_are_rounded_down_where_the_logarithm_is_predicted(kind):
    loss = PoissonLoss() if kind is PoissonDual else GammaLoss()
    for seed in range(30):
        v, y, weights = drawn(loss, seed)
        dual, t = kind(v, y, weights), Decimal(float(np.random.default_rng(seed).random()))
        value, exact = dual.value(t), -conjugate_in_decimals(kind, t, v, y, weights)
        assert exact - 1e-12 <= value <= exact


def test_targets_whose_logarithm_is_predicted():
    check_targets("poisson", np.array([0.0, 2.0]))
    check_targets("gamma", np.array([0.1, 2.0]))
    refused(lambda: check_targets("poisson", np.array([-1.0])), "counts for this loss")
    refused(lambda: check_targets("gamma", np.array([0.0])), "amounts above 0")


def test_the_box_of_a_quantile_in_rational_numbers():
    """A level that is no float on the other side: 1 - 0.05 is rounded there, and not here."""
    v, y, w = np.array([0.03, -0.7]), np.array([1.0, -2.0]), np.array([1.0, 0.8])
    dual = QuantileDual(v, y, w, 0.05)
    level, numbers = Fraction(0.05), [Fraction(float(a)) for a in (v[0], -v[1], w[0], w[1])]
    end = min(level * numbers[2] / numbers[0], (1 - level) * numbers[3] / numbers[1])
    assert end * (1 - Fraction(1, 10**30)) <= Fraction(dual.longest) <= end
    value = end * (numbers[0] + 2 * numbers[1])
    assert value * (1 - Fraction(1, 2**50)) <= Fraction(dual.lower_bound(0.0, 1.0)) <= value
    for level in (1.0, 1.5):
        with pytest.raises(InputError, match="which is none"):
            QuantileDual(v, y, w, level)
