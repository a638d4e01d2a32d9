"""Networks with an intercept that costs nothing: certified as they are trained."""

import pytest
from programs import Activations, draw_rows
from sentences import refused

import cvxnn
from cvxnn.results import Verdict


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "squared_hinge"])
def test_the_optimum_is_proven_and_the_same_as_that_of_the_training(loss):
    cp = pytest.importorskip("cvxpy")
    X, y = draw_rows(loss, 9, 3)
    y = y if loss in ("logistic", "squared_hinge") else y + 2.0
    solution = cvxnn.solve(X, y, 0.2, loss=loss, intercept=True)
    certificate = cvxnn.certify(solution.network, X, y, 0.2, loss=loss)
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.objective == solution.objective
    assert any("intercept" in note for note in certificate.notes)
    optimum = Activations(X[:, None]).optimum(cp, loss, y, 0.2, intercept=True)
    assert certificate.dual_bound <= optimum * (1.0 + 1e-7)
    assert certificate.dual_bound == pytest.approx(optimum, rel=2e-6)


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
    refused(lambda: cvxnn.descent_path(network, network, X, y, 0.2), "must have no intercept")
