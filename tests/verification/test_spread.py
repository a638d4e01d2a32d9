"""Certificates that are sums over parts, without a cluster."""

import numpy as np
import pytest

import cvxnn
from cvxnn.verification.spread import SpreadCertificate

X = np.array([[1.0, 0.5], [-1.0, 2.0], [0.3, -1.0], [2.0, 1.0]])
Y = np.array([1.0, -1.0, 1.0, 1.0])
PARTS = slice(0, 2), slice(2, 4)


class Kept:
    """Certificates of two parts in this memory."""

    def __init__(self, certificates):
        self.certificates = certificates

    def verified(self, X, y, sample_weight):
        return [one.verify(X[p], y[p]) for one, p in zip(self.certificates, PARTS, strict=True)]


def spread(*options):
    parts = [
        cvxnn.solve(X[p], Y[p], 0.5, **given).certificate
        for p, given in zip(PARTS, options, strict=True)
    ]
    bounds = np.array([part.dual_bound for part in parts])
    return SpreadCertificate(bounds, float(bounds.sum()), np.inf, 1.0, Kept(parts))


def test_a_sum_of_parts_is_a_bound_on_all_rows():
    report = spread({}, {}).verify(X, Y)
    assert report.accepted
    assert report.bound <= cvxnn.solve(X, Y, 1.0).objective


@pytest.mark.parametrize("other", [{"loss": "huber"}, {"intercept": True}, {"model": "gated"}])
def test_parts_of_other_problems_are_no_sum(other):
    report = spread({}, other).verify(X, Y)
    assert not report.accepted and "other losses or networks" in report.reason
