"""Gaps, statuses, and the objects that carry them."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import made_solution

from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Certificate, Progress, Status, described, relative_gap

INF = math.inf


@pytest.mark.parametrize(
    ("objective", "dual_bound", "gap"),
    [
        (2.0, 1.5, 0.25), (2.0, 2.0, 0.0), (2.0, 2.0 + 1e-12, 0.0), (0.0, 0.0, 0.0),
        (4.0, 0.0, 1.0), (4.0, -4.0, 2.0), (-4.0, -5.0, 0.25), (3.0, -INF, INF), (0.0, -INF, INF),
    ],
)  # fmt: skip
def test_relative_gap(objective, dual_bound, gap):
    assert relative_gap(objective, dual_bound) == gap


@given(st.floats(0.0, 1e100), st.floats(-1e100, 1e100))
def test_relative_gap_is_never_negative_and_zero_only_without_a_difference(objective, dual_bound):
    gap = relative_gap(objective, dual_bound)
    assert gap >= 0.0 and (gap == 0.0) == (dual_bound >= objective)


@given(st.floats(1e-3, 1e3), st.floats(0.0, 1e3), st.integers(-20, 20))
def test_relative_gap_has_no_unit(objective, dual_bound, power):
    # Powers of two are exact, so the equality is.
    unit = 2.0**power
    assert relative_gap(unit * objective, unit * dual_bound) == relative_gap(objective, dual_bound)


@pytest.mark.parametrize("status", list(Status), ids=lambda status: status.name)
def test_every_status_is_a_sentence(status):
    sentence = status.value
    assert sentence.endswith(".") and len(sentence.split()) >= 5 and "\n" not in sentence


def test_statuses_are_distinct_and_two_of_them_are_success():
    # Two members with one sentence would be one member under two names.
    assert len(Status.__members__) == len(list(Status)) == 7
    success = {status for status in Status if status.is_success}
    assert success == {Status.OPTIMAL, Status.OPTIMAL_FOR_PATTERNS}


def make_solution(history=()):
    network = TwoLayerNetwork([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0])
    return made_solution(network, 2.0, 1.0, history=history)


def test_solution_reads_gap_and_sizes_from_its_parts():
    progress = Progress(0, 0.0, objective=4.0, dual_bound=1.0, n_blocks=1, n_neurons=1)
    second = dataclasses.replace(progress, iteration=1)
    # A bound that came after the last round.
    solution = make_solution(history=(progress, second, second))
    assert solution.gap == 0.5 and solution.n_neurons == 2 and solution.n_iter == 2
    assert progress.gap == 0.75 and make_solution().n_iter == 0


def test_certificate_gap():
    certificate = Certificate(2.0, dual_bound=1.0, oracle_bound=0.2, objective_error=0.0)
    assert certificate.gap == 0.5
    assert dataclasses.replace(certificate, objective_error=0.5).gap == 0.75
    assert dataclasses.replace(certificate, dual_bound=-INF).gap == INF


def test_an_empty_network_says_so():
    assert "no neurons yet" not in described(Status.OPTIMAL, 0)
    for status in (Status.TIME_LIMIT, Status.INTERRUPTED, Status.ITERATION_LIMIT):
        assert "no neurons yet" in described(status, 0) and described(status, 3) == status.value


def test_history_does_not_flood_the_repr():
    assert "history" not in repr(make_solution())
