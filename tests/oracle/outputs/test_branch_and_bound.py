"""The tree for several outputs against ascents from many starts, and against exact oracles."""

import numpy as np
import pytest
from oracle.outputs.norms import check_proposals, climbed, dual_points, mass, norms
from row_kinds import each_kind_and_near
from scipy.optimize import minimize
from sklearn.datasets import load_iris
from variants import with_long

from cvxnn import interrupts
from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.oracle import BranchAndBound, tree_search
from cvxnn.oracle.branch_and_bound import MAX_RANK
from cvxnn.oracle.outputs.branch_and_bound import OutputsTree
from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound


def instance(seed: int, n: int = 60, d: int = 4, c: int = 3) -> tuple[FloatArray, FloatArray]:
    """Rows with a column of ones, and a dual point that follows them."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    V = np.sin(2.0 * X[:, :1] * rng.standard_normal(c)) + 0.3 * rng.standard_normal((n, c))
    return X, V


# ------------------------------------------------------------------------- proof


@each_kind_and_near
def test_the_bound_is_close_and_never_below(kind):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, d, c = (int(k) for k in rng.integers(1, (14, 5, 5)))
        X = kind(rng, n, d)
        V = list(dual_points(rng, n, c).values())[seed % 6]
        tol = float(rng.choice([1e-2, 1e-4, 1e-6]))
        price = OutputsTree(X).price(V, tol=tol)
        check_proposals(X, V, price.proposals)
        starts = rng.standard_normal((40, X.shape[1]))
        found = np.vstack([starts, climbed(X, V, starts), price.directions])
        best = float(norms(X, V, found).max())
        assert price.bounds.shape == (1,)
        assert best * (1.0 - 1e-15) <= price.bound
        assert price.finished
        assert price.bound <= best * (1.0 + tol) + 1e-9 * mass(X, V)
        if best > 1e-9 * mass(X, V):
            assert price.values[0] >= best * (1.0 - 2.0 * tol)


@pytest.mark.parametrize("seed", range(3))
def test_no_gradient_search_gets_above_it(seed):
    X, V = instance(seed)
    price = OutputsTree(X).price(V, tol=1e-5)

    def negative(u: FloatArray) -> tuple[float, FloatArray]:
        length = float(np.linalg.norm(u))
        sums = np.maximum(X @ u, 0.0) @ V
        value = float(np.linalg.norm(sums)) or 1.0
        slope = ((X @ u > 0.0) * (V @ sums)) @ X / value
        return -value / length, value * u / length**3 - slope / length

    best = 0.0
    for u in np.random.default_rng(seed).standard_normal((40, X.shape[1])):
        best = max(best, -minimize(negative, u, jac=True, method="L-BFGS-B").fun)
    assert best <= price.bound <= best * (1.0 + 1e-4)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_one_output(rank):
    X, V = instance(rank, 40, rank, 1)
    scalar = BranchAndBound(X).price(V, tol=1e-7)
    price = OutputsTree(X).price(V, tol=1e-7)
    assert price.bound == pytest.approx(scalar.bound, rel=2e-7)
    assert price.values[0] == pytest.approx(scalar.values[0], rel=1e-7)


@pytest.mark.parametrize("c", [2, 4])
def test_rank_two(c):
    X, V = instance(c, 40, 2, c)
    exact = RankTwoOutputsOracle(X).price(V).bound
    price = OutputsTree(X).price(V, tol=1e-7)
    assert exact * (1.0 - 1e-12) <= price.bound <= exact * (1.0 + 1e-7)
    # The same plane, with four columns.
    turned = X @ np.linalg.qr(np.random.default_rng(0).standard_normal((4, 2)))[0].T
    assert OutputsTree(turned).price(V, tol=1e-7).bound == pytest.approx(exact, rel=1e-6)


def test_outputs_of_one_direction_are_one_output():
    X, v = instance(0, 40, 4, 1)
    direction = np.array([[0.6, 0.0, -0.8]])
    price = OutputsTree(X).price(v @ direction, tol=1e-7)
    assert price.bound == pytest.approx(BranchAndBound(X).price(v, tol=1e-7).bound, rel=2e-7)
    assert np.abs(price.outputs @ direction[0]) == pytest.approx(1.0)


def test_a_table_of_rank_five():
    samples, labels = load_iris(return_X_y=True)
    X = np.column_stack([(samples - samples.mean(axis=0)) / samples.std(axis=0), np.ones(150)])
    V = np.eye(3)[labels] - 1.0 / 3.0
    price = OutputsTree(X).price(V, tol=8e-5)
    assert price.finished
    assert price.bound <= price.values[0] * (1.0 + 8e-5)
    # The bounds of a cone are close: with moduli halved they took a hundred times the nodes.
    assert price.n_nodes < 3000


def test_columns_of_very_different_sizes_need_few_nodes():
    """Hyperplanes that all but contain an axis: rows that are undecided there for ever."""
    X, V = instance(5, 30, 4, 2)
    price = OutputsTree(X * np.array([1e6, 1e-5, 1e4, 1e3])).price(V, tol=1e-2)
    assert price.finished
    assert price.n_nodes < 1000


# ------------------------------------------------------------------------- limits


@with_long("max_nodes", [1, 60, 0, 7], always=2)
def test_the_bound_holds_when_cut_short(max_nodes):
    for seed in range(20):
        X, V = instance(seed)
        price = OutputsTree(X, max_nodes=max_nodes).price(V, tol=1e-9)
        starts = np.random.default_rng(seed).standard_normal((20, X.shape[1]))
        assert norms(X, V, climbed(X, V, starts)).max() <= price.bound
        assert price.bound <= spectral_outputs_bound(X, V) * (1.0 + 1e-9)


def test_a_deadline_that_has_passed():
    X, V = instance(0)
    price = OutputsTree(X).price(V, deadline=Deadline(0.0))
    assert not price.finished
    assert OutputsTree(X).price(V, tol=1e-4).values[0] <= price.bound


def test_passes_of_falling_tolerance(monkeypatch):
    small = tree_search.Settings(first_work=1, call_work=100)
    monkeypatch.setattr(tree_search, "SETTINGS", small)
    X, V = instance(0)
    whole = OutputsTree(X).price(V, tol=1e-5)
    passes = OutputsTree(X).price(V, tol=1e-5, deadline=Deadline(60.0))
    assert passes.finished
    assert passes.n_nodes > whole.n_nodes
    assert passes.bound == pytest.approx(whole.bound, rel=2e-5)


def test_interrupt_stops_the_search_and_leaves_a_bound():
    X, V = instance(0)
    tree = OutputsTree(X)
    interrupts._pending.set()
    price = tree.price(V)
    assert not price.finished
    with pytest.raises(KeyboardInterrupt):
        interrupts.check_interrupt()
    assert tree.price(V, tol=1e-4).bound <= price.bound < np.inf


def test_results_do_not_depend_on_the_cores(monkeypatch):
    X, V = instance(1)
    threads = OutputsTree(X).price(V, 10.0, tol=1e-5)
    monkeypatch.setattr(tree_search, "available_cores", lambda: 1)
    serial = OutputsTree(X).price(V, 10.0, tol=1e-5)
    assert (serial.bound, serial.n_nodes) == (threads.bound, threads.n_nodes)
    assert np.array_equal(serial.directions, threads.directions)
    assert np.array_equal(serial.outputs, threads.outputs)


def test_threshold_and_starts():
    X, V = instance(2)
    best = OutputsTree(X).price(V, tol=1e-4)
    above = OutputsTree(X).price(V, 0.5 * best.bound, tol=1e-4)
    assert len(above.values) >= 1
    assert (above.values > 0.5 * best.bound).all()
    none = OutputsTree(X).price(V, 1.01 * best.bound, tol=1e-4)
    assert none.finished
    assert len(none.proposals) == 0
    assert none.bound <= 1.01 * best.bound * (1.0 + 1e-4)
    known = OutputsTree(X, max_nodes=1).price(V, starts=best.directions[:1])
    assert known.values[0] == pytest.approx(best.values[0], rel=1e-4)


# --------------------------------------------------------------- degenerate data


@pytest.mark.parametrize(("of_rows", "of_dual"), [(1e-100, 1.0), (1.0, 1e-290), (1e100, 1e150)])
def test_scales(of_rows, of_dual):
    X, V = instance(3, 20, 3)
    plain = OutputsTree(X).price(V, tol=1e-5)
    scaled = OutputsTree(of_rows * X).price(of_dual * V, tol=1e-5)
    assert scaled.bound == pytest.approx(of_rows * of_dual * plain.bound, rel=2e-5)
    assert scaled.values[0] == pytest.approx(of_rows * of_dual * plain.values[0], rel=2e-5)


def test_high_rank_gets_the_spectral_bound():
    rng = np.random.default_rng(0)
    X, V = rng.standard_normal((40, MAX_RANK + 1)), rng.standard_normal((40, 3))
    price = OutputsTree(X).price(V)
    assert not price.finished
    assert price.bound == spectral_outputs_bound(X, V)
    assert OutputsTree(X).price(0.0 * V).finished


def test_nothing_to_price():
    assert OutputsTree(np.zeros((3, 3))).price(np.ones((3, 2))).bound == 0.0
    price = OutputsTree(np.eye(3)).price(np.zeros((3, 2)))
    assert price.finished and price.bound == 0.0
    assert price.outputs.shape == (0, 2)


def test_cones_as_thin_as_the_rounding_are_cut_elsewhere():
    """Rows that nearly contain an axis leave cones without certificates, which stay wide."""
    X = np.array(
        [
            [0, 0, -2, 0],
            [2, -1, 0, 2],
            [1, -1, -1, -1],
            [0, -2, 0, 1],
            [0, 1, 1, -2],
            [-2, 1, -2, -1],
        ]
    ) + 1e-12 * np.array(
        [[0, 0, 0, -1], [9, -8, 11, -14], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    )
    V = np.array([[-0.1], [-0.2], [0.2], [0.3], [0.2], [-0.1]])
    price = OutputsTree(X).price(V, tol=1e-4)
    assert price.finished
    assert price.bound == pytest.approx(BranchAndBound(X).price(V, tol=1e-6).bound, rel=1e-4)
