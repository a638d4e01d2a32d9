"""Certificates of several outputs: accepted as they are, refused when changed."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tampering
from scipy.optimize import minimize
from scipy.special import expit
from variants import with_long

import cvxnn
from cvxnn import BoundCertificate, InputError
from cvxnn.verification.outputs.evidence import OutputsSplits

LOSSES = {
    "squared": ("squared", 1e-6),
    "huber": (cvxnn.HuberLoss(0.6), 1e-5),
    "softmax": ("softmax", 1e-6),
    "logistic": ("logistic", 1e-5),
    "squared_hinge": ("squared_hinge", 1e-5),
}
# Each kind of loss, rank and option once before the rest.
CASES = [
    ("squared", 2, 3, {"intercept": True, "weights": True}),
    ("softmax", 2, 3, {"intercept": True, "weights": True}),
    ("huber", 2, 2, {"weights": True, "slope": -0.5}),
    ("squared", 3, 3, {"slope": 0.1, "weights": True}),
    ("softmax", 3, 3, {"intercept": True}),
    ("squared", 2, 2, {}),
    ("softmax", 2, 2, {"slope": 0.2}),
    ("logistic", 2, 2, {"weights": True}),
    ("squared_hinge", 2, 3, {}),
    ("huber", 3, 2, {"intercept": True}),
    ("softmax", 4, 2, {"weights": True, "n": 9}),
    ("squared", 5, 2, {"n": 7}),
]


def drawn(loss, rank, c, *, weights=False, n=12):
    rng = np.random.default_rng(rank + c)
    X = np.column_stack([rng.standard_normal((n, rank - 1)), np.ones(n)])
    Y = rng.standard_normal((n, c))
    if loss == "softmax":
        Y = np.eye(c)[np.arange(n) % c]
    elif loss in ("logistic", "squared_hinge"):
        Y = np.sign(Y)
    return X, Y, rng.uniform(0.5, 2.0, n) if weights else None


def lowest(X, Y, loss, beta, weights, *, slope=0.0, intercept=False):
    """The lowest objective of L-BFGS from random starts, with formulas of its own."""
    rng, (n, d), c = np.random.default_rng(8), X.shape, Y.shape[1]
    weights, m = np.ones(n) if weights is None else weights, n + 2

    def value(theta):
        u, a = theta[: m * d].reshape(m, d), theta[m * d : m * (d + c)].reshape(m, c)
        sums = X @ u.T
        slopes = np.where(sums > 0.0, 1.0, slope)
        f = (slopes * sums) @ a + (theta[m * (d + c) :] if intercept else 0.0)
        total, g = _loss(loss, f, Y)
        g = weights[:, None] * g
        to_u = (slopes * (g @ a.T)).T @ X + beta * u
        to_a = (slopes * sums).T @ g + beta * a
        parts = [to_u.ravel(), to_a.ravel(), *([g.sum(axis=0)] if intercept else [])]
        size = float((u * u).sum() + (a * a).sum())
        return float(weights @ total) + 0.5 * beta * size, np.concatenate(parts)

    size = m * (d + c) + (c if intercept else 0)
    starts = (rng.standard_normal(size) / 2.0 for _ in range(6))
    options = {"maxiter": 2000, "ftol": 1e-13}
    return min(minimize(value, s, jac=True, method="L-BFGS-B", options=options).fun for s in starts)


def _loss(loss, f, Y):
    if loss == "softmax":
        top = f.max(axis=1, keepdims=True)
        p = np.exp(f - top)
        total = np.log(p.sum(axis=1)) + top[:, 0] - (Y * f).sum(axis=1)
        return total, p / p.sum(axis=1, keepdims=True) - Y
    if loss == "logistic":
        return np.logaddexp(0.0, -Y * f).sum(axis=1), -Y * expit(-Y * f)
    if loss == "squared_hinge":
        short = np.maximum(1.0 - Y * f, 0.0)
        return 0.5 * (short**2).sum(axis=1), -Y * short
    left = f - Y
    inner = np.clip(left, -0.6, 0.6) if loss == "huber" else left
    return (inner * (left - 0.5 * inner)).sum(axis=1), inner


def solved(loss, rank, c, *, weights=False, slope=0.0, intercept=False, n=12):
    X, Y, w = drawn(loss, rank, c, weights=weights, n=n)
    given, tol = LOSSES[loss]
    options = {"loss": given, "intercept": intercept, "sample_weight": w}
    solution = cvxnn.solve(X, Y, 0.5, model=cvxnn.ReLU(slope=slope), tol=tol, **options)
    return solution, X, Y, w


@with_long("loss, rank, c, options", CASES)
def test_certificates_are_accepted(loss, rank, c, options):
    solution, X, Y, w = solved(loss, rank, c, **options)
    certificate = solution.certificate
    assert certificate.v.shape == (len(X), c)
    report = certificate.verify(X, Y, w, network=solution.network)
    assert report.accepted and report.is_recomputed, report.reason
    assert report.bound >= solution.dual_bound - 1e-7 * solution.objective
    error = solution.objective_error + 1e-12 * solution.objective
    assert abs(report.objective - solution.objective) <= error
    rest = {name: value for name, value in options.items() if name not in ("weights", "n")}
    assert report.bound <= lowest(X, Y, loss, 0.5, w, **rest)
    stored = BoundCertificate.from_bytes(certificate.recorded(X, Y, w).to_bytes())
    assert (stored.v == certificate.v).all() and (stored.evidence is None) == (rank == 2)
    again = stored.verify(X, Y, w)
    assert again.accepted and again.bound >= solution.dual_bound - 1e-7 * solution.objective


def test_it_is_kept_with_the_network(tmp_path):
    solution, X, Y, _ = solved("squared", 3, 2)
    path = tmp_path / "network.npz"
    solution.network.save(path, certificate=solution.certificate)
    report = cvxnn.load_certificate(path).verify(X, Y, network=cvxnn.load_network(path)[0])
    assert report.accepted and report.is_recomputed


def test_the_shape_of_targets_is_part_of_the_data():
    solution, X, Y, _ = solved("squared", 2, 2)
    certificate = solution.certificate
    turned = certificate.verify(X, Y[:, ::-1])
    assert not turned.accepted and "data" in turned.reason
    for wrong in (Y.ravel(), Y[:, :1], np.column_stack([Y, Y])):
        with pytest.raises(InputError, match="y must have 2 columns"):
            certificate.verify(X, wrong)
    with pytest.raises(InputError, match="for 12 rows"):
        certificate.verify(X[:5], Y[:5])


def test_what_cannot_be_checked_is_said():
    solution, X, Y, _ = solved("squared", 3, 2)
    circular = replace(solution.certificate, model="circular_conv", settings={})
    with pytest.raises(InputError, match="circular_conv with several outputs cannot be checked"):
        circular.verify(X, Y)
    skip = replace(solution.certificate, settings={"slope": 0.0, "skip": "free"})
    with pytest.raises(InputError, match="relu with several outputs cannot be checked"):
        skip.verify(X, Y)


def test_networks_of_other_outputs_are_refused():
    solution, X, Y, _ = solved("squared", 2, 2)
    other = cvxnn.TwoLayerNetwork(np.ones((3, 2)), np.ones((3, 3)))
    one = cvxnn.TwoLayerNetwork(np.ones((3, 2)), np.ones(3))
    for network, shape in ((other, r"\(n, 3\)"), (one, r"\(n,\)")):
        report = solution.certificate.verify(X, Y, network=network, fingerprint=False)
        assert not report.accepted and not report.is_recomputed and np.isnan(report.objective)
        assert re.search(rf"values of shape {shape}, .* values of shape \(n, 2\)", report.reason)
    single = cvxnn.solve(X, Y[:, 0], 0.5)
    report = single.certificate.verify(X, Y[:, 0], network=solution.network)
    assert not report.accepted
    assert re.search(r"values of shape \(n, 2\), .* values of shape \(n,\)", report.reason)


@pytest.mark.parametrize("has_intercept", [False, True])
def test_networks_of_other_settings_are_refused(has_intercept):
    solution, X, Y, _ = solved("squared", 2, 2, intercept=has_intercept)
    certificate, network = solution.certificate, solution.network
    moved = network.with_intercept([0.0, 0.25])
    report = certificate.verify(X, Y, network=moved)
    # Beside an intercept any other is one of a network of the problem.
    assert not report.accepted and report.is_recomputed == has_intercept
    assert ("has the intercept 0, 0.25" in report.reason) != has_intercept
    state = network.__getstate__()
    leaky = cvxnn.TwoLayerNetwork(**state["arrays"], **{**state["settings"], "slope": 0.2})
    report = certificate.verify(X, Y, network=leaky)
    assert not report.accepted and "has the slope 0.2" in report.reason
    single = cvxnn.TwoLayerNetwork(network.hidden_weights, np.ones(network.n_neurons))
    report = certificate.verify(X, Y, network=single)
    assert not report.accepted and "values of shape (n,)" in report.reason


def test_networks_whose_objective_is_beyond_all_numbers_are_refused():
    solution, X, Y, _ = solved("squared", 2, 2)
    far = cvxnn.TwoLayerNetwork(1e200 * np.ones((1, 2)), [[1e200, -1e200]])
    report = solution.certificate.verify(X, Y, network=far)
    assert not report.accepted and "beyond the range" in report.reason


def test_splits_save_the_search():
    solution, X, Y, _ = solved("softmax", 3, 3, intercept=True)
    recorded = solution.certificate.recorded(X, Y)
    assert isinstance(recorded.evidence, OutputsSplits) and recorded.recorded(X, Y) is recorded
    reports = [each.verify(X, Y) for each in (recorded, solution.certificate)]
    assert ["followed" in reports[0].how, "searched" in reports[1].how] == [True, True]
    assert reports[0].bound == reports[1].bound


@pytest.mark.long
def test_changes_are_found_and_nothing_wrong_is_accepted():
    rng = np.random.default_rng(1)
    names = ("outputs, rank two", "outputs, classes", "outputs, cones")
    # benchmarks/tampering.py makes thousands.
    for index in range(6):
        case = tampering.case_of(names[index % len(names)])
        change = tampering.changed(case, rng)
        assert tampering.is_refused(case, change), (index, case.name, change.what)
        assert tampering.verdict_when_sealed(case, change) != "wrong", (index, case.name)
