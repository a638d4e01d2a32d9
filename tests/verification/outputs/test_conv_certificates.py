"""Certificates of filters with several outputs: accepted as they are, refused when changed."""

import numpy as np
import pytest
import tampering
from models.test_conv_outputs import drawn, lowest
from programs import patches_by_loops
from variants import with_long

import cvxnn
from cvxnn import BoundCertificate, Conv
from cvxnn.losses import SoftmaxLoss, SquaredLoss

CASES = [
    ("squared", {"filter_size": (2, 1)}, {}),
    ("softmax", {"filter_size": (2, 1), "pooling": "average"}, {"intercept": True}),
    ("squared", {"filter_size": (2, 1), "bias": True, "slope": -0.4}, {"weights": True}),
    ("softmax", {"filter_size": 2, "stride": 2, "padding": 1}, {"weights": True}),
]


@with_long(("loss", "settings", "options"), CASES)
def test_certificates_are_accepted(loss, settings, options):
    images, Y = drawn((9, 3, 3), 3, seed=11, labels=loss == "softmax")
    model, intercept = Conv(**settings), options.get("intercept", False)
    weights = np.repeat([1.0, 2.0, 0.0], 3) if options.get("weights", False) else None
    solution = cvxnn.solve(
        images, Y, 0.2, model=model, loss=loss, intercept=intercept, sample_weight=weights, tol=1e-5
    )
    certificate = solution.certificate
    report = certificate.verify(images, Y, weights, network=solution.network)
    assert report.accepted and report.is_recomputed, report.reason
    assert report.bound >= solution.dual_bound - 1e-7 * solution.objective
    error = solution.objective_error + 1e-12 * solution.objective
    assert abs(report.objective - solution.objective) <= error
    stored = BoundCertificate.from_bytes(certificate.recorded(images, Y, weights).to_bytes())
    assert stored.verify(images, Y, weights).accepted
    if weights is None:
        patches = patches_by_loops(images, (2, 1))
        patches = patches / patches.shape[1] if model.pooling == "average" else patches
        kind = SoftmaxLoss() if loss == "softmax" else SquaredLoss()
        found = lowest(patches, Y, 0.2, kind, slope=0.0, intercept=intercept, starts=10)
        assert report.bound <= found


@pytest.mark.long
def test_networks_of_other_outputs_or_settings_are_refused():
    images, Y = drawn((8, 3, 3), 2, seed=12)
    solution = cvxnn.solve(images, Y, 0.2, model=Conv(2), tol=1e-4)
    state = solution.network.__getstate__()
    arrays, settings = state["arrays"], state["settings"]
    one = {**arrays, "output_weights": arrays["output_weights"][:, 0]}
    others = [
        (cvxnn.ConvolutionalNetwork(**one), "values of shape"),
        (cvxnn.ConvolutionalNetwork(**arrays, **{**settings, "stride": 2}), "the stride 2"),
        (solution.network.with_intercept([0.0, 1.0]), "has the intercept 0, 1"),
    ]
    for network, words in others:
        report = solution.certificate.verify(images, Y, network=network)
        assert not report.accepted and words in report.reason


@pytest.mark.long
def test_changes_are_found_and_nothing_wrong_is_accepted():
    rng, case = np.random.default_rng(1), tampering.case_of("outputs, images")
    for index in range(16):
        change = tampering.changed(case, rng)
        assert tampering.is_refused(case, change), (index, change.what)
        assert tampering.verdict_when_sealed(case, change) != "wrong", (index, change.what)
