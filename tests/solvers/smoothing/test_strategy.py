"""Losses with kinks: the same optimum as cvxpy on the full program, and certificates of it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from programs import KINKED, Activations, draw_rows
from runs import quietly
from variants import with_long

import cvxnn
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.losses.offset import best_offset
from cvxnn.results import Status

# Those of labels, and of numbers: the other levels of quantiles are the same formulas.
KINDS = (KINKED[3], KINKED[2])
# Of what each loss is treated alike in.
each_loss_with_long = with_long("loss", KINDS, ids=str)


def optimum(X, y, beta, loss, weights=1.0, **options):
    cp = pytest.importorskip("cvxpy")
    return Activations(X[:, None], **options).optimum(cp, loss, y, beta, weights)


def rows(loss, d, n=8, seed=0):
    X, y = draw_rows("hinge" if loss == "hinge" else "absolute", n, d, seed)
    return np.column_stack([X, np.ones(n)]), y


OPTIMA = [*zip(KINKED, (1, 2, 1, 2), (True, False, False, True), strict=True)]
OPTIMA += [each for each in product(KINDS, (1, 2), (False, True)) if each not in OPTIMA]


@with_long("loss, d, intercept", OPTIMA, always=2, ids=str)
def test_objective_and_bound_are_the_optimum(loss, d, intercept):
    X, y = rows(loss, d)
    known = optimum(X, y, 0.3, loss, has_constant=intercept)
    solution = cvxnn.solve(X, y, 0.3, loss=loss, intercept=intercept)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(known, rel=1e-6)
    assert solution.dual_bound == pytest.approx(known, rel=1e-6)
    assert solution.certificate.verify(X, y, network=solution.network).accepted
    # The objective is that of the loss itself.
    f = solution.network(X)
    value = as_loss(loss).value(f, y) + 0.3 * solution.network.penalty()
    assert value == pytest.approx(solution.objective, rel=1e-12)


@each_loss_with_long
def test_weights_of_rows(loss):
    X, y = rows(loss, 2)
    weights = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    known = optimum(X, y, 0.3, loss, weights, has_constant=True)
    solution = cvxnn.solve(X, y, 0.3, loss=loss, intercept=True, sample_weight=weights)
    assert solution.objective == pytest.approx(known, rel=1e-6)
    assert solution.dual_bound == pytest.approx(known, rel=1e-6)
    assert solution.certificate.verify(X, y, weights, network=solution.network).accepted


@each_loss_with_long
@with_long("model", [cvxnn.ReLU(slope=0.3), cvxnn.ReLU(skip="penalised")], ids=str)
def test_other_activations(loss, model):
    X, y = rows(loss, 2, 8, 1)
    linear = None if model.skip is None else X
    known = optimum(X, y, 0.3, loss, slope=model.slope, linear=linear)
    solution = cvxnn.solve(X, y, 0.3, loss=loss, model=model)
    assert solution.objective == pytest.approx(known, rel=2e-6)
    assert solution.dual_bound <= known * (1.0 + 1e-7)


@each_loss_with_long
def test_a_free_skip_connection(loss):
    X, y = rows(loss, 2, 9, 1)
    if loss == "hinge":
        # No line is on the right side of all labels, and the best one is of some.
        y = y * np.where(np.arange(9) < 3, -1.0, 1.0)
    known = optimum(X, y, 0.3, loss, linear=X, is_free=True)
    solution = cvxnn.solve(X, y, 0.3, loss=loss, model=cvxnn.ReLU(skip="free"))
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(known, rel=2e-6)
    assert solution.dual_bound <= known * (1.0 + 1e-7)


@each_loss_with_long
@with_long("method", ["sampled", "exact"])
def test_other_methods(loss, method):
    X, y = rows(loss, 2)
    known = optimum(X, y, 0.3, loss)
    solution = cvxnn.solve(X, y, 0.3, loss=loss, method=method)
    assert solution.status.is_success
    assert solution.objective >= known * (1.0 - 1e-7)
    assert solution.dual_bound <= known * (1.0 + 1e-7)
    if method == "exact":
        assert solution.objective == pytest.approx(known, rel=1e-6)


@each_loss_with_long
@pytest.mark.parametrize("intercept", [False, True])
def test_several_outputs(loss, intercept):
    """Two equal columns are one whose neurons have the heads (a, a): of a smaller beta."""
    X, y = rows(loss, 1)
    beta = 0.3
    known = optimum(X, y, beta, loss, has_constant=intercept)
    Y, double = np.column_stack([y, y]), 2.0 / np.sqrt(2.0) * beta
    solution = cvxnn.solve(X, Y, double, loss=loss, intercept=intercept, tol=1e-5)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(2.0 * known, rel=2e-5)
    assert solution.dual_bound <= 2.0 * known * (1.0 + 1e-7)


@each_loss_with_long
@with_long("intercept", [True, False])
def test_the_largest_beta(loss, intercept):
    X, y = rows(loss, 2, 9)
    largest = cvxnn.largest_beta(X, y, loss=loss, intercept=intercept)
    for factor, has_neurons in ((1.0001, False), (0.98, True)):
        solution = cvxnn.solve(X, y, factor * largest, loss=loss, intercept=intercept)
        assert solution.status is Status.OPTIMAL
        known = optimum(X, y, factor * largest, loss, has_constant=intercept)
        assert solution.objective == pytest.approx(known, rel=1e-6)
        chosen, none = as_loss(loss), np.zeros_like(y)
        constant = best_offset(chosen, none, y) if intercept else 0.0
        nothing = chosen.value(none + constant, y)
        assert (known < nothing * (1.0 - 1e-6)) == (solution.n_neurons > 0)
        # Beside the intercept 1 many labels are at their kinks: the dual point that is taken is
        # one of several, and gives an upper bound.
        if not (loss == "hinge" and intercept and has_neurons):
            assert (solution.n_neurons > 0) == has_neurons


@pytest.mark.long
@each_loss_with_long
def test_a_path_and_a_warm_start(loss):
    X, y = rows(loss, 2)
    path = cvxnn.regularization_path(X, y, [3.0, 1.0, 0.3], loss=loss, intercept=True)
    for beta, solution in zip(path.betas, path.solutions, strict=True):
        known = optimum(X, y, beta, loss, has_constant=True)
        assert solution.objective == pytest.approx(known, rel=1e-6)


@pytest.mark.long
@each_loss_with_long
def test_certify(loss):
    X, y = rows(loss, 2)
    solution = cvxnn.solve(X, y, 0.3, loss=loss)
    found = cvxnn.certify(solution.network, X, y, 0.3, loss=loss)
    assert found.verdict.name == "OPTIMAL" and found.gap <= 1e-6
    known = optimum(X, y, 0.3, loss)
    worse = cvxnn.solve(X, y, 1.0, loss=loss).network
    found = cvxnn.certify(worse, X, y, 0.3, loss=loss)
    assert found.verdict.name == "IMPROVABLE"
    assert found.dual_bound <= known * (1.0 + 1e-7) and found.objective > known


@pytest.mark.long
@each_loss_with_long
def test_a_relaxation_in_high_rank(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 12))
    y = np.sign(X[:, 0]) if loss == "hinge" else X[:, 0] + 0.1 * rng.standard_normal(30)
    method = cvxnn.Global(certify=False, proof_time=1.0)
    solution = quietly(lambda: cvxnn.solve(X, y, 6.0, loss=loss, tol=1e-2, method=method))
    # Above what the residual of no neurons proves, and below the optimum.
    assert 0.0 < solution.dual_bound <= solution.objective
    assert solution.gap < 0.5


@pytest.mark.long
@pytest.mark.parametrize("intercept", [True, False])
def test_a_line_with_outliers(intercept):
    """Rank two beyond a few cells, by the conic program on all arcs."""
    rng = np.random.default_rng(0)
    n = 20
    x = np.sort(rng.uniform(-2.0, 2.0, n))
    X, y = np.column_stack([x, np.ones(n)]), np.sin(2.0 * x) + 0.3 * rng.standard_t(2, n)
    for loss in ("absolute", cvxnn.QuantileLoss(0.9)):
        known = optimum(X, y, 0.3, loss, has_constant=intercept)
        solution = cvxnn.solve(X, y, 0.3, loss=loss, intercept=intercept)
        assert solution.objective == pytest.approx(known, rel=1e-6)
        assert solution.dual_bound == pytest.approx(known, rel=1e-6)


@pytest.mark.long
def test_targets_of_any_size_and_offset():
    X, y = rows("absolute", 2)
    first = cvxnn.solve(X, y, 0.3, loss="absolute", intercept=True)
    for unit, offset in ((1e6, 0.0), (1e-6, 0.0), (1.0, 1e4)):
        solution = cvxnn.solve(X, unit * y + offset, 0.3, loss="absolute", intercept=True)
        assert solution.status is Status.OPTIMAL
        # A loss of the first degree: beta keeps its value.
        assert solution.objective == pytest.approx(unit * first.objective, rel=3e-6)


def test_an_exact_fit_and_equal_targets():
    X = np.column_stack([np.arange(5.0), np.ones(5)])
    solution = cvxnn.solve(X, np.full(5, 2.0), 0.3, loss="absolute", intercept=True)
    assert solution.objective == pytest.approx(0.0, abs=1e-9) and solution.n_neurons == 0
    zero = cvxnn.solve(X, np.zeros(5), 0.3, loss="absolute")
    assert zero.objective == zero.dual_bound == 0.0


def test_fixed_gates_take_smooth_losses():
    X, y = rows("absolute", 2)
    with pytest.raises(cvxnn.InputError, match=r"smooth losses: take HuberLoss\(0.01\)"):
        cvxnn.solve(X, y, 0.3, loss="absolute", model="gated")
    with pytest.raises(cvxnn.InputError, match="take SquaredHingeLoss"):
        cvxnn.solve(X, np.sign(y), 0.3, loss="hinge", model="gated")


def test_a_change_is_refused():
    X, y = rows("absolute", 2)
    solution = cvxnn.solve(X, y, 0.3, loss=cvxnn.QuantileLoss(0.8), intercept=True)
    assert not solution.certificate.verify(X, y + 0.1).accepted
    other = replace(solution.certificate, loss={"name": "quantile", "level": 0.6})
    assert not other.verify(X, y).accepted


def test_weighted_losses_smooth_their_rows():
    loss = WeightedLoss(as_loss("absolute"), np.array([2.0, 1.0]))
    assert loss.is_kinked and not loss.smoothed(0.5).is_kinked
