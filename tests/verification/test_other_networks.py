"""Networks that are none of those that a certificate is about: refused, whatever they have."""

import re
from functools import cache

import numpy as np
import pytest
import tampering
from networks.cases import penalty, values
from variants import with_long

import cvxnn
from cvxnn import Conv, Gated, InputError, ReLU
from cvxnn.verification.objective import GivenNetwork

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.standard_normal((12, 2)), np.ones(12)])
Y = 1.0 + 3.0 * X[:, 0] + 0.3 * RNG.standard_normal(12)
IMAGES = RNG.standard_normal((8, 3, 3))
GATES = RNG.standard_normal((6, 3))


@cache
def solved(name):
    """Solutions by name: of tables, and of images."""
    images, options = {
        "plain": (False, {}),
        "intercept": (False, {"intercept": True}),
        "leaky": (False, {"model": ReLU(0.2)}),
        "penalised": (False, {"model": ReLU(0.0, "penalised")}),
        "free": (False, {"model": ReLU(0.0, "free")}),
        "gates": (False, {"model": Gated(GATES)}),
        "other gates": (False, {"model": Gated(GATES + 0.1)}),
        "circular": (False, {"model": cvxnn.CircularConv()}),
        "signs": (False, {"model": cvxnn.Quantized()}),
        "filters": (True, {"model": Conv(2)}),
        "biases": (True, {"model": Conv(2, bias=True)}),
        "averages": (True, {"model": Conv(2, pooling="average")}),
        "maxima": (True, {"model": Conv(2, pooling="max"), "method": "exact"}),
        "steps": (True, {"model": Conv(2, stride=2, padding=1)}),
        "sides": (True, {"model": Conv((2, 1))}),
        "leaky filters": (True, {"model": Conv(2, slope=0.2)}),
    }[name]
    data, y = (IMAGES, Y[:8]) if images else (X, Y)
    return data, y, cvxnn.solve(data, y, 1.5, **options)


@with_long(
    ("stated", "given", "words"),
    [
        ("plain", "intercept", "has the intercept"),
        ("plain", "leaky", "the slope 0.2, and the certificate is about networks with the slope 0"),
        ("leaky", "plain", "the slope 0.0, and"),
        ("plain", "penalised", "a penalised skip connection, and the certificate .* with none"),
        ("plain", "free", "a free skip connection, and the certificate .* with none"),
        ("penalised", "free", "a free skip connection, and .* with a penalised one"),
        ("free", "penalised", "a penalised skip connection, and .* with a free one"),
        ("gates", "other gates", r"gates that are none of the \d of the certificate"),
        ("plain", "gates", "is a GatedNetwork, .* kind TwoLayerNetwork"),
        ("gates", "plain", "is a TwoLayerNetwork, .* kind GatedNetwork"),
        ("plain", "circular", "is a CircularCNN, "),
        ("signs", "plain", "is a TwoLayerNetwork, .* kind QuantizedNetwork"),
        ("filters", "biases", "has biases: True, .* biases: False"),
        ("biases", "filters", "has biases: False, .* biases: True"),
        ("filters", "averages", "the pooling average, .* the pooling sum"),
        ("averages", "filters", "the pooling sum, .* the pooling average"),
        ("filters", "maxima", "the pooling max, .* the pooling sum"),
        ("filters", "steps", "the stride 2, .* the stride 1"),
        ("filters", "sides", r"sides \(2, 1\), .* sides \(2, 2\)"),
        ("filters", "leaky filters", "the slope 0.2, .* the slope 0"),
    ],
    always=10,
)
def test_another_kind_of_network(stated, given, words):
    data, y, solution = solved(stated)
    *_, other = solved(given)
    assert solution.certificate.verify(data, y, network=solution.network).accepted
    for fingerprint in (True, False):
        report = solution.certificate.verify(
            data, y, network=other.network, fingerprint=fingerprint
        )
        assert not report.accepted and not report.is_recomputed
        assert np.isnan(report.objective) and np.isnan(report.gap)
        assert re.search(words, report.reason)
        assert report.reason.rstrip(".") in str(report) and "objective    none" in str(report)


@pytest.mark.parametrize("stated", ["intercept", "penalised", "free"])
def test_networks_without_what_they_may_have(stated):
    """Of intercept 0, or without a skip connection: the bound is one for these, too."""
    _, _, solution = solved(stated)
    *_, plain = solved("plain")
    report = solution.certificate.verify(X, Y, network=plain.network, fingerprint=False)
    assert report.is_recomputed and report.objective == pytest.approx(plain.objective, rel=1e-9)
    assert report.bound <= plain.objective


@pytest.mark.parametrize(
    "name", ["plain", "free", "penalised", "gates", "circular", "signs", "biases"]
)
def test_objectives_are_those_of_the_formula(name):
    data, y, solution = solved(name)
    given = GivenNetwork.of(solution.network)
    low, high = given.objective_between(data, y, np.ones(len(y)), {"name": "squared"}, 1.5)
    f = values(solution.network, data)
    formula = 0.5 * np.sum((f - y) ** 2) + 1.5 * penalty(solution.network)
    assert low <= high and low == pytest.approx(formula, rel=1e-9)
    assert high == pytest.approx(formula, rel=1e-9)


def test_linear_convolutions_of_patches():
    patches, y = RNG.standard_normal((8, 3, 2)), Y[:8]
    solution = cvxnn.solve(patches, y, 0.5, model=cvxnn.LinearConv())
    report = solution.certificate.verify(patches, y, network=solution.network)
    assert report.accepted and report.is_recomputed
    assert report.objective == pytest.approx(solution.objective, rel=1e-9)
    # One that it was not made for: its objective is its own.
    zero = cvxnn.solve(patches, y, 1e3, model=cvxnn.LinearConv()).network
    report = solution.certificate.verify(patches, y, network=zero)
    assert not report.accepted and "claims an objective of" in report.reason
    assert report.objective == pytest.approx(0.5 * np.sum(y**2), rel=1e-9)


def test_networks_that_do_not_suit_the_data():
    _, _, solution = solved("plain")
    narrow = cvxnn.solve(X[:, :2], Y, 1.5).network
    with pytest.raises(InputError, match="reads 2 features, and X has 3"):
        solution.certificate.verify(X, Y, network=narrow)
    for network in ("network", np.zeros(3)):
        with pytest.raises(InputError, match="must be a Network of cvxnn"):
            solution.certificate.verify(X, Y, network=network)


def test_a_report_names_the_settings():
    for name, words in [
        ("plain", "relu, squared loss, beta 1.5"),
        ("intercept", "relu, squared loss, beta 1.5, an intercept"),
        ("leaky", "relu (slope 0.2), squared loss, beta 1.5"),
        ("free", "relu (a free skip connection), squared loss, beta 1.5"),
        ("gates", "gated ("),
        ("steps", "conv (filters of 2 x 2, sum pooling, stride 2, padding 1), squared loss, "),
    ]:
        data, y, solution = solved(name)
        assert solution.certificate.verify(data, y).problem.startswith(words), name


@pytest.mark.parametrize(
    "name",
    [
        "rank two, intercept",
        "quantized",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in (
                "constraints",
                "gates",
                "rank two",
                "leaky",
                "polynomial",
                "ramps",
                "three gated layers",
                "sub-networks",
                "polynomial, filters",
                "images",
            )
        ),
    ],
)
def test_changes_of_networks_are_found_and_no_wrong_gap_is_accepted(name):
    """Also where the objective that is claimed is changed with the network."""
    case = tampering.case_of(name)
    for network in tampering.other_networks(case):
        change = tampering.Change("network", case.certificate, case.X, case.y, network)
        assert tampering.is_refused(case, change), network
        assert tampering.verdict_when_sealed(case, change) != "wrong", network


def test_a_network_of_another_kind_would_be_seen(monkeypatch):
    """The test above would see a checker that takes networks for what the certificate says."""
    monkeypatch.setattr(GivenNetwork, "difference", lambda *_: "")
    case = tampering.case_of("rank two")
    # Its objective is that of the optimum without an intercept, above that with one.
    other = case.network.with_intercept(1e-9)
    change = tampering.Change("network", case.certificate, case.X, case.y, other)
    assert tampering.verdict_when_sealed(case, change) == "wrong"
