"""Certificates of polynomial networks, and a checker of its own."""

from dataclasses import replace

import numpy as np
import pytest

import cvxnn
from cvxnn import Polynomial, PolynomialNetwork
from cvxnn.verification import polynomial as checker


def problem(seed=0, n=30, d=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X[:, 0] * X[:, -1] + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("options", [
    {}, {"intercept": True}, {"loss": "huber"}, {"loss": "absolute"},
    {"model": Polynomial(1.0, 0.0, 0.0)}, {"model": Polynomial(-1.0, 0.2, -3.0)},
], ids=["plain", "intercept", "huber", "absolute", "squares", "others"])  # fmt: skip
def test_bounds_are_confirmed(options):
    X, y = problem()
    solution = cvxnn.solve(X, y, 0.3, **{"model": Polynomial()} | options)
    found = solution.certificate.verify(X, y, network=solution.network)
    assert found.accepted and found.gap <= 1e-6


def test_bounds_of_several_outputs_and_images_are_confirmed():
    X, y = problem()
    Y = np.column_stack([y, X[:, 1]])
    solution = cvxnn.solve(X, Y, 0.3, model="polynomial", intercept=True)
    assert solution.certificate.verify(X, Y, network=solution.network).accepted
    images = np.random.default_rng(1).standard_normal((15, 4, 5))
    solution = cvxnn.solve(images, y[:15], 0.03, model=Polynomial(filter_size=2, padding=1))
    assert solution.certificate.verify(images, y[:15], network=solution.network).accepted


def test_a_claim_that_is_too_high_is_refused():
    X, y = problem()
    solution = cvxnn.solve(X, y, 0.3, model="polynomial")
    higher = replace(solution.certificate, dual_bound=solution.dual_bound * (1.0 + 1e-4))
    assert not higher.sealed().verify(X, y).accepted


def test_networks_of_another_activation_are_told_apart():
    X, y = problem()
    solution = cvxnn.solve(X, y, 0.3, model="polynomial")
    other = PolynomialNetwork(solution.network.hidden_weights, solution.network.output_weights, 1.0)
    found = solution.certificate.verify(X, y, network=other)
    assert not found.accepted and "coefficients" in str(found)


def test_sums_that_are_rounded_are_charged(monkeypatch):
    rng = np.random.default_rng(2)
    X, v = rng.standard_normal((300, 1, 5)), rng.standard_normal(300)
    exact = checker.largest_of_sphere(X, v, (0.3, 0.5, 0.1))
    monkeypatch.setattr(checker, "_MOST_EXACT", 0)
    rounded = checker.largest_of_sphere(X, v, (0.3, 0.5, 0.1))
    assert exact <= rounded <= exact * (1.0 + 1e-10)


@pytest.mark.parametrize("coefficients", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_nothing_is_bounded_by_nothing(coefficients):
    X = np.random.default_rng(3).standard_normal((4, 1, 2))
    assert 0.0 <= checker.largest_of_sphere(X, np.zeros(4), coefficients) <= 1e-100
    if coefficients[2] == 0.0:
        zeros = checker.largest_of_sphere(0.0 * X, np.ones(4), coefficients)
        assert 0.0 <= zeros <= 1e-100
