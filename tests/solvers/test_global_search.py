"""The global search against other methods, for ranks from three on, and its own claims."""

import numpy as np
import pytest
from least_squares import assert_claims, least_squares, network_of
from problems import SMALL_PROBLEMS, Problem, each_with_long, optimum_of, with_bias
from reference import solve_with_clarabel
from variants import with_long

import cvxnn
from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.solvers import global_search, neuron_search
from cvxnn.solvers.global_search import GlobalSearch
from cvxnn.solvers.global_settings import Settings
from cvxnn.solvers.neuron_search import NeuronSearch

SPATIAL = [p for p in SMALL_PROBLEMS if np.linalg.matrix_rank(p.X) >= 3]
# Below rank three another search is used; small ones are a test of this one all the same.
FLAT = [p for p in SMALL_PROBLEMS if np.linalg.matrix_rank(p.X) < 3 and len(p.X) <= 10]


def search_for(
    X: FloatArray, y: FloatArray, beta: float, seed: int = 0, deadline: Deadline = UNLIMITED
) -> GlobalSearch:
    return GlobalSearch(least_squares(X, y, beta), np.random.default_rng(seed), deadline=deadline)


def search_to(
    X: FloatArray, y: FloatArray, beta: float, seed: int = 0, tol: float = 1e-6, most: int = 25
) -> GlobalSearch:
    """Run a search to its end; no round may make anything worse."""
    # The deadline is for searches that go wrong: the others take less than a second.
    search = search_for(X, y, beta, seed, Deadline(10.0))
    for _ in range(most):
        if search.gap <= tol or search.stationary or search.deadline.passed:
            break
        objective, bound = search.objective, search.bound
        search.step(tol)
        assert search.objective <= objective * (1.0 + 1e-12)
        assert search.bound >= bound
    assert search.gap <= tol
    search.finish(tol, quick=False)
    return search


def exact_objective(X: FloatArray, y: FloatArray, beta: float) -> float:
    return cvxnn.solve(X, y, beta, method="exact", tol=1e-9).objective


def random_problem(seed: int) -> tuple[FloatArray, FloatArray, float]:
    """Data of rank three or four with 20 to 40 rows."""
    rng = np.random.default_rng(seed)
    r = 3 + seed % 2
    n = int(rng.integers(20, 41)) if r == 3 else 20
    X = with_bias(rng.standard_normal((n, r - 1))) if seed % 3 else rng.standard_normal((n, r))
    return X, rng.standard_normal(n), float(rng.choice([0.1, 1.0]))


# ------------------------------------------------------------------ the optimum


@each_with_long([*SPATIAL, *FLAT])
def test_the_registry(problem):
    search = search_to(problem.X, problem.y, problem.beta)
    optimum = optimum_of(problem)
    # Stored optima have eight digits.
    assert search.objective == pytest.approx(optimum, rel=1e-8, abs=1e-300)
    assert search.bound <= optimum * (1.0 + 1e-8)
    assert_claims(search, problem, 1e-9)


@with_long("seed", range(3))
def test_the_exact_method_finds_the_same(seed):
    X, y, beta = random_problem(seed)
    search = search_to(X, y, beta)
    assert search.objective == pytest.approx(exact_objective(X, y, beta), rel=1e-8)
    assert_claims(search, Problem("", X, y, beta), 1e-9)


# ------------------------------------------------------------------ degenerate data


def test_dependent_columns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 3)) @ rng.standard_normal((3, 5))
    y = rng.standard_normal(25)
    search = search_to(X, y, 0.5)
    assert network_of(search).hidden_weights.shape[1] == 5
    assert search.objective == pytest.approx(exact_objective(X, y, 0.5), rel=1e-8)
    assert_claims(search, Problem("", X, y, 0.5), 1e-9)


@pytest.mark.long
@with_long("seed", range(3))
def test_points_of_a_grid(seed):
    # Neurons lie on hyperplanes with normals along the axes, up to rounding.
    side = np.arange(-2.0, 3.0)
    X = with_bias(np.array([[a, b] for a in side for b in side]))
    rng = np.random.default_rng(seed)
    y = np.abs(X[:, 0]) + 0.5 * np.maximum(X[:, 1], 0.0) + 0.3 * rng.standard_normal(len(X))
    search = search_to(X, y, 0.1)
    assert search.objective == pytest.approx(exact_objective(X, y, 0.1), rel=1e-8)


# ------------------------------------------------------------------ limits


def test_a_quick_end_asks_for_no_certificate(monkeypatch):
    X, y, beta = random_problem(4)
    search = search_for(X, y, beta)
    monkeypatch.setattr(search, "_price", None)
    bound = search.bound
    search.finish(1e-6, quick=True)
    assert search.bound == bound


# ------------------------------------------------------------------ from coarse to fine


def start_from_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 rows are many."""
    for module in (global_search, neuron_search):
        monkeypatch.setattr(module, "SETTINGS", Settings(many_rows=40))


@with_long("state", [0, 1])
def test_many_rows_start_from_a_part(state, monkeypatch):
    rng = np.random.default_rng(8)
    X = with_bias(rng.standard_normal((100, 2)))
    y = np.maximum(X @ [1.0, 2.0, -0.5], 0.0) + 0.3 * rng.standard_normal(100)
    whole = search_to(X, y, 2.0)
    start_from_parts(monkeypatch)
    search = search_for(X, y, 2.0, state)
    assert [len(part.problem.y) for part in search._coarse] == [25]
    parts = search_to(X, y, 2.0, state)
    assert parts.objective == pytest.approx(whole.objective, rel=1e-8)
    assert parts.bound <= whole.objective * (1.0 + 1e-9)


def test_parts_of_parts(monkeypatch):
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((400, 3)), rng.standard_normal(400)
    start_from_parts(monkeypatch)
    search = search_for(X, y, 20.0)
    assert [len(part.problem.y) for part in search._coarse] == [25, 100]
    betas = [part.problem.beta for part in (*search._coarse, search._fine)]
    np.testing.assert_allclose(betas, [1.25, 5.0, 20.0])
    for _ in range(60):
        objective = search.objective
        search.step(1e-6)
        assert search.objective <= objective * (1.0 + 1e-12)
        if search.gap <= 1e-6:
            break
    assert search.gap <= 1e-6 and search._coarse == []


def test_in_high_rank_many_rows_are_looked_through_in_part(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 9))
    y = np.maximum(X @ rng.standard_normal((9, 3)), 0.0) @ [1.0, -1.0, 0.5]
    monkeypatch.setattr(neuron_search, "SETTINGS", Settings(dear_rows=200))
    search = NeuronSearch(least_squares(X, y, 5.0), np.eye(9), rng, Deadline())
    search.improve(search.propose(0.01), converge=False)
    found = search.propose(0.01)
    left = y - search.problem.rows.forward(search.neurons.rays, search.neurons.signs)
    values = found.outputs[:, 0] * (left @ np.maximum(X @ found.directions.T, 0.0))
    np.testing.assert_allclose(found.values, values, rtol=1e-9)
    assert (values > 5.05).all() and (np.diff(values) <= 0.0).all()
    assert search.objective < 0.5 * float(y @ y)


@with_long("rank, share", [(10, 0.03), (7, 0.3), (12, 0.03)], ids=str)
def test_few_rows_in_high_rank_are_proven(rank, share):
    """The full program in a general solver finds nothing better."""
    rng = np.random.default_rng(rank)
    X, y = rng.standard_normal((8, rank)), rng.standard_normal(8)
    beta = share * cvxnn.largest_beta(X, y)
    search = search_to(X, y, beta)
    assert search.proof.kind == "signs"
    program = cvxnn.ConvexProgram(X, y, beta, cvxnn.enumerate_patterns(X))
    reference = solve_with_clarabel(program)
    assert search.objective == pytest.approx(reference.objective, rel=1e-6)
    assert search.bound <= reference.objective * (1.0 + 1e-9)


@pytest.mark.parametrize(("rank", "is_limited"), [(4, False), (9, True), (10, True)])
def test_a_proof_in_high_rank_takes_no_longer_than_the_search(rank, is_limited):
    rng = np.random.default_rng(0)
    # More rows than those whose signs are gone through to the end.
    search = search_for(rng.standard_normal((70, rank)), rng.standard_normal(70), 0.1)
    deadline = search._oracle_deadline()
    assert deadline.limited == is_limited
    if is_limited:
        assert 0.0 < deadline.remaining <= max(2.0 * search.deadline.elapsed, 1.0)
