"""CNNs with shared filters against cvxpy, local search, closed forms and the dense network."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from architectures.cnn_problems import (
    LOSSES,
    draw_images,
    patches_by_loops,
    shared_filter_program,
    shared_filter_search,
)
from sklearn.exceptions import ConvergenceWarning

import cvxnn
from cvxnn import InputError, Status, TooManyPatternsError, solve_cnn
from cvxnn.layers.patches import patch_layer
from cvxnn.losses import as_loss

any_loss = pytest.mark.parametrize("loss", LOSSES)
each_slope = pytest.mark.parametrize("slope", [0.0, 0.2, -1.0])
GEOMETRIES = [((5, 5), 2, (2,), {}), ((4, 3, 3), (2, 1), (2, 1), {"stride": 2, "padding": 1})]
each_geometry = pytest.mark.parametrize("shape, filter_size, sides, steps", GEOMETRIES)


@any_loss
@each_slope
@each_geometry
def test_cvxpy_finds_the_same_value(loss, slope, shape, filter_size, sides, steps):
    cp = pytest.importorskip("cvxpy")
    images, y = draw_images(loss, shape)
    patches = patches_by_loops(images, sides, **steps)
    value = shared_filter_program(cp, loss, patches, y, 0.2, slope)
    for method in ("global", "exact"):
        solution = solve_cnn(
            images, y, 0.2, filter_size, slope=slope, loss=loss, method=method, **steps
        )
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(value, rel=1e-6)
        assert solution.dual_bound <= value * (1.0 + 1e-6)
        network = solution.network
        own = network.objective(images, y, 0.2, as_loss(loss))
        assert own == pytest.approx(solution.objective, rel=1e-12)
        assert network.slope == slope
        assert network.filter_shape == (*sides, 1)


def test_cvxpy_finds_the_same_value_with_biases_and_averages():
    cp = pytest.importorskip("cvxpy")
    images, y = draw_images("squared", (4, 5))
    patches = patches_by_loops(images, (2,))
    with_ones = np.concatenate([patches, np.ones((4, 4, 1))], axis=2)
    solution = solve_cnn(images, y, 0.05, 2, pooling="average", fit_intercept=True)
    # The average is the sum over patches divided by their number.
    value = shared_filter_program(cp, "squared", with_ones / 4.0, y, 0.05, 0.0)
    assert solution.objective == pytest.approx(value, rel=1e-6)
    assert solution.network.biases.any()
    assert solution.network.objective(images, y, 0.05) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    "loss, slope", [*((loss, 0.0) for loss in LOSSES), ("squared", 0.2), ("squared", -1.0)]
)
def test_local_search_does_not_go_below(loss, slope):
    images, y = draw_images(loss, (7, 4, 3), seed=2)
    patches = patches_by_loops(images, (2, 2))
    solution = solve_cnn(images, y, 0.3, 2, slope=slope, loss=loss)
    assert solution.status is Status.OPTIMAL
    found = shared_filter_search(patches, y, 0.3, loss, 6, slope)
    assert found >= solution.dual_bound
    assert solution.objective * (1.0 - 1e-6) <= found <= 1.05 * solution.objective


@pytest.mark.parametrize("pooling", ["sum", "average"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_patch_is_the_fully_connected_network(pooling, fit_intercept):
    images, y = draw_images("squared", (9, 2, 2))
    rows = images.reshape(9, 4)
    rows = np.column_stack([rows, np.ones(9)]) if fit_intercept else rows
    dense = cvxnn.solve(rows, y, 0.1)
    solution = solve_cnn(images, y, 0.1, 2, pooling=pooling, fit_intercept=fit_intercept)
    assert dense.status is solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(dense.objective, rel=1e-6)
    assert np.allclose(solution.network(images), dense.network(rows), atol=1e-3)


def test_an_average_is_a_sum_over_smaller_patches():
    images, y = draw_images("squared", (6, 3, 3))
    average = solve_cnn(images, y, 0.05, 2, pooling="average")
    total = solve_cnn(images / 4.0, y, 0.05, 2)
    assert average.objective == pytest.approx(total.objective, rel=1e-6)
    assert np.allclose(average.network(images), total.network(images / 4.0), atol=1e-3)


def test_a_slope_of_one_is_a_linear_network_on_summed_patches():
    images, y = draw_images("squared", (8, 3, 3))
    summed = patches_by_loops(images, (2, 1)).sum(axis=1, keepdims=True)
    linear = cvxnn.solve_linear_cnn(summed, y, 0.3)
    assert solve_cnn(images, y, 0.3, (2, 1), slope=1.0).objective == pytest.approx(
        linear.objective, rel=1e-6
    )


def test_one_pixel_is_a_lasso_on_its_positive_and_negative_parts():
    # A filter of one pixel is u or -u: f = p sum_k (x_k)_+ + q sum_k (-x_k)_+ at |p| + |q|.
    images, y = draw_images("squared", (12, 3, 3), seed=4)
    parts = np.column_stack([np.maximum(s * images, 0.0).sum(axis=(1, 2)) for s in (1.0, -1.0)])
    best = np.inf
    for signs in np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1])).reshape(2, -1).T:
        used = signs != 0
        c = np.zeros(2)
        gram = parts[:, used].T @ parts[:, used]
        c[used] = np.linalg.solve(gram, parts[:, used].T @ y - 0.4 * signs[used])
        if (c * signs >= 0.0).all():
            value = 0.5 * np.sum((parts @ c - y) ** 2) + 0.4 * np.abs(c).sum()
            best = min(best, value)
    assert solve_cnn(images, y, 0.4, 1).objective == pytest.approx(best, rel=1e-6)


def test_sampled_patterns_give_an_upper_bound_with_an_honest_gap():
    images, y = draw_images("squared", (8, 3, 3))
    best = solve_cnn(images, y, 0.3, 2)
    sampled = solve_cnn(images, y, 0.3, 2, method="sampled", n_samples=10)
    assert sampled.status is Status.OPTIMAL_FOR_PATTERNS
    assert 0 < sampled.n_patterns <= 10
    assert sampled.program_gap <= 1e-6 < sampled.gap
    assert sampled.dual_bound <= best.objective <= sampled.objective
    again = solve_cnn(images, y, 0.3, 2, method="sampled", n_samples=10)
    assert again.network == sampled.network


def test_equal_patches_are_one_row_and_keep_their_count():
    patches = np.array(
        [[[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0]], [[0.0, 0.0], [2.0, 3.0], [0.0, 1.0]]]
    )
    layer = patch_layer(patches, average=False, has_bias=False)
    assert len(layer.rows) == 2
    direction = np.array([[0.3, -0.1], [-1.0, 2.0]])
    expected = np.maximum(patches @ direction.T, 0.0).sum(axis=1)
    assert np.allclose(layer.activations(direction), expected)
    with_ones = patch_layer(patches, average=True, has_bias=True)
    # The patch of zeros has the side of its constant.
    assert len(with_ones.rows) == 3
    longer = np.column_stack([direction, [0.5, -0.2]])
    expected = np.maximum(patches @ direction.T + longer[:, 2], 0.0).mean(axis=1)
    assert np.allclose(with_ones.activations(longer), expected)


def test_the_order_of_images_does_not_matter():
    images, y = draw_images("squared", (8, 3, 3))
    order = np.random.default_rng(0).permutation(8)
    one, other = solve_cnn(images, y, 0.3, 2), solve_cnn(images[order], y[order], 0.3, 2)
    assert one.objective == pytest.approx(other.objective, rel=1e-6)


def test_weights_of_images_are_repeated_images():
    images, y = draw_images("squared", (6, 3, 3))
    weights = np.array([1.0, 2.0, 0.0, 3.0, 1.0, 1.0])
    repeated = np.repeat(np.arange(6), weights.astype(int))
    weighted = solve_cnn(images, y, 0.2, 2, sample_weight=weights)
    plain = solve_cnn(images[repeated], y[repeated], 0.2, 2)
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-6)
    assert weighted.status is Status.OPTIMAL


@pytest.mark.parametrize(
    "images, y, options, value",
    [
        (np.zeros((3, 4)), [1.0, 2.0, 3.0], {}, 7.0),
        (np.ones((3, 4)), [0.0, 0.0, 0.0], {}, 0.0),
        # One image: f = s at the price of |s| over the length of the sum of its patches.
        (np.ones((1, 4)), [2.0], {}, 0.1 / 18**0.5 * 2.0 - 0.005 / 18),
        # The constant alone: three patches (0, 0, 1), of length 3 together.
        (np.zeros((1, 4)), [2.0], {"fit_intercept": True}, 0.1 / 3 * 2.0 - 0.005 / 9),
    ],
    ids=["no image", "no targets", "one image", "only the constant"],
)
def test_degenerate_problems(images, y, options, value):
    solution = solve_cnn(images, y, 0.1, 2, **options)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(value, rel=1e-6, abs=1e-300)


def test_nothing_is_learned_from_a_large_beta():
    images, y = draw_images("squared", (6, 3, 3))
    solution = solve_cnn(images, y, 1e3, 2)
    assert solution.network.n_neurons == 0
    assert solution.objective == 0.5 * y @ y
    assert solution.status is Status.OPTIMAL


def test_limits_are_statuses_and_warn():
    images, y = draw_images("squared", (20, 6, 6))
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        limited = solve_cnn(images, y, 1e-3, 2, max_iter=1, tol=1e-12)
    assert caught[0].filename == __file__
    assert len(caught) == 1
    assert limited.status is Status.ITERATION_LIMIT
    assert limited.n_iter == 1
    with pytest.warns(ConvergenceWarning, match="raise time_limit"):
        late = solve_cnn(images, y, 1e-3, 2, time_limit=1e-9)
    assert late.status is Status.TIME_LIMIT
    assert late.dual_bound <= limited.objective <= late.objective


def test_large_filters_end_without_a_proof_and_say_so():
    images, y = draw_images("squared", (12, 5, 5))
    with pytest.warns(ConvergenceWarning, match="smaller filters"):
        solution = solve_cnn(images, y, 0.5, 4, certify=False)
    assert solution.status is Status.STATIONARY
    assert solution.dual_bound <= solution.objective
    with pytest.raises(TooManyPatternsError):
        solve_cnn(images, y, 0.5, 4, method="exact")


def test_rounds_are_reported_and_kept():
    images, y = draw_images("squared", (8, 3, 3))
    seen = []
    solution = solve_cnn(images, y, 0.3, 2, callback=seen.append)
    assert tuple(seen) == solution.history
    assert solution.n_iter == len(seen) > 0
    assert solution.elapsed > 0.0


def test_ctrl_c_returns_the_best_so_far():
    images, y = draw_images("squared", (20, 6, 6))

    def interrupt(progress):
        signal.raise_signal(signal.SIGINT)

    # A shell starts its background jobs with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        solution = solve_cnn(images, y, 1e-3, 2, tol=1e-12, callback=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert solution.status is Status.INTERRUPTED
    assert solution.objective < 0.5 * y @ y


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"images": np.ones(3)}, "images must be of shape"),
        ({"images": np.full((3, 2, 2), np.nan)}, "images must be finite"),
        ({"images": np.full((3, 2, 2), 1e200)}, "images must have no entry beyond"),
        ({"filter_size": 3}, "filter_size must be at most 2 x 2"),
        ({"y": [1.0]}, "y has 1 entry"),
        ({"beta": 0.0}, "beta must be a finite number above 0"),
        ({"stride": 0}, "stride must be an integer"),
        ({"padding": 0.5}, "padding must be an integer"),
        ({"pooling": "median"}, "pooling must be one of 'sum', 'average', 'max'"),
        ({"slope": np.nan}, "slope must be a finite number"),
        ({"fit_intercept": 1}, "fit_intercept must be True or False"),
        ({"method": "best"}, "method must be one of"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
        ({"n_samples": 0}, "n_samples must be an integer"),
        ({"tol": 2.0}, "tol must be below 1"),
        ({"callback": 3}, "callback must be callable"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    plain = {"images": np.ones((3, 2, 2)), "y": [1.0, 2.0, 3.0], "beta": 1.0, "filter_size": 2}
    with pytest.raises(InputError, match=message) as error:
        solve_cnn(**(plain | arguments))
    assert "\n" not in str(error.value)
