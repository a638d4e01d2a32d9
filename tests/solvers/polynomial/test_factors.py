"""Factors: derivatives by differences, and fewer of them."""

import numpy as np
import pytest

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers.polynomial import PolynomialRows
from cvxnn.losses import LogisticLoss, SquaredLoss
from cvxnn.losses.softmax import SoftmaxLoss
from cvxnn.problems import Problem
from cvxnn.solvers.polynomial.decomposition import reduced
from cvxnn.solvers.polynomial.factors import FactorObjective, Factors


def drawn(loss, c, K, k=9, h=4):
    rng = np.random.default_rng([c, K])
    rows = PolynomialRows(rng.standard_normal((12, K, h)), (0.3, 0.5, 0.47))
    Y = rng.standard_normal((12, c))
    if loss.has_labels:
        Y = np.sign(Y) if c == 1 else np.eye(c)[rng.integers(0, c, 12)]
    outputs = np.zeros((k, c))
    outputs[np.arange(k), rng.integers(0, c, k)] = rng.choice([-1.0, 1.0], k)
    factors = Factors(rng.standard_normal((k, h)), outputs, rng.standard_normal(c))
    return Problem(rows, Y, 0.1, loss), factors


each = pytest.mark.parametrize(
    ("loss", "c", "K"),
    [(SquaredLoss(), 1, 1), (LogisticLoss(), 1, 3), (SquaredLoss(), 2, 2), (SoftmaxLoss(), 3, 1)],
    ids=["squared", "logistic", "outputs", "softmax"],
)


@each
@pytest.mark.parametrize("intercept", [False, True])
def test_derivatives_are_those_of_differences(loss, c, K, intercept):
    problem, factors = drawn(loss, c, K)
    objective = FactorObjective(problem, factors, intercept=intercept)
    point = factors.vector(intercept=intercept)
    value, gradient = objective.value_and_gradient(point)
    move = np.random.default_rng(5).standard_normal(len(point))
    above, below = (objective.value_and_gradient(point + e * move) for e in (1e-5, -1e-5))
    assert (above[0] - below[0]) / 2e-5 == pytest.approx(gradient @ move, rel=1e-7)
    product = objective.curvature(point).product(move)
    np.testing.assert_allclose((above[1] - below[1]) / 2e-5, product, rtol=1e-5, atol=1e-6)
    matrix = objective.curvature(point).matrix
    np.testing.assert_allclose(matrix @ move, product, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-10, atol=1e-10)
    assert (objective.curvature(point).sizes > 0.0).all()
    neurons = factors.neurons
    f = problem.rows.activations(neurons.directions) @ (neurons.sizes[:, None] * neurons.outputs)
    f = (f + factors.intercept).reshape(problem.target.shape)
    assert problem.value(f, neurons.sizes.sum()) == pytest.approx(value, rel=1e-12)


@each
def test_fewer_neurons_are_the_same_function_at_the_same_price(loss, c, K):
    problem, factors = drawn(loss, c, K, k=40)
    fewer = reduced(factors, problem.rows.coefficients)
    assert len(fewer.W) <= 2 * c * 5
    before, after = (
        FactorObjective(problem, part).at(part.vector(intercept=False)) for part in (factors, fewer)
    )
    np.testing.assert_allclose(after.prediction, before.prediction, rtol=1e-9, atol=1e-11)
    assert fewer.penalty == pytest.approx(factors.penalty, rel=1e-12)
    assert after.value == pytest.approx(before.value, rel=1e-12)


@pytest.mark.parametrize(
    ("coefficients", "most"),
    [((1.0, 0.0, 0.0), 4), ((0.0, 1.0, 0.0), 1), ((1.0, 0.0, 0.5), 8), ((1.0, 0.5, 0.0), 10)],
)
def test_without_some_terms_still_fewer_are_the_same_function(coefficients, most):
    problem, factors = drawn(SquaredLoss(), 1, 1, k=40)
    problem = problem.on(PolynomialRows(problem.rows.patches, coefficients))
    fewer = reduced(factors, coefficients)
    assert len(fewer.W) <= most and fewer.penalty <= factors.penalty * (1.0 + 1e-12)
    before, after = (
        FactorObjective(problem, part).at(part.vector(intercept=False)) for part in (factors, fewer)
    )
    np.testing.assert_allclose(after.prediction, before.prediction, rtol=1e-9, atol=1e-11)


def test_neurons_in_the_same_direction_become_one():
    W = np.array([[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]])
    fewer = reduced(Factors(W, np.ones((3, 1)), np.zeros(1)), (0.3, 0.5, 0.4))
    # The opposite direction is another neuron.
    assert len(fewer.W) == 2
    assert fewer.penalty == pytest.approx(70.0, rel=1e-12)


def test_no_factors_stay_none():
    none = Factors(np.zeros((0, 3)), np.zeros((0, 1)), np.zeros(1))
    assert len(reduced(none, (0.3, 0.5, 0.4)).W) == 0 and len(none.neurons) == 0


def test_time_that_is_up_ends_a_descent():
    problem, factors = drawn(SquaredLoss(), 1, 1)
    objective = FactorObjective(problem, factors, Deadline(0.0))
    with pytest.raises(OutOfTimeError):
        objective.value_and_gradient(factors.vector(intercept=False))
