"""The Gram matrix of the faces, after any moves, against the matrix from the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kinds import FloatArray, Generator, seeds

from cvxnn.solvers.newton import grams
from cvxnn.solvers.newton.grams import ON_KINK, FaceGram
from cvxnn.solvers.newton.newton_settings import Settings


def unit(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def check(gram: FaceGram, X: FloatArray, directions: FloatArray) -> None:
    """Patterns, blocks and nearest rows, computed from scratch."""
    lengths = np.linalg.norm(X, axis=1)
    products = X @ directions.T
    on = products > ON_KINK * lengths[:, None]
    np.testing.assert_array_equal(gram.on, on)
    blocks = np.einsum("ij,ia,il,ib->jalb", on.astype(float), X, on.astype(float), X, optimize=True)
    assert gram.blocks.shape == blocks.shape
    size = max(1.0, float(np.abs(X.T @ X).max()))
    np.testing.assert_allclose(gram.blocks, blocks, atol=1e-10 * size)
    alive = np.flatnonzero(lengths > 0.0)
    sines = np.abs(products[alive]) / lengths[alive, None]
    for j, near in enumerate(gram.near):
        listed = near[near >= 0]
        assert len(listed) == len(set(listed)) == min(len(near), len(alive))
        found = np.abs(X[listed] @ directions[j]) / lengths[listed]
        np.testing.assert_allclose(found, np.sort(sines[:, j])[: len(listed)], atol=1e-14)


def changed(directions: FloatArray, rng: Generator) -> FloatArray:
    """Small moves of all neurons; sometimes one jumps, some leave, some come, or all permute."""
    k, r = directions.shape
    directions = unit(directions + 0.02 * rng.standard_normal((k, r)))
    event = rng.integers(0, 5)
    if event == 0:
        directions[rng.integers(0, k)] = unit(rng.standard_normal((1, r)))
    elif event == 1 and k > 1:
        directions = directions[rng.random(k) < 0.7] if k > 3 else directions[1:]
    elif event == 2:
        directions = np.vstack([directions, unit(rng.standard_normal((2, r)))])
    elif event == 3:
        directions = directions[rng.permutation(k)]
    return directions if len(directions) else unit(rng.standard_normal((1, r)))


@given(seed=seeds, n=st.integers(1, 120), r=st.integers(1, 4))
@settings(max_examples=20)
def test_follows_the_neurons(seed, n, r):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, r)) * rng.choice([0.0, 0.1, 3.0], (n, 1))
    gram = FaceGram(X, min(5, n))
    directions = unit(rng.standard_normal((4, r)))
    for _ in range(12):
        gram.update(directions)
        check(gram, X, directions)
        directions = changed(directions, rng)


@pytest.mark.parametrize(("work", "rounds"), [(None, 231), (200, 3)])
def test_neither_rounding_nor_chunks_change_what_is_kept(work, rounds, monkeypatch):
    if work is not None:
        monkeypatch.setattr(grams, "SETTINGS", Settings(chunk_work=work))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 3))
    X[:10] *= 1e3
    gram, directions = FaceGram(X, 7), unit(rng.standard_normal((5, 3)))
    for _ in range(rounds):
        gram.update(directions)
        last, directions = directions, changed(directions, rng)
    check(gram, X, last)


def test_small_moves_do_not_form_columns_anew(monkeypatch):
    rng = np.random.default_rng(2)
    X, directions = rng.standard_normal((300, 3)), unit(rng.standard_normal((4, 3)))
    gram = FaceGram(X, 10)
    gram.update(directions)
    monkeypatch.setattr(gram, "_form", None)
    moved = unit(directions + 0.01 * rng.standard_normal((4, 3)))
    gram.update(moved)
    check(gram, X, moved)


def test_all_neurons_may_leave():
    rng = np.random.default_rng(3)
    X, directions = rng.standard_normal((20, 3)), unit(rng.standard_normal((2, 3)))
    gram = FaceGram(X, 5)
    for some in (np.zeros((0, 3)), directions, np.zeros((0, 3)), directions):
        gram.update(some)
        check(gram, X, some)


def test_a_neuron_on_a_hyperplane_has_the_row_off():
    X = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1e-14]])
    gram = FaceGram(X, 2)
    gram.update(np.array([[0.0, 1.0]]))
    assert gram.on[:, 0].tolist() == [0, 1, 0, 0]
    assert sorted(gram.near[0]) == [0, 3]
