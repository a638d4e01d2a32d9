"""What every oracle promises, whatever it does inside."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.oracle import (
    BranchAndBound,
    CellOracle,
    LayerOracle,
    MaxCellOracle,
    Oracle,
    Price,
    Proposals,
    RankTwoOracle,
    SignTree,
)
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.patterns import enumerate_patterns
from cvxnn.patterns.max_pooling import MaxArrangement

Maker = Callable[[FloatArray], Oracle[Price]]


def climb_and_bound(X: FloatArray) -> ClimbAndBound:
    return ClimbAndBound(X, BranchAndBound(X), np.random.default_rng(0), most=20)


MAKERS: dict[str, Maker] = {
    "cells": lambda X: CellOracle(X, enumerate_patterns(X)),
    "rank two": RankTwoOracle,
    "tree": BranchAndBound,
    "signs": SignTree,
    "tree after an ascent": climb_and_bound,
}


def signed_values(layer: Layer | MaxLayer, v: FloatArray, directions: FloatArray) -> FloatArray:
    """``s v'f(u)`` for both signs, shape (2, k)."""
    values = v @ layer.activations(directions)
    return np.array([values, -values])


def check(price: Price, layer: Layer | MaxLayer, v: FloatArray, threshold: float) -> None:
    """Bounds hold for a circle of directions, and proposals are what they say."""
    angles = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    assert price.bounds.shape == (2,)
    assert price.bound == price.bounds.max()
    slack = 1e-12 * (1.0 + np.abs(v).sum())
    assert (signed_values(layer, v, circle) <= price.bounds[:, None] + slack).all()
    proposals = price.proposals
    assert proposals.outputs.shape == (len(proposals), 1)
    assert (np.abs(proposals.signs) == 1.0).all()
    np.testing.assert_allclose(np.linalg.norm(price.directions, axis=1), 1.0, rtol=1e-12)
    attained = signed_values(layer, v, price.directions)[0] * price.signs
    np.testing.assert_allclose(price.values, attained, rtol=1e-9, atol=slack)
    assert (price.values > threshold).all()
    assert (np.diff(price.values) <= 0.0).all()
    assert price.finished
    assert price.bound <= max(threshold, proposals.largest) * (1.0 + 2e-6) + 1e-9


@pytest.mark.parametrize("name", MAKERS)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9), share=st.sampled_from([0.0, 0.5]))
def test_an_oracle_bounds_and_proposes(name, seed, n, share):
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((n, 2)), rng.standard_normal(n)
    oracle = MAKERS[name](X)
    threshold = share * oracle.price(v[:, None]).bound
    # A threshold of 0 lets an ascent climb from directions on which nothing is active.
    threshold = max(threshold, 1e-6)
    check(oracle.price(v[:, None], threshold, deadline=Deadline(60.0)), Layer(X), v, threshold)
    starts = rng.standard_normal((3, 2))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    check(oracle.price(v[:, None], threshold, starts=starts), Layer(X), v, threshold)


@pytest.mark.parametrize("name", MAKERS)
def test_zero_data_and_zero_dual_points(name):
    for X, v in ((np.zeros((3, 2)), np.ones(3)), (np.ones((3, 2)), np.zeros(3))):
        price = MAKERS[name](X).price(v[:, None], 1e-300)
        assert 0.0 <= price.bound <= 1e-300 and price.finished
        assert price.directions.shape == (0, 2)


@pytest.mark.parametrize("name", MAKERS)
def test_a_layer_is_priced_through_its_readout(name):
    rng = np.random.default_rng(7)
    for _ in range(5):
        layer = Layer(rng.standard_normal((8, 2)), rng.standard_normal((3, 8)))
        v = rng.standard_normal(3)
        oracle = LayerOracle(layer, MAKERS[name](layer.rows))
        check(oracle.price(v[:, None], 0.1), layer, v, 0.1)
        plain = oracle.oracle.price(layer.pull(v)[:, None], 0.1)
        raised = oracle.price(v[:, None], 0.1).bounds
        np.testing.assert_array_equal(raised, plain.bounds + layer.pull_error(v))


def test_maxima_are_priced_with_their_weights():
    rng = np.random.default_rng(3)
    layer = MaxLayer(rng.standard_normal((8, 2)), n_patches=2).weighted(np.arange(1.0, 5.0))
    cells = MaxArrangement(layer.rows, 2).enumerate(Deadline())
    oracle = LayerOracle(layer, MaxCellOracle(layer.patches, cells.winners(), cells.reach))
    for _ in range(5):
        v = rng.standard_normal(4)
        check(oracle.price(v[:, None], 0.1), layer, v, 0.1)


def test_the_bounds_of_cells_tell_the_signs_apart():
    price = MAKERS["cells"](np.eye(2)).price(np.array([[3.0], [-4.0]]))
    np.testing.assert_allclose(price.bounds, [3.0, 4.0], rtol=1e-12)
    assert isinstance(price.kind, str)
    assert price.kind == "cells"
    assert price.is_exact


def test_proposals_are_joined_selected_and_turned():
    first = Proposals(np.eye(2), np.array([[1.0], [-1.0]]), np.array([3.0, 1.0]))
    second = Proposals(-np.eye(2)[:1], np.array([[1.0]]), np.array([2.0]))
    both = Proposals.joined(first, second)
    np.testing.assert_array_equal(both.values, [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(both.signs, [1.0, 1.0, -1.0])
    np.testing.assert_array_equal(both.directions, [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    kept = both.select(both.values > 1.5)
    assert (len(kept), kept.largest) == (2, 3.0)
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(kept.turned(quarter).directions, kept.directions @ quarter)
    assert (len(Proposals.none(2)), Proposals.none(2).largest) == (0, 0.0)
