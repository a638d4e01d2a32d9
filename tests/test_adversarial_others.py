"""A slice of the adversarial checker on other networks, and proof that it sees faults."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from adversary.checks import check as check_dense
from adversary.others.checks import check
from adversary.others.instances import OthersInstance, call, draw, problem_of, terms_of
from adversary.others.problem import Terms, objective, predictions
from adversary.others.search import OthersSearch
from adversary.stepwise import draw_stepwise
from variants import with_long

LIMIT = 1.0
KINDS = ("polynomial", "quantized", "parallel", "ramps", "gates")
SOME, MORE = range(2), [pytest.param(k, marks=pytest.mark.long) for k in range(2, 12)]
SOME_KINDS = [
    "polynomial",
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ("gates", "quantized", "parallel", "ramps")
    ),
]
X = np.array([[1.0, 1.0], [2.0, 1.0], [-1.0, 1.0], [0.5, 1.0], [-3.0, 1.0]])
Y = np.array([1.0, -1.0, 0.5, 2.0, -1.0])


@pytest.mark.parametrize("index", [*SOME, *MORE])
def test_instance(index):
    outcome = check(draw(3, index), LIMIT)
    # How long it took depends on the machine.
    assert [failure for failure in outcome.failures if failure[0] != "slow"] == []
    assert outcome.status != "REFUSED" or not outcome.in_range, outcome.message


@pytest.mark.parametrize("index", [*SOME, *MORE])
def test_one_neuron_a_round(index):
    outcome = check_dense(draw_stepwise(3, index), LIMIT)
    assert [failure for failure in outcome.failures if failure[0] != "slow"] == []


def plain(kind, **changes):
    """Five rows that nothing is wrong with."""
    gates = np.random.default_rng(0).standard_normal((2, 3, 2))
    rows = X[:, :1] if kind == "ramps" else X
    options = {"intercept": kind == "ramps", "coefficients": (0.5, -1.0, 0.25)} | changes
    if kind == "gates":
        options |= {"gates": gates[0], "second_gates": gates[1]}
    return OthersInstance(
        0, 0, "plain", kind, rows, Y, None, 0.3, "global", "squared", 1.0, 1e-6, **options
    )


@pytest.mark.parametrize("kind", SOME_KINDS)
def test_a_plain_instance_passes_and_faults_are_seen(kind):
    instance = plain(kind)
    assert (check(instance, None).status, check(instance, None).failures) == ("OPTIMAL", [])

    def faulty(**fields):
        def changed(instance, limit):
            result = call(instance, limit)
            return replace(result, **{name: change(result) for name, change in fields.items()})

        return {name for name, _ in check(instance, None, changed).failures}

    assert "bound" in faulty(dual_bound=lambda result: result.objective * (1.0 + 1e-6))
    assert "gap" in faulty(dual_bound=lambda result: result.objective * (1.0 - 1e-5))
    assert "objective" in faulty(objective=lambda result: result.objective * (1.0 - 1e-9))


@with_long("kind", KINDS, always=3)
def test_arithmetic_and_search_are_those_of_the_network(kind):
    instance = plain(kind)
    result = call(instance, None)
    problem, network = problem_of(instance), terms_of(instance, result.network)
    values = [float(value) for value in predictions(problem, network)[0]]
    assert values == pytest.approx(result.network(problem.X).tolist(), rel=1e-12, abs=1e-12)
    low, high = objective(problem, network)
    assert low <= high <= low * (1 + Fraction(1, 10**12))
    assert float(low) == pytest.approx(result.objective, rel=1e-9)
    # From nothing the search finds most of what there is to gain.
    none = Terms(network.alpha[:0], tuple(array[:0] for array in network.arrays))
    masks = None
    if kind == "gates":
        first, second = (problem.X @ g.T >= 0.0 for g in (instance.gates, instance.second_gates))
        masks = (first[:, :, None] & second[:, None, :]).reshape(len(X), -1).T
    search = OthersSearch(problem, none, np.random.default_rng(0), masks)
    start = float(search.best[1])
    reached = float(search.run()[1])
    assert result.dual_bound <= reached < start
    share = {"parallel": 0.7, "ramps": 0.7}.get(kind, 0.999)
    assert start - reached >= share * (start - result.objective)


@pytest.mark.parametrize("intercept", [False, True])
def test_a_worse_network_is_seen(intercept):
    """A search that takes the zero network for the optimum."""
    instance = plain("quantized", intercept=intercept)

    def lazy(instance, limit):
        most = call(replace(instance, beta=1e9), limit)
        return replace(call(instance, limit), network=most.network, objective=most.objective)

    assert {"gap", "better"} <= {name for name, _ in check(instance, None, lazy).failures}
