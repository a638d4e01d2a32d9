"""Gram matrices and kinks of activations that are read together."""

import numpy as np
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from least_squares import least_squares

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer, Mixture
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import neuron_objective, residual, reweigh
from cvxnn.solvers.newton.grams import FaceGram, ReadGram
from cvxnn.solvers.newton.kinks import descend_over_kinks, faces_for

seeds = st.integers(0, 2**32 - 1)


def unit(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def patches(rng: np.random.Generator, n: int = 8, K: int = 3, r: int = 3) -> Layer:
    """Sums over patches, some of them equal, opposite or zero."""
    rows = rng.standard_normal((n * K, r))
    rows[1], rows[2], rows[3] = rows[0], -2.0 * rows[0], 0.0
    return Layer(rows, scipy.sparse.csr_array(np.kron(np.eye(n), np.ones((1, K)))))


@given(seed=seeds, k=st.integers(1, 5))
def test_blocks_and_pulls_are_those_of_the_definition(seed, k):
    rng = np.random.default_rng(seed)
    layer, directions = patches(rng), unit(rng.standard_normal((k, 3)))
    gram = ReadGram(layer, 5)
    gram.update(directions)
    maps = [layer.read((layer.rows @ u > 0.0)[:, None] * layer.rows) for u in directions]
    weights = rng.standard_normal(len(layer.rows))
    for j in range(k):
        for i in range(k):
            np.testing.assert_allclose(gram.blocks[j, :, i], maps[j].T @ maps[i], atol=1e-10)
        pulled = (layer.rows @ directions[j] > 0.0) * weights @ layer.rows
        np.testing.assert_allclose(gram.pull(weights)[j], pulled, atol=1e-12)


@given(seed=seeds)
def test_without_pooling_it_is_the_gram_matrix_of_faces(seed):
    rng = np.random.default_rng(seed)
    X, directions = rng.standard_normal((20, 3)), unit(rng.standard_normal((4, 3)))
    plain, read = FaceGram(X, 6), ReadGram(Layer(X).with_readout(), 6)
    weights = rng.standard_normal(20)
    for gram in (plain, read):
        gram.update(directions)
    np.testing.assert_allclose(read.blocks, plain.blocks, atol=1e-10)
    np.testing.assert_allclose(read.pull(weights), plain.pull(weights), atol=1e-12)
    for j in range(4):
        own, theirs = read.near[j], plain.near[j]
        for gram, planes in ((read, own), (plain, theirs)):
            sines = np.abs(gram.normals(planes) @ directions[j])
            np.testing.assert_allclose(np.sort(sines), np.sort(np.abs(unit(X) @ directions[j]))[:6])
    # Rows in general position are their hyperplanes, in the same order.
    np.testing.assert_allclose(read.strengths(weights), plain.strengths(weights), atol=1e-12)
    every = np.arange(20)
    np.testing.assert_allclose(read.stiffness(every), plain.stiffness(every), atol=1e-12)


@given(seed=seeds)
def test_rows_of_one_hyperplane_are_one_kink(seed):
    """The slope that ``w'(Mu)_+`` gains across a hyperplane, from its values on both sides."""
    rng = np.random.default_rng(seed)
    layer = patches(rng)
    gram, weights = ReadGram(layer, 5), rng.standard_normal(len(layer.rows))
    planes = np.arange(len(gram.strengths(weights)))
    assert len(planes) == len(layer.rows) - 3
    normals = gram.normals(planes)
    at = normals[0]
    on = np.linalg.svd(at[None])[2][1]

    def value(t: float) -> float:
        return float(weights @ np.maximum(layer.rows @ (on + t * at), 0.0))

    t = 1e-7
    kink = (value(t) - 2.0 * value(0.0) + value(-t)) / t
    np.testing.assert_allclose(kink, gram.strengths(weights)[0], atol=1e-6)


def test_newton_steps_end_where_nothing_pulls():
    """At rest: no gain from small moves of any neuron, across kinks or along them."""
    rng = np.random.default_rng(0)
    layer = patches(rng, n=12).with_slope(0.2)
    y, beta = rng.standard_normal(12), 0.2
    start = Neurons(
        unit(rng.standard_normal((6, 3))), np.full(6, 0.1), np.repeat([1.0, -1.0], 3)[:, None]
    )
    neurons = reweigh(least_squares(layer, y, beta), start)
    moved = descend_over_kinks(
        least_squares(layer, y, beta), neurons, steps=60, faces=faces_for(layer)
    )
    value = neuron_objective(least_squares(layer, y, beta), moved)
    assert value < neuron_objective(least_squares(layer, y, beta), neurons)
    for _ in range(200):
        nudge = 1e-5 * rng.standard_normal(moved.rays.shape)
        other = Neurons.of(moved.rays + nudge, moved.outputs)
        assert neuron_objective(least_squares(layer, y, beta), other) >= value * (1.0 - 1e-12)
    left = residual(least_squares(layer, y), moved)
    np.testing.assert_allclose(left, y - layer.activations(moved.rays) @ moved.signs, atol=1e-12)


@given(seed=seeds)
def test_a_mixture_is_as_stiff_as_its_matrix(seed):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((2, 8, 2))
    layer = patches(rng).mixed(Mixture.diagonal(rng.uniform(0.5, 2.0, 8), left, right))
    matrix = Layer(layer.rows, layer.read(np.eye(len(layer.rows))))
    directions, planes = unit(rng.standard_normal((3, 3))), np.arange(5)
    grams = [ReadGram(each, 5) for each in (layer, matrix)]
    for gram in grams:
        gram.update(directions)
    np.testing.assert_allclose(grams[0].stiffness(planes), grams[1].stiffness(planes), rtol=1e-9)
    np.testing.assert_allclose(grams[0].blocks, grams[1].blocks, atol=1e-10)
