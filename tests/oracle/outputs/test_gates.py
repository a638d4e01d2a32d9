"""The oracle of gates with several outputs: exact, and a bound in spite of rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle.gates import GateOracle
from cvxnn.oracle.outputs import gates
from cvxnn.oracle.outputs.gates import OutputsGateOracle


def price_of(X, masks, V, threshold=0.0, deadline=None, **options):
    """The price on given patterns; the gates themselves do not matter."""
    rows = GatedRows(X, np.zeros((len(masks), X.shape[1])), masks)
    deadline = Deadline() if deadline is None else deadline
    return OutputsGateOracle(rows, **options).price(V, threshold, deadline=deadline)


def drawn(n=9, d=3, c=2, count=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.random((count, n)) < 0.5, rng.standard_normal((n, c))


def exact_square(X, mask, V, u):
    """``||V'D X u||^2 / ||u||^2`` in rational numbers."""
    u = [Fraction(t) for t in u]
    products = [sum(Fraction(x) * t for x, t in zip(row, u, strict=True)) for row in X[mask]]
    sums = [
        sum(Fraction(v) * p for v, p in zip(column, products, strict=True)) for column in V[mask].T
    ]
    return sum(s * s for s in sums) / sum(t * t for t in u)


@given(
    n=st.integers(1, 9),
    d=st.integers(1, 4),
    c=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-90, 1.0, 1e90]),
)
def test_the_bound_holds_in_exact_arithmetic_and_is_sharp(n, d, c, seed, scale):
    X, masks, V = drawn(n, d, c, 5, seed)
    price = price_of(X, masks, scale * V)
    norms = [np.linalg.norm(X[mask].T @ V[mask], 2) for mask in masks]
    assert price.finished and price.bounds.shape == (1,)
    assert price.bound <= scale * (max(norms) + 1e-11 * np.abs(V).sum() * np.abs(X).sum())
    np.testing.assert_allclose(price.norms, scale * np.array(norms), rtol=1e-12, atol=1e-12 * scale)
    for gate, u, a, value in zip(
        price.gates, price.directions, price.outputs, price.values, strict=True
    ):
        square = exact_square(X, masks[gate], scale * V, u)
        assert square <= Fraction(price.bound) ** 2
        assert float(square) ** 0.5 == pytest.approx(value, rel=1e-9) or scale != 1.0
        found = (scale * V[masks[gate]]).T @ (X[masks[gate]] @ u)
        np.testing.assert_allclose(found, value * a, atol=1e-12 * scale * max(norms))


def test_a_cancelled_sum_is_covered():
    # In float64 (1 + 1e16) - 1e16 is 0: the bound must still be 1 at least.
    X = np.array([[1.0], [1e16], [-1e16]])
    assert price_of(X, np.ones((1, 3), dtype=bool), np.ones((3, 2))).bound >= 2.0**0.5


def test_it_is_that_of_one_output_where_the_others_are_zero():
    X, masks, V = drawn(c=3)
    V[:, [0, 2]] = 0.0
    one = GateOracle(GatedRows(X, np.zeros((len(masks), 3)), masks)).price(V[:, [1]])
    several = price_of(X, masks, V)
    np.testing.assert_allclose(several.norms, one.norms, rtol=1e-13)
    assert several.bound == pytest.approx(one.bound, rel=1e-12)


def test_chunks_do_not_matter(monkeypatch):
    X, masks, V = drawn()
    whole = price_of(X, masks, V)
    monkeypatch.setattr(gates, "_CHUNK_BYTES", 2 * 8 * 9)
    parts = price_of(X, masks, V)
    np.testing.assert_allclose(whole.norms, parts.norms, rtol=1e-13)
    assert whole.bound == pytest.approx(parts.bound, rel=1e-13)
    with pytest.raises(OutOfTimeError):
        price_of(X, masks, V, deadline=Deadline(0.0))


def test_proposals_are_the_largest_values_above_the_threshold():
    X, masks, V = drawn(c=3)
    values = np.array([np.linalg.svd(X[mask].T @ V[mask])[1] for mask in masks])
    ordered = np.sort(values, axis=None)[::-1]
    price = price_of(X, masks, V, ordered[5] * (1.0 + 1e-9))
    np.testing.assert_allclose(price.values, ordered[:5], rtol=1e-12)
    np.testing.assert_array_equal(price.gates, np.argsort(-values, axis=None)[:5] // 3)
    few = price_of(X, masks, V, most=2)
    assert len(few.proposals) == 2 and few.bound == price.bound


def test_zero_is_bounded_by_rounding_alone():
    price = price_of(np.eye(2), np.ones((1, 2), dtype=bool), np.zeros((2, 2)))
    assert 0.0 <= price.bound < 1e-290 and len(price.values) == 0
