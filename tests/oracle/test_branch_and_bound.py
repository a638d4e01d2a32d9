"""Searches with a proof against maxima over all faces of small arrangements."""

from itertools import combinations, product

import numpy as np
import pytest
from variants import with_long

from cvxnn import interrupts
from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import spectral_bound
from cvxnn.oracle import CellOracle, SignTree, tree_search
from cvxnn.oracle.branch_and_bound import MAX_RANK, BranchAndBound
from cvxnn.oracle.peaks import SearchPrice
from cvxnn.patterns import enumerate_patterns

Generator = np.random.Generator

each_search = pytest.mark.parametrize("search", [BranchAndBound, SignTree])


def values(X: FloatArray, v: FloatArray, directions: FloatArray) -> FloatArray:
    """``|v'(Xu)_+|`` at directions scaled to the unit sphere."""
    lengths = np.linalg.norm(directions, axis=1)
    units = directions[lengths > 1e-300] / lengths[lengths > 1e-300, None]
    return np.abs(np.maximum(units @ X.T, 0.0) @ v)


def maximum_over_faces(X: FloatArray, v: FloatArray) -> float:
    """``M(v)`` by brute force.

    The function is linear on every face of the arrangement, so its maximum is the
    gradient of some side of all rows, projected on the flat of some rows. All
    combinations are tried; each is a point, so none can be too large.
    """
    n, d = X.shape
    gradients = np.array(list(product((0.0, 1.0), repeat=n))) @ (v[:, None] * X)
    gradients = np.vstack([gradients, -gradients])
    scale = np.abs(gradients).max(initial=0.0)
    if scale == 0.0:
        return 0.0
    gradients /= scale
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    rows = X / np.where(lengths > 0.0, lengths, 1.0)
    best = float(values(X, v, gradients).max(initial=0.0))
    for size in range(1, min(n, d - 1) + 1):
        flats = rows[np.array(list(combinations(range(n), size)))]
        _, singular, right = np.linalg.svd(flats, full_matrices=False)
        right = right * (singular > 1e-9)[:, :, None]
        projectors = np.eye(d) - np.swapaxes(right, 1, 2) @ right
        # Twice: what is left of the rows is a rounding of a rounding.
        points = (gradients @ projectors @ projectors).reshape(-1, d)
        best = max(best, float(values(X, v, points).max(initial=0.0)))
    return best


def instance(rng: Generator) -> tuple[FloatArray, FloatArray]:
    """A small problem: random, integer, parallel, of low rank, badly scaled, or sparse."""
    d = int(rng.integers(1, 5))
    n = int(rng.integers(1, 7))
    kind = rng.integers(7)
    X = rng.standard_normal((n, d))
    v = rng.standard_normal(n)
    if kind == 1:
        X, v = rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-2, 3, n).astype(float)
    elif kind == 2:
        X = X[rng.integers(n, size=n)] * rng.choice([-2.0, 1.0, 1.0, 0.0, 3.0], size=(n, 1))
    elif kind == 3:
        X = X[:, : max(1, d - 1)] @ rng.standard_normal((max(1, d - 1), d))
    elif kind == 4:
        X = X * np.exp2(rng.integers(-12, 13, d).astype(float))
    elif kind == 5:
        v = v * (rng.random(n) < 0.5)
    elif kind == 6:
        X[:, -1] = 1.0
        X *= np.exp2(rng.integers(-6, 7, (n, 1)).astype(float))
    return X, v


def check(result: SearchPrice, X: FloatArray, v: FloatArray, truth: float, limit: float) -> None:
    """The bound holds, is not above `limit`, and directions are what they claim to be."""
    mass = float(np.abs(v) @ np.linalg.norm(X, axis=1))
    assert result.bound >= truth * (1.0 - 1e-14)
    if result.finished:
        assert result.bound <= limit * (1.0 + 1e-9) + 1e-9 * mass
    assert np.allclose(np.linalg.norm(result.directions, axis=1), 1.0, atol=1e-12)
    attained = result.signs * (np.maximum(result.directions @ X.T, 0.0) @ v)
    assert np.allclose(attained, result.values, rtol=1e-9, atol=1e-12 * mass)
    assert (result.values <= truth * (1.0 + 1e-9) + 1e-12 * mass).all()


def ring(n: int) -> tuple[FloatArray, FloatArray]:
    """Points around the origin, a column of ones, and labels by the radius."""
    points = 5.0 * np.random.default_rng(0).standard_normal((n, 2))
    radius = np.linalg.norm(points, axis=1)
    return np.column_stack([points, np.ones(n)]), np.where(np.abs(radius - 3.2) < 1.8, 1.0, -1.0)


# ------------------------------------------------------------------------- proof


@each_search
@with_long("seed", range(3))
def test_bound_of_small_instances(search, seed):
    rng = np.random.default_rng(seed)
    for _ in range(80):
        X, v = instance(rng)
        truth = maximum_over_faces(X, v)
        enough = truth * float(rng.choice([0.0, 0.5, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 2.0]))
        tol = float(rng.choice([1e-2, 1e-6, 1e-9]))
        result = search(X).price(v[:, None], enough, tol=tol)
        assert result.finished
        check(result, X, v, truth, max(enough, truth) * (1.0 + tol))
        if truth > max(enough, 1e-300) * (1.0 + tol) * (1.0 + 1e-9):
            assert result.values[0] >= truth * (1.0 - 2.0 * tol)


@each_search
@pytest.mark.parametrize("d", [2, 3, 4])
def test_bound_agrees_with_cells(search, d):
    rng = np.random.default_rng(d)
    for n in (8, 12, 20):
        X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
        exact = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound
        result = search(X).price(v[:, None], tol=1e-8)
        assert result.finished
        assert exact * (1.0 - 1e-12) <= result.bound <= exact * (1.0 + 2e-8)
        assert result.values[0] == pytest.approx(exact, rel=1e-8)


@each_search
@with_long("max_nodes", [7, 0, 60])
def test_bound_holds_when_cut_short(search, max_nodes):
    rng = np.random.default_rng(max_nodes)
    for _ in range(50):
        X, v = instance(rng)
        truth = maximum_over_faces(X, v)
        result = search(X, max_nodes=max_nodes).price(v[:, None], 0.9 * truth, tol=1e-9)
        check(result, X, v, truth, truth * (1.0 + 1e-9))
        assert result.bound <= spectral_bound(X, v) * (1.0 + 1e-9) or result.finished


def test_deadline_that_has_passed():
    X, y = ring(300)
    result = BranchAndBound(X).price(y[:, None], deadline=Deadline(0.0))
    assert not result.finished
    assert BranchAndBound(X).price(y[:, None]).values[0] <= result.bound <= spectral_bound(X, y)


def test_passes_of_falling_tolerance(monkeypatch):
    small = tree_search.Settings(first_work=1, call_work=100)
    monkeypatch.setattr(tree_search, "SETTINGS", small)
    X, y = ring(60)
    whole = BranchAndBound(X).price(y[:, None], tol=1e-7)
    passes = BranchAndBound(X).price(y[:, None], tol=1e-7, deadline=Deadline(60.0))
    assert passes.finished
    assert passes.n_nodes > whole.n_nodes
    assert passes.bound == pytest.approx(whole.bound, rel=2e-7)


# --------------------------------------------------------------- degenerate data


@each_search
@pytest.mark.parametrize("scale", [1e-290, 1e-150, 1e150])
def test_scales(search, scale):
    X, y = ring(20)
    exact = search(X).price(y[:, None]).bound
    assert search(X).price((scale * y)[:, None]).bound == pytest.approx(scale * exact, rel=2e-6)


def test_high_rank_gets_the_spectral_bound():
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((40, MAX_RANK + 1)), rng.standard_normal(40)
    result = BranchAndBound(X).price(v[:, None])
    assert not result.finished
    assert result.bound == spectral_bound(X, v)


# ---------------------------------------------------------------- size of the tree


def test_maximum_on_concave_kinks_needs_few_nodes():
    # The maximum at e_3 lies on two concave kinks, whose slopes must be fractions.
    X = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 3.0], [0.3, 0.1, 0.01]])
    X = np.vstack([X, np.random.default_rng(0).standard_normal((12, 3))])
    v = np.concatenate([[-3.0, -4.0, 1.0, 0.1], np.full(12, 1e-3)])
    truth = CellOracle(X, enumerate_patterns(X)).price(v[:, None]).bound
    for tol in (1e-6, 1e-9, 1e-12):
        result = BranchAndBound(X).price(v[:, None], truth, tol=tol)
        assert result.finished
        assert result.n_nodes < 300


def test_flat_ridges_need_few_nodes():
    """A residual whose constraint is active at many neurons, as at an optimum."""
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal((200, 2)), np.ones(200)])
    v = np.sin(3.0 * X[:, 0]) * np.cos(2.0 * X[:, 1])
    truth = BranchAndBound(X).price(v[:, None], tol=1e-9)
    again = BranchAndBound(X).price(v[:, None], float(truth.values[0]), tol=1e-9)
    assert again.finished
    assert again.n_nodes < 3000


# ------------------------------------------------------------------------ results


def test_directions_are_distinct_and_above_enough():
    X, y = ring(200)
    tree = BranchAndBound(X)
    bound = tree.price(y[:, None]).bound
    result = tree.price(y[:, None], 0.5 * bound)
    assert len(result.values) >= 2
    assert (result.values > 0.5 * bound).all()
    assert (np.diff(result.values) <= 0.0).all()
    signed = result.directions * result.signs[:, None]
    products = signed @ signed.T - np.eye(len(signed))
    assert products.max() < 1.0 - 1e-13


def test_starts_are_known_before_any_search():
    X, y = ring(200)
    best = BranchAndBound(X).price(y[:, None])
    tree = BranchAndBound(X, max_nodes=1)
    known = tree.price(y[:, None], 0.5 * best.bound, starts=best.directions[:1])
    assert not known.finished
    assert known.n_nodes < best.n_nodes
    assert known.values[0] == pytest.approx(best.values[0])
    assert known.bound >= best.values[0]


def test_results_do_not_depend_on_the_cores(monkeypatch):
    X, y = ring(200)
    threads = BranchAndBound(X).price(y[:, None], 100.0)
    again = BranchAndBound(X).price(y[:, None], 100.0)
    monkeypatch.setattr(tree_search, "available_cores", lambda: 1)
    serial = BranchAndBound(X).price(y[:, None], 100.0)
    for other in (again, serial):
        assert (other.bound, other.n_nodes) == (threads.bound, threads.n_nodes)
        assert np.array_equal(other.directions, threads.directions)
        assert np.array_equal(other.values, threads.values)


def test_interrupt_stops_the_search_and_leaves_a_bound():
    X, y = ring(200)
    tree = BranchAndBound(X)
    interrupts._pending.set()
    result = tree.price(y[:, None])
    assert not result.finished
    with pytest.raises(KeyboardInterrupt):
        interrupts.check_interrupt()
    complete = tree.price(y[:, None])
    assert complete.finished
    assert complete.bound <= result.bound < np.inf


def test_many_tiny_rows_beside_a_large_one():
    """Each alone vanishes in the sum it is added to; together they do not."""
    rng = np.random.default_rng(0)
    m = 50_000
    height, angle = rng.uniform(0.58, 0.66, m), rng.uniform(0.2, 0.25, m) * np.pi
    width = np.sqrt(1.0 - height**2)
    tiny = np.column_stack([height, -width * np.cos(angle), -width * np.sin(angle)])
    X = np.vstack([[[0.95, 0.2, 0.2]], tiny])
    v = np.append(1.0, np.full(m, -1e-16))
    exact_X, exact_v = X.astype(np.longdouble), v.astype(np.longdouble)
    u = exact_X.T @ exact_v
    u /= np.sqrt(u @ u)
    assert BranchAndBound(X).price(v[:, None], tol=1e-15).bound >= exact_v @ np.maximum(
        exact_X @ u, 0.0
    )
