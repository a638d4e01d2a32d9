"""A loss with a ridge regression inside, and roots of curvature."""

import numpy as np
import pytest
from networks.cases import exact
from programs import LOSSES as NAMES
from scipy.optimize import minimize
from scipy.sparse import csr_array

from cvxnn.layers import Layer, Mixture
from cvxnn.losses import SkipLoss, WeightedLoss, as_loss
from cvxnn.losses.base import DiagonalRoot
from cvxnn.losses.skip import SkipRoot, mixing_error

RIDGE = 0.7


def case(name, seed=0, n_free=0):
    rng = np.random.default_rng(seed)
    inner = as_loss(name)
    skip, f, y = rng.standard_normal((9, 2)), 2.0 * rng.standard_normal(9), rng.standard_normal(9)
    loss = SkipLoss(inner, skip, RIDGE, n_free)
    return loss, skip, f, np.sign(y) if inner.has_labels else 3.0 * y


each_freedom = pytest.mark.parametrize("n_free", [0, 1, 2])


@each_freedom
@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_least_of_all_lines(name, n_free):
    loss, skip, f, y = case(name, n_free=n_free)

    def inner(w):
        priced = w[: 2 - n_free]
        return loss.loss.value(f + skip @ w, y) + 0.5 * RIDGE * float(priced @ priced)

    best = minimize(inner, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).fun
    assert loss.value(f, y) == pytest.approx(best, rel=1e-9)
    # The gradient vanishes on what is free.
    pull = skip[:, 2 - n_free :].T @ loss.gradient(f, y)
    np.testing.assert_allclose(pull, np.zeros(n_free), atol=1e-12)


@each_freedom
@pytest.mark.parametrize("name", NAMES)
def test_the_conjugate_is_reached_where_dual_points_vanish_on_what_is_free(name, n_free):
    """``l(f) >= -v'f - l*(-v)`` for all f, with equality where v is minus the gradient."""
    loss, skip, f, y = case(name, n_free=n_free)
    v = -loss.gradient(f, y)
    bound = -float(v @ f) - loss.conjugate(v, y)
    assert loss.value(f, y) == pytest.approx(bound, rel=1e-9)
    inside = loss.project(3.0 * v + 0.1 * f, y)
    assert np.isfinite(loss.conjugate(inside, y))
    np.testing.assert_allclose(skip[:, 2 - n_free :].T @ inside, np.zeros(n_free), atol=1e-9)
    rng = np.random.default_rng(1)
    for other in 3.0 * rng.standard_normal((20, 9)):
        least = -float(inside @ other) - loss.conjugate(inside, y)
        assert loss.value(other, y) >= least - 1e-9 * abs(least)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_free", [0, 2])
def test_beside_a_given_line_it_is_a_sum_over_the_rows(name, n_free):
    loss, skip, f, y = case(name, n_free=n_free)
    beside, target = loss.beside_line(y)
    w = loss.weights(np.zeros(9), y)
    expected = loss.loss.values(f + skip @ w, y)
    np.testing.assert_allclose(beside.values(f, target), expected, rtol=1e-12)
    part = np.array([3, 1, 7])
    np.testing.assert_allclose(
        beside.take(part).values(f[part], target[part]), expected[part], rtol=1e-12
    )
    ridge = 0.5 * RIDGE * float(w @ w) * (n_free == 0)
    assert beside.value(f, target) + ridge >= loss.value(f, y) * (1.0 - 1e-12)


def test_units():
    loss, _, f, y = case("huber")
    scaled = loss.in_units(4.0)
    assert 16.0 * scaled.value(f / 4.0, y / 4.0) == pytest.approx(loss.value(f, y), rel=1e-12)
    assert loss.unit(y) == loss.loss.unit(y)


def test_rows_have_no_values_of_their_own():
    loss, _, f, y = case("squared")
    for method in (loss.values, loss.conjugates):
        with pytest.raises(TypeError, match="no sum over the rows"):
            method(f, y)


@each_freedom
@pytest.mark.parametrize("name", NAMES)
def test_curvature_is_that_of_the_gradient(name, n_free):
    loss, _, f, y = case(name)
    loss = SkipLoss(WeightedLoss(loss.loss, np.linspace(0.5, 2.0, 9)), loss.skip, RIDGE, n_free)
    root, step = loss.root(np.maximum(loss.curvature(f, y), 1e-12)), 1e-6
    A = np.column_stack([root.times(e) for e in np.eye(9)])
    for i in range(9):
        e = step * np.eye(9)[i]
        column = (loss.gradient(f + e, y) - loss.gradient(f - e, y)) / (2.0 * step)
        np.testing.assert_allclose((A.T @ A)[i], column, atol=2e-4)


@pytest.mark.parametrize("n_free", [None, 0, 1, 2])
def test_roots(n_free):
    rng = np.random.default_rng(0)
    h, skip = rng.uniform(0.1, 3.0, 7), rng.standard_normal((7, 2))
    root = DiagonalRoot(h) if n_free is None else SkipRoot(h, skip, 0.4, n_free)
    f, v = rng.standard_normal(7), rng.standard_normal(7)
    assert root.times(f) @ v == pytest.approx(f @ root.transposed(v))
    free = skip[:, 2 - n_free :] if n_free else skip[:, :0]
    left = f - free @ np.linalg.lstsq(free, f, rcond=None)[0]
    np.testing.assert_allclose(root.transposed(root.solved(left)), left, atol=1e-12)
    for column in free.T:
        np.testing.assert_allclose(root.times(column), np.zeros(7), atol=1e-12)
    layer = Layer(rng.standard_normal((7, 3)))
    U = rng.standard_normal((4, 3))
    expected = np.column_stack([root.times(column) for column in layer.activations(U).T])
    np.testing.assert_allclose(root.applied(layer).activations(U), expected, atol=1e-12)
    assert 0.0 < root.error(v, np.ones(7)) < 1e-10


@pytest.mark.parametrize("readout", ["identity", "sparse"])
@pytest.mark.parametrize("seed", range(5))
def test_rounding_of_mixed_predictions_is_covered(seed, readout):
    """``v'(A R)`` as a layer has it, and ``(A'v)'R``, in rational arithmetic."""
    rng = np.random.default_rng(seed)
    n, N, p = 7, 7 if readout == "identity" else 9, 2
    scales = 10.0 ** rng.uniform(-6, 6, n)
    matrix = Mixture.diagonal(scales, rng.standard_normal((n, p)), rng.standard_normal((n, p)))
    read = csr_array(np.eye(n) if readout == "identity" else rng.standard_normal((n, N)))
    v, activations = 10.0 ** rng.uniform(-6, 6, n), rng.uniform(0.0, 1.0, N)
    applied = Layer(np.ones((N, 1)), None if readout == "identity" else read).mixed(matrix).readout
    mixed = exact(applied.sparse.toarray()) - exact(applied.left) @ exact(applied.right).T
    there = exact(v) @ mixed @ exact(activations)
    here = exact(matrix.T @ v) @ exact(read.toarray()) @ exact(activations)
    lengths = np.abs(read.toarray()) @ activations
    assert there != here and abs(there - here) <= mixing_error(matrix, v, lengths)
