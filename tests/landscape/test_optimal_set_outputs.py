"""The optimal set of several outputs in a plane, against sweeps of the circle and one output."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape.optima import (
    cross,
    hill_and_valley,
    independent_dimension,
    random_problem,
)
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn import OptimalSet, TwoLayerNetwork
from cvxnn.losses import SquaredLoss


def several(seed, n, c, beta, *, ones=False):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(n), np.ones(n) if ones else rng.standard_normal(n)])
    return X, rng.standard_normal((n, c)), beta


def on_rays(seed, beta):
    """Whole numbers: rows on one ray, or equal, with other targets, and rows of 0."""
    rng = np.random.default_rng(seed)
    return rng.integers(-2, 3, (20, 2)).astype(float), rng.standard_normal((20, 2)), beta


CASES = {
    "unique": (several(0, 9, 2, 0.5), False),
    "many": (several(8, 11, 3, 5e-3), False),
    "a column of ones": (several(3, 8, 2, 2e-2, ones=True), False),
    "intercept": (several(1, 8, 3, 6e-3), True),
    "intercept, unique": (several(5, 10, 2, 0.2), True),
    "rays": (on_rays(3, 1.0), False),
    "intercept, equal rows": (on_rays(1, 1.0), True),
    "line": ((np.array([[1.0], [-2.0], [0.5]]), several(2, 3, 2, 0.1)[1], 0.1), False),
}


def objective(network, X, Y, beta):
    """Objective (2) from the weights alone."""
    hidden, output = np.array(network.hidden_weights), np.array(network.output_weights)
    left = np.maximum(X @ hidden.T, 0.0) @ output + np.array(network.intercept) - Y
    return 0.5 * (left**2).sum() + 0.5 * beta * ((hidden**2).sum() + (output**2).sum())


# Of these, the ones that are like others.
LIKE_OTHERS = ("a column of ones", "intercept, unique", "rays")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.long if name in LIKE_OTHERS else ()) for name in CASES
    ],
)
def case(request):
    (X, Y, beta), intercept = CASES[request.param]
    return X, Y, beta, intercept, OptimalSet(X, Y, beta, intercept=intercept)


def test_the_optimum_and_its_directions_by_a_sweep_of_the_circle(case):
    X, Y, beta, intercept, optima = case
    R = optima.residual
    # Strong duality: the value of the dual at R, which a sweep finds feasible.
    dual = (R * Y).sum() - 0.5 * (R**2).sum()
    assert optima.objective == pytest.approx(dual, rel=1e-9)
    assert not intercept or np.abs(R.sum(axis=0)).max() <= 1e-12
    t = np.linspace(0.0, 2.0 * np.pi, 40_001)
    circle = np.column_stack([np.cos(t), np.sin(t)]) if X.shape[1] == 2 else np.array([[1.0], [-1]])
    norms = np.linalg.norm(np.maximum(circle @ X.T, 0.0) @ R, axis=1)
    assert norms.max() <= beta * (1.0 + 1e-9)
    # Wherever the sweep comes close to beta there is one of the directions, and no other.
    near = circle[norms >= beta * (1.0 - 1e-8)]
    assert (np.abs(near[:, None] - optima.directions).max(axis=2).min(axis=1) <= 1e-3).all()
    pulled = np.maximum(optima.directions @ X.T, 0.0) @ R
    np.testing.assert_allclose(pulled, beta * optima.outputs, atol=1e-8 * beta)
    np.testing.assert_allclose(np.linalg.norm(optima.directions, axis=1), 1.0)


def test_members_have_one_objective_and_are_recognised(case):
    X, Y, beta, intercept, optima = case
    solution = cvxnn.solve(X, Y, beta, intercept=intercept, tol=1e-8)
    assert solution.dual_bound <= optima.objective * (1.0 + 1e-12)
    assert optima.objective <= solution.objective * (1.0 + 1e-10)
    rng = np.random.default_rng(0)
    for member in [*optima.sample(4, rng), optima.central_network(), optima.minimal_network()]:
        assert objective(member, X, Y, beta) == pytest.approx(optima.objective, rel=1e-9)
        np.testing.assert_allclose(Y - member(X), optima.residual, atol=1e-7)
        split = member.split(0, [0.25, 0.75]).permute(rng.permutation(member.n_neurons + 1))
        assert optima.violation(split) <= 1e-9
        # Nearly the same output weights are not those of an optimum.
        turned = member.output_weights * (1.0 + 1e-3 * rng.standard_normal(Y.shape[1]))
        b = member.intercept
        assert not optima.contains(TwoLayerNetwork(member.hidden_weights, turned, intercept=b))
        assert not optima.contains(TwoLayerNetwork(member.hidden_weights, -turned, intercept=b))


def test_dimension_and_vertices(case):
    _, Y, _, intercept, optima = case
    columns = optima.activations.reshape(Y.size, -1)
    fit = Y - optima.residual
    if intercept:
        columns = (optima.activations - optima.activations.mean(axis=0)).reshape(Y.size, -1)
        fit = fit - fit.mean(axis=0)
    assert independent_dimension(columns, fit.ravel()) == optima.dimension
    vertices = optima.vertices()
    assert (len(vertices) == 1) == optima.is_unique
    for network in vertices:
        assert optima.contains(network) and network.n_neurons <= Y.size
    smallest = optima.smallest_network()
    assert smallest.network.n_neurons == min(network.n_neurons for network in vertices)
    assert smallest.is_proven


def test_predictions_and_criteria(case):
    X, Y, _, _, optima = case
    n, c = Y.shape
    rng = np.random.default_rng(1)
    rows = np.vstack([X, rng.standard_normal((3, X.shape[1]))])
    lowest, highest = optima.prediction_range(rows)
    assert lowest.shape == highest.shape == (n + 3, c)
    np.testing.assert_allclose(lowest[:n], Y - optima.residual, atol=1e-7)
    np.testing.assert_allclose(highest[:n], Y - optima.residual, atol=1e-7)
    members = optima.sample(10, rng)
    for member in members:
        assert (member(rows) >= lowest - 1e-7).all() and (member(rows) <= highest + 1e-7).all()
    only = np.zeros((1, c))
    only[0, -1] = 1.0
    best, worst = (optima.optimise(sign * only, rows[-1:])(rows[-1:])[0, -1] for sign in (1, -1))
    assert (worst, best) == pytest.approx((lowest[-1, -1], highest[-1, -1]), abs=1e-7)
    criterion = rng.standard_normal((3, c))
    top = optima.optimise(criterion, rows[n:])
    assert optima.contains(top)
    assert all((criterion * (m(rows[n:]) - top(rows[n:]))).sum() <= 1e-7 for m in members)
    points = rng.standard_normal((50, X.shape[1]))
    differ = max(np.abs(member(points) - members[0](points)).max() for member in members)
    assert (differ <= 1e-7) == optima.has_unique_function


@with_long("intercept", [False, True])
@pytest.mark.parametrize(
    "problem",
    [cross(2), hill_and_valley(), random_problem(2, 9, 2, 1e-2), random_problem(5, 8, 2, 0.1)],
)
def test_targets_on_a_line_are_one_output(problem, intercept):
    """With ``Y = y q'`` the residual is r q', and everything is that of y."""
    X, y, beta = problem
    q = np.array([0.6, 0.0, -0.8])
    one = OptimalSet(X, y, beta, intercept=intercept)
    three = OptimalSet(X, np.outer(y, q), beta, intercept=intercept)
    assert repr(three).replace(", n_outputs=3", "") == repr(one)
    assert three.objective == pytest.approx(one.objective, rel=1e-10, abs=1e-14)
    np.testing.assert_allclose(three.residual, np.outer(one.residual, q), atol=1e-10)
    assert three.n_directions == one.n_directions
    if one.n_directions:
        tensors = [
            (optima.directions[:, :, None] * (optima.outputs @ line)[:, None, :]).reshape(-1, 6)
            for optima, line in ((one, q[None]), (three, np.eye(3)))
        ]
        distances = np.linalg.norm(tensors[0][:, None] - tensors[1], axis=2)
        assert (distances.min(axis=0) < 1e-7).all() and (distances.min(axis=1) < 1e-7).all()
    assert len(one.vertices()) == len(three.vertices())


@pytest.mark.long
@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_turned_outputs_have_the_same_set(seed):
    rng = np.random.default_rng(seed)
    n, c, intercept = int(rng.integers(4, 10)), int(rng.integers(2, 4)), bool(rng.integers(2))
    X, Y = rng.standard_normal((n, 2)), rng.standard_normal((n, c))
    beta = float(10.0 ** rng.uniform(-1.0, 0.3))
    Q = np.linalg.qr(rng.standard_normal((c, c)))[0]
    try:
        one = OptimalSet(X, Y, beta, intercept=intercept)
    except cvxnn.InputError as error:
        assert "no polytope" in str(error)
        return
    start = TwoLayerNetwork(rng.standard_normal((3, 2)), rng.standard_normal((3, c)))
    other = OptimalSet(X, Y @ Q, beta, start, intercept=intercept)
    assert other.objective == pytest.approx(one.objective, rel=1e-10)
    np.testing.assert_allclose(other.residual, one.residual @ Q, atol=1e-8)
    assert (other.n_directions, other.dimension) == (one.n_directions, one.dimension)
    member = one.sample(1, rng)[0]
    turned = TwoLayerNetwork(
        member.hidden_weights, member.output_weights @ Q, intercept=member.intercept @ Q
    )
    assert other.violation(turned) <= 1e-7


def test_a_line_in_closed_form():
    """Each of both neurons has the targets of its row, shortened by beta."""
    X, Y, beta = np.array([[1.0], [-1.0]]), np.array([[3.0, 4.0], [0.0, -2.0]]), 0.5
    optima = OptimalSet(X, Y, beta)
    assert optima.n_directions == 2 and optima.is_unique
    (network,) = optima.vertices()
    np.testing.assert_allclose(network(X), [[2.7, 3.6], [0.0, -1.5]], atol=1e-12)
    np.testing.assert_allclose(optima.residual, [[0.3, 0.4], [0.0, -0.5]], atol=1e-12)
    assert optima.objective == pytest.approx(0.5 * 2 * 0.25 + 0.5 * (4.5 + 1.5))


def test_an_arc_of_optimal_directions_is_refused():
    """With orthogonal rows and targets ``||V'(X u)_+|| = beta ||u_+||``: a quarter is optimal."""
    refused(lambda: OptimalSet(np.eye(2), 3.0 * np.eye(2), 0.5), "no polytope.*descent_path leads")
    # And one that is not by symmetry: an eighth of the circle, as a sweep shows.
    X, Y, beta = on_rays(0, 1.0)
    left = Y - cvxnn.solve(X, Y, beta, tol=1e-12).network(X)
    t = np.linspace(0.0, 2.0 * np.pi, 1001)
    norms = np.maximum(np.column_stack([np.cos(t), np.sin(t)]) @ X.T, 0.0) @ left
    assert (np.linalg.norm(norms, axis=1) >= beta * (1.0 - 1e-7)).mean() > 0.12
    refused(lambda: OptimalSet(X, Y, beta), "no polytope.*descent_path leads")


def test_when_nothing_is_worth_its_price():
    X, Y, _ = several(0, 9, 2, 0.5)
    for intercept in (False, True):
        beta = 1.5 * cvxnn.largest_beta(X, Y, intercept=intercept)
        optima = OptimalSet(X, Y, beta, intercept=intercept)
        assert optima.n_directions == 0 and optima.is_unique
        mean = Y.mean(axis=0) if intercept else np.zeros(2)
        assert optima.minimal_network().intercept == pytest.approx(mean)
        assert optima.objective == pytest.approx(0.5 * ((Y - mean) ** 2).sum())
        assert optima.contains(optima.minimal_network())


def test_a_maximum_at_a_kink_is_one_direction():
    # Both arcs beside it have it.
    X = np.array([[0.0, 2.0], [-1.0, 0.0], [-1.0, -2.0]])
    Y = np.array([[-1.0, -2.0], [0.0, 1.0], [-2.0, 3.0]])
    optima = OptimalSet(X, Y, 0.540091721877993)
    assert (optima.n_directions, optima.dimension, optima.is_unique) == (2, 0, True)
    assert len(list(optima.vertices())) == 1


def test_both_ends_of_a_cell_may_be_optimal():
    rng, swap = np.random.default_rng(1), np.eye(2)[::-1]
    half = int(rng.integers(1, 4))
    A, B = rng.standard_normal((half, 2)), 3.0 * rng.standard_normal((half, 2))
    X, Y = np.vstack([A, A @ swap]), np.vstack([B, B @ swap])
    optima = OptimalSet(X, Y, 0.01215550588219683)
    mirrored = optima.directions @ swap
    assert (np.linalg.norm(mirrored[:, None] - optima.directions, axis=2).min(axis=1) < 1e-7).all()
    ends = (optima.directions[:, None] @ swap * optima.directions[None]).sum(axis=2)
    assert optima.n_directions == 6 and (ends > 0.9).any()


@pytest.mark.long
def test_a_path_between_two_optima():
    (X, Y, beta), _ = CASES["many"]
    optima = OptimalSet(X, Y, beta)
    first, last, *_ = optima.vertices()
    path = cvxnn.descent_path(first, last, X, Y, beta, widen=True)
    values = path.objectives(X, Y, beta, np.linspace(0.0, 1.0, 100))
    np.testing.assert_allclose(values, optima.objective, rtol=1e-10)
    assert optima.contains(path(0.3)) and optima.contains(path(1.0))
    assert path(0.5).evaluate(X, Y, beta, SquaredLoss()).value == pytest.approx(optima.objective)


def test_what_is_refused():
    X, Y, beta = several(0, 9, 2, 0.5)
    optima = OptimalSet(X, Y, beta)
    one = TwoLayerNetwork([[1.0, 0.0]], [1.0])
    refused(lambda: optima.signs, "signs are those of one output")
    refused(lambda: optima.contains(one), "network must have 2 outputs")
    refused(lambda: OptimalSet(X, Y, beta, one), "solution must have 2 outputs")
    refused(lambda: optima.optimise([1.0] * 9, X), r"c must be of shape \(9, 2\)")
    space = np.random.default_rng(0).standard_normal((9, 3))
    refused(lambda: OptimalSet(space, Y, beta), "2 outputs.*rank 2 at most, got rank 3.*solve")
