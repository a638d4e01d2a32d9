"""The optimal set: what it holds, what it refuses, and its dimension by other means."""

from itertools import combinations

import numpy as np
import pytest
from landscape.optima import (
    cross,
    five_points,
    independent_dimension,
    independent_set,
    random_problem,
)
from problems import PROBLEMS, each_with_long, problem_named
from variants import with_long

import cvxnn
from cvxnn import OptimalSet, TwoLayerNetwork
from cvxnn.errors import InputError, TooManyPatternsError


def labels_in_space() -> tuple[np.ndarray, np.ndarray, float]:
    """Its optima are many: a network of 12 neurons is independent through its errors only."""
    rng = np.random.default_rng(6)
    rng.integers(3, 26), rng.integers(1, 5)
    return rng.standard_normal((13, 3)), rng.choice([-1.0, 1.0], 13), 10.0 ** rng.uniform(-4.0, 1.0)


NARROW, NOTHING = TwoLayerNetwork([[1.0]], [1.0]), TwoLayerNetwork(np.zeros((0, 25)), np.zeros(0))
UNIQUE = random_problem(1, 7, 2, 0.5)
CASES = {
    "five points": five_points(),
    "cross 2": cross(2),
    "cross 3": cross(3),
    "unique": UNIQUE,
    "plane": random_problem(2, 9, 2, 1e-2),
    "space": random_problem(3, 9, 3, 3e-2),
    "labels": labels_in_space(),
    "ring": (*(part[:20] for part in cvxnn.load_ring()), 1e-1),
}


# Of these, the ones that are like others.
LIKE_OTHERS = ("cross 3", "space", "ring")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.long if name in LIKE_OTHERS else ()) for name in CASES
    ],
)
def case(request):
    X, y, beta = CASES[request.param]
    return X, y, beta, OptimalSet(X, y, beta)


def shuffled(network: TwoLayerNetwork, rng: np.random.Generator) -> TwoLayerNetwork:
    """The same network after random splits, merges and a permutation."""
    for _ in range(4):
        shares = rng.dirichlet(np.ones(3))
        network = network.split(int(rng.integers(network.n_neurons)), shares / shares.sum())
        order = rng.permutation(network.n_neurons)
        network = network.permute(order)
    if rng.random() < 0.5:
        network = network.merge_all()
    return network


def test_members_are_optimal_and_recognised(case):
    X, y, beta, optima = case
    rng = np.random.default_rng(0)
    members = [*optima.sample(2, rng), optima.central_network(), optima.minimal_network()]
    optimum = cvxnn.solve(X, y, beta, tol=1e-9)
    assert optima.objective == pytest.approx(optimum.objective, rel=1e-8)
    for member in members:
        assert member.objective(X, y, beta) == pytest.approx(optima.objective, rel=1e-8)
        assert cvxnn.certify(member, X, y, beta, tol=1e-6).verdict is cvxnn.Verdict.OPTIMAL
        assert optimum.dual_bound <= member.objective(X, y, beta) * (1.0 + 1e-12)
        assert optima.contains(member)
        other = shuffled(member, rng)
        assert optima.violation(other) <= 1e-9
        noise = 1.0 + 1e-3 * rng.standard_normal(other.hidden_weights.shape)
        assert not optima.contains(
            TwoLayerNetwork(other.hidden_weights * noise, other.output_weights)
        )


def test_members_differ_as_far_as_the_set_allows(case):
    X, _, _, optima = case
    first, *others = optima.sample(6, 0)
    points = np.random.default_rng(1).standard_normal((50, X.shape[1]))
    size = np.abs(first.forward(points)).max()
    differences = [
        np.abs(a(points) - b(points)).max() for a, b in combinations([first, *others], 2)
    ]
    if optima.has_unique_function:
        assert max(differences) <= 1e-9 * size
    else:
        assert min(differences) >= 1e-3 * size
    weights = {tuple(np.sort(member.output_weights).round(9)) for member in [first, *others]}
    assert len(weights) == (1 if optima.is_unique else 6)


@with_long("name", ["five points", "cross 2", "cross 3", "unique", "plane", "space"], always=3)
def test_directions_and_dimension_by_clarabel_and_linear_programs(name):
    X, y, beta = CASES[name]
    optima = OptimalSet(X, y, beta)
    entries, activations = independent_set(X, y, beta)
    assert len(entries) == optima.n_directions
    own = np.column_stack([optima.directions, optima.signs])
    distances = np.linalg.norm(own[:, None] - entries, axis=2)
    assert (distances.min(axis=0) < 1e-4).all() and (distances.min(axis=1) < 1e-4).all()
    assert independent_dimension(activations, y - optima.residual) == optima.dimension


def test_a_unique_optimum():
    X, y, beta = UNIQUE
    optima = OptimalSet(X, y, beta, cvxnn.solve(X, y, beta, method="exact"))
    assert optima.is_unique and optima.has_unique_function
    assert (optima.dimension, optima.function_dimension) == (0, 0)
    (vertex,) = optima.vertices()
    assert optima.smallest_network().network == vertex
    assert optima.smallest_network().is_proven
    np.testing.assert_allclose(optima.weight_ranges()[:, 0], optima.weight_ranges()[:, 1])


@pytest.mark.parametrize("d", [2, 3])
def test_infinitely_many_optima_with_everything_known(d):
    X, y, beta = cross(d)
    optima = OptimalSet(X, y, beta)
    c = beta / np.sqrt(d)
    np.testing.assert_allclose(optima.residual, c, rtol=1e-12)
    assert optima.objective == pytest.approx(d * c**2 + beta * 2.0 * np.sqrt(d) * (1.0 - c))
    assert optima.n_directions == 2**d and (optima.signs == 1.0).all()
    np.testing.assert_allclose(np.abs(optima.directions), 1.0 / np.sqrt(d), rtol=1e-12)
    assert optima.dimension == 2**d - 1 - d
    total = 2.0 * np.sqrt(d) * (1.0 - c)
    ranges = optima.weight_ranges()
    # A corner can hold half of the mass at most: the rest has to bring the mean to 0.
    np.testing.assert_allclose(ranges, np.tile([0.0, total / 2.0], (2**d, 1)), atol=1e-9)
    smallest = optima.smallest_network()
    assert (smallest.network.n_neurons, smallest.lower_bound, smallest.method) == (
        2, 2, "mixed-integer",
    )  # fmt: skip
    assert smallest.is_proven and optima.contains(smallest.network)


def test_the_five_points_have_many_optima_and_one_function():
    """Three lines carry neurons of both directions: 3 - 2 ways to trade linear functions."""
    X, y, beta = five_points()
    optima = OptimalSet(X, y, beta)
    assert (optima.n_directions, optima.dimension, optima.function_dimension) == (6, 1, 0)
    # X'r = 0: a linear function is free to move between a neuron and its opposite.
    np.testing.assert_allclose(X.T @ optima.residual, 0.0, atol=1e-15)
    ends = optima.vertices()
    assert [network.n_neurons for network in ends] == [5, 5]
    grid = np.column_stack([np.linspace(-9.0, 9.0, 50), np.ones(50)])
    np.testing.assert_allclose(ends[0](grid), ends[1](grid), atol=1e-12)
    lowest, highest = optima.prediction_range(grid)
    np.testing.assert_allclose(lowest, highest, atol=1e-12)


@pytest.mark.long
@with_long(("beta", "lines"), [(1e-1, 33), (1e-4, 39)])
def test_the_ring_has_one_function_and_a_large_polytope(beta, lines):
    """Opposite pairs on lines in space: 3 equations keep the linear functions together."""
    X, y = cvxnn.load_ring()
    optima = OptimalSet(X, y, beta)
    pairs = np.linalg.norm(optima.directions[:, None] + optima.directions, axis=2) < 1e-8
    assert (pairs.sum(axis=0) == 1).all() and optima.n_directions == 2 * lines
    assert (optima.dimension, optima.function_dimension) == (lines - 3, 0)


def test_vertices_of_the_cube_by_brute_force():
    optima = OptimalSet(*cross(3))
    expected = set()
    for size in range(1, 5):
        for support in combinations(range(8), size):
            A = optima.activations[:, support]
            w, _, rank, _ = np.linalg.lstsq(A, 1.0 - optima.residual, rcond=1e-9)
            fits = np.abs(A @ w - 1.0 + optima.residual).max() < 1e-9
            if rank == size and fits and (w > 1e-9).all():
                expected.add(frozenset(map(tuple, (optima.directions[list(support)]).round(6))))
    found = {
        frozenset(map(tuple, (u / np.linalg.norm(u, axis=1, keepdims=True)).round(6)))
        for u in (network.hidden_weights for network in optima.vertices())
    }
    assert found == expected and len(found) == 6
    for network in optima.vertices():
        assert optima.contains(network)


def test_optimise_reaches_the_range_of_predictions():
    optima = OptimalSet(*cross(2))
    angles = np.linspace(0.0, 2.0 * np.pi, 9) + 0.1
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    lowest, highest = optima.prediction_range(rows)
    assert (highest - lowest > 0.1).all()
    for i, row in enumerate(rows):
        assert optima.optimise([1.0], row[None])(row) == pytest.approx(highest[i])
        assert optima.optimise([-1.0], row[None])(row) == pytest.approx(lowest[i])
    labels = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    best = optima.optimise(labels, rows)
    assert optima.contains(best)
    for member in optima.sample(20, 0):
        assert labels @ member(rows) <= labels @ best(rows) + 1e-9
    heavy = optima.optimise([1.0, 0.0, 0.0, 0.0])
    assert np.abs(heavy.hidden_weights @ optima.directions[0]).max() > 0.0


def test_samples_are_spread_over_the_set():
    """On a segment hit and run is uniform: mean 1/2, variance 1/12."""
    optima = OptimalSet(*cross(2))
    corner = optima.directions[0]
    low, high = optima.weight_ranges()[0]
    shares = []
    for member in optima.sample(400, 0):
        along = member.hidden_weights @ corner / np.linalg.norm(member.hidden_weights, axis=1)
        weight = np.sum(member.output_weights[along > 0.999] ** 2)
        shares.append((weight - low) / (high - low))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert np.var(shares) == pytest.approx(1.0 / 12.0, abs=0.015)


def test_a_greedy_answer_says_so():
    optima = OptimalSet(*cross(3))
    found = optima.smallest_network(max_directions=4)
    assert found.method == "greedy" and found.lower_bound == 1 and not found.is_proven
    assert optima.contains(found.network)


@each_with_long(PROBLEMS)
def test_the_registry(problem):
    X, y, beta = problem.X, problem.y, problem.beta
    optima = OptimalSet(X, y, beta)
    if problem.objective is not None:
        assert optima.objective == pytest.approx(problem.objective, rel=1e-6, abs=1e-12)
    objectives = [member.objective(X, y, beta) for member in optima.sample(2, 0)]
    assert objectives == pytest.approx([optima.objective] * 2, rel=1e-8, abs=1e-12)
    values = np.abs(optima.activations.T @ optima.residual)
    np.testing.assert_allclose(values, beta, rtol=1e-6)
    assert optima.contains(optima.minimal_network())
    assert optima.minimal_network().n_neurons <= len(X)


def test_when_nothing_is_worth_its_price():
    problem = problem_named("beta_above_max")
    optima = OptimalSet(problem.X, problem.y, problem.beta)
    empty = TwoLayerNetwork(np.zeros((0, 3)), np.zeros(0))
    assert optima.is_unique and optima.n_directions == 0
    assert optima.vertices() == [empty] and optima.contains(empty)
    assert optima.smallest_network().network == empty and optima.smallest_network().is_proven
    assert optima.optimise(np.ones(8), problem.X) == empty
    assert not optima.contains(TwoLayerNetwork([[1.0, 0.0, 0.0]], [1.0]))
    lowest, highest = optima.prediction_range(problem.X)
    assert not lowest.any() and not highest.any()


@pytest.mark.parametrize("name", ["five points", "space"])
def test_neither_the_units_nor_the_network_to_start_from_matter(name):
    X, y, beta = CASES[name]
    best, rng = OptimalSet(X, y, beta), np.random.default_rng(0)
    poor = cvxnn.solve(X, y, beta, tol=1e-2)
    shape = 5, X.shape[1]
    far = TwoLayerNetwork(100.0 * rng.standard_normal(shape), rng.standard_normal(5))
    for start in (poor, far):
        optima = OptimalSet(X, y, beta, start)
        assert optima.objective == pytest.approx(best.objective, rel=1e-11)
        assert optima.excess <= 1e-9 and optima.tolerance <= 1e-8 < optima.margin
    optima = OptimalSet(1e6 * X, 1e-3 * y, 1e3 * beta)
    assert (optima.n_directions, optima.dimension) == (best.n_directions, best.dimension)
    assert optima.objective == pytest.approx(1e-6 * best.objective, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.vertices(2), r"up to .* vertices, more than max_vertices = 2"),
        (lambda s: s.contains(NARROW), "must have 3 features"),
        (lambda s: s.contains("network"), "must be a TwoLayerNetwork of slope 0 .* got str"),
        (lambda s: s.contains(s.minimal_network(), tol=0.0), "tol must be"),
        (lambda s: s.network([1.0]), "weights must be of shape"),
        (lambda s: s.network(-np.ones(8)), "no entry below 0"),
        (lambda s: s.optimise([1.0]), "c must be of shape"),
        (lambda s: s.prediction_range([[1.0]]), "X must have 3 columns"),
        (lambda s: s.sample(0), "n_samples must be"),
        (lambda s: OptimalSet(*cross(3), NARROW), "solution must have 3 features"),
        (lambda s: OptimalSet(*random_problem(0, 60, 25, 1.0), NOTHING), r"pattern.*rank 25"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises((InputError, TooManyPatternsError), match=message):
        call(OptimalSet(*cross(3)))


@with_long(("seed", "beta"), [(8, 1e-3), (0, 1e-5), (2, 1e-3)])
def test_repeated_rows_of_opposite_labels_with_a_small_beta(seed, beta):
    """The misfit that no network avoids hides the penalty: it is split off before polishing."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-2, 3, (36, 3)).astype(float), rng.choice([-1.0, 1.0], 36)
    optima = OptimalSet(X, y, beta, cvxnn.solve(X, y, beta, tol=1e-6))
    np.testing.assert_allclose(optima.activations.T @ optima.residual, beta, rtol=1e-7)
    again = OptimalSet(X, y, beta)
    assert (optima.n_directions, optima.dimension) == (again.n_directions, again.dimension)
    for member in optima.sample(2, 0):
        assert member.objective(X, y, beta) == pytest.approx(optima.objective, rel=1e-12)
        assert again.violation(member) <= 1e-8


def test_rows_on_one_ray_count_as_one():
    X, y, beta = random_problem(3, 6, 2, 1e-2)
    t = np.array([0.5, 3.0])
    # Two multiples of the first row in its place: the same problem, up to a constant.
    size = np.sqrt(np.sum(t**2))
    targets = np.array([1.0, -2.0])
    split = np.vstack([t[:, None] * X[0] / size, np.zeros((1, 2)), X[1:]])
    wanted = np.concatenate([targets, [5.0], y[1:]])
    y[0] = t @ targets / size
    one, many = OptimalSet(X, y, beta), OptimalSet(split, wanted, beta)
    constant = 0.5 * (targets @ targets - y[0] ** 2 + 25.0)
    assert many.objective == pytest.approx(one.objective + constant, rel=1e-12)
    assert (many.n_directions, many.dimension) == (one.n_directions, one.dimension)
    member = one.sample(1, 0)[0]
    assert many.contains(member) and many.activations.shape == (8, one.n_directions)
    np.testing.assert_allclose(many.residual, wanted - member(split), atol=1e-12)
