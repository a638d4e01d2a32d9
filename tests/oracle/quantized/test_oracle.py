"""Prices of dual points of quantised networks, against exact arithmetic over all pairs."""

from fractions import Fraction

import numpy as np
import pytest
from solvers.quantized.sign_networks import all_pairs

from cvxnn.layers.quantized import QuantizedRows
from cvxnn.oracle.quantized.oracle import QuantizedOracle, SignPairs


def exact_maximum(X, v):
    """``max |sum_i v_i (x_i'u)(x_i'w)|`` over all pairs, in fractions."""
    d = X.shape[1]
    rows = [[Fraction(float(x)) for x in row] for row in X]
    weights = [Fraction(float(w)) for w in v]
    best = Fraction(0)
    for u, w in zip(*all_pairs(d), strict=True):
        products = (
            weight
            * sum(x if s > 0 else -x for x, s in zip(row, u, strict=True))
            * sum(x if s > 0 else -x for x, s in zip(row, w, strict=True))
            for row, weight in zip(rows, weights, strict=True)
        )
        best = max(best, abs(sum(products)))
    return best


def instances():
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((9, 3))
    yield "normal", normal, rng.standard_normal(9)
    yield "one row", normal[:1], np.array([-2.0])
    yield "one feature", normal[:, :1], rng.standard_normal(9)
    yield "zero rows", normal * (np.arange(9) % 2)[:, None], rng.standard_normal(9)
    yield "equal rows", np.repeat(normal[:3], 3, axis=0), rng.standard_normal(9)
    yield "low rank", np.outer(normal[:, 0], [1.0, 2.0, -1.0]), rng.standard_normal(9)
    yield "tiny", 1e-70 * normal, 1e-90 * rng.standard_normal(9)
    yield "huge", 1e70 * normal, 1e90 * rng.standard_normal(9)
    yield "scales", normal * 10.0 ** rng.uniform(-9, 9, (9, 1)), rng.standard_normal(9)
    signs = np.where(normal > 0, 1.0, -1.0)
    # Sums that cancel but for the last bits.
    yield "cancel", np.vstack([signs, signs * (1.0 + 2.0**-50)]), np.repeat([1.0, -1.0], 9)
    yield "zero", normal, np.zeros(9)


INSTANCES = list(instances())
each = pytest.mark.parametrize(
    ("X", "v"), [i[1:] for i in INSTANCES], ids=[i[0] for i in INSTANCES]
)


@each
def test_every_bound_is_above_all_pairs(X, v):
    exact = exact_maximum(X, v)
    # As a problem has them: rows of size one.
    rows = QuantizedRows(X)
    unit = rows.unit
    oracle = QuantizedOracle(rows.in_units(unit), np.random.default_rng(0))
    bounds = [oracle.exact(v), oracle.semidefinite(v), oracle.quick(v)]
    assert all(Fraction(bound.value) * Fraction(unit) >= exact for bound in bounds)
    assert bounds[0].finished and bounds[0].kind == "sign pairs"
    moduli = float(np.abs(v) @ oracle.rows.lengths) * unit
    assert bounds[0].value * unit <= float(exact) * (1.0 + 1e-12) + 1e-13 * moduli + 1e-290
    assert bounds[0].value <= bounds[1].value * (1.0 + 1e-9) + 1e-13 * moduli / unit + 1e-290


def test_walks_find_the_largest_value():
    rng = np.random.default_rng(1)
    for d in (1, 2, 3, 6, 12, 25):
        oracle = QuantizedOracle(QuantizedRows(rng.standard_normal((2 * d + 2, d))), rng)
        v = rng.standard_normal(2 * d + 2)
        found = oracle.walk(v)
        assert found.values[0] == pytest.approx(oracle.exact(v).value, rel=1e-9)
        products = oracle.rows.activations(found.left, found.right).T @ v
        np.testing.assert_allclose(found.values, products, rtol=1e-9, atol=1e-9)
        assert (found.left[:, 0] == 1.0).all() and (np.diff(found.values) <= 0.0).all()
        assert not len(oracle.walk(v, level=1.001 * found.values[0]))


def test_a_pair_counts_once_in_whatever_form():
    u, w = np.array([1.0, -1.0, 1.0]), np.array([-1.0, -1.0, 1.0])
    forms = [(u, w), (w, u), (-u, -w), (-w, -u)]
    pairs = SignPairs.of(*map(np.array, zip(*forms, strict=True)), np.ones(4))
    assert len(pairs) == 1
    assert pairs.left[0] @ np.ones(3) * (pairs.right[0] @ np.ones(3)) == u.sum() * w.sum()
    # With the other sign of the output it is another one.
    both = SignPairs.of(np.array([u, u]), np.array([w, -w]), np.array([2.0, 1.0]))
    assert len(both) == 2 and both.values.tolist() == [2.0, 1.0]
