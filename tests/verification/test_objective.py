"""Objectives between two numbers, held against rational arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from cvxnn.networks import TwoLayerNetwork
from cvxnn.verification.loss_values import losses_between
from cvxnn.verification.objective import GivenNetwork


def exact_loss(name, f, y, delta=0.0):
    if name == "hinge":
        return max(1 - y * f, Fraction(0))
    if name == "quantile":
        return max(Fraction(delta) * (y - f), (1 - Fraction(delta)) * (f - y))
    if name == "squared_hinge":
        return max(1 - y * f, Fraction(0)) ** 2 / 2
    size = abs(f - y)
    if name == "absolute":
        return size
    if name == "huber" and size > delta:
        return delta * (size - delta / 2)
    return size * size / 2


@pytest.mark.parametrize(
    "loss", ["squared", "huber", "squared_hinge", "absolute", "quantile", "hinge"]
)
@pytest.mark.parametrize("size", [1.0, 1e11])
def test_an_objective_is_between_its_bounds(loss, size):
    """Residuals that are next to nothing beside the predictions, too."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        X, hidden = rng.standard_normal((6, 2)), rng.standard_normal((3, 2))
        output, offset = rng.standard_normal(3), size * rng.standard_normal()
        f = np.maximum(X @ hidden.T, 0.0) @ output + offset
        y = np.sign(f) if "hinge" in loss else f + rng.standard_normal(6)
        weights, delta, beta = rng.uniform(0.5, 2.0, 6), 0.7, 0.1
        given = GivenNetwork.of(TwoLayerNetwork(hidden, output, intercept=offset))
        low, high = given.objective_between(
            X, y, weights, {"name": loss, "delta": delta, "level": delta}, beta
        )
        total = Fraction(beta) * sum(Fraction(a) ** 2 for a in [*hidden.flat, *output]) / 2
        for row, target, weight in zip(X, y, weights, strict=True):
            pairs = (zip(row, u, strict=True) for u in hidden)
            sums = [sum(Fraction(a) * Fraction(b) for a, b in pair) for pair in pairs]
            neurons = zip(sums, output, strict=True)
            value = sum(max(t, 0) * Fraction(a) for t, a in neurons) + Fraction(offset)
            total += Fraction(weight) * exact_loss(loss, value, Fraction(target), Fraction(delta))
        assert Fraction(low) <= total <= Fraction(high)
        assert high - low <= 1e-13 * size * max(high, 1.0) * 50


@pytest.mark.parametrize("name", ["poisson", "gamma"])
@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-3, 3.0])
def test_deviances_are_between_their_bounds(name, off):
    """Beside rounded logarithms, and where the loss is next to nothing."""
    rng = np.random.default_rng(1)
    y = np.concatenate([[0.0, 1.0], 10.0 ** rng.uniform(-20.0, 20.0, 12)])
    y = y[1:] if name == "gamma" else y
    f = np.log(np.where(y > 0.0, y, 0.1)) + off * rng.standard_normal(len(y))
    for error in (0.0, 1e-15, 1e-6):
        moved = f + error * rng.uniform(-1.0, 1.0, len(y))
        least, most = losses_between({"name": name}, f, np.full(len(y), error), y)
        for k, target in enumerate(y.tolist()):
            value = float(moved[k]) if abs(moved[k] - f[k]) <= error else float(f[k])
            exact = deviance(name, value, target)
            rounding = Fraction(1, 10**14) * Fraction(float(most[k]))
            assert Fraction(float(least[k])) - rounding <= exact
            assert exact <= Fraction(float(most[k])) + rounding


def deviance(name, f, y):
    with localcontext(prec=120):
        f, y = Decimal(f), Decimal(y)
        if y == 0:
            return Fraction(f.exp())
        r = f - y.ln() if name == "poisson" else y.ln() - f
        return Fraction((y if name == "poisson" else 1) * (r.exp() - 1 - r))
