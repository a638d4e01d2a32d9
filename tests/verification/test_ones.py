"""Certificates of networks with biases: the column of ones that `certify` appends."""

from dataclasses import replace

import numpy as np
import pytest
from perceptrons import perceptron

import cvxnn
from cvxnn import BoundCertificate

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 2)), RNG.standard_normal(12)
ONES = np.column_stack([X, np.ones(12)])


@pytest.fixture(scope="module")
def certified():
    network = perceptron(RNG.standard_normal((4, 3)), RNG.standard_normal(4), 0.5)
    return cvxnn.certify(network, X, Y, beta=0.3)


def test_the_data_of_certify_are_those_of_the_check(certified):
    certificate = BoundCertificate.from_bytes(certified.certificate.to_bytes())
    assert certificate.has_ones
    report = certificate.verify(X, Y, network=certified.network)
    assert report.accepted and report.bound == pytest.approx(certified.dual_bound, rel=1e-6)
    assert report.settings == ("a column of ones appended to X",)
    assert "a column of ones appended to X" in report.problem
    with_ones = certificate.verify(ONES, Y, network=certified.network)
    assert with_ones.accepted and with_ones.bound == report.bound and with_ones.settings == ()
    assert certificate.recorded(X, Y).verify(X, Y).accepted


def test_what_certify_found_is_one_file(certified, tmp_path):
    certified.save(tmp_path / "theirs.npz")
    report = cvxnn.load_certificate(tmp_path / "theirs.npz").verify(X, Y)
    assert report.accepted and report.bound == pytest.approx(certified.dual_bound, rel=1e-6)
    network, _ = cvxnn.load_network(tmp_path / "theirs.npz")
    assert network.objective(ONES, Y, 0.3) == pytest.approx(certified.objective, rel=1e-12)
    with pytest.raises(cvxnn.InputError, match="must end in"):
        certified.save(tmp_path / "theirs.txt")


def test_changed_data_are_found_with_or_without_the_column(certified):
    certificate = certified.certificate
    for data in (X, ONES):
        report = certificate.verify(data, -Y)
        assert not report.accepted and "data are not those" in report.reason
        # The theorem is about the same columns.
        report = certificate.verify(data, -Y, fingerprint=False)
        assert report.bound <= cvxnn.solve(ONES, -Y, 0.3).objective


def test_a_column_of_ones_that_is_of_the_data_stays_one_of_them():
    network = perceptron(RNG.standard_normal((4, 4)), RNG.standard_normal(4), 0.5)
    certificate = cvxnn.certify(network, ONES, Y, beta=0.3).certificate
    assert certificate.verify(ONES, Y).accepted
    assert certificate.verify(np.column_stack([ONES, np.ones(12)]), Y).accepted


def test_a_certificate_that_says_so_wrongly_is_of_another_problem():
    certificate = cvxnn.solve(X, Y, 0.3).certificate
    forged = replace(certificate, has_ones=True)
    assert not forged.verify(X, Y).accepted
    # Its digest was made anew: the data as they are have the fingerprint.
    assert forged.sealed().verify(X, Y).settings == ()
