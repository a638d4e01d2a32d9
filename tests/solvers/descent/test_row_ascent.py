"""Climbs on the rows: no end is below its start, and no two ends are one."""

import numpy as np
from planted_rows import planted

from cvxnn.solvers.descent.row_ascent import RowAscent, climbed, distinct, pull_of


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
    ascent = RowAscent(X, np.eye(9), np.random.default_rng(0))
    directions, outputs = ascent.found(y, 40, 10.0)
    assert set(outputs.ravel()) == {-1.0, 1.0} and outputs.shape == (len(directions), 1)
    values = outputs[:, 0] * (y @ np.maximum(X @ directions.T, 0.0))
    assert len(values) > 0 and (values > 10.0 * (1.0 - 1e-5)).all()
    assert (np.diff(values) <= 1e-4 * values[0]).all()
