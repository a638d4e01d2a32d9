"""Singular values of gates as a checker bounds them, and certificates of gated networks."""

from dataclasses import replace

import numpy as np
import pytest
from sentences import refused

import cvxnn
from cvxnn import Gated
from cvxnn.errors import InputError
from cvxnn.verification.gates import largest_of_gates
from cvxnn.verification.outputs import gates as module
from cvxnn.verification.outputs.gates import largest_norm_of_gates

RNG = np.random.default_rng(4)
X, GATES = RNG.standard_normal((14, 3)), RNG.standard_normal((6, 3))
Y = RNG.standard_normal((14, 2))
CLASSES = np.eye(3)[RNG.integers(0, 3, 14)]


def test_it_is_the_largest_singular_value(monkeypatch):
    V, gates = RNG.standard_normal((14, 4)), np.vstack([GATES, np.zeros(3)])
    expected = max(np.linalg.norm(X[X @ g >= 0.0].T @ V[X @ g >= 0.0], 2) for g in gates)
    for _ in range(2):
        bound = largest_norm_of_gates(X, gates, V)
        assert expected <= bound <= expected * (1.0 + 1e-11)
        monkeypatch.setattr(module, "_CHUNK", 20)
    one = largest_norm_of_gates(X, gates, V[:, :1])
    assert one == pytest.approx(largest_of_gates(X, gates, V[:, 0]), rel=1e-11)
    assert largest_norm_of_gates(X, gates, 0.0 * V) == 0.0
    for unit in (1e-120, 1e120):
        scaled = largest_norm_of_gates(X / unit, gates, V * unit)
        assert scaled == pytest.approx(bound, rel=1e-11)


def test_a_row_on_the_boundary_of_a_gate_may_be_on_either_side():
    rows, gates = np.array([[0.1, 0.3], [1.0, 0.0]]), np.array([[3.0, -1.0]])
    V = np.array([[2.0, 1.0], [-1.0, 3.0]])
    bound = largest_norm_of_gates(rows, gates, V)
    for mask in ([True, True], [False, True]):
        assert bound >= np.linalg.norm(rows[mask].T @ V[mask], 2)


def solved(loss="squared", intercept=False, weights=None):
    target = CLASSES if loss == "softmax" else Y
    solution = cvxnn.solve(
        X, target, 0.5, model=Gated(GATES, skip="penalised"), loss=loss, intercept=intercept,
        sample_weight=weights,
    )  # fmt: skip
    return target, solution


@pytest.mark.parametrize("loss", ["squared", "huber", "softmax"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weights", [None, np.arange(14.0)])
def test_certificates_are_accepted_and_the_gap_is_that_of_the_solution(loss, intercept, weights):
    target, solution = solved(loss, intercept, weights)
    certificate = solution.certificate
    report = certificate.verify(X, target, weights, network=solution.network)
    assert report.accepted, str(report)
    assert report.bound == pytest.approx(solution.dual_bound, rel=1e-9)
    assert report.bound >= solution.dual_bound * (1.0 - 1e-9)


def test_a_changed_certificate_is_refused():
    target, solution = solved()
    certificate = solution.certificate
    assert not certificate.verify(X, target + 1e-3).accepted
    forged = replace(certificate, dual_bound=certificate.dual_bound * 1.01).sealed()
    assert not forged.verify(X, target).accepted
    moved = certificate.v + 0.05 * RNG.standard_normal(certificate.v.shape)
    assert not replace(certificate, v=moved).sealed().verify(X, target).accepted
    # Without the gates of the optimum the bound is one of others, and not of this network.
    fewer = replace(certificate, arrays={"gates": GATES[:2]}).sealed()
    report = fewer.verify(X, target, network=solution.network)
    assert not report.accepted
    other = solved("huber")[1].network
    assert other.n_outputs == 2
    refused(lambda: certificate.verify(X, target[:, :1]), "y must have 2 columns", InputError)
