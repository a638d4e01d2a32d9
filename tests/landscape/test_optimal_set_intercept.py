"""The optimal set of networks with an intercept, held against closed forms and other programs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landscape.optima import (
    hill_and_valley,
    independent_dimension,
    independent_set,
    random_problem,
    tent,
)
from programs import Activations
from sentences import refused

import cvxnn
from cvxnn import OptimalSet, TwoLayerNetwork

CASES = {
    "hill and valley": hill_and_valley(),
    "tent 2": tent(2),
    "tent 3": tent(3),
    "unique": random_problem(1, 7, 2, 0.5),
    "plane": random_problem(2, 9, 2, 1e-2),
    "space": random_problem(3, 8, 3, 3e-2),
}


def objective(network, X, y, beta):
    """Objective (2) from the weights alone."""
    hidden, output = np.array(network.hidden_weights), np.array(network.output_weights)
    left = np.maximum(X @ hidden.T, 0.0) @ output + network.intercept - y
    return 0.5 * left @ left + 0.5 * beta * ((hidden**2).sum() + (output**2).sum())


# Of these, the ones that are like others.
LIKE_OTHERS = ("tent 3", "space")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.long if name in LIKE_OTHERS else ()) for name in CASES
    ],
)
def case(request):
    X, y, beta = CASES[request.param]
    return X, y, beta, OptimalSet(X, y, beta, intercept=True)


def test_members_have_one_objective_and_are_recognised(case):
    X, y, beta, optima = case
    cp = pytest.importorskip("cvxpy")
    optimum = Activations(X[:, None]).optimum(cp, "squared", y, beta, intercept=True)
    assert optima.objective == pytest.approx(optimum, rel=1e-6)
    assert abs(optima.residual.sum()) <= 1e-12
    rng = np.random.default_rng(0)
    for member in [*optima.sample(2, rng), optima.central_network(), optima.minimal_network()]:
        assert objective(member, X, y, beta) == pytest.approx(optima.objective, rel=1e-9)
        assert cvxnn.certify(member, X, y, beta, tol=1e-6).verdict is cvxnn.Verdict.OPTIMAL
        split = member.split(0, [0.25, 0.75]).permute(rng.permutation(member.n_neurons + 1))
        assert optima.violation(split) <= 1e-9
        assert not optima.contains(member.with_intercept(member.intercept + 1e-3))
        noise = 1.0 + 1e-3 * rng.standard_normal(member.hidden_weights.shape)
        assert not optima.contains(
            TwoLayerNetwork(
                member.hidden_weights * noise, member.output_weights, intercept=member.intercept
            )
        )


def test_directions_and_dimension_by_clarabel_and_linear_programs(case):
    X, y, beta, optima = case
    entries, activations = independent_set(X, y, beta, intercept=True)
    assert len(entries) == optima.n_directions
    own = np.column_stack([optima.directions, optima.signs])
    distances = np.linalg.norm(own[:, None] - entries, axis=2)
    assert (distances.min(axis=0) < 1e-4).all() and (distances.min(axis=1) < 1e-4).all()
    # The intercept takes up the mean, whatever the weights are.
    centred, fit = activations - activations.mean(axis=0), y - optima.residual
    assert independent_dimension(centred, fit - fit.mean()) == optima.dimension
    beside = np.column_stack([optima.activations, np.ones(len(X))])
    is_independent = np.linalg.matrix_rank(beside, tol=1e-7) == beside.shape[1]
    assert optima.is_unique or not is_independent


def test_vertices_are_the_minimal_networks(case):
    X, _, _, optima = case
    vertices = optima.vertices()
    for network in vertices:
        assert optima.contains(network)
        columns = np.column_stack([network.activations(X), np.ones(len(X))])
        assert np.linalg.matrix_rank(columns, tol=1e-7) == columns.shape[1] <= len(X)
    supports = {frozenset(map(tuple, network.hidden_weights.round(6))) for network in vertices}
    assert len(supports) == len(vertices)
    assert (len(vertices) == 1) == optima.is_unique
    fewest = min(network.n_neurons for network in vertices)
    smallest = optima.smallest_network()
    assert smallest.is_proven and smallest.network.n_neurons == fewest
    assert optima.contains(smallest.network)


def test_an_intercept_that_is_free_to_move():
    X, y, beta = hill_and_valley()
    optima = OptimalSet(X, y, beta, intercept=True)
    h = 1.0 - beta
    assert repr(optima) == (
        "OptimalSet(n_directions=4, dimension=1, function_dimension=1, intercept=True)"
    )
    np.testing.assert_allclose(optima.residual, beta * y, rtol=1e-12)
    assert optima.objective == pytest.approx(2.0 * beta**2 + 4.0 * beta * h, rel=1e-12)
    np.testing.assert_allclose(optima.weight_ranges(), [[0.0, 2.0 * h]] * 4, atol=1e-9)
    ends = optima.vertices()
    assert sorted(network.intercept for network in ends) == pytest.approx([-h, h])
    assert [network.n_neurons for network in ends] == [2, 2]
    # At 0 a network is its intercept.
    lowest, highest = optima.prediction_range(np.vstack([np.zeros((1, 2)), X]))
    np.testing.assert_allclose(lowest, [-h, *(h * y)], atol=1e-9)
    np.testing.assert_allclose(highest, [h, *(h * y)], atol=1e-9)
    assert optima.optimise([1.0], [[0.0, 0.0]]).intercept == pytest.approx(h)
    best = optima.optimise([1.0, -2.0], [[0.0, 0.0], [0.5, 0.5]])
    # f(0) - 2 f(1/2, 1/2) = b - 2 (b + (h - b) / 2 - (h + b) / 2) = b.
    assert best.intercept == pytest.approx(h)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_tent_is_a_cross_on_an_intercept(d):
    X, y, beta = tent(d)
    optima = OptimalSet(X, y, beta, intercept=True)
    c = beta / np.sqrt(d)
    np.testing.assert_allclose(optima.residual[:-1], c, rtol=1e-12)
    total = 2.0 * np.sqrt(d) * (1.0 - c - 2.0 * d * c)
    assert optima.objective == pytest.approx(d * c**2 + 2.0 * (d * c) ** 2 + beta * total)
    assert optima.n_directions == 2**d and (optima.signs == 1.0).all()
    assert optima.dimension == 2**d - 1 - d
    assert len(optima.vertices()) == {1: 1, 2: 2, 3: 6}[d]
    assert {round(network.intercept, 9) for network in optima.sample(3, 0)} == {
        round(2.0 * d * c, 9)
    }


def test_vertices_of_the_tent_by_brute_force():
    X, y, beta = tent(3)
    optima = OptimalSet(X, y, beta, intercept=True)
    columns = np.column_stack([optima.activations, np.ones(len(X))])
    count = 0
    for size in range(1, 5):
        for support in combinations(range(8), size):
            A = columns[:, [*support, 8]]
            w, _, rank, _ = np.linalg.lstsq(A, y - optima.residual, rcond=1e-9)
            fits = np.abs(A @ w - y + optima.residual).max() < 1e-9
            count += bool(rank == size + 1 and fits and (w[:-1] > 1e-9).all())
    assert count == len(optima.vertices()) == 6


@pytest.mark.long
@settings(max_examples=4)
@given(st.integers(0, 10**6))
def test_the_fit_is_one_from_wherever_it_is_looked_for(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 9)), int(rng.integers(1, 3))
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n) + 10.0 * rng.standard_normal()
    beta = float(10.0 ** rng.uniform(-3.0, 0.0))
    first = OptimalSet(X, y, beta, intercept=True)
    far = TwoLayerNetwork(10.0 * rng.standard_normal((4, d)), rng.standard_normal(4))
    poor = cvxnn.solve(X, y, beta, tol=1e-2, intercept=True, random_state=seed)
    for start in (far, poor):
        again = OptimalSet(X, y, beta, start, intercept=True)
        np.testing.assert_allclose(again.residual, first.residual, atol=1e-9)
        assert (again.n_directions, again.dimension) == (first.n_directions, first.dimension)
    for member in first.sample(3, rng):
        assert objective(member, X, y, beta) == pytest.approx(first.objective, rel=1e-9)
    # Another level of the targets is another intercept.
    moved = OptimalSet(X, y + 1.0, beta, intercept=True)
    np.testing.assert_allclose(moved.residual, first.residual, atol=1e-9)
    low, high = (optima.prediction_range(np.zeros((1, d)))[0] for optima in (first, moved))
    assert high - low == pytest.approx(1.0, rel=1e-7)


@pytest.mark.parametrize(("seed", "beta"), [(0, 1e-4), (2, 1e-3)])
def test_equal_rows_of_opposite_labels_count_as_one(seed, beta):
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-2, 3, (30, 2)).astype(float), rng.choice([-1.0, 1.0], 30)
    optima = OptimalSet(X, y, beta, intercept=True)
    np.testing.assert_allclose(optima.activations.T @ optima.residual, beta, rtol=1e-7)
    assert abs(optima.residual.sum()) <= 1e-12
    for member in optima.sample(2, 0):
        assert objective(member, X, y, beta) == pytest.approx(optima.objective, rel=1e-12)
        np.testing.assert_allclose(y - member(X), optima.residual, atol=1e-9)
    # Rows on one ray are none: with an intercept f(2 x) is not 2 f(x).
    assert len(optima.residual) == 30 and optima.activations.shape[0] == 30


def test_when_a_constant_is_the_optimum():
    X, y, beta = random_problem(1, 7, 2, 0.5)
    beta = 1.5 * cvxnn.largest_beta(X, y, intercept=True)
    optima = OptimalSet(X, y, beta, intercept=True)
    mean = TwoLayerNetwork(np.zeros((0, 2)), [], intercept=y.mean())
    assert optima.is_unique and optima.n_directions == 0
    assert optima.minimal_network().intercept == pytest.approx(y.mean(), rel=1e-12)
    assert optima.contains(mean) and not optima.contains(mean.with_intercept(y.mean() + 0.1))
    assert not optima.contains(TwoLayerNetwork([[1.0, 0.0]], [1.0], intercept=y.mean()))
    lowest, highest = optima.prediction_range(X)
    np.testing.assert_allclose([lowest, highest], y.mean(), rtol=1e-12)


def test_a_path_leads_to_the_set_and_stays_between_its_ends():
    X, y, beta = hill_and_valley()
    optima = OptimalSet(X, y, beta, intercept=True)
    first, last = optima.vertices()
    path = cvxnn.descent_path(first, last, X, y, beta, widen=True)
    values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 1000))
    np.testing.assert_allclose(values, optima.objective, rtol=1e-11)
    assert optima.contains(path(0.3)) and optima.contains(path(1.0))
    rng = np.random.default_rng(0)
    start = TwoLayerNetwork(rng.standard_normal((9, 2)), rng.standard_normal(9), intercept=4.0)
    path = cvxnn.descent_path(start, last, X, y, beta)
    values = path.objectives(X, y, beta, np.linspace(0.0, 1.0, 1000))
    assert (np.diff(values) <= 1e-12 * values[:-1]).all() and optima.contains(path(1.0))


def test_what_is_refused():
    X, y, beta = hill_and_valley()
    member = OptimalSet(X, y, beta, intercept=True).vertices()[0]
    refused(
        lambda: OptimalSet(X, y, beta, member), "solution must have no intercept.*intercept=True"
    )
    refused(lambda: OptimalSet(X, y, beta).contains(member), "network must have no intercept")
    refused(lambda: OptimalSet(X, y, beta, intercept=1.5), "intercept must be")
    Y = np.column_stack([y, y])
    refused(lambda: OptimalSet(X, Y, beta).signs, "signs are those of one output")
