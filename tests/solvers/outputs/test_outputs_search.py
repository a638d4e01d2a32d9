"""Networks of several outputs, against other programs that have the same optimum."""

import warnings

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize
from sentences import refused
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

from cvxnn import ReLU, Status, solve
from cvxnn.errors import InputError
from cvxnn.losses import HuberLoss, SoftmaxLoss, SquaredLoss
from cvxnn.patterns import enumerate_patterns


def drawn(n, d, c, seed, *, labels=False):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    Y = np.maximum(X @ rng.standard_normal((d, c)), 0.0) + 0.3 * rng.standard_normal((n, c))
    return X, np.eye(c)[(Y - Y.mean(axis=0)).argmax(axis=1)] if labels else Y


def copositive(X, Y, beta, readout=None):
    """The optimum of squares in two dimensions, where the relaxation is exact (Sahiner et al.).

    Predictions are the activations of the rows, or what a readout, shape (n, N), makes of them.
    """
    n, c = Y.shape
    R = np.eye(n) if readout is None else readout
    constraints, total, cost = [], np.eye(n), 0.0
    for D in enumerate_patterns(X).masks:
        U = cp.Variable((2, 2), PSD=True)
        A, read = np.where(D, 1.0, -1.0)[:, None] * X, R @ (D[:, None] * X)
        constraints.append((A @ U @ A.T)[np.triu_indices(len(X))] >= 0.0)
        total, cost = total + 2.0 * read @ U @ read.T, cost + cp.trace(U)
    T = cp.Variable((c, c), symmetric=True)
    block = cp.bmat([[T, Y.T], [Y, total]])
    constraints.append(0.5 * (block + block.T) >> 0)
    program = cp.Problem(cp.Minimize(0.5 * cp.trace(T) + beta**2 * cost), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return program.solve(solver="CLARABEL", tol_gap_rel=1e-10, tol_feas=1e-10)


@pytest.mark.parametrize(("seed", "c", "beta"), [(0, 2, 0.5), (1, 3, 0.2), (2, 2, 0.05)])
def test_two_features_against_the_copositive_program(seed, c, beta):
    X, Y = drawn(7, 2, c, seed)
    solution = solve(X, Y, beta, tol=1e-8)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(copositive(X, Y, beta), rel=1e-6)


@pytest.mark.parametrize("seed", [2, 5, 9])
def test_the_bound_has_the_digits_of_the_objective(seed):
    # Its error is that of the dual point, of which objectives show the square.
    X, Y = drawn(7, 2, 2, seed)
    solution = solve(X, Y, 0.05, tol=1e-12)
    assert solution.status is Status.OPTIMAL


@pytest.mark.long
@pytest.mark.parametrize("seed", [5, 7])
def test_rounds_do_not_drown_in_neurons(seed):
    # With more than n c of them nothing brings them to rest, and the search stalls.
    rng = np.random.default_rng(seed)
    X, Y = -np.abs(rng.standard_normal((8, 3))), rng.standard_normal((8, 4))
    assert solve(X, Y, 0.1).status is Status.OPTIMAL


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@with_long("beta", [3e-29, 1e-17])
def test_a_beta_that_leaves_no_curvature(beta):
    # Predictions cost nothing, and those of the targets themselves are the best.
    X, _ = drawn(2, 4, 3, 0)
    Y = np.array([[0.79, 0.03, 0.18], [0.65, 0.25, 0.1]])
    solution = solve(X, Y, beta, loss="softmax", intercept=True, tol=1e-3)
    entropy = -float((Y * np.log(Y)).sum())
    assert solution.dual_bound <= entropy <= solution.objective * (1.0 + 1e-12)
    assert solution.objective <= 1.2 * entropy


def local_optimum(X, Y, beta, loss, rng, *, intercept, k=20):
    """What L-BFGS comes to from random weights: an upper bound on the optimum."""
    (_, d), c = X.shape, Y.shape[1]
    n_weights = k * (d + c)

    def function(theta):
        U, A = theta[: k * d].reshape(k, d), theta[k * d : n_weights].reshape(k, c)
        weights, active = theta[:n_weights], np.maximum(X @ U.T, 0.0)
        f = active @ A + theta[n_weights:]
        gradient = loss.gradient(f, Y)
        slopes = ((gradient @ A.T) * (active > 0.0)).T @ X
        value = loss.value(f, Y) + 0.5 * beta * float(weights @ weights)
        parts = [slopes.ravel(), (active.T @ gradient).ravel(), intercept * gradient.sum(axis=0)]
        total = np.concatenate(parts)
        total[:n_weights] += beta * weights
        return value, total

    start = np.append(rng.standard_normal(n_weights), np.zeros(c))
    return minimize(function, start, jac=True, method="L-BFGS-B").fun


LOSSES = [(SquaredLoss(), 2), (SoftmaxLoss(), 3), (HuberLoss(0.3), 2)]
ROWS = [(3, True), (2, False), (3, False), (2, True)]
# Each loss with other rows before the rest.
PAIRS = [(*LOSSES[k % 3], *ROWS[k % 4]) for k in range(6)]


@with_long("loss, c, d, intercept", PAIRS, ids=str)
def test_no_local_search_is_below_the_bound(loss, c, d, intercept):
    X, Y = drawn(15, d, c, 3, labels=loss.has_labels)
    solution = solve(X, Y, 0.3, loss=loss, tol=1e-5, intercept=intercept)
    assert solution.status is Status.OPTIMAL and solution.gap <= 1e-5
    assert intercept == solution.network.intercept.any()
    rng = np.random.default_rng(4)
    found = min(local_optimum(X, Y, 0.3, loss, rng, intercept=intercept) for _ in range(5))
    assert found >= solution.dual_bound * (1.0 - 1e-12)
    assert found >= solution.objective * (1.0 - 1e-5)
    network = solution.network
    assert network(X).shape == Y.shape and network.n_outputs == c
    assert network.objective(X, Y, 0.3, loss) == pytest.approx(solution.objective, rel=1e-12)


@with_long("intercept", [False, True])
def test_outputs_that_are_zero_or_multiples_change_nothing(intercept):
    X, Y = drawn(30, 3, 1, 5)
    Y += 5.0
    alone = solve(X, Y, 0.3, intercept=intercept)
    none = solve(X, np.column_stack([Y, 0.0 * Y]), 0.3, tol=1e-6, intercept=intercept)
    assert none.objective == pytest.approx(alone.objective, rel=2e-6)
    # Of Y a' with a unit vector a the network is that of Y, with output weights times a.
    turned = solve(X, Y @ [[0.6, 0.8]], 0.3, tol=1e-6, intercept=intercept)
    assert turned.objective == pytest.approx(alone.objective, rel=2e-6)
    np.testing.assert_allclose(turned.network(X), alone.network(X)[:, None] * [0.6, 0.8], atol=1e-2)


def test_softmax_of_two_classes_is_logistic_regression():
    X, Y = drawn(30, 3, 2, 6, labels=True)
    both = solve(X, Y, 0.3, loss="softmax")
    # A neuron of output (1, -1)/sqrt(2) moves the difference by sqrt(2).
    one = solve(X, Y[:, 0] - Y[:, 1], 0.3 / np.sqrt(2.0), loss="logistic")
    assert both.objective == pytest.approx(one.objective, rel=2e-6)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_weights_count_like_equal_rows(loss):
    X, Y = drawn(12, 2, 3, 7, labels=loss == "softmax")
    weights = np.array([1, 2, 0] * 4)
    weighted = solve(X, Y, 0.2, loss=loss, sample_weight=weights)
    repeated = solve(np.repeat(X, weights, axis=0), np.repeat(Y, weights, axis=0), 0.2, loss=loss)
    assert weighted.status is repeated.status is Status.OPTIMAL
    assert weighted.objective == pytest.approx(repeated.objective, rel=2e-6)


@pytest.mark.parametrize("slope", [-1.0, 0.2])
def test_leaky_activations(slope):
    X, Y = drawn(15, 2, 2, 8)
    solution = solve(X, Y, 0.3, model=ReLU(slope=slope), tol=1e-6)
    assert solution.status is Status.OPTIMAL
    assert solution.network.slope == slope
    alone = solve(X, Y[:, 0], 0.3, model=ReLU(slope=slope))
    zero = solve(X, np.column_stack([Y[:, 0], 0.0 * Y[:, 0]]), 0.3, model=ReLU(slope=slope))
    assert zero.objective == pytest.approx(alone.objective, rel=2e-6)


def test_an_intercept_needs_rows_of_every_class():
    X, Y = drawn(10, 2, 2, 13, labels=True)
    empty = np.column_stack([Y, 0.0 * Y[:, 0]])
    refused(lambda: solve(X, empty, 0.1, loss="softmax", intercept=True), "none of class 2")
    assert solve(X, empty, 0.1, loss="softmax").status is Status.OPTIMAL


def test_targets_far_from_zero_keep_their_digits_beside_an_intercept():
    X, Y = drawn(20, 2, 2, 14)
    near = solve(X, Y, 0.1, intercept=True)
    far = solve(X, np.round(Y * 2.0**20) / 2.0**20 + [1e6, -1e6], 0.1, intercept=True)
    assert far.objective == pytest.approx(near.objective, rel=1e-4)
    assert far.status is Status.OPTIMAL


@pytest.mark.long
def test_warm_starts_and_units():
    X, Y = drawn(40, 3, 2, 9)
    first = solve(X, Y, 0.3)
    again = solve(X, Y, 0.3, warm_start=first.network)
    assert again.objective == pytest.approx(first.objective, rel=2e-6)
    assert again.n_iter <= first.n_iter
    scaled = solve(1e3 * X, 1e-2 * Y, 0.3 * 10.0)
    assert scaled.objective == pytest.approx(1e-4 * first.objective, rel=2e-6)


def test_from_the_largest_beta_on_there_are_no_neurons():
    X, Y = drawn(20, 2, 3, 10)
    angles = np.linspace(0.0, 2.0 * np.pi, 100_001)
    units = np.column_stack([np.cos(angles), np.sin(angles)])
    largest = np.linalg.norm(np.maximum(X @ units.T, 0.0).T @ Y, axis=1).max()
    none, some = solve(X, Y, 1.001 * largest), solve(X, Y, 0.99 * largest)
    assert none.n_neurons == 0 and none.status is some.status is Status.OPTIMAL
    assert none.objective == pytest.approx(0.5 * (Y**2).sum())
    assert none.network.output_weights.shape == (0, 3)
    assert some.n_neurons > 0


def test_limits_leave_a_network_and_a_bound():
    X, Y = drawn(60, 6, 3, 11)
    with pytest.warns(ConvergenceWarning):
        short = solve(X, Y, 0.1, max_iter=1)
    assert short.n_neurons > 0 and np.isfinite(short.gap)
    with pytest.warns(ConvergenceWarning):
        shortest = solve(X, Y, 0.1, time_limit=1e-6)
    assert shortest.objective <= 0.5 * (Y**2).sum() and np.isfinite(shortest.gap)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "exact"}, "2 outputs are trained by method='global'"),
        ({"model": "circular_conv"}, "has one output"),
        ({"model": ReLU(skip="free")}, "has one output"),
        ({"loss": "softmax"}, "y must have a column for each class"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
    ],
    ids=str,
)
def test_what_there_is_not_is_said(options, sentence):
    X, Y = drawn(6, 2, 2, 12)
    refused(lambda: solve(X, Y, 0.1, **options), sentence, InputError)


@pytest.mark.parametrize(
    ("classes", "intercept"), [([0, 1, 2, 0, 1, 0], False), ([2, 1, 0, 1, 0, 1], True)]
)
def test_few_rows_whose_classes_are_nearly_separated(classes, intercept):
    X = np.column_stack([[1.0, 2.0, -1.0, 0.5, -3.0, 4.0], np.ones(6)])
    solution = solve(X, np.eye(3)[classes], 0.2, loss="softmax", tol=1e-5, intercept=intercept)
    assert solution.status is Status.OPTIMAL
