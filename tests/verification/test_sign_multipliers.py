"""The checker of quantised networks, against all pairs in exact arithmetic, and tampering."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from oracle.quantized.test_oracle import each, exact_maximum
from solvers.quantized.test_search import drawn, hurried

import cvxnn
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.quantized import CheckedQuantized
from cvxnn.verification.sign_multipliers import (
    SignMultipliers,
    by_multipliers,
    by_tree,
    own_multipliers,
)


@each
def test_every_bound_is_above_all_pairs(X, v):
    exact = exact_maximum(X, v)
    bound, how = CheckedQuantized().largest(X, v, (0.0, None), FOREVER)
    assert Fraction(bound) >= exact and how == "a tree over signs"
    moduli = float(np.abs(v) @ np.abs(X).sum(axis=1) ** 2)
    assert bound <= float(exact) * (1.0 + 1e-12) + 1e-13 * moduli
    rng = np.random.default_rng(0)
    for values in (rng.standard_normal(X.shape[1]), np.zeros(X.shape[1])):
        evidence = SignMultipliers(values * float(exact))
        assert Fraction(evidence.bound(Pieces(X, v, 0.0 * v), 0.0)) >= exact


def test_own_multipliers_are_good_ones():
    rng = np.random.default_rng(0)
    for d in (2, 6, 12):
        N = rng.standard_normal((d, d))
        N = N + N.T
        found, exact = by_multipliers(N, own_multipliers(N)), by_tree(N, 0.0, FOREVER)
        assert exact <= found <= 1.3 * exact


def test_a_tree_goes_on_above_a_level_that_is_too_low():
    rng = np.random.default_rng(1)
    N = rng.standard_normal((10, 10))
    N = N + N.T
    exact = by_tree(N, 0.0, FOREVER)
    for share in (0.3, 0.9, 1.0):
        assert by_tree(N, share * exact, FOREVER) == pytest.approx(exact, rel=1e-12)
    assert by_tree(N, 2.0 * exact, FOREVER) == pytest.approx(2.0 * exact, rel=1e-12)
    assert by_tree(N, 0.0, Deadline(0.0)) == np.inf


@pytest.fixture(scope="module")
def relaxed():
    X, y = drawn(0, 100, 40)
    beta = 0.3 * cvxnn.largest_beta(X, y, model="quantized", time_limit=0.5)
    return X, y, hurried(X, y, beta, method=cvxnn.Global(proof_time=0.0))


@pytest.mark.long
def test_multipliers_are_in_the_file(relaxed, tmp_path):
    X, y, solution = relaxed
    assert solution.certificate.kind == "semidefinite" and solution.gap < 0.2
    path = tmp_path / "network.npz"
    solution.network.save(path, certificate=solution.certificate)
    again = cvxnn.load_certificate(path)
    report = again.verify(X, y, network=cvxnn.load_network(path)[0])
    assert report.accepted and report.bound == pytest.approx(solution.dual_bound, rel=1e-9)


def test_what_was_changed_proves_less(relaxed):
    X, y, solution = relaxed
    honest = solution.certificate
    changed = {
        "multipliers": {"evidence": SignMultipliers(0.9 * honest.evidence.values)},
        "bound": {"dual_bound": 1.01 * honest.dual_bound},
        "dual point": {"v": honest.v * np.where(np.arange(100) == 3, 3.0, 1.0)},
    }
    for name, parts in changed.items():
        report = replace(honest, **parts).sealed().verify(X, y)
        assert not report.accepted and "proves" in report.reason, name
        # What is proven is true all the same.
        assert report.bound <= solution.objective
    with pytest.raises(cvxnn.InputError, match="X has other columns"):
        replace(honest, evidence=SignMultipliers(np.ones(3))).sealed().verify(X, y)


def test_signs_that_are_none_are_refused(relaxed):
    X, y, solution = relaxed
    network = solution.network

    class QuantizedNetwork:
        """What calls itself one."""

        def __getstate__(self):
            arrays = {**network._arrays, "left_signs": 2.0 * network.left_signs}
            return {"arrays": arrays, "settings": network._settings}

    with pytest.raises(cvxnn.InputError, match="its signs are none"):
        solution.certificate.verify(X, y, network=QuantizedNetwork())
