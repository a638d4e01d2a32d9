"""Convolutional networks of several outputs, against other programs with the same optimum."""

import cvxpy as cp
import numpy as np
import pytest
from programs import patches_by_loops
from scipy.optimize import minimize
from sentences import refused
from sklearn.exceptions import ConvergenceWarning
from solvers.outputs.test_outputs_search import copositive
from variants import with_long

import cvxnn
from cvxnn import Conv, Status, solve
from cvxnn.losses import HuberLoss, SoftmaxLoss, SquaredLoss
from cvxnn.solvers.outputs.settings import SETTINGS


def drawn(shape, c, seed=0, *, labels=False):
    rng = np.random.default_rng(seed)
    images = rng.integers(-1, 2, shape) + 0.3 * rng.standard_normal(shape)
    Y = images.reshape(len(images), -1)[:, :c] + 0.5 * rng.standard_normal((len(images), c))
    return images, np.eye(c)[Y.argmax(axis=1)] if labels else Y


@with_long(("pooling", "c", "beta"), [("sum", 2, 0.5), ("sum", 3, 0.1), ("average", 2, 0.05)])
def test_filters_of_two_pixels_against_the_copositive_program(pooling, c, beta):
    signals, Y = drawn((5, 4), c)
    patches = patches_by_loops(signals, (2,))
    n, K, _ = patches.shape
    share = 1.0 / K if pooling == "average" else 1.0
    readout = np.kron(np.eye(n), np.full((1, K), share))
    solution = solve(signals, Y, beta, model=Conv(2, pooling=pooling), tol=1e-8)
    assert solution.status is Status.OPTIMAL
    expected = copositive(patches.reshape(n * K, 2), Y, beta, readout)
    assert solution.objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_one_patch_is_the_fully_connected_network(loss):
    images, Y = drawn((12, 3, 1), 3, labels=loss == "softmax")
    options = {"loss": loss, "intercept": True, "tol": 1e-7}
    dense = solve(images.reshape(12, 3), Y, 0.2, **options)
    solution = solve(images, Y, 0.2, model=Conv((3, 1)), **options)
    assert dense.status is solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(dense.objective, rel=1e-6)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_a_slope_of_one_is_a_nuclear_norm_on_summed_patches(loss):
    images, Y = drawn((9, 3, 3), 3, seed=2, labels=loss == "softmax")
    summed = patches_by_loops(images, (2, 1)).sum(axis=1)
    Z = cp.Variable((2, 3))
    F = summed @ Z
    if loss == "softmax":
        data = cp.sum(cp.log_sum_exp(F, axis=1)) - cp.sum(cp.multiply(Y, F))
    else:
        data = 0.5 * cp.sum_squares(F - Y)
    program = cp.Problem(cp.Minimize(data + 0.3 * cp.normNuc(Z)))
    expected = program.solve(solver="CLARABEL")
    found = solve(images, Y, 0.3, model=Conv((2, 1), slope=1.0), loss=loss)
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(expected, rel=1e-6)


def test_one_pixel_is_a_group_lasso_on_its_positive_and_negative_parts():
    images, Y = drawn((12, 3, 3), 2, seed=4)
    pixels = images.reshape(12, -1)
    parts = np.column_stack([np.maximum(s * pixels, 0.0).sum(axis=1) for s in (1.0, -1.0)])
    A, b = cp.Variable((2, 2)), cp.Variable((1, 2))
    error = parts @ A + np.ones((12, 1)) @ b - Y
    penalty = cp.sum(cp.norm(A, axis=1))
    program = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(error) + 0.7 * penalty))
    expected = program.solve(solver="CLARABEL")
    found = solve(images, Y, 0.7, model=Conv(1), intercept=True)
    assert found.objective == pytest.approx(expected, rel=1e-6)


@with_long("intercept", [False, True])
def test_outputs_that_are_zero_or_multiples_are_one_output(intercept):
    signals, Y = drawn((10, 5), 1, seed=3)
    model = Conv(2, bias=True, pooling="average")
    alone = solve(signals, Y[:, 0], 0.1, model=model, intercept=intercept)
    none = solve(signals, np.column_stack([Y, 0.0 * Y]), 0.1, model=model, intercept=intercept)
    assert alone.status is none.status is Status.OPTIMAL
    assert none.objective == pytest.approx(alone.objective, rel=2e-6)
    turned = solve(signals, Y @ [[0.6, 0.8]], 0.1, model=model, intercept=intercept)
    assert turned.objective == pytest.approx(alone.objective, rel=2e-6)


def lowest(patches, Y, beta, loss, *, slope, intercept, starts=10, k=8):
    """What L-BFGS comes to from random weights of k filters, by formulas of its own."""
    d, c = patches.shape[2], Y.shape[1]
    rng, n_weights = np.random.default_rng(1), k * (d + c)

    def function(theta):
        U, A = theta[: k * d].reshape(k, d), theta[k * d : n_weights].reshape(k, c)
        sums = patches @ U.T
        slopes = np.where(sums > 0.0, 1.0, slope)
        pooled = (slopes * sums).sum(axis=1)
        f = pooled @ A + theta[n_weights:]
        g = loss.gradient(f, Y)
        to_u = np.einsum("nkm,nkd->md", slopes * (g @ A.T)[:, None, :], patches)
        weights = theta[:n_weights]
        slope_of_all = np.concatenate([to_u.ravel(), (pooled.T @ g).ravel(), g.sum(axis=0)])
        slope_of_all[:n_weights] += beta * weights
        slope_of_all[n_weights:] *= intercept
        return loss.value(f, Y) + 0.5 * beta * float(weights @ weights), slope_of_all

    found = []
    for _ in range(starts):
        start = np.append(0.7 * rng.standard_normal(n_weights), np.zeros(c))
        found.append(float(minimize(function, start, jac=True, method="L-BFGS-B").fun))
    return min(found)


@pytest.mark.long
@pytest.mark.parametrize(
    ("settings", "loss", "intercept"),
    [
        ({"filter_size": 2, "slope": -1.0, "padding": 1}, SoftmaxLoss(), False),
        ({"filter_size": (2, 2), "pooling": "average"}, SoftmaxLoss(), True),
        ({"filter_size": (2, 1), "bias": True, "slope": 0.1, "stride": 2}, HuberLoss(0.4), True),
        ({"filter_size": 2}, SquaredLoss(), False),
    ],
    ids=["moduli", "averages", "leaky", "sums"],
)
def test_no_random_start_is_below_the_bound(settings, loss, intercept):
    shape = (8, 4) if settings["filter_size"] == 2 else (8, 4, 3)
    images, Y = drawn(shape, 3, seed=5, labels=loss.has_labels)
    model = Conv(**settings)
    solution = solve(images, Y, 0.2, model=model, loss=loss, intercept=intercept, tol=1e-5)
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-5
    sides = (2,) if model.filter_size == 2 else model.filter_size
    patches = patches_by_loops(images, sides, model.stride, model.padding)
    if model.bias:
        patches = np.concatenate([patches, np.ones((*patches.shape[:2], 1))], axis=2)
    if model.pooling == "average":
        patches = patches / patches.shape[1]
    found = lowest(patches, Y, 0.2, loss, slope=model.slope, intercept=intercept)
    assert found >= solution.dual_bound * (1.0 - 1e-12)
    assert solution.objective * (1.0 - 1e-5) <= found <= 1.05 * solution.objective
    network = solution.network
    assert network(images).shape == Y.shape and network.n_outputs == 3
    assert network.objective(images, Y, 0.2, loss) == pytest.approx(solution.objective, rel=1e-12)


@pytest.mark.long
def test_weights_count_like_equal_images_and_starts_may_be_given():
    images, Y = drawn((6, 3, 3), 3, seed=6, labels=True)
    weights, options = np.array([1, 2, 0] * 2), {"model": Conv(2), "loss": "softmax", "tol": 1e-6}
    weighted = solve(images, Y, 0.2, sample_weight=weights, **options)
    repeated = np.repeat(np.arange(6), weights)
    counted = solve(images[repeated], Y[repeated], 0.2, **options)
    assert weighted.objective == pytest.approx(counted.objective, rel=2e-6)
    again = solve(images, Y, 0.2, sample_weight=weights, warm_start=weighted.network, **options)
    assert again.objective == pytest.approx(weighted.objective, rel=2e-6)
    assert again.n_iter <= weighted.n_iter


@pytest.mark.long
def test_the_largest_beta_and_a_path():
    signals, Y = drawn((12, 5), 2, seed=7)
    model, patches = Conv(2), patches_by_loops(signals, (2,))
    angles = np.linspace(0.0, 2.0 * np.pi, 100_001)
    # The largest value may be at a kink.
    kinks = (patches / np.linalg.norm(patches, axis=2, keepdims=True)).reshape(-1, 2)
    kinks = np.column_stack([-kinks[:, 1], kinks[:, 0]])
    units = np.vstack([np.column_stack([np.cos(angles), np.sin(angles)]), kinks, -kinks])
    pooled = np.maximum(patches @ units.T, 0.0).sum(axis=1)
    largest = cvxnn.largest_beta(signals, Y, model=model)
    assert largest == pytest.approx(np.linalg.norm(Y.T @ pooled, axis=0).max(), rel=1e-6)
    path = cvxnn.regularization_path(signals, Y, 3, model=model)
    assert path.n_neurons[0] == 0 and (np.diff(path.objectives) < 0.0).all()
    assert all(each.status is Status.OPTIMAL for each in path.solutions)


@pytest.mark.long
def test_many_patches_are_searched_on_a_part_of_them_at_first():
    rng = np.random.default_rng(8)
    signals = rng.standard_normal((160, 20))
    patches = patches_by_loops(signals, (3,))
    assert len(patches) * patches.shape[1] > SETTINGS.many_rows
    truth = np.maximum(patches @ rng.standard_normal((3, 2)), 0.0).mean(axis=1)
    Y = truth @ rng.standard_normal((2, 3)) + 0.1 * rng.standard_normal((160, 3))
    model = Conv(3, pooling="average")
    exact = solve(signals, Y, 1.0, model=model, tol=1e-4)
    assert exact.status is Status.OPTIMAL
    rough = cvxnn.Global(polish=False, proof_time=0.1)
    with pytest.warns(ConvergenceWarning, match="polish=True"):
        solution = solve(signals, Y, 1.0, model=model, method=rough)
    assert exact.dual_bound <= solution.objective <= 1.005 * exact.objective


@pytest.mark.long
def test_large_filters_have_a_bound_by_the_relaxation():
    signals, Y = drawn((10, 8), 2, seed=9)
    patches = patches_by_loops(signals, (7,))
    patches = np.concatenate([patches, np.ones((10, 2, 1))], axis=2)
    # Averages of two patches.
    model, method = Conv(7, bias=True, pooling="average"), cvxnn.Global(proof_time=1.0)
    with pytest.warns(ConvergenceWarning):
        solution = solve(signals, Y, 1.0, model=model, method=method, tol=1e-9)
    found = lowest(0.5 * patches, Y, 1.0, SquaredLoss(), slope=0.0, intercept=False)
    assert solution.dual_bound <= found and solution.objective <= 1.001 * found
    assert solution.certificate.kind == "relaxation" and solution.gap < 0.2


def test_what_there_is_not_is_said():
    signals, Y = drawn((6, 4), 2)
    refused(
        lambda: solve(signals, Y, 0.1, model=Conv(2, pooling="max"), method="exact"),
        "has one output: y must be 1-D, got 2 columns",
    )
    refused(
        lambda: solve(signals, Y, 0.1, model=Conv(2), method="sampled"),
        "2 outputs are trained by method='global'",
    )
    patches = patches_by_loops(signals, (2,))
    refused(lambda: solve(patches, Y, 0.1, model="linear_conv"), "has one output")
    refused(lambda: solve(signals, Y, 0.1, model="circular_conv"), "has one output")
