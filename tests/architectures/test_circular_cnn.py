"""Circular linear CNNs as solutions: networks, statuses and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from architectures.cnn_problems import LOSSES, draw, spectrum_objective
from scipy.linalg import circulant, dft

from cvxnn import CircularCNN, InputError, Status, solve_circular_cnn
from cvxnn.losses import SquaredLoss

any_loss = pytest.mark.parametrize("loss", LOSSES)


def rows(loss, n, d, seed=0):
    patches, y = draw(loss, n, 1, d, seed)
    return patches[:, 0], y


@any_loss
@pytest.mark.parametrize("d", [4, 5])
@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_one_filter_attains_the_optimum_of_the_program(loss, d, beta):
    X, y = rows(loss, 12, d)
    solution = solve_circular_cnn(X, y, beta, loss=loss)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    assert solution.gap <= 1e-6
    assert isinstance(network, CircularCNN)
    assert network.n_neurons == 1
    u, w = network.filters[0], network.output_weights[0]
    assert np.allclose(network.forward(X), X @ circulant(u) @ w)
    z = dft(d, scale="sqrtn") @ network.coefficients
    value = spectrum_objective(X, y, beta, loss, z)
    assert value == pytest.approx(solution.objective, rel=1e-9)
    assert np.linalg.norm(u) == pytest.approx(np.linalg.norm(w))


def test_no_filters_are_an_optimum_from_beta_max_on():
    X, y = rows("squared", 10, 6)
    solution = solve_circular_cnn(X, y, float(np.abs(dft(6) @ X.T @ y).max()) * (1.0 + 1e-9))
    assert solution.status is Status.OPTIMAL
    assert solution.network.n_neurons == 0
    assert solution.objective == SquaredLoss().value(np.zeros(10), y)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"X": [1.0, 2.0, 3.0]}, "X must be 2-D"),
        ({"X": np.full((3, 2), np.inf)}, "X must be finite"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": -1.0}, "beta must be a finite number above 0"),
        ({"loss": "squared_hinge"}, "labels -1 and 1 only"),
        ({"tol": 0.0}, "tol must be a finite number above 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    given_arguments = {"X": np.ones((3, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0}
    with pytest.raises(InputError, match=message) as error:
        solve_circular_cnn(**(given_arguments | arguments))
    assert "\n" not in str(error.value)
