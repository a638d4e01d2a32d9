"""Three layers: what Parallel accepts and refuses, its networks, and its certificates."""

import dataclasses
import re

import numpy as np
import pytest

import cvxnn
from cvxnn import InputError, Parallel, ParallelNetwork

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 1))
Y = np.sin(3.0 * X[:, 0]) + 0.1 * RNG.standard_normal(30)
FREE = Parallel(bias="free")


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (lambda: Parallel(depth=2), "depth must be 3: networks of two layers are ReLU(), got 2"),
        (lambda: Parallel(depth=4), "depth must be 3, got 4"),
        (lambda: Parallel(bias="penalised"), "bias must be None or 'free', got 'penalised'"),
        (lambda: cvxnn.solve(np.ones((3, 2)), [1.0, 2.0, 3.0], 1.0, model=FREE), "one column"),
        (lambda: cvxnn.solve(X, np.stack([Y, Y], 1), 1.0, model=FREE), "has one output"),
        (lambda: cvxnn.solve(X, Y, 1.0, model=FREE, method="exact"), "by method='global'"),
    ],
)
def test_what_there_is_not_is_refused_in_a_sentence(refused, says):
    with pytest.raises(InputError, match=re.escape(says)):
        refused()


def test_an_intercept_is_there_whether_it_is_asked_for_or_not():
    plain, asked = (cvxnn.solve(X, Y + 3.0, 0.1, model=FREE, intercept=b) for b in (False, True))
    assert plain.network == asked.network and plain.network.intercept != 0.0
    assert plain.certificate.intercept


def test_a_path_falls_and_begins_with_a_constant():
    path = cvxnn.regularization_path(X, Y, 5, model=FREE)
    assert all(solution.status is cvxnn.Status.OPTIMAL for solution in path.solutions)
    losses = [solution.objective for solution in path.solutions]
    assert losses == sorted(losses, reverse=True) and path.solutions[0].n_neurons == 0


def test_estimators_predict_and_come_back_from_files(tmp_path):
    fitted = cvxnn.ConvexReLURegressor(0.05, model=FREE).fit(X, Y)
    assert fitted.score(X, Y) > 0.9
    fitted.network_.save(tmp_path / "network.npz")
    again, _ = cvxnn.load_network(tmp_path / "network.npz")
    assert again == fitted.network_
    labels = cvxnn.ConvexReLUClassifier(0.05, model=FREE).fit(X, Y > 0.0)
    assert labels.score(X, Y > 0.0) > 0.9


def test_a_certificate_refuses_what_is_no_theorem():
    solution = cvxnn.solve(X, Y, 0.1, model=FREE)
    certificate = solution.certificate
    assert certificate.verify(X, Y, network=solution.network).accepted
    better = dataclasses.replace(certificate, dual_bound=1.01 * certificate.dual_bound)
    assert not better.sealed().verify(X, Y, network=solution.network).accepted
    relu = cvxnn.solve(X, Y, 0.1).network
    assert "kind ParallelNetwork" in certificate.verify(X, Y, network=relu).reason
    worse = solution.network.with_intercept(solution.network.intercept + 1.0)
    assert not certificate.verify(X, Y, network=worse).accepted
    with pytest.raises(InputError, match="one column"):
        certificate.verify(np.column_stack([X, X]), Y)


def test_balance_lowers_the_penalty_to_the_product_of_norms():
    hidden, inner, outer = (RNG.standard_normal(shape) for shape in ((4, 3, 2), (4, 3), 4))
    biases = {"hidden_biases": RNG.standard_normal((4, 3)), "inner_biases": RNG.standard_normal(4)}
    network = ParallelNetwork(hidden, inner, outer, **biases, intercept=0.5)
    rows = RNG.standard_normal((9, 2))
    balanced = network.balance()
    np.testing.assert_allclose(balanced(rows), network(rows), rtol=1e-12)
    units = (np.linalg.norm(hidden, axis=2) * np.abs(inner)).sum(axis=1)
    assert balanced.penalty() == pytest.approx(units @ np.abs(outer), rel=1e-12)
    assert balanced.penalty() <= network.penalty()


@pytest.mark.parametrize("has_biases", [False, True])
def test_pruning_drops_what_is_not_used_and_keeps_the_function(has_biases):
    hidden, inner, outer = (RNG.standard_normal(shape) for shape in ((5, 3, 2), (5, 3), 5))
    hidden[0] = 0.0
    hidden[1, 1] = 0.0
    inner[2, 0], outer[3] = 0.0, 0.0
    biases = {"hidden_biases": RNG.standard_normal((5, 3)), "inner_biases": RNG.standard_normal(5)}
    network = ParallelNetwork(hidden, inner, outer, **(biases if has_biases else {}))
    pruned, rows = network.prune(), RNG.standard_normal((9, 2))
    assert pruned.n_neurons == 3 and pruned.penalty() < network.penalty()
    np.testing.assert_allclose(pruned(rows), network(rows), atol=1e-12)
