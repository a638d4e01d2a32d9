"""The oracle of groups against the oracles of each and all directions of a grid."""

import numpy as np
import pytest

from cvxnn.layers import Layer
from cvxnn.layers.groups import GroupedLayer
from cvxnn.oracle.choice import Effort
from cvxnn.oracle.groups import GroupGeometry
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.largest import largest_of_kinks

GROUPS = ((0, 3), (1, 3), (1, 2, 3), (3,))


def layer_of(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return GroupedLayer(np.column_stack([rng.standard_normal((n, 3)), np.ones(n)]), GROUPS)


def oracle_of(layer, scales=None):
    geometry = GroupGeometry.of(layer)
    weighted = layer if scales is None else layer.weighted(scales)
    return geometry.oracle(weighted, scales, Effort(20, random_state=np.random.default_rng(0)))


def largest(layer, v):
    """By the checker, which shares no code with the oracles."""
    parts = [Pieces(layer.rows[:, list(g)], v, np.zeros_like(v)) for g in layer.groups]
    return max(largest_of_kinks(part, np.inf, None)[0] for part in parts[:2])


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_the_largest_of_the_groups(seed):
    layer, rng = layer_of(seed=seed), np.random.default_rng(seed)
    flat, v = GroupedLayer(layer.rows, GROUPS[:2]), rng.standard_normal(60)
    price = oracle_of(flat).price(v[:, None])
    assert price.bound == pytest.approx(largest(flat, v), rel=1e-12)
    assert price.proposals.largest == pytest.approx(price.bound, rel=1e-12)
    every = oracle_of(layer).price(v[:, None], 1.0, tol=1e-9)
    alone = [
        GroupGeometry.of(GroupedLayer(layer.rows, (group,)))
        .oracle(GroupedLayer(layer.rows, (group,)), None, Effort(20, random_state=rng))
        .price(v[:, None], tol=1e-9)
        .bound
        for group in GROUPS
    ]
    assert every.bound == pytest.approx(max(alone), rel=1e-8) and every.finished


def test_proposals_are_neurons_of_their_groups():
    layer, v = layer_of(), np.random.default_rng(1).standard_normal(60)
    price = oracle_of(layer).price(v[:, None], 1.0)
    assert len(price.proposals) == len(price.groups) > 4
    for direction, group in zip(price.directions, price.groups, strict=True):
        outside = np.delete(direction, GROUPS[group])
        assert not outside.any() and np.linalg.norm(direction) == pytest.approx(1.0)
    values = price.signs * (v @ Layer(layer.rows).activations(price.directions))
    np.testing.assert_allclose(values, price.values, rtol=1e-9)
    assert (np.diff(price.values) <= 0.0).all() and (price.values > 1.0).all()


def test_weighted_rows_are_priced_as_they_are():
    layer, rng = layer_of(), np.random.default_rng(2)
    scales, v = rng.random(60) + 0.1, rng.standard_normal(60)
    weighted = oracle_of(layer, scales).price(v[:, None], tol=1e-9)
    plain = oracle_of(layer.weighted(scales)).price(v[:, None], tol=1e-9)
    assert weighted.bound == pytest.approx(plain.bound, rel=1e-8)


def test_groups_that_are_skipped_are_below_the_threshold():
    """After a price, near dual points are bounded by it: never below what is there."""
    layer, rng = layer_of(), np.random.default_rng(3)
    oracle, v = oracle_of(layer), rng.standard_normal(60)
    threshold = 0.9 * oracle.price(v[:, None], 1e-3).bound
    priced = []
    for oracle_of_group in (side.oracle for side in oracle._sides):
        price_vector = oracle_of_group.price_vector

        def counted(*arguments, price_vector=price_vector):
            priced.append(arguments)
            return price_vector(*arguments)

        oracle_of_group.price_vector = counted
    for step in (1e-9, 1e-6, 1e-3, 1e-1, 1.0):
        near = v + step * rng.standard_normal(60)
        price = oracle.price(near[:, None], threshold)
        exact = oracle_of(layer).price(near[:, None], 1e-3, tol=1e-9).bound
        assert price.bound >= min(exact, threshold) * (1.0 - 1e-8)
        assert price.bound <= max(exact, threshold) * (1.0 + 1e-5)
        if step == 1e-9:
            assert len(priced) < len(GROUPS)
    # As they are without a threshold: none is left out.
    assert oracle.price(v[:, None]).bound == pytest.approx(threshold / 0.9, rel=1e-5)


def test_nothing_attracts_no_neuron():
    price = oracle_of(layer_of()).price(np.zeros((60, 1)))
    assert price.bound == 0.0 and len(price.proposals) == 0 and price.finished
