"""The oracle of polynomial networks, in rational arithmetic at its own maximisers."""

from fractions import Fraction

import numpy as np
import pytest

from cvxnn.layers.polynomial import PolynomialRows
from cvxnn.oracle.polynomial import PolynomialPrice
from cvxnn.verification.polynomial import largest_of_sphere

COEFFICIENTS = [
    (0.09, 0.5, 0.47),
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, -2.0),
    (-1.0, 0.3, 1),
]


def rows(kind, rng):
    X = rng.standard_normal((8, 3))
    match kind:
        case "zero rows":
            X[::2] = 0.0
        case "equal rows":
            X[:] = X[0]
        case "one row":
            X = X[:1]
        case "one column":
            X = X[:, :1]
        case "wide":
            X = rng.standard_normal((2, 6))
        case "tiny":
            X *= 1e-90
        case "huge":
            X *= 1e90
        case "of many sizes":
            X *= 10.0 ** rng.integers(-8, 9, (8, 1))
    return X


DATA = ("plain", "zero rows", "equal rows", "one row", "one column", "wide", "tiny", "huge",
        "of many sizes")  # fmt: skip


def exactly(X, v, u, coefficients):
    """``v'phi(u)`` for a direction that is nearly of length one, to first order in that."""
    a, b, c = map(Fraction, coefficients)
    squared = sum(Fraction(t) ** 2 for t in u)
    total = Fraction(0)
    for x, weight in zip(X, v, strict=True):
        t = sum(Fraction(s) * Fraction(r) for s, r in zip(x, u, strict=True))
        total += Fraction(weight) * (a * t * t / squared + b * t * (3 - squared) / 2 + c)
    return total


@pytest.mark.parametrize("coefficients", COEFFICIENTS)
@pytest.mark.parametrize("kind", DATA)
def test_bounds_of_search_and_check_hold_in_rational_arithmetic(kind, coefficients):
    rng = np.random.default_rng(0)
    X = rows(kind, rng)
    v = rng.standard_normal(len(X)) * 10.0 ** rng.integers(-80, 80)
    layer = PolynomialRows(X[:, None], coefficients)
    price = PolynomialPrice.of(layer, v[:, None])
    checked = largest_of_sphere(X[:, None], v, coefficients)
    U = rng.standard_normal((20, X.shape[1]))
    U /= np.linalg.norm(U, axis=1)[:, None]
    found, _ = price.neurons(np.eye(X.shape[1]), 0.0, 9)
    reached = [exactly(X, v, u, coefficients) for u in (*found, *U)]
    assert max(reached) <= Fraction(price.bounds[0])
    assert max(-value for value in reached) <= Fraction(price.bounds[1])
    assert max(map(abs, reached)) <= Fraction(checked)
    largest = float(max(map(abs, reached)))
    scale = float(np.abs(v) @ layer.lengths)
    assert price.bounds.max() <= largest + 1e-12 * scale
    assert checked <= largest + 1e-9 * scale


@pytest.mark.parametrize("K", [1, 3])
def test_sums_over_chunks_are_those_of_all_rows(K, monkeypatch):
    rng = np.random.default_rng(1)
    layer = PolynomialRows(rng.standard_normal((50, K, 4)), (0.3, -0.2, 0.1))
    v, U = rng.standard_normal(50), rng.standard_normal((5, 4))
    weights = rng.standard_normal((5, 2))
    whole = layer.adjoint(v), layer.activations(U), layer.forward(U, weights)
    monkeypatch.setattr("cvxnn.layers.polynomial._CHUNK", 60)
    assert len(list(layer.chunks())) > 3
    np.testing.assert_allclose(layer.adjoint(v).matrix, whole[0].matrix, rtol=1e-12)
    np.testing.assert_allclose(layer.activations(U), whole[1], rtol=1e-12)
    np.testing.assert_allclose(layer.forward(U, weights), whole[2], rtol=1e-12)
    np.testing.assert_allclose(whole[1] @ weights, whole[2], rtol=1e-10)
    U /= np.linalg.norm(U, axis=1)[:, None]
    np.testing.assert_allclose(whole[0].values(U), v @ layer.activations(U), rtol=1e-10)


def test_of_several_outputs_it_is_the_largest():
    rng = np.random.default_rng(2)
    layer = PolynomialRows(rng.standard_normal((9, 1, 3)), (0.3, 0.2, 0.1))
    V = rng.standard_normal((9, 3))
    each = [PolynomialPrice.of(layer, column[:, None]).bounds.max() for column in V.T]
    price = PolynomialPrice.of(layer, V)
    assert price.bounds.tolist() == [pytest.approx(max(each), rel=1e-12)]
    directions, outputs = price.neurons(np.eye(3), 0.5 * max(each), 9)
    worth = np.einsum("nm,nc,mc->m", layer.activations(directions), V, outputs)
    assert (worth > 0.5 * max(each)).all()
    assert worth.max() == pytest.approx(max(each), rel=1e-10)
