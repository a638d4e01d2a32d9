"""Inputs at the edge of what float64 can tell apart: an honest answer, or one sentence."""

import numpy as np
import pytest
from sentences import refused
from variants import with_long

from cvxnn import Conv, Global, InputError, ReLU, Status, Verdict, certify, solve

LINE = np.array([[-1.0], [-5.0], [2.0], [0.0], [3.0]])
SIGNS = np.array([1.0, -1.0, 1.0, -1.0, 1.0])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_lengths_of_rows_whose_squares_would_vanish_are_refused_or_right():
    X = np.array([[1e100], [-1e-100]])
    with pytest.raises(InputError, match=r"below 1e-100 of its largest, 1e\+100"):
        solve(X, [0.0, 1.0], 1.0, sample_weight=[1.0, 1e200])
    # As far apart as is allowed: the second row is nothing beside the first, whose target
    # one neuron fits at the cost beta |y_1| / x_1 - beta^2 / (2 x_1^2).
    X = np.array([[1e50], [-1e-49]])
    solution = solve(X, [3.0, 0.0], 1e48)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(3e48 / 1e50 - 0.5 * (1e48 / 1e50) ** 2, rel=1e-6)


def test_weights_that_float64_cannot_tell_apart_are_refused_in_a_sentence():
    X, y = np.eye(3), np.ones(3)
    refused(lambda: solve(X, y, 1.0, sample_weight=[1e16, 1.0, 1e-15]), "ratio of at most 1e")
    refused(lambda: solve(X, y, 1.0, sample_weight=[1e200, 1.0, 1.0]), r"no entry beyond 1e\+100")
    # Targets of either sign need a neuron each, at beta |y| - beta^2 / (2 w).
    weights = np.array([1e15, 1.0, 1e-15])
    solution = solve(X, [1.0, -1.0, 0.0], 0.5, sample_weight=weights)
    alone = [0.5 - 0.125 / w for w in weights[:2]]
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(sum(alone), rel=1e-6)


@with_long("method", [Global(proof_time=0.1), "exact"], ids=["global", "exact"])
@with_long("beta", [3e-19, 1e-30])
def test_interpolation_is_out_of_reach_of_rounding_not_of_honesty(method, beta):
    # Without a bias five points are fitted by (x)_+ and (-x)_+ up to 16/13 at best: least
    # squares on each half line, in fractions: 1/2 (3 - 25/13) ... = 16/13.
    solution = solve(LINE, SIGNS, beta, method=method)
    right, left = LINE[:, 0] > 0.0, LINE[:, 0] < 0.0
    rest = 0.5 * float(SIGNS[LINE[:, 0] == 0.0] @ SIGNS[LINE[:, 0] == 0.0])
    for half in (right, left):
        x, y = np.abs(LINE[half, 0]), SIGNS[half]
        rest += 0.5 * float(y @ y - (x @ y) ** 2 / (x @ x))
    assert solution.objective == pytest.approx(rest, rel=1e-9)
    assert solution.dual_bound <= rest * (1.0 + 1e-12)
    assert (solution.status is Status.OPTIMAL) == (solution.gap <= solution.tol)


@pytest.mark.long
@pytest.mark.parametrize(
    ("seed", "method"),
    [(0, Global(proof_time=0.1)), (0, "exact"), (1, Global(proof_time=0.1)), (1, "exact")],
    ids=["0-global", "0-exact", "1-global", "1-exact"],
)
def test_integers_with_a_beta_next_to_rounding(seed, method):
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, (12, 3)).astype(float)
    y = rng.integers(-3, 4, 12).astype(float)
    solution = solve(X, y, 2.7e-15, method=method)
    assert solution.dual_bound <= solution.objective + solution.objective_error
    # Rows that are equal up to a positive factor cannot be told apart: what is left of them.
    assert solution.dual_bound >= 0.0 and solution.objective < 0.5 * float(y @ y)


@pytest.mark.long
@with_long("beta", [1e-30, 1e-100])
def test_certify_beside_a_tiny_beta(beta):
    X, y = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), np.array([1.0, 2.0, 0.0])
    certificate = certify(([[1.0, 2.0]], [1.0]), X, y, beta)
    assert certificate.verdict is Verdict.IMPROVABLE
    # The residuals are 2, 2 and 5: 33 / 2.
    assert certificate.objective == pytest.approx(16.5) and 0.0 <= certificate.dual_bound <= 1e-6


@pytest.mark.long
def test_a_penalised_line_that_is_not_needed():
    """The equation ||w|| = eta has the root 0: no interval holds its logarithm."""
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    plain = solve(X, y, 0.005, tol=1e-9)
    options = {"method": Global(proof_time=0.1), "tol": 1e-13, "max_iter": 1000}
    solution = solve(X, y, 0.005, model=ReLU(skip="penalised"), **options)
    # What is left of it is rounding beside weights of size one.
    assert np.linalg.norm(solution.network.skip_weights) <= 1e-16 and solution.gap <= 1e-11
    assert solution.objective <= plain.objective * (1.0 + 1e-9)


@pytest.mark.parametrize("pooling", ["sum", "average"])
@pytest.mark.parametrize("bias", [False, True])
def test_blank_images(pooling, bias):
    images = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    model = Conv(3, pooling=pooling, bias=bias)
    solution = solve(images, [1.0, 2.0], 0.1, model=model, sample_weight=[1.0, 0.0], method="exact")
    assert solution.status is Status.OPTIMAL
    if not bias:
        # Every filter is 0 on the only image that counts.
        assert solution.objective == pytest.approx(0.5, rel=1e-12)
    else:
        # A bias b beside 0 acts like the row 4 or 1: beta y / r - beta^2 / (2 r^2).
        row = 4.0 if pooling == "sum" else 1.0
        assert solution.objective == pytest.approx(0.1 / row - 0.005 / row**2, rel=1e-6)


def test_a_penalised_line_beside_a_ridge_next_to_nothing():
    X, y = np.array([[0.3, -1.2, 0.7, 0.1]]), np.array([0.8])
    solution = solve(X, y, 5.8e-24, model=ReLU(skip="penalised"), tol=1e-10)
    # One row is fitted by one neuron or the line: beta |y| / ||x|| either way.
    optimum = 5.8e-24 * 0.8 / float(np.linalg.norm(X))
    assert solution.dual_bound <= optimum * (1.0 + 1e-12)
    assert solution.objective + solution.objective_error >= optimum * (1.0 - 1e-6)
