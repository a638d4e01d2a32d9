"""The best size of one more neuron, against a search over sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cvxnn.layers import Layer
from cvxnn.losses import HuberLoss, LogisticLoss, SquaredHingeLoss, SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.line_search import best_size

LOSSES = [SquaredLoss(), HuberLoss(0.5), LogisticLoss(), SquaredHingeLoss()]
any_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def problem(loss, y, beta):
    return Problem.of(Layer(np.eye(len(y))), y, beta, loss)


def draw(loss, seed):
    y, prediction, move = np.random.default_rng(seed).standard_normal((3, 6))
    # Without an end where labels can be told apart: sizes then grow as beta vanishes.
    return np.where(y > 0.0, 1.0, -1.0) if loss.has_labels else y, prediction, move


@any_loss
@given(seed=st.integers(0, 999), beta=st.floats(1e-3, 5.0))
def test_no_other_size_is_better(loss, seed, beta):
    y, prediction, move = draw(loss, seed)

    def objective(c):
        return loss.value(prediction + c * move, y) + beta * c

    size = best_size(problem(loss, y, beta), prediction, move)
    assert best_size(problem(loss, y, beta), prediction, np.zeros(6)) == 0.0
    end = 2.0 * size + 1.0
    found = minimize_scalar(objective, bounds=(0.0, end), method="bounded")
    assert size >= 0.0
    assert objective(size) <= min(found.fun, objective(0.0)) + 1e-12


def test_the_squared_loss_in_closed_form():
    y, prediction, move = draw(SquaredLoss(), 1)
    slope = float((y - prediction) @ move)
    move, slope = np.sign(slope) * move, abs(slope)
    best = (slope - 0.1) / float(move @ move)
    assert best_size(problem(SquaredLoss(), y, 0.1), prediction, move) == pytest.approx(
        best, rel=1e-11
    )
    assert best_size(problem(SquaredLoss(), y, slope * 1.001), prediction, move) == 0.0
    assert best_size(problem(SquaredLoss(), y, 0.1), prediction, -move) == 0.0


@pytest.mark.parametrize("unit", [1e-90, 1e90])
def test_units_do_not_matter(unit):
    y, prediction, move = draw(SquaredLoss(), 1)
    move = move * np.sign((y - prediction) @ move)
    plain = best_size(problem(SquaredLoss(), y, 0.1), prediction, move)
    scaled = best_size(problem(SquaredLoss(), unit * y, unit * 0.1), unit * prediction, move)
    assert scaled == pytest.approx(unit * plain, rel=1e-9)
