"""Mixtures against the matrices that they are, and what they take of memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.layers import Layer, Mixture

seeds = st.integers(0, 2**32 - 1)


def draw(rng: np.random.Generator, n: int, N: int, p: int) -> Mixture:
    dense = rng.standard_normal((n, N)) * (rng.random((n, N)) < 0.5)
    left, right = rng.standard_normal((n, p)), rng.standard_normal((N, p))
    return Mixture(scipy.sparse.csr_array(dense), left, right)


def dense(mixture: Mixture) -> np.ndarray:
    return np.asarray(mixture.sparse.toarray() - mixture.left @ mixture.right.T)


@given(seed=seeds, n=st.integers(1, 7), N=st.integers(1, 7), p=st.integers(0, 3))
def test_it_is_the_matrix(seed, n, N, p):
    rng = np.random.default_rng(seed)
    mixture = draw(rng, n, N, p)
    matrix, rows = dense(mixture), rng.permutation(n)[: (n + 1) // 2]
    weights = rng.uniform(0.5, 2.0, n)
    assert mixture.shape == matrix.shape
    pairs = [
        (mixture @ np.eye(N), matrix),
        (mixture.T @ np.eye(n), matrix.T),
        (mixture @ np.ones(N), matrix @ np.ones(N)),
        (dense(mixture[rows]), matrix[rows]),
        (dense(mixture[:1]), matrix[:1]),
        (dense(mixture.weighted(weights)), matrix * weights[:, None]),
        (dense(mixture.beside(-0.5)), np.hstack([matrix, -0.5 * matrix])),
        (mixture.column_squares(), (matrix**2).sum(axis=0)),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (np.abs(matrix) <= abs(mixture) @ np.eye(N) + 1e-14).all()


@given(seed=seeds, kind=st.sampled_from(["nothing", "dense", "sparse", "mixture"]))
def test_products_with_readouts_behind_it(seed, kind):
    rng = np.random.default_rng(seed)
    mixture, behind = draw(rng, 4, 6, 2), draw(rng, 6, 5, 1)
    readouts = {
        "nothing": (None, np.eye(6)),
        "dense": (dense(behind), dense(behind)),
        "sparse": (behind.sparse, behind.sparse.toarray()),
        "mixture": (behind, dense(behind)),
    }
    readout, matrix = readouts[kind]
    np.testing.assert_allclose(dense(mixture.after(readout)), dense(mixture) @ matrix, atol=1e-12)


def test_a_layer_of_many_rows_stays_small():
    """A matrix of n x n would take 20 GB."""
    n, rng = 50_000, np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((n, 3)))[0]
    rows = rng.standard_normal((n, 3))
    tracemalloc.start()
    layer = Layer(rows).with_slope(0.1).mixed(Mixture.diagonal(np.ones(n), basis, basis))
    f = layer.forward(np.eye(3), np.ones(3))
    assert layer.lengths.min() > 0.0 and layer.pull_error(f) < 1e-3
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e8
    assert np.abs(basis.T @ f).max() == pytest.approx(0.0, abs=1e-9)


def test_a_layer_without_what_mixes_its_predictions():
    rng = np.random.default_rng(0)
    rows, scales, (left, right) = (
        rng.standard_normal((6, 3)),
        np.arange(1.0, 7.0),
        rng.random((2, 6, 2)),
    )
    U, mixture = rng.standard_normal((4, 3)), Mixture.diagonal(scales, left, right)
    plain = Layer(rows).mixed(mixture).unmixed()
    assert plain.readout is None
    np.testing.assert_allclose(plain.activations(U), scales[:, None] * Layer(rows).activations(U))
    # Leaky rows are read in pairs, and a row of weight 0 has no plain one.
    leaky = Layer(rows).with_slope(0.1).mixed(mixture)
    blank = Layer(rows).mixed(Mixture.diagonal(scales - 1.0, left, right))
    for layer in (leaky, blank, Layer(rows), plain):
        assert layer.unmixed() is layer
