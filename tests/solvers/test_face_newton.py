"""Refinement: never worse, fewer neurons, and stationary in the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.solvers.face_newton import Neurons, dual_point, neuron_objective, refine


def random_neurons(rng: np.random.Generator, k: int, r: int) -> Neurons:
    directions = rng.standard_normal((k, r))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Neurons(directions, rng.random(k) + 0.1, rng.choice([-1.0, 1.0], k))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 15), r=st.integers(1, 4))
def test_refine_never_worsens_and_thins_out(seed: int, n: int, r: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, r)), rng.standard_normal(n)
    neurons = random_neurons(rng, 12, r)
    refined = refine(X, y, 0.1, neurons)
    before, after = (neuron_objective(X, y, 0.1, z) for z in (neurons, refined))
    assert after <= before * (1 + 1e-12)
    assert len(refined.weights) <= n
    np.testing.assert_allclose(np.linalg.norm(refined.directions, axis=1), 1.0, rtol=1e-12)
    assert (refined.weights > 0).all()


def test_newton_reaches_the_closed_form_of_one_cell() -> None:
    # Every row active: 1/2 ||X w - y||^2 + beta ||w||, stationary at X'(y - Xw) = beta w/||w||.
    rng = np.random.default_rng(0)
    X = np.abs(rng.standard_normal((10, 3))) + 0.1
    y = X @ np.array([1.0, 2.0, 0.5])
    start = Neurons(np.full((1, 3), 3**-0.5), np.ones(1), np.ones(1))
    refined = refine(X, y, 0.2, start)
    w = refined.directions[0] * refined.weights[0]
    np.testing.assert_allclose(X.T @ (y - X @ w), 0.2 * refined.directions[0], atol=1e-10)
    np.testing.assert_allclose(dual_point(X, y, 0.2, refined), y - X @ w, atol=1e-10)


def test_no_neurons() -> None:
    none = Neurons.none(2)
    X, y = np.eye(2), np.ones(2)
    assert len(refine(X, y, 1.0, none).weights) == 0
    np.testing.assert_array_equal(dual_point(X, y, 1.0, none), y)
    assert neuron_objective(X, y, 1.0, none) == pytest.approx(1.0)


def test_zero_rows_are_harmless() -> None:
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    refined = refine(
        X, np.array([1.0, 2.0, 3.0]), 0.1, random_neurons(np.random.default_rng(1), 4, 2)
    )
    assert np.isfinite(refined.weights).all()
