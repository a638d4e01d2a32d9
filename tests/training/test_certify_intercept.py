"""Networks with an intercept that costs nothing: certified as they are trained."""

import numpy as np
import pytest
from programs import COUNTS, LOSSES, Activations, draw_rows
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn.results import Verdict


# One of each kind of targets.
@with_long("loss", (LOSSES[0], LOSSES[2], COUNTS[0]))
def test_the_optimum_is_proven_and_the_same_as_that_of_the_training(loss):
    cp = pytest.importorskip("cvxpy")
    X, y = draw_rows(loss, 7, 3)
    y = y + 2.0 if loss in ("squared", "huber") else y
    solution = cvxnn.solve(X, y, 0.2, loss=loss, intercept=True)
    certificate = cvxnn.certify(solution.network, X, y, 0.2, loss=loss)
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == solution.objective
    assert any("intercept" in note for note in certificate.notes)
    optimum = Activations(X[:, None]).optimum(cp, loss, y, 0.2, intercept=True)
    assert certificate.dual_bound <= optimum * (1.0 + 1e-7)
    assert certificate.dual_bound == pytest.approx(optimum, rel=2e-6)


@pytest.mark.long
def test_another_intercept_is_an_improvement():
    X, y = draw_rows("squared", 12, 3)
    network = cvxnn.solve(X, y, 0.2, intercept=True).network
    moved = network.with_intercept(network.intercept + 0.5)
    certificate = cvxnn.certify(moved, X, y, 0.2)
    assert certificate.verdict is Verdict.IMPROVABLE
    optimum = network.objective(X, y, 0.2)
    assert certificate.dual_bound <= optimum < certificate.objective
    assert any("Another intercept lowers the objective" in note for note in certificate.notes)


def test_what_is_for_networks_without_says_so():
    X, y = draw_rows("squared", 6, 2)
    solution = cvxnn.solve(X, y, 0.2, intercept=True)
    refused(lambda: cvxnn.OptimalSet(X, y, 0.2, solution), "solution must have no intercept")
    network = solution.network
    path = cvxnn.descent_path(network, network, X, y, 0.2, widen=True)
    assert path(1.0).intercept == network.intercept
    other = network.with_intercept(0.0)
    refused(lambda: cvxnn.OptimalSet(X, y, 0.2).contains(network), "must have no intercept")
    refused(lambda: cvxnn.descent_path(network, other, X, y, 0.2, widen=True), "no global optimum")


@pytest.mark.long
def test_at_any_rank_the_bound_says_something():
    """Rank 10: no oracle ends, but all patterns of a dozen rows are one program."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((12, 10))
    y = 3.0 + np.maximum(X[:, 0], 0.0) - np.abs(X[:, 1]) + 0.1 * rng.standard_normal(12)
    network = cvxnn.solve(X, y, 1.0, intercept=True, max_iter=30, time_limit=3.0).network
    certificate = cvxnn.certify(network, X, y, 1.0)
    exact = cvxnn.solve(X, y, 1.0, method="exact", intercept=True)
    assert exact.status is cvxnn.Status.OPTIMAL
    assert certificate.dual_bound <= exact.objective * (1.0 + 1e-12)
    assert exact.objective <= certificate.objective * (1.0 + 1e-9)
    assert certificate.gap < 0.02
