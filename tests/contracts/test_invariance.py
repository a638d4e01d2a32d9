"""Contracts of the data: their order, weights and units, and what may not matter at all."""

import numpy as np
import pytest
from contracts import cases
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.losses import HuberLoss, WeightedLoss, as_loss
from cvxnn.methods import METHODS
from cvxnn.models.registry import MODELS

each_of_two_losses = cases.pairs(
    lambda case: dict.fromkeys([case.losses[0], case.losses[-1]]), few_only=True
)


@cases.each_case_with_long
def test_the_order_of_rows_does_not_matter(case):
    X, y = case.data()
    order = np.random.default_rng(0).permutation(len(y))
    options = {"X": X[order], "y": y[order]}
    if isinstance(case.model, cvxnn.Gated) and case.model.gates is None:
        pytest.skip("Gates are drawn through rows by their number.")
    solution, plain = case.solve(**options), cases.solved(case.name, "squared", case.methods[0])
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(plain.objective, rel=1e-6)


@cases.each_case_with_long
def test_a_weight_counts_rows(case):
    loss = case.losses[-1]
    X, y = case.data(loss)
    weights = np.array([1, 2, 0, 3, 1, 1, 2, 0, 1])[: len(y)]
    repeated = np.repeat(np.arange(len(y)), weights)
    if isinstance(case.model, cvxnn.Gated) and case.model.gates is None:
        pytest.skip("Gates are drawn through rows by their number.")
    weighted = case.solve(loss, sample_weight=weights)
    plain = case.solve(loss, X[repeated], y[repeated])
    assert weighted.status is plain.status is Status.OPTIMAL
    assert weighted.objective == pytest.approx(plain.objective, rel=1e-6)
    counted = weights > 0
    of_weights = WeightedLoss(as_loss(loss), weights[counted].astype(float))
    value = weighted.network.objective(X[counted], y[counted], case.beta, of_weights)
    assert weighted.objective == pytest.approx(value, rel=1e-12)


@cases.each_case_with_long
def test_a_weight_of_zero_removes_a_row(case):
    X, y = case.data()
    counted = np.arange(len(y)) % 3 > 0
    removed = case.solve(sample_weight=2.0 * counted, beta=2.0 * case.beta)
    alone = case.solve(X=X[counted], y=y[counted])
    assert removed.objective == pytest.approx(2.0 * alone.objective, rel=1e-6)
    assert removed.status is alone.status is Status.OPTIMAL


@each_of_two_losses
def test_powers_of_two_scale_the_objective_without_rounding(case, loss):
    X, y = case.data(loss)
    a, b = (2.0**-200, 2.0**150) if loss == "squared" else (2.0**40, 2.0**-30)
    plain, has_bias = (
        cases.solved(case.name, loss, case.methods[0]),
        getattr(case.model, "bias", False),
    )
    if as_loss(loss).has_labels or as_loss(loss).has_log_link:
        # Labels, and what a logarithm is predicted of, have no unit that predictions have.
        b = 1.0
    if has_bias:
        # The constant of a bias has no unit.
        a = 1.0
    scaled_loss = HuberLoss(b) if loss == "huber" else loss
    solution = cvxnn.solve(
        a * X, b * y, case.beta * a**case.degree * b, model=case.scaled(a).model, loss=scaled_loss,
        method=plain.method, tol=plain.tol,
    )  # fmt: skip
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(plain.objective * b**2, rel=1e-9)
    assert solution.dual_bound == pytest.approx(plain.dual_bound * b**2, rel=1e-6)
    assert solution.gap <= solution.tol


@cases.each_case_with_long
@with_long("size", [1e-90, 1e90])
def test_units_of_the_data_do_not_matter(case, size):
    X, y = case.data()
    if getattr(case.model, "bias", False):
        pytest.skip("The constant of a bias has no unit.")
    beta = case.beta * size**case.degree
    solution = case.scaled(size).solve(X=size * X, y=y, beta=beta)
    assert solution.status is Status.OPTIMAL
    plain = cases.solved(case.name, "squared", case.methods[0])
    assert solution.objective == pytest.approx(plain.objective, rel=1e-6)


@cases.each_case_with_long
def test_the_same_random_state_gives_the_same_network(case):
    first, again = (
        case.solve(method=cases.method_of(case), random_state=state)
        for state in (7, np.random.default_rng(7))
    )
    assert first.network == again.network
    assert (first.objective, first.dual_bound) == (again.objective, again.dual_bound)


@cases.each_case_with_long
def test_the_optimum_does_not_depend_on_the_random_state(case):
    other = case.solve(random_state=8)
    plain = cases.solved(case.name, "squared", case.methods[0])
    if isinstance(case.model, cvxnn.Gated) and case.model.gates is None:
        assert other.network != plain.network
    else:
        assert other.objective == pytest.approx(plain.objective, rel=1e-6)
        X, _ = case.data()
        np.testing.assert_allclose(other.network(X), plain.network(X), atol=1e-3)


STRINGS = {
    "relu": cases.CASES["ReLU"], "gated": cases.CASES["drawn gates"],
    "linear_conv": cases.CASES["linear"], "circular_conv": cases.CASES["circular"],
    "quantized": cases.CASES["signs"],
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_strings_are_models_with_their_defaults(name):
    case = STRINGS.get(name, cases.CASES["filters"])
    X, y = case.data() if name != "conv" else case.data(shape=(4, 4))
    by_name = cvxnn.solve(X, y, 0.3, model=name)
    assert by_name.network == cvxnn.solve(X, y, 0.3, model=getattr(cvxnn, MODELS[name])()).network
    if name == "relu":
        assert cvxnn.solve(X, y, 0.3).network == by_name.network


OF_RELU = cases.CASES["ReLU"].losses
KINDS = cases.first_of_their_kind(OF_RELU)
NAMES = [name for name in METHODS if name not in cases.STEPWISE]
# Each loss with one of the methods, one of each kind first.
TOGETHER = dict.fromkeys(
    [*zip(NAMES * 2, KINDS, strict=False), *zip(NAMES * 4, OF_RELU, strict=False)]
)


@with_long("name, loss", TOGETHER, always=len(KINDS))
def test_strings_are_methods_and_losses_with_their_defaults(name, loss):
    by_name = cases.solved("ReLU", loss, name)
    assert by_name.method == name
    X, y = cases.CASES["ReLU"].data(loss)
    options = {"method": METHODS[name](), "loss": as_loss(loss), "tol": by_name.tol}
    assert cvxnn.solve(X, y, cases.CASES["ReLU"].beta, **options).network == by_name.network


@cases.each_warm
def test_a_warm_start_leads_to_the_same_optimum(case):
    plain = cases.solved(case.name, "squared", "global")
    for start in (plain.network, case.solve(beta=3.0 * case.beta).network):
        solution = case.solve(warm_start=start)
        assert solution.status is Status.OPTIMAL
        assert solution.objective == pytest.approx(plain.objective, rel=1e-6)
        cases.assert_consistent(solution, *case.data())


@cases.each_of_few
def test_lists_of_numbers_are_data(case):
    X, y = case.data()
    solution = case.solve(X=X.tolist(), y=y.tolist())
    assert solution.network == cases.solved(case.name, "squared", case.methods[0]).network
