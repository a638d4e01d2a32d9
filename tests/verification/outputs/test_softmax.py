"""Values of dual points of the softmax loss, against the loss and numerical conjugates."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from variants import with_long

from cvxnn.losses import SoftmaxLoss
from cvxnn.verification.balance import with_sums_zero
from cvxnn.verification.losses import check_targets
from cvxnn.verification.outputs.softmax import SoftmaxDual


def drawn(seed, n=7, c=3, *, shares=False):
    rng = np.random.default_rng(seed)
    y = rng.dirichlet(np.ones(c), n) if shares else np.eye(c)[rng.integers(c, size=n)]
    weights = rng.uniform(0.3, 3.0, n)
    loss, repeated = SoftmaxLoss(), y * weights[:, None]
    v = loss.project(-loss.gradient(rng.standard_normal((n, c)), repeated), repeated)
    return v, y, weights


def conjugate(v, y, w):
    """``sup_f -v'f - w (s lse(f) - y'f)`` of a row, by BFGS."""

    def fall(f):
        return float(v @ f + w * (y.sum() * logsumexp(f) - y @ f))

    return -float(minimize(fall, np.zeros(len(v)), method="BFGS", options={"gtol": 1e-9}).fun)


@pytest.mark.long
@with_long("shares", [True, False])
def test_a_bound_is_the_best_multiple_of_the_dual_point(shares):
    for seed in range(2):
        v, y, weights = drawn(seed, shares=shares)
        for largest in (0.3, 3.0):
            bound = SoftmaxDual(v, y, weights).lower_bound(largest, 0.5)
            end = min(0.5 / largest, SoftmaxLoss().longest(v, y * weights[:, None]))
            values = []
            for t in (0.3 * end, 0.7 * end, 0.95 * end):
                rows = zip(v, y, weights, strict=True)
                values.append(-sum(conjugate(t * a, b, w) for a, b, w in rows))
            assert bound >= max(values) - 1e-6
            # Fenchel: no network of ``v'f <= largest size`` and the price 1/2 is below it.
            rng = np.random.default_rng(9)
            for scale in (0.1, 1.0, 10.0):
                f = scale * rng.standard_normal(v.shape)
                size = max(float((v * f).sum()), 0.0) / largest
                total = y.sum(axis=1) * logsumexp(f, axis=1) - (y * f).sum(axis=1)
                assert bound <= float(weights @ total) + 0.5 * size + 1e-12


def test_values_are_below_the_entropy_by_rounding_only():
    v, y, weights = drawn(3)
    dual = SoftmaxDual(v, y, weights)
    for t in ("0", "0.25", "0.999"):
        p = weights[:, None] * y - float(t) * v
        s = weights[:, None] * y.sum(axis=1, keepdims=True)
        entropy = float((p * np.log(s / np.where(p > 0.0, p, 1.0)))[p > 0.0].sum())
        assert dual.value(Decimal(t)) == pytest.approx(entropy, rel=1e-12, abs=1e-14)
    assert SoftmaxDual(v, np.eye(3)[[0] * 7], weights).value(Decimal(0)) <= 0.0


def test_the_domain_is_that_of_probabilities():
    y, ones = np.array([[1.0, 0.0, 0.0]]), np.ones(1)
    for row in ([0.5, 0.25, -0.75], [0.5, -0.5, 2.0**-80]):
        # More than nothing of a class that is not there, or a sum that is not 0.
        assert SoftmaxDual(np.array([row]), y, ones).lower_bound(1.0, 1.0) <= 0.0
    v = np.array([[0.75, -0.25, -0.5]])
    longest = SoftmaxDual(v, y, ones).longest
    assert Fraction(longest) <= Fraction(4, 3) < Fraction(longest) * (1 + Fraction(1, 10**30))


def test_sums_are_made_zero_exactly():
    rng = np.random.default_rng(4)
    v = rng.standard_normal((6, 3))
    rows = with_sums_zero(v, rows=True, columns=False)
    total = [sum(map(Fraction, row)) for row in rows.tolist()]
    assert total == [0] * 6 and np.abs(rows - v).max() <= np.abs(v.sum(axis=1)).max() * 1.01
    columns = with_sums_zero(v, rows=False, columns=True)
    assert [sum(map(Fraction, column)) for column in columns.T.tolist()] == [0] * 3
    assert not with_sums_zero(v, rows=True, columns=True).any()
    both = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert (with_sums_zero(both, rows=True, columns=True) == both).all()


@pytest.mark.parametrize("y", [[[1.0, -0.5]], [[0.0, 0.0]], [1.0, 0.0]])
def test_targets_that_are_no_classes_are_refused(y):
    with pytest.raises(ValueError, match="column for each class"):
        check_targets("softmax", np.array(y))
