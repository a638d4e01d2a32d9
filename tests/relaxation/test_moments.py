"""Moments against neurons, the adjoint against inner products, projections against their laws."""

import numpy as np
import pytest
from relaxation_instances import random_moments

from cvxnn.relaxation.moments import adjoint, in_cone, moments, second_order, within_ball


def inner(G, H):
    """The Frobenius product: entries beside the diagonal blocks stand twice."""
    twice = (1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 1.0)
    return sum(k * float((a * b).sum()) for k, a, b in zip(twice, G, H, strict=True))


def test_moments_of_a_neuron():
    rng = np.random.default_rng(0)
    X, u = rng.standard_normal((2, 4, 3)), rng.standard_normal(3)
    z = np.concatenate([np.ones((2, 1)), np.tile(u, (2, 1)), np.abs(X @ u)], axis=1)
    G = moments(z[:, :, None] * z[:, None, :], X)
    p, q = np.maximum(X @ u, 0.0), np.maximum(-X @ u, 0.0)
    assert np.allclose(G.p, p) and np.allclose(G.q, q)
    assert np.allclose(G.up, u[:, None] * p[:, None, :])
    assert np.allclose(G.uq, u[:, None] * q[:, None, :])
    for part, left, right in ((G.pp, p, p), (G.pq, p, q), (G.qq, q, q)):
        assert np.allclose(part, left[:, :, None] * right[:, None, :])
    assert np.allclose(np.diagonal(G.pq, axis1=1, axis2=2), 0.0)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (3, 2, 6)])
def test_the_adjoint(shape):
    rng = np.random.default_rng(sum(shape))
    B, b, d = shape
    X, F = rng.standard_normal(shape), rng.standard_normal((B, 1 + d + b, 1 + d + b))
    F = F + F.mT
    L = random_moments(rng, *shape)
    back = adjoint(L, X, np)
    assert np.allclose(back, back.mT)
    assert np.isclose(inner(L, moments(F, X)), float((back * F).sum()))


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_the_second_order_cone(weight):
    # The law of a projection: x - y in the polar cone, at a right angle to y.
    rng = np.random.default_rng(2)
    head, tail = rng.standard_normal((3, 50)), rng.standard_normal((3, 4, 50))
    new, turned = second_order(head, tail, weight, np)
    lengths = np.linalg.norm(turned, axis=1)
    assert (lengths <= new * (1.0 + 1e-14)).all()
    left, left_tail = weight * (head - new), tail - turned
    assert (np.linalg.norm(left_tail, axis=1) <= -left + 1e-13).all()
    assert np.allclose(left * new + (left_tail * turned).sum(axis=1), 0.0)


def test_the_second_order_cone_at_zero():
    new, tail = second_order(np.zeros((1, 2)), np.zeros((1, 3, 2)), 1.0, np)
    assert not new.any() and not tail.any()


def test_the_ball():
    rng = np.random.default_rng(3)
    for _ in range(20):
        C = rng.standard_normal((5, 5))
        C = C + C.T
        new = within_ball(C, np)
        excess = np.trace(C[1:, 1:]) - C[0, 0]
        sides = np.diag([-1.0, 1.0, 1.0, 1.0, 1.0])
        assert (sides * new).sum() <= 1e-13
        assert np.allclose(C - new, sides * max(excess, 0.0) / 5)


def test_the_cone_is_entered_and_left_alone():
    rng = np.random.default_rng(4)
    G = in_cone(random_moments(rng, 2, 4, 3), np)
    assert (G.pp >= 0.0).all() and (G.pq >= 0.0).all() and (G.qq >= 0.0).all()
    assert not np.diagonal(G.pq, axis1=1, axis2=2).any()
    again = in_cone(G, np)
    assert all(np.allclose(a, b, atol=1e-14) for a, b in zip(G, again, strict=True))
