"""The closed-form oracle of gates: exact, and a bound in spite of rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.gated import GatedRows
from cvxnn.oracle import gates
from cvxnn.oracle.gates import GateOracle


def price_of(X, masks, v, **options):
    """The price on given patterns; the gates themselves do not matter."""
    rows = GatedRows(X, np.zeros((len(masks), X.shape[1])), masks)
    return GateOracle(rows).price(v[:, None], **options)


def exact_square(X, mask, v):
    """``||X'D v||^2`` in rational numbers."""
    sums = [
        sum(
            Fraction(x) * Fraction(t)
            for x, t, is_open in zip(column, v, mask, strict=True)
            if is_open
        )
        for column in X.T
    ]
    return sum(total * total for total in sums)


@given(
    n=st.integers(1, 12),
    d=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-90, 1.0, 1e90]),
)
def test_the_bound_holds_in_exact_arithmetic_and_is_sharp(n, d, seed, scale):
    rng = np.random.default_rng(seed)
    X, masks = rng.standard_normal((n, d)), rng.random((5, n)) < 0.5
    v = scale * rng.standard_normal(n)
    price = price_of(X, masks, v)
    assert price.finished
    assert price.bounds.tolist() == [price.bound] * 2
    bound = price.bound
    largest = max(exact_square(X, mask, v) for mask in masks)
    assert largest <= Fraction(bound) ** 2
    size = scale * float(np.abs(v / scale) @ np.linalg.norm(X, axis=1))
    assert bound <= float(largest) ** 0.5 + 1e-12 * size if scale == 1.0 else bound > 0.0
    for mask, row in zip(masks, price.correlations, strict=True):
        assert np.allclose(row / scale, X.T @ (mask * v / scale))


def test_a_cancelled_sum_is_covered():
    # In float64 (1 + 1e16) - 1e16 is 0: the bound must still be 1 at least.
    X = np.array([[1.0], [1e16], [-1e16]])
    assert price_of(X, np.ones((1, 3), dtype=bool), np.ones(3)).bound >= 1.0


def test_chunks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    X, masks, v = rng.standard_normal((9, 3)), rng.random((7, 9)) < 0.5, rng.standard_normal(9)
    whole = price_of(X, masks, v)
    monkeypatch.setattr(gates, "_CHUNK_BYTES", 2 * 8 * 9)
    parts = price_of(X, masks, v)
    assert np.allclose(whole.correlations, parts.correlations, rtol=1e-14)
    assert whole.bound == pytest.approx(parts.bound, rel=1e-14)
    with pytest.raises(OutOfTimeError):
        price_of(X, masks, v, deadline=Deadline(0.0))


def test_zero_is_bounded_by_rounding_alone():
    price = price_of(np.eye(2), np.ones((1, 2), dtype=bool), np.zeros(2))
    assert 0.0 <= price.bound < 1e-290
    assert len(price.values) == 0


def test_proposals_are_the_best_neurons_of_their_gates():
    rng = np.random.default_rng(0)
    X, masks, v = rng.standard_normal((9, 3)), rng.random((7, 9)) < 0.5, rng.standard_normal(9)
    lengths = np.sort([float(np.linalg.norm(X.T @ (mask * v))) for mask in masks])[::-1]
    price = price_of(X, masks, v, threshold=lengths[4])
    assert np.allclose(price.values, lengths[:4])
    assert np.allclose(np.linalg.norm(price.directions, axis=1), 1.0)
    assert price.outputs.tolist() == [[1.0]] * 4
    for direction, value in zip(price.directions, price.values, strict=True):
        assert np.isclose([v @ (mask * (X @ direction)) for mask in masks], value).any()
