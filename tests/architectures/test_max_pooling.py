"""CNNs with max pooling against cvxpy, local search, the dense network and plain maxima."""

from __future__ import annotations

import signal
from dataclasses import replace

import numpy as np
import pytest
from architectures.cnn_problems import (
    LOSSES,
    draw_images,
    max_pooling_program,
    max_pooling_search,
    patches_by_loops,
)
from sklearn.exceptions import ConvergenceWarning

import cvxnn
from cvxnn import InputError, Status, TooManyPatternsError, solve_cnn
from cvxnn.losses import as_loss
from cvxnn.patterns import enumerate_patterns
from cvxnn.solvers.columns.max_search import MaxSearch

any_loss = pytest.mark.parametrize("loss", LOSSES)


def solve_max(images, y, beta, filter_size, method="exact", **options):
    return solve_cnn(images, y, beta, filter_size, pooling="max", method=method, **options)


@any_loss
@pytest.mark.parametrize("shape", [(5, 3), (5, 4)])
def test_cvxpy_finds_the_same_value(loss, shape):
    cp = pytest.importorskip("cvxpy")
    images, y = draw_images(loss, shape)
    value = max_pooling_program(cp, loss, patches_by_loops(images, (2,)), y, 0.2)
    solution = solve_max(images, y, 0.2, 2, loss=loss)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-6)
    assert solution.dual_bound <= value * (1.0 + 1e-6)
    own = solution.network.objective(images, y, 0.2, as_loss(loss))
    assert own == pytest.approx(solution.objective, rel=1e-12)
    assert solution.network.pooling == "max"
    assert solution.network.n_neurons <= len(y)


def test_cvxpy_finds_the_same_value_with_biases_and_steps():
    cp = pytest.importorskip("cvxpy")
    images, y = draw_images("squared", (5, 6), seed=3)
    patches = patches_by_loops(images, (2,), 2, 1)
    with_ones = np.concatenate([patches, np.ones((*patches.shape[:2], 1))], axis=2)
    value = max_pooling_program(cp, "squared", with_ones, y, 0.05)
    solution = solve_max(images, y, 0.05, 2, fit_intercept=True, stride=2, padding=1)
    assert solution.objective == pytest.approx(value, rel=1e-6)
    assert solution.network.biases.any()
    own = solution.network.objective(images, y, 0.05)
    assert own == pytest.approx(value, rel=1e-6)


@any_loss
def test_local_search_does_not_go_below(loss):
    images, y = draw_images(loss, (7, 4), seed=2)
    solution = solve_max(images, y, 0.2, 2, loss=loss)
    assert solution.status is Status.OPTIMAL
    found = max_pooling_search(patches_by_loops(images, (2,)), y, 0.2, loss, 6)
    assert found >= solution.dual_bound
    assert solution.objective * (1.0 - 1e-6) <= found <= 1.05 * solution.objective


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_patch_is_the_fully_connected_network(fit_intercept):
    images, y = draw_images("squared", (9, 3))
    rows = np.column_stack([images, np.ones(9)]) if fit_intercept else images
    dense = cvxnn.solve(rows, y, 0.1)
    summed = solve_cnn(images, y, 0.1, 3, fit_intercept=fit_intercept)
    solution = solve_max(images, y, 0.1, 3, fit_intercept=fit_intercept)
    assert dense.status is summed.status is solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(dense.objective, rel=1e-6)
    assert solution.objective == pytest.approx(summed.objective, rel=1e-6)
    assert solution.n_patterns == len(enumerate_patterns(rows))


def test_one_pixel_is_a_lasso_on_largest_and_smallest_pixels():
    # A filter of one pixel is u or -u: f = p max_k (x_k)_+ + q max_k (-x_k)_+ at |p| + |q|.
    images, y = draw_images("squared", (12, 3, 3), seed=4)
    pixels = images.reshape(12, -1)
    parts = np.column_stack([np.maximum(s * pixels, 0.0).max(axis=1) for s in (1.0, -1.0)])
    solution = solve_max(images, y, 0.4, 1)
    left = y - solution.network(images)
    c = np.linalg.lstsq(parts, solution.network(images), rcond=None)[0]
    assert np.allclose(parts @ c, solution.network(images), atol=1e-6)
    assert solution.objective == pytest.approx(0.5 * left @ left + 0.4 * np.abs(c).sum(), rel=1e-6)
    # Optimality of the Lasso.
    assert np.abs(parts.T @ left).max() <= 0.4 * (1.0 + 1e-4)
    assert np.allclose((parts.T @ left)[np.abs(c) > 1e-6], 0.4 * np.sign(c[np.abs(c) > 1e-6]))


@any_loss
def test_sampled_patterns_give_an_upper_bound_with_an_honest_gap(loss):
    images, y = draw_images(loss, (7, 5))
    best = solve_max(images, y, 0.2, 2, loss=loss)
    options = {"method": "sampled", "n_samples": 4, "loss": loss}
    sampled = solve_max(images, y, 0.2, 2, **options)
    assert sampled.status is Status.OPTIMAL_FOR_PATTERNS
    assert 0 < sampled.n_patterns <= 4 < best.n_patterns
    assert sampled.program_gap <= 1e-6 < sampled.gap
    assert sampled.dual_bound <= best.objective <= sampled.objective
    assert solve_max(images, y, 0.2, 2, **options).network == sampled.network


def test_many_samples_find_the_optimum():
    images, y = draw_images("squared", (7, 5))
    best = solve_max(images, y, 0.2, 2)
    sampled = solve_max(images, y, 0.2, 2, method="sampled", n_samples=2000)
    assert sampled.n_patterns == best.n_patterns
    assert sampled.objective == pytest.approx(best.objective, rel=1e-6)


def test_cone_rows_enter_as_they_are_needed(monkeypatch):
    images, y = draw_images("squared", (12, 5, 5), seed=1)
    options = {"method": "sampled", "n_samples": 10, "tol": 1e-8}
    plain = solve_max(images, y, 0.1, (2, 1), **options)
    monkeypatch.setattr(MaxSearch, "settings", replace(MaxSearch.settings, cone_bytes=0))
    few = solve_max(images, y, 0.1, (2, 1), **options)
    assert few.status is plain.status is Status.OPTIMAL_FOR_PATTERNS
    assert few.objective == pytest.approx(plain.objective, rel=1e-7)


def test_weights_of_images_are_repeated_images():
    images, y = draw_images("squared", (6, 4))
    weights = np.array([1.0, 2.0, 0.0, 3.0, 1.0, 1.0])
    repeated = np.repeat(np.arange(6), weights.astype(int))
    weighted = solve_max(images, y, 0.2, 2, sample_weight=weights)
    plain = solve_max(images[repeated], y[repeated], 0.2, 2)
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-6)
    assert weighted.status is Status.OPTIMAL


def test_units_of_the_data_do_not_matter():
    images, y = draw_images("squared", (6, 4))
    plain = solve_max(images, y, 0.2, 2)
    scaled = solve_max(1e-5 * images, 1e4 * y, 0.2 * 0.1, 2)
    assert scaled.status is Status.OPTIMAL
    assert scaled.objective == pytest.approx(1e8 * plain.objective, rel=1e-6)


@pytest.mark.parametrize("method", ["exact", "sampled"])
@pytest.mark.parametrize(
    "images, y, value",
    [
        (np.zeros((3, 4)), [1.0, 2.0, 3.0], 7.0),
        (np.ones((3, 4)), [0.0, 0.0, 0.0], 0.0),
        # All patches are equal: f = s at the price of |s| over the length of one.
        (np.ones((1, 4)), [2.0], 0.1 / 2**0.5 * 2.0 - 0.0025),
    ],
    ids=["no image", "no targets", "one image"],
)
def test_degenerate_problems(images, y, value, method):
    solution = solve_max(images, y, 0.1, 2, method=method)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_nothing_is_learned_from_a_large_beta():
    images, y = draw_images("squared", (6, 3, 3))
    for method in ("exact", "sampled"):
        solution = solve_max(images, y, 1e3, (2, 1), method=method)
        assert solution.network.n_neurons == 0
        assert solution.objective == 0.5 * y @ y
        assert solution.status is Status.OPTIMAL


def test_limits_are_statuses_and_warn():
    images, y = draw_images("squared", (20, 5, 5))
    options = {"method": "sampled", "n_samples": 50}
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        limited = solve_max(images, y, 1e-3, 2, max_iter=1, tol=1e-12, **options)
    assert len(caught) == 1
    assert limited.status is Status.ITERATION_LIMIT
    assert limited.n_iter == 1
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        late = solve_max(images, y, 1e-3, 2, time_limit=1e-9, **options)
    assert late.status is Status.TIME_LIMIT
    assert late.dual_bound <= limited.objective <= late.objective


def test_ctrl_c_returns_the_best_so_far():
    images, y = draw_images("squared", (20, 5, 5))
    seen = []

    def interrupt(progress):
        seen.append(progress)
        signal.raise_signal(signal.SIGINT)

    # A shell starts its background jobs with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        solution = solve_max(
            images, y, 1e-3, 2, method="sampled", n_samples=50, tol=1e-12, callback=interrupt
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert solution.status is Status.INTERRUPTED
    assert solution.objective < 0.5 * y @ y
    assert tuple(seen) == solution.history


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "global"}, "trained by method='exact' or method='sampled', not 'global'"),
        ({"method": "best"}, "method must be one of"),
        ({"slope": 0.1}, 'slope must be 0 for pooling="max", got 0.1'),
        ({"n_samples": 0}, "n_samples must be an integer"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
        ({"callback": 3}, "callback must be callable"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    plain = {"images": np.ones((3, 2, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0, "filter_size": 2}
    with pytest.raises(InputError, match=message) as error:
        solve_cnn(**(plain | {"pooling": "max", "method": "exact"} | arguments))
    assert "\n" not in str(error.value)


def test_too_many_patterns_are_refused_before_any_work():
    images, y = draw_images("squared", (12, 8, 8))
    with pytest.raises(TooManyPatternsError, match="more than 30000 patterns on these images"):
        solve_max(images, y, 0.5, 4)
    with pytest.raises(TooManyPatternsError, match="too many to list their cells"):
        solve_max(np.zeros((100, 60, 60)), np.ones(100), 0.5, 4)


def test_a_walk_that_finds_too_many_patterns_ends(monkeypatch):
    images, y = draw_images("squared", (8, 5))
    assert solve_max(images, y, 0.5, 2).n_patterns > 10
    monkeypatch.setattr("cvxnn.patterns.max_pooling_walk._MOST_CELLS", 10)
    monkeypatch.setattr("cvxnn.patterns.max_pooling_walk._N_PROBES", 2)
    with pytest.raises(TooManyPatternsError, match="use method='sampled'"):
        solve_max(images, y, 0.5, 2)
