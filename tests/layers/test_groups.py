"""Rows of which neurons see groups of columns: the same numbers as those of dense rows."""

import numpy as np
import pytest
from sentences import refused

from cvxnn.layers import Layer
from cvxnn.layers.groups import GroupedLayer, check_features, groups_of

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((20, 3)), np.ones(20)])
GROUPS = ((0, 3), (1, 2, 3))
LAYER = GroupedLayer(X, GROUPS)
DIRECTIONS = np.array(
    [[1.0, 0.0, 0.0, -0.5], [0.0, 1.0, -2.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 3.0, 0.0]]
)


@pytest.mark.parametrize(
    ("features", "data", "groups"),
    [
        (1, X, ((0, 3), (1, 3), (2, 3))),
        (1, X[:, :3], ((0,), (1,), (2,))),
        (2, X, ((0, 1, 3), (0, 2, 3), (1, 2, 3))),
        (9, X, ((0, 1, 2, 3),)),
        (1, np.ones((3, 1)), ((0,),)),
        (((2, 1), (0,), (1, 2)), X, ((1, 2, 3), (0, 3))),
        (((3,),), X, ((3,),)),
    ],
)
def test_groups_have_the_column_of_ones(features, data, groups):
    assert groups_of(features, data) == groups


def test_groups_that_no_oracle_proves_are_refused():
    wide = RNG.standard_normal((4, 9))
    for features in (7, ((0, 1, 2, 3, 4, 5, 6),)):
        refused(lambda f=features: groups_of(f, wide), "at most 6 columns .* got one of 7")
    refused(lambda: groups_of(((0, 9),), wide), "columns of X, 0 to 8, got 9")


def test_features_become_numbers_of_python():
    found = check_features([np.array([1, 0]), [np.int64(2)]])
    assert found == ((1, 0), (2,)) and type(found[0][0]) is int


def test_activations_and_predictions_are_those_of_dense_rows():
    dense, weights = Layer(X), np.array([1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(LAYER.activations(DIRECTIONS), dense.activations(DIRECTIONS))
    values = LAYER.forward(DIRECTIONS, weights)
    np.testing.assert_allclose(values, dense.forward(DIRECTIONS, weights), atol=1e-13)
    several = np.column_stack([weights, -weights])
    np.testing.assert_allclose(
        LAYER.forward(DIRECTIONS, several), dense.forward(DIRECTIONS, several), atol=1e-13
    )
    for ours, theirs in zip(
        LAYER.scores(X[:, 0], DIRECTIONS), dense.scores(X[:, 0], DIRECTIONS), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)
    assert LAYER.forward(np.zeros((0, 4)), np.zeros(0)).tolist() == [0.0] * 20


def test_directions_know_their_group():
    both = np.vstack([DIRECTIONS, [[1.0, 1.0, 0.0, 0.0]]])
    assert LAYER.group_of(both).tolist() == [0, 1, 0, 1, -1]


def test_bounds_hold_for_the_neurons_of_groups():
    v = RNG.standard_normal(20)
    units = RNG.standard_normal((2000, 4))
    units[:1000, [1, 2]] = 0.0
    units[1000:, 0] = 0.0
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    active = LAYER.activations(units)
    assert np.abs(v @ active).max() <= LAYER.bound(v) <= Layer(X).bound(v)
    assert (active.max(axis=1) <= LAYER.lengths * (1.0 + 1e-12)).all()


def test_weights_and_parts_keep_the_groups():
    root = RNG.random(20) + 0.5
    part = LAYER.weighted(root).take(slice(3, 7))
    np.testing.assert_array_equal(part.rows, (X * root[:, None])[3:7])
    assert part.groups == GROUPS and LAYER.in_units(2.0).groups == GROUPS
