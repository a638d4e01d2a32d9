"""Climbs on the rows: no end is below its start, and no two ends are one."""

import numpy as np
import pytest
from planted_rows import planted, planted_outputs

from cvxnn.solvers.descent.row_ascent import RowAscent, along, climbed, distinct, pull_of, sample_of


def test_climbs_do_not_end_below_their_starts():
    X, v = planted(60, 9, 1)
    U = np.random.default_rng(2).standard_normal((50, 9))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    signs = np.where(np.arange(50) % 2 == 0, 1.0, -1.0)
    pull = pull_of(X, v, signs[:, None])
    ends, outputs, ends_values = climbed(pull, U, 8)
    np.testing.assert_array_equal(outputs[:, 0], signs)
    values = [signs * (v @ np.maximum(X @ points.T, 0.0)) for points in (U, ends)]
    assert (values[1] >= values[0] - 1e-9).all() and (values[1] > values[0]).mean() > 0.9
    np.testing.assert_allclose(ends_values, values[1], rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ends, axis=1), 1.0, rtol=1e-12)


def test_distinct_keeps_the_better_of_two_that_are_one():
    U = np.array([[1.0, 0.0], [1.0, 1e-6], [0.0, 1.0], [1.0, 0.0]])
    signs, values = np.array([1.0, 1.0, 1.0, -1.0]), np.array([1.0, 2.0, -np.inf, 0.5])
    assert distinct(U, signs[:, None], values, 9) == [1, 3]
    assert distinct(U, signs[:, None], values, 1) == [1]


def test_what_is_found_is_worth_it_and_best_first():
    X, y = planted(90, 9, 1)
    ascent = RowAscent(90, np.eye(9), np.random.default_rng(0))
    directions, outputs = ascent.found(sample_of(X, y), 40, 10.0)
    assert set(outputs.ravel()) == {-1.0, 1.0} and outputs.shape == (len(directions), 1)
    values = outputs[:, 0] * (y @ np.maximum(X @ directions.T, 0.0))
    assert len(values) > 0 and (values > 10.0 * (1.0 - 1e-5)).all()
    assert (np.diff(values) <= 1e-4 * values[0]).all()


@pytest.mark.parametrize("c", [2, 5])
def test_climbs_on_several_outputs_turn_the_outputs_too(c):
    X, V = planted_outputs(60, 9, c, 1)
    rng = np.random.default_rng(2)
    U = rng.standard_normal((50, 9))
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    ends, outputs, values = climbed(pull_of(X, V, np.zeros((50, c))), U, 8)
    before, after = (np.linalg.norm(V.T @ np.maximum(X @ u.T, 0.0), axis=0) for u in (U, ends))
    assert (after >= before - 1e-9).all() and (after > before).mean() > 0.9
    np.testing.assert_allclose(values, after, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 1.0, rtol=1e-12)
    pulls = V.T @ np.maximum(X @ ends.T, 0.0)
    np.testing.assert_allclose(along(outputs, pulls), after, rtol=1e-12)
    # The slope of the norm, as finite differences have it.
    top = int(values.argmax())
    _, _, slopes = pull_of(X, V, np.zeros((1, c))).at(ends[[top]])
    for move in np.eye(9):
        both = (ends[top] + step * move for step in (1e-6, -1e-6))
        high, low = (np.linalg.norm(V.T @ np.maximum(X @ u, 0.0)) for u in both)
        assert slopes[0] @ move == pytest.approx((high - low) / 2e-6, rel=1e-5, abs=1e-4)


def test_what_is_found_for_several_outputs_is_worth_it_and_best_first():
    X, Y = planted_outputs(90, 9, 3, 1)
    ascent = RowAscent(90, np.eye(9), np.random.default_rng(0))
    directions, outputs = ascent.found(sample_of(X, Y), 40, 10.0)
    values = along(outputs, Y.T @ np.maximum(X @ directions.T, 0.0))
    assert len(values) > 0 and (values > 10.0 * (1.0 - 1e-5)).all()
    assert (np.diff(values) <= 1e-4 * values[0]).all()
    for part in (directions, outputs):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1.0, rtol=1e-12)


def test_outputs_that_differ_keep_neurons_apart():
    U = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    outputs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert distinct(U, outputs, np.array([1.0, 3.0, 2.0]), 9) == [1, 2]
