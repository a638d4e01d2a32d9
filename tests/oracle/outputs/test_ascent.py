"""The ascent for several outputs: what it proposes is attained, and below what is proven."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.outputs.norms import check_proposals, norms
from row_kinds import FloatArray, seeds

from cvxnn.interrupts import Deadline
from cvxnn.oracle import tree_search
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.oracle.outputs.ascent_kernels import climb
from cvxnn.oracle.outputs.batch_ascent import climb_together
from cvxnn.oracle.outputs.branch_and_bound import OutputsTree
from cvxnn.patterns.reduction import reduce_rows


def ascent_of(X: FloatArray, seed: int = 0) -> OutputsAscent:
    """The ascent on data of full column rank."""
    return OutputsAscent(X, reduce_rows(X).to_direction, np.random.default_rng(seed))


def data(seed: int, n: int, r: int, c: int) -> tuple[FloatArray, FloatArray]:
    """Rows off centre and of different lengths, and a dual point."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, r)) * rng.choice([0.1, 1.0, 10.0], (n, 1)) + rng.standard_normal(r)
    return X, rng.standard_normal((n, c))


@given(seed=seeds, n=st.integers(4, 14), r=st.integers(2, 3), c=st.integers(1, 4))
@settings(max_examples=25)
def test_many_starts_find_the_global_maximum(seed, n, r, c):
    X, V = data(seed, n, r, c)
    price = OutputsTree(X).price(V, tol=1e-7)
    # Climbs alone stop where a kink makes them slow.
    found = ascent_of(X).search(V, 0.3 * price.bound, 400, polish=True)
    check_proposals(X, V, found)
    assert (found.values > 0.3 * price.bound).all()
    assert found.largest <= price.bound
    assert found.largest == pytest.approx(price.bound, rel=1e-6)
    none = ascent_of(X).search(V, 1.001 * price.bound, 30)
    assert none.directions.shape == (0, r) and none.outputs.shape == (0, c)


def test_they_are_distinct_local_maxima():
    X, V = data(0, 40, 3, 3)
    found = ascent_of(X).search(V, 1.0, 200, polish=True)
    assert len(found) > 3
    products = found.directions @ found.directions.T - np.eye(len(found))
    assert products.max() < 1.0 - 1e-5
    rng = np.random.default_rng(0)
    for u, value in zip(found.directions, found.values, strict=True):
        beside = u + 1e-3 * rng.standard_normal((200, 3))
        assert norms(X, V, beside).max() <= value * (1.0 + 1e-9)


def test_starts_and_most():
    X, V = data(1, 30, 3, 2)
    everything = ascent_of(X).search(V, 1.0, 200, polish=True)
    again = ascent_of(X).search(V, 1.0, 0, starts=3.0 * everything.directions, polish=True)
    np.testing.assert_allclose(again.values, everything.values, rtol=1e-6)
    few = ascent_of(X).search(V, 1.0, 200, most=2)
    assert len(few) == 2
    np.testing.assert_allclose(few.values[0], everything.values[0], rtol=1e-5)


@pytest.mark.parametrize("r", [4, 14])
def test_the_same_for_every_number_of_cores(monkeypatch, r):
    X, V = data(2, 50, r, 3)
    threads = ascent_of(X).search(V, 1.0, 100)
    monkeypatch.setattr(tree_search, "available_cores", lambda: 1)
    serial = ascent_of(X).search(V, 1.0, 100)
    np.testing.assert_array_equal(threads.values, serial.values)
    np.testing.assert_array_equal(threads.directions, serial.directions)


def test_polishing_leaves_no_point_on_a_slope():
    X, V = data(0, 40, 3, 3)
    rough = ascent_of(X).search(V, 1.0, 100)
    fine = ascent_of(X).search(V, 1.0, 100, polish=True)
    check_proposals(X, V, fine)
    assert fine.largest >= rough.largest
    assert len(fine) <= len(rough)


def test_nothing_is_found_after_the_deadline():
    X, V = data(3, 30, 3, 2)
    assert len(ascent_of(X).search(V, 0.1, 50, deadline=Deadline(0.0))) == 0


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_scales(scale):
    X, V = data(4, 30, 3, 2)
    plain, scaled = ascent_of(X).search(V, 1.0, 50), ascent_of(X).search(scale * V, scale, 50)
    np.testing.assert_allclose(scaled.values, scale * plain.values, rtol=1e-6)


def test_climbs_by_products_of_matrices_end_where_others_do():
    X, V = data(5, 60, 14, 3)
    starts = np.random.default_rng(0).standard_normal((20, 14))
    starts /= np.linalg.norm(starts, axis=1)[:, None]
    together, alone, values = starts.copy(), starts.copy(), np.zeros(20)
    reached = climb_together(X, V, together, np.ones(20), 30)
    columns, weights = np.ascontiguousarray(X.T), np.ascontiguousarray(V.T)
    climb(columns, weights, np.zeros((14, 3)), alone, np.ones(20), values, 30)
    np.testing.assert_allclose(reached, values, rtol=1e-8)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(reached, norms(X, V, together).astype(float), rtol=1e-12)
    # Where nothing is active there is no way up.
    nothing = np.full((1, 3), -np.sqrt(1.0 / 3.0))
    assert climb_together(np.eye(3), np.ones((3, 2)), nothing, np.ones(1), 5) == 0.0


@pytest.mark.parametrize("n", [5, 300])
def test_climbs_rise_beside_a_linear_part(n):
    rng = np.random.default_rng(n)
    X, V, base = (
        rng.standard_normal((n, 3)),
        rng.standard_normal((n, 2)),
        rng.standard_normal((3, 2)),
    )
    starts = rng.standard_normal((6, 3))
    starts /= np.linalg.norm(starts, axis=1)[:, None]
    ends, values = starts.copy(), np.zeros(6)
    columns, weights = np.ascontiguousarray(X.T), np.ascontiguousarray(V.T)
    climb(columns, weights, base, ends, np.ones(6), values, 100)

    def value(u: FloatArray) -> FloatArray:
        return np.linalg.norm(np.maximum(u @ X.T, 0.0) @ V + u @ base, axis=1)

    np.testing.assert_allclose(values, value(ends), rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ends, axis=1), 1.0, rtol=1e-12)
    assert (values >= value(starts)).all()
