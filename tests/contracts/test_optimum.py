"""Contracts of the optimum: the network returned, against cvxpy and local searches."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from contracts import cases
from networks.cases import exact, penalty, values
from scipy.optimize import minimize_scalar

import cvxnn
from cvxnn import Status
from cvxnn.losses import as_loss
from cvxnn.solvers.columns.max_search import MaxSearch
from cvxnn.solvers.columns.working_set import WorkingSet


def methods_of(case):
    """Those that have a proof."""
    return [method for method in case.methods if method != "sampled"]


@cases.each_loss
def test_the_network_has_the_objective_and_is_of_its_model(case, loss):
    for method in methods_of(case):
        assert_is_solved(case, loss, method)


def assert_is_solved(case, loss, method):
    X, y = case.data(loss)
    solution = cases.solved(case.name, loss, method)
    cases.assert_consistent(solution, X, y, loss)
    assert solution.status is Status.OPTIMAL and solution.gap == solution.program_gap <= cases.TOL
    assert (solution.beta, solution.tol, solution.method) == (case.beta, cases.TOL, method)
    assert solution.elapsed > 0.0
    assert (solution.n_patterns > 0) == (method == "exact" or isinstance(case.model, cvxnn.Gated))
    network = solution.network
    assert type(network) is case.model.kind and 1 <= network.n_neurons <= len(y)
    for name in ("slope", "stride", "padding", "pooling"):
        if hasattr(case.model, name):
            assert getattr(network, name) == getattr(case.model, name)
    if isinstance(case.model, cvxnn.ReLU):
        assert (network.skip_weights is None) == (case.model.skip is None)
        assert network.skip_is_free == (case.model.skip == "free")
    if isinstance(case.model, cvxnn.Conv):
        assert (network.biases is None) == (not case.model.bias)
    if isinstance(formula := case.formula(X), cases.Bilinear):
        # The program, of coefficients alone, and how few filters a network of them needs.
        t = network.coefficients.ravel()
        prediction = X.reshape(len(y), -1) @ t
        np.testing.assert_allclose(network.forward(X), prediction, rtol=1e-11, atol=1e-13)
        program = as_loss(loss).value(prediction, y) + case.beta * formula.rows.gauge(t)
        assert program == pytest.approx(solution.objective, rel=1e-9)
        assert network.n_neurons <= formula.rows.most_filters


@cases.each_loss
def test_neurons_are_balanced(case, loss):
    network = cases.solved(case.name, loss, case.methods[0]).network
    arrays = dict(network._arrays)
    if isinstance(network, cvxnn.QuantizedNetwork):
        # Signs have one length. The first of each vector is 1, and no pair is there twice.
        assert (network.left_signs[:, 0] == 1.0).all() and (network.right_signs[:, 0] == 1.0).all()
        pairs = [{*map(bytes, pair)} for pair in zip(*list(arrays.values())[:2], strict=True)]
        assert all(pairs.count(pair) == 1 for pair in pairs) and network.output_weights.all()
        return
    output = arrays.pop("output_weights").reshape(network.n_neurons, -1)
    if isinstance(network, cvxnn.PolynomialNetwork):
        # These have the length 1 instead.
        output = np.ones((network.n_neurons, 1))
    hidden = [arrays[name] for name in ("hidden_weights", "filters", "biases") if name in arrays]
    weights = np.column_stack([part.reshape(network.n_neurons, -1) for part in hidden])
    lengths = [np.linalg.norm(part, axis=1) for part in (weights, output)]
    r = getattr(network, "l1_ratio", 0.0)
    lengths[0] = (1.0 - r) * lengths[0] + r * np.abs(weights).sum(axis=1)
    np.testing.assert_allclose(*lengths, rtol=1e-9)
    assert (lengths[0] > 0.0).all()


@cases.each_case
def test_the_error_covers_the_objective_in_rational_arithmetic(case):
    X, y = case.data()
    solution = cases.solved(case.name, "squared", case.methods[0])
    left = values(solution.network, X) - exact(y)
    value = np.sum(left**2) / 2 + Fraction(case.beta) * penalty(solution.network)
    assert abs(Fraction(solution.objective) - value) <= Fraction(solution.objective_error)


@cases.each_loss
def test_cvxpy_finds_the_same_value(case, loss):
    cp = pytest.importorskip("cvxpy")
    X, y = case.data(loss)
    value = case.formula(X).optimum(cp, loss, y, case.beta)
    for method in methods_of(case):
        solution = cases.solved(case.name, loss, method)
        assert solution.objective == pytest.approx(value, rel=1e-6)
        assert solution.dual_bound <= value * (1.0 + 1e-6)


@cases.each_first_loss
def test_random_starts_are_not_below(case, loss):
    solution = cases.solved(case.name, loss, case.methods[0])
    found = cases.lowest(case.name, loss)
    assert found >= solution.dual_bound * (1.0 - 1e-9)
    assert solution.objective * (1.0 - 1e-6) <= found
    # Gradients get stuck at kinks.
    assert as_loss(loss).is_kinked or found <= 1.05 * solution.objective


def other_losses(case):
    """Those that the case has no contracts with."""
    return [loss for loss in (*cases.LOSSES, *cases.COUNTS) if loss not in case.losses]


@cases.pairs(other_losses, few_only=True, firsts_only=True)
def test_random_starts_are_not_below_with_any_other_loss(case, loss):
    X, y = case.data(loss)
    solution = case.solve(loss)
    cases.assert_consistent(solution, X, y, loss)
    assert solution.status is Status.OPTIMAL
    assert cases.lowest(case.name, loss) >= solution.dual_bound * (1.0 - 1e-9)


@cases.each_sampled
def test_sampled_patterns_give_an_upper_bound_with_an_honest_gap(case):
    X, y = case.data()
    best = cases.solved(case.name, "squared", "exact")
    few, many = (case.solve(method=cvxnn.Sampled(count)) for count in (2, 2000))
    for solution in (few, many):
        cases.assert_consistent(solution, X, y)
        assert solution.program_gap <= cases.TOL
        expected = Status.OPTIMAL if solution.gap <= cases.TOL else Status.OPTIMAL_FOR_PATTERNS
        assert solution.status is expected and solution.dual_bound <= best.objective * (1.0 + 1e-12)
        assert best.dual_bound <= solution.objective * (1.0 + 1e-12)
    assert 0 < few.n_patterns <= 4 <= many.n_patterns == best.n_patterns
    assert many.objective == pytest.approx(best.objective, rel=1e-6)


@cases.each_sampled
def test_rows_of_cones_enter_as_they_are_needed(case, monkeypatch):
    X, y = case.data(shape=case.large)
    options = {"X": X, "y": y, "method": cvxnn.Sampled(10)}
    plain = case.solve(**options)
    for search in (WorkingSet, MaxSearch):
        monkeypatch.setattr(search, "settings", replace(search.settings, cone_bytes=0))
    few = case.solve(**options)
    assert few.program_gap <= cases.TOL
    assert few.objective == pytest.approx(plain.objective, rel=2e-7)


@cases.each_loss
def test_nothing_is_learned_from_a_large_beta(case, loss):
    _, y = case.data(loss)
    if getattr(case.model, "skip", None) == "free":
        pytest.skip("A free line is always learned.")
    solution = case.solve(loss, beta=1e3)
    assert solution.status is Status.OPTIMAL and solution.n_neurons == 0
    chosen = as_loss(loss)
    if case.model.has_intercept:
        best = minimize_scalar(lambda c: chosen.value(np.full(len(y), c), y), tol=1e-12).fun
        assert solution.objective == pytest.approx(best, rel=1e-9)
    else:
        assert solution.objective == chosen.value(np.zeros(len(y)), y)


@cases.each_case
@pytest.mark.parametrize("blank", ["X", "y"])
def test_blank_data(case, blank):
    X, y = case.data()
    data = {"X": X, "y": y} | {blank: 0.0 * (X if blank == "X" else y)}
    is_nothing = blank == "y" or not (
        getattr(case.model, "bias", False) or getattr(case.model, "c", 0.0)
    )
    # Of a constant the sampled patterns may miss some.
    for method in case.methods if is_nothing else case.methods[:1]:
        solution = case.solve(**data, method=method, tol=1e-12)
        assert solution.status is Status.OPTIMAL
        if is_nothing:
            assert solution.n_neurons == 0
            assert solution.objective == pytest.approx(0.5 * data["y"] @ data["y"], rel=1e-12)
            assert solution.objective * (1.0 - 1e-12) <= solution.dual_bound <= solution.objective
