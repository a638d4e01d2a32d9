"""Bounds for groups of columns: floats against whole numbers, and settings that are none."""

import numpy as np
import pytest
from sentences import refused
from variants import with_long

from cvxnn.verification.angles import largest_in_plane
from cvxnn.verification.arcs import bound_in_plane
from cvxnn.verification.deadline import FOREVER
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.groups import (
    groups_in,
    kinds_of,
    largest_of_groups,
    outside,
    stated_features,
)


def rows_of(kind, n, rng):
    match kind:
        case "normal":
            return rng.standard_normal((n, 2))
        case "whole":
            return rng.integers(-2, 3, (n, 2)).astype(float)
        case "far":
            return np.column_stack([1e6 + rng.standard_normal(n), np.ones(n)])
        case "equal":
            return np.tile(rng.standard_normal((1, 2)), (n, 1)) * rng.choice([-1.0, 1.0], (n, 1))
        case "one column":
            return rng.standard_normal((n, 1))
    return np.column_stack([rng.standard_normal(n), 1e-9 * rng.standard_normal(n)])


@with_long("kind", ["normal", "whole", "far", "equal", "one column", "thin"], always=3)
def test_a_bound_by_floats_is_that_of_whole_numbers(kind):
    rng = np.random.default_rng(0)
    for trial in range(150):
        n = int(rng.integers(1, 30))
        base = rng.standard_normal(n) * (trial % 2)
        function = Pieces(rows_of(kind, n, rng), rng.standard_normal(n), base).reduced()
        exact, found = largest_in_plane(function), bound_in_plane(function)
        assert exact <= found <= exact + 1e-12 * function.mass


def test_many_rows_lose_few_digits():
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.standard_normal(20_000), np.ones(20_000)])
    function = Pieces(X, rng.standard_normal(20_000), np.zeros(20_000)).reduced()
    assert bound_in_plane(function) <= largest_in_plane(function) * (1.0 + 1e-8)


def test_the_largest_of_groups_is_that_of_each():
    rng = np.random.default_rng(2)
    X, v = np.column_stack([rng.standard_normal((30, 3)), np.ones(30)]), rng.standard_normal(30)
    groups = ((0, 3), (1, 3), (2, 3))
    parts = [Pieces(X[:, list(g)], v, np.zeros(30)).reduced() for g in groups]
    each = [part.total(largest_in_plane(part)) for part in parts]
    for level in (np.inf, max(each), 0.5 * max(each)):
        bound, _ = largest_of_groups(X, v, groups, level, FOREVER)
        assert bound == pytest.approx(max(each), rel=1e-9) and bound >= max(each)


def test_groups_are_those_of_the_model():
    X = np.column_stack([np.arange(6.0).reshape(2, 3), np.ones(2)])
    assert groups_in(1, X) == ((0, 3), (1, 3), (2, 3))
    assert groups_in(((1, 0), (2,)), X) == ((0, 1, 3), (2, 3))
    assert groups_in(2, X[:, :3]) == ((0, 1), (0, 2), (1, 2))
    refused(lambda: groups_in(((4,),), X), "features that X has no columns for")
    refused(lambda: groups_in(3, np.zeros((1, 200))), "more than 10000 groups")


@pytest.mark.parametrize("features", [0, -1, True, 1.5, "1", [], [[]], [1], [[True]], [[-1]]])
def test_features_that_are_none_are_refused(features):
    refused(lambda: stated_features({"features": features}), "features that are none")


def test_neurons_outside_of_the_groups_are_named():
    hidden = np.array([[1.0, 0.0, 2.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    # The last one does nothing.
    kinds = kinds_of(hidden, np.array([1.0, -1.0, 0.0]))
    assert kinds == ((-1, (1, 1, 0)), (1, (1, 0, 1)))
    assert outside(kinds, ((0, 2), (0, 1))) == ""
    assert "a neuron that sees the columns 0, 1" in outside(kinds, ((0, 2), (1, 2)))
