"""Coordinate descent beside the active set."""

import numpy as np
import pytest

from cvxnn.solvers.lasso.coordinate_descent import swept
from cvxnn.solvers.lasso.gram_lasso import gram_lasso


@pytest.mark.parametrize("seed", range(5))
def test_many_sweeps_end_where_the_active_set_does(seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((30, 12)), rng.standard_normal(30)
    gram, target = A.T @ A, A.T @ y - 0.5
    sizes = swept(gram, target, rng.uniform(0.0, 1.0, 12), sweeps=2000, enough=0.0)
    np.testing.assert_allclose(sizes, gram_lasso(gram, target, np.ones(12)), atol=1e-8)


def test_no_sweep_raises_the_value_and_the_start_stays_as_it_is():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 12)), rng.standard_normal(30)
    gram, target = A.T @ A, A.T @ y - 0.5
    start = np.ones(12)
    values = []
    for sweeps in range(6):
        sizes = swept(gram, target, start, sweeps=sweeps, enough=0.0)
        values.append(0.5 * sizes @ gram @ sizes - target @ sizes)
    assert (np.diff(values) <= 1e-12).all() and (start == 1.0).all()


def test_columns_of_nothing_keep_their_sizes():
    assert swept(np.zeros((1, 1)), np.array([-1.0]), np.ones(1), sweeps=3, enough=0.0) == 1.0
