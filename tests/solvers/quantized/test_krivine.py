"""Draws of signs have the mean that they are drawn for, and come closer to it as a root."""

import numpy as np
import pytest
from solvers.quantized.test_search import drawn, relaxed

from cvxnn.solvers.quantized.krivine import GAMMA, krivine_draws


def test_the_mean_of_products_is_the_product():
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 4, 3))
    left, right = (part / np.linalg.norm(part, axis=1)[:, None] for part in (left, right))
    u, v = krivine_draws(left, right, 200_000, rng)
    assert set(np.unique(u)) == {-1.0, 1.0} == set(np.unique(v))
    mean = np.pi / (2.0 * GAMMA) * (u.T @ v) / len(u)
    np.testing.assert_allclose(mean, left @ right.T, atol=0.02)


def test_networks_of_draws_come_closer_to_the_relaxation_as_a_root():
    X, y = drawn(0, 30, 4)
    program, _ = relaxed(X, y, 1.0)
    target = program.prediction
    rng, distances = np.random.default_rng(1), []
    counts = np.array([100, 400, 1600, 6400])
    for count in counts:
        u, v = krivine_draws(*program.vectors, 40 * count, rng)
        size = program.rho * np.pi / (2.0 * GAMMA * count)
        fits = size * ((X @ u.T) * (X @ v.T)).reshape(len(X), 40, count).sum(axis=2)
        distances.append(np.sqrt(np.mean((fits - target[:, None]) ** 2)))
    slope = np.polyfit(np.log(counts), np.log(distances), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)
