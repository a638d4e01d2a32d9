"""The network that a few passes over the data make."""

import numpy as np
import pytest

import cvxnn
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.oracle import RankTwoOracle
from cvxnn.problems import Problem
from cvxnn.solvers.opening import opening


def test_the_opening_of_many_shapes_lowers_the_objective():
    for n, d in ((50, 400), (300, 300), (3_000, 30), (20_000, 5)):
        rng = np.random.default_rng(n + d)
        X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
        y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(n)
        beta = 0.01 * float(np.linalg.norm(X.T @ y))
        problem, units = Problem.of(Layer(X), y, beta, SquaredLoss()).in_units()
        found = units.restored(opening(problem))
        network = cvxnn.ReLU().network(found, X.shape[1:])
        assert network.n_neurons > 0
        assert network.objective(X, y, beta) < 0.9 * 0.5 * float(y @ y)


@pytest.mark.parametrize("seed", range(8))
def test_the_opening_of_one_feature_finds_what_the_exact_oracle_does(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal(30), np.ones(30)])
    y = rng.standard_normal(30)
    largest = RankTwoOracle(X).price(y[:, None]).bound
    for factor, expected in ((0.95, True), (1.001, False)):
        problem = Problem.of(Layer(X), y, factor * largest, SquaredLoss())
        assert bool(len(opening(problem.in_units()[0]))) is expected
