"""Linear networks: values by explicit loops, symmetry of the weights, checks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.linalg import circulant

from cvxnn import CircularCNN, InputError, LinearCNN
from cvxnn.losses import HuberLoss


def some_weights(m, *sizes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((m, size)) for size in sizes]


def test_values_of_a_linear_cnn_are_its_formula():
    U, W = some_weights(2, 3, 4)
    patches = np.random.default_rng(1).standard_normal((5, 4, 3))
    expected = sum(patches[:, k] @ U[j] * W[j, k] for j in range(2) for k in range(4))
    network = LinearCNN(U, W)
    assert np.allclose(network(patches), expected)
    penalty = 0.5 * (np.sum(U**2) + np.sum(W**2))
    y, loss = np.ones(5), HuberLoss(0.3)
    assert network.objective(patches, y, 0.7, loss) == pytest.approx(
        loss.value(expected, y) + 0.7 * penalty
    )


@pytest.mark.parametrize("d", [1, 2, 5, 6])
def test_values_of_a_circular_cnn_are_its_formula(d):
    U, W = some_weights(3, d, d)
    X = np.random.default_rng(1).standard_normal((4, d))
    expected = sum(X @ circulant(u) @ w for u, w in zip(U, W, strict=True))
    assert np.allclose(CircularCNN(U, W).forward(X), expected)


@pytest.mark.parametrize("kind, sizes", [(LinearCNN, (3, 4)), (CircularCNN, (3, 3))])
def test_networks_are_values(kind, sizes):
    U, W = some_weights(2, *sizes)
    network = kind(U, W)
    copy = pickle.loads(pickle.dumps(network))
    assert copy == network
    assert hash(copy) == hash(network)
    assert network != kind(2.0 * U, W)
    assert network != "network"
    with pytest.raises(ValueError, match="read-only"):
        network.filters[0, 0] = 1.0
    U[0, 0] += 1.0
    assert network.filters[0, 0] != U[0, 0]


def test_kinds_are_different():
    U, W = some_weights(2, 3, 3)
    assert LinearCNN(U, W) != CircularCNN(U, W)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: LinearCNN([1.0], [[1.0]]), "filters must be 2-D"),
        (lambda: LinearCNN([[1.0]], [[1.0], [2.0]]), "a row for each of the 1 filters"),
        (lambda: LinearCNN([[np.nan]], [[1.0]]), "filters must be finite"),
        (lambda: CircularCNN([[1.0]], [[1.0, 2.0]]), "the same shape"),
        (lambda: LinearCNN([[1.0]], [[1.0]]).forward(np.ones((2, 1, 3))), r"\(n, 1, 1\)"),
        (lambda: CircularCNN([[1.0]], [[1.0]]).forward(np.ones((2, 3))), "the 1 features"),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
