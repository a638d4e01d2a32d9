"""A slice of the adversarial checker with two and three outputs, and proof that it sees faults."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from adversary.outputs.checks import check
from adversary.outputs.instances import OutputsInstance, call, draw, problem_of, weights_of
from adversary.outputs.problem import (
    OutputsWeights,
    objective,
    predictions,
    rounding_of_loss,
)
from adversary.outputs.search import OutputsSearch
from variants import with_long

LOSSES = ["squared", "huber", "softmax"]
each_loss = with_long("loss", LOSSES)
each_form = pytest.mark.parametrize("intercept", [False, True])


@pytest.mark.parametrize(
    "index", [*range(6), *(pytest.param(k, marks=pytest.mark.long) for k in range(6, 14))]
)
def test_instance(index):
    outcome = check(draw(2, index), 1.0)
    # How long it took depends on the machine.
    assert [failure for failure in outcome.failures if failure[0] != "slow"] == []
    assert outcome.status != "REFUSED" or not outcome.in_range, outcome.message


def plain(loss="squared", *, tol=1e-8, intercept=False):
    """Six rows that nothing is wrong with."""
    X = np.array([[1.0, 1.0], [2.0, 1.0], [-1.0, 1.0], [0.5, 1.0], [-3.0, 1.0], [4.0, 1.0]])
    Y = np.array([[1.0, -1.0, 0.5, 2.0, -1.0, 1.5], [0.0, 1.0, 0.0, -1.0, 1.0, 2.0]]).T
    if loss == "softmax":
        Y = np.eye(3)[[0, 0, 1, 2, 1, 2]]
    return OutputsInstance(
        0,
        0,
        "plain",
        "outputs",
        X,
        Y,
        None,
        0.2,
        "global",
        loss,
        0.6,
        max(tol, 1e-5) if loss == "softmax" else tol,
        intercept=intercept,
    )


@each_loss
@each_form
def test_a_plain_instance_passes(loss, intercept):
    outcome = check(plain(loss, intercept=intercept), None)
    assert (outcome.status, outcome.failures) == ("OPTIMAL", [])


@each_loss
@each_form
def test_a_bound_that_is_too_high_is_seen(loss, intercept):
    def forged(instance, limit):
        result = call(instance, limit)
        return replace(result, dual_bound=result.objective * (1.0 + 1e-6))

    outcome = check(plain(loss, intercept=intercept), None, forged)
    assert "bound" in {kind for kind, _ in outcome.failures}


@each_loss
def test_a_network_that_is_not_the_best_is_seen(loss):
    def forged(instance, limit):
        result = call(instance, limit)
        network = result.network
        network = type(network)(network.hidden_weights * 1.05, network.output_weights)
        low = float(objective(problem_of(instance), weights_of(network))[0])
        certificate = replace(result.certificate, dual_bound=low).sealed()
        return replace(
            result, network=network, objective=low, dual_bound=low * (1.0 - 1e-9),
            certificate=certificate,
        )  # fmt: skip

    kinds = {kind for kind, _ in check(plain(loss), None, forged).failures}
    assert {"bound", "better", "certificate"} <= kinds


@each_loss
def test_the_exact_objective_is_that_of_the_network(loss):
    instance = plain(loss, tol=1e-5, intercept=True)
    instance.weights = np.array([0.5, 2.0, 1.0, 0.0, 1.5, 0.7])
    result = call(instance, None)
    problem, network = problem_of(instance), weights_of(result.network)
    low, high = objective(problem, network)
    assert low <= high and float(high - low) <= 1e-45
    assert float(low) == pytest.approx(result.objective, rel=1e-12)
    assert 0 < rounding_of_loss(problem, network) < Fraction(1, 10**9)


def test_objectives_by_hand():
    instance = plain()
    instance.X, instance.y = np.array([[1.0], [-2.0]]), np.array([[1.0, 0.0], [1.0, -1.0]])
    network = OutputsWeights(
        np.array([[0.5]]), np.array([[0.5, -1.0]]), (Fraction(0), Fraction(1, 4))
    )
    residuals = [Fraction(1, 4) - 1, Fraction(-1, 2) + Fraction(1, 4), -1, Fraction(1, 4) + 1]
    price = Fraction(0.2) * (Fraction(1, 4) + Fraction(1, 4) + 1) / 2
    expected = sum(Fraction(r) ** 2 for r in residuals) / 2 + price
    assert objective(problem_of(instance), network) == (expected, expected)
    instance.loss, instance.y = "softmax", np.array([[1.0, 0.0], [0.25, 0.75]])
    low, high = objective(problem_of(instance), network)
    f = np.array([[0.25, -0.25], [0.0, 0.25]])
    lse = np.log(np.exp(f).sum(axis=1))
    value = float((lse - (instance.y * f).sum(axis=1)).sum() + price)
    assert float(low) == pytest.approx(value, rel=1e-14) and high - low < Fraction(1, 10**40)


@each_loss
def test_the_search_finds_what_is_optimal_from_nothing(loss):
    instance = plain(loss, intercept=True)
    problem, result = problem_of(instance), call(instance, None)
    c = instance.y.shape[1]
    nothing = OutputsWeights(np.zeros((0, 2)), np.zeros((0, c)), (Fraction(0),) * c)
    best = OutputsSearch(problem, nothing, np.random.default_rng(0)).run()
    assert float(best.objective[1]) == pytest.approx(result.objective, rel=5e-3)


def test_an_instance_is_drawn_from_two_integers():
    assert draw(5, 17).short() == draw(5, 17).short() != draw(5, 18).short()
    assert {draw(0, k).y.shape[1] for k in range(20)} == {2, 3}


@pytest.mark.long
def test_filters_are_summed_over_their_patches():
    kinds = [draw(3, k).kind for k in range(30)]
    assert set(kinds) == {"outputs", "cnn"}
    instance = plain()
    instance.kind, instance.filter_size, instance.X = "cnn", 1, np.array([[1.0, -2.0]] * 6)
    network = OutputsWeights(np.array([[0.5], [-1.0]]), np.eye(2), (Fraction(0), Fraction(1)))
    assert predictions(problem_of(instance), network) == [[Fraction(1, 2), Fraction(3)]] * 6
    instance.X = np.column_stack([plain().X, plain().X[::-1, 0]])
    instance.filter_size = 2
    outcome = check(instance, None)
    assert (outcome.status, outcome.failures) == ("OPTIMAL", [])
    result, problem = call(instance, None), problem_of(instance)
    nothing = OutputsWeights(np.zeros((0, 2)), np.zeros((0, 2)), (Fraction(0),) * 2)
    best = OutputsSearch(problem, nothing, np.random.default_rng(0)).run()
    assert float(best.objective[1]) == pytest.approx(result.objective, rel=5e-3)
