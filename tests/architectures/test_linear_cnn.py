"""Linear CNNs as solutions: networks, statuses, limits and refusals."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest
from architectures.cnn_problems import LOSSES, draw, nuclear_objective
from sklearn.exceptions import ConvergenceWarning

from cvxnn import InputError, LinearCNN, Status, solve_linear_cnn
from cvxnn.losses import SquaredLoss, as_loss

any_loss = pytest.mark.parametrize("loss", LOSSES)


@any_loss
@pytest.mark.parametrize("beta", [0.01, 0.5])
def test_the_network_attains_the_optimum_of_the_program(loss, beta):
    patches, y = draw(loss, 12, 4, 3)
    solution = solve_linear_cnn(patches, y, beta, loss=loss)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    assert solution.gap <= 1e-6
    assert solution.dual_bound <= solution.objective * (1.0 + 1e-14)
    Z = network.coefficients.T
    value = nuclear_objective(patches, y, beta, loss, Z)
    assert value == pytest.approx(solution.objective, rel=1e-9)
    assert network.objective(patches, y, beta, as_loss(loss)) == solution.objective
    norms = [np.linalg.norm(part, axis=1) for part in (network.filters, network.output_weights)]
    assert np.allclose(*norms)
    assert network.n_neurons <= 3


def test_no_filters_are_an_optimum_from_beta_max_on():
    patches, y = draw("squared", 10, 3, 4)
    largest = float(np.linalg.norm(np.einsum("nkh,n->kh", patches, y), 2))
    solution = solve_linear_cnn(patches, y, largest * (1.0 + 1e-9))
    assert solution.status is Status.OPTIMAL
    assert solution.network.n_neurons == 0
    assert solution.objective == SquaredLoss().value(np.zeros(10), y)


@pytest.mark.parametrize("size", [1e-90, 1e-8, 1e8, 1e90])
def test_units_of_the_data_do_not_matter(size):
    patches, y = draw("squared", 10, 3, 2)
    plain = solve_linear_cnn(patches, y, 0.5)
    scaled = solve_linear_cnn(size * patches, y, 0.5 * size)
    assert scaled.status is Status.OPTIMAL
    assert scaled.objective == pytest.approx(plain.objective, rel=1e-6)


def test_limits_are_statuses_and_warn():
    patches, y = draw("squared", 30, 8, 6)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        limited = solve_linear_cnn(patches, y, 1e-3, max_iter=1, tol=1e-15)
    assert limited.status in (Status.ITERATION_LIMIT, Status.NUMERICAL_ERROR)
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        late = solve_linear_cnn(patches, y, 1e-3, time_limit=1e-9)
    assert late.status is Status.TIME_LIMIT
    assert late.dual_bound <= limited.objective <= late.objective


def test_rounds_are_reported():
    patches, y = draw("squared", 30, 8, 6)
    seen = []
    solution = solve_linear_cnn(patches, y, 0.1, callback=seen.append)
    assert [entry.iteration for entry in seen] == list(range(solution.n_iter))
    assert seen[-1].objective == pytest.approx(solution.objective, rel=1e-12)


def test_ctrl_c_returns_the_best_so_far():
    patches, y = draw("squared", 30, 8, 6)

    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    # A shell starts its background jobs with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        solution = solve_linear_cnn(patches, y, 1e-3, tol=1e-15, callback=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert solution.status is Status.INTERRUPTED
    assert solution.objective < 0.5 * y @ y


def test_the_result_is_frozen():
    patches, y = draw("squared", 6, 2, 2)
    solution = solve_linear_cnn(patches, y, 0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.objective = 0.0
    assert isinstance(solution.network, LinearCNN)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"patches": np.ones((3, 2))}, r"patches must be 3-D, of shape \(n, K, h\)"),
        ({"patches": np.ones((3, 0, 2))}, "none of them 0"),
        ({"patches": np.full((3, 1, 2), np.nan)}, "patches must be finite"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": 0.0}, "beta must be a finite number above 0"),
        ({"beta": 1e200}, "out of all proportion"),
        ({"loss": "absolute"}, "loss must be one of"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
        ({"tol": 2.0}, "tol must be below 1"),
        ({"max_iter": 0}, "max_iter must be an integer of at least 1"),
        ({"time_limit": -1.0}, "time_limit must be None"),
        ({"callback": 3}, "callback must be callable"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    given_arguments = {"patches": np.ones((3, 2, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0}
    with pytest.raises(InputError, match=message) as error:
        solve_linear_cnn(**(given_arguments | arguments))
    assert "\n" not in str(error.value)
