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


def case(name, seed=0):
    rng = np.random.default_rng(seed)
    inner = as_loss(name)
    skip, f, y = rng.standard_normal((9, 2)), 2.0 * rng.standard_normal(9), rng.standard_normal(9)
    return SkipLoss(inner, skip, RIDGE), skip, f, np.sign(y) if inner.has_labels else 3.0 * y


@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_least_of_all_lines(name):
    loss, skip, f, y = case(name)

    def inner(w):
        return loss.loss.value(f + skip @ w, y) + 0.5 * RIDGE * float(w @ w)

    best = minimize(inner, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).fun
    assert loss.value(f, y) == pytest.approx(best, rel=1e-9)


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


@pytest.mark.parametrize("name", NAMES)
def test_curvature_is_that_of_the_gradient(name):
    loss, _, f, y = case(name)
    loss = SkipLoss(WeightedLoss(loss.loss, np.linspace(0.5, 2.0, 9)), loss.skip, RIDGE)
    root, step = loss.root(np.maximum(loss.curvature(f, y), 1e-12)), 1e-6
    A = np.column_stack([root.times(e) for e in np.eye(9)])
    for i in range(9):
        e = step * np.eye(9)[i]
        column = (loss.gradient(f + e, y) - loss.gradient(f - e, y)) / (2.0 * step)
        np.testing.assert_allclose((A.T @ A)[i], column, atol=2e-4)


@pytest.mark.parametrize("kind", ["diagonal", "skip"])
def test_roots(kind):
    rng = np.random.default_rng(0)
    h, skip = rng.uniform(0.1, 3.0, 7), rng.standard_normal((7, 2))
    root = DiagonalRoot(h) if kind == "diagonal" else SkipRoot(h, skip, 0.4)
    f, v = rng.standard_normal(7), rng.standard_normal(7)
    assert root.times(f) @ v == pytest.approx(f @ root.transposed(v))
    np.testing.assert_allclose(root.transposed(root.solved(f)), f, atol=1e-12)
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
