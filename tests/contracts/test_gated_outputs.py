"""Contracts of gated networks with several outputs: invariances, blank data, random states."""

import numpy as np
import pytest

import cvxnn
from cvxnn import Gated, Status

RNG = np.random.default_rng(3)
X, Y, GATES = (RNG.standard_normal(shape) for shape in [(15, 3), (15, 3), (7, 3)])
CLASSES = np.eye(3)[np.arange(15) % 3]
TOL = 1e-9
each_loss = pytest.mark.parametrize("loss", ["squared", "softmax"])
each_intercept = pytest.mark.parametrize("intercept", [False, True])


def solved(X=X, Y=Y, beta=0.4, gates=GATES, **options):
    solution = cvxnn.solve(X, Y, beta, model=Gated(gates), **({"tol": TOL} | options))
    assert solution.status is Status.OPTIMAL
    assert solution.certificate.verify(
        X, Y, options.get("sample_weight"), network=solution.network
    ).accepted
    return solution


def target(loss):
    return CLASSES if loss == "softmax" else Y


def assert_same(one, other, factor=1.0):
    assert other.objective == pytest.approx(factor * one.objective, rel=1e-8)
    assert other.dual_bound == pytest.approx(factor * one.dual_bound, rel=1e-8)


@each_loss
@each_intercept
def test_the_order_of_rows_and_outputs_does_not_matter(loss, intercept):
    options = {"loss": loss, "intercept": intercept, "tol": 1e-8}
    one = solved(Y=target(loss), **options)
    rows, outputs = RNG.permutation(15), RNG.permutation(3)
    assert_same(one, solved(X[rows], target(loss)[rows][:, outputs], **options))
    assert_same(one, solved(Y=target(loss), gates=GATES[::-1], **options))


@each_loss
@each_intercept
def test_weights_count_rows(loss, intercept):
    options = {"loss": loss, "intercept": intercept, "tol": 1e-8}
    counts = np.arange(15) % 4
    one = solved(Y=target(loss), sample_weight=counts.astype(float), **options)
    rows = np.repeat(np.arange(15), counts)
    assert_same(one, solved(X[rows], target(loss)[rows], **options))


@pytest.mark.parametrize(("of_rows", "of_targets"), [(1e60, 1.0), (1.0, 1e-60), (3e-9, 7e8)])
def test_units_do_not_matter(of_rows, of_targets):
    one, beta = solved(tol=1e-8), 0.4 * of_rows * of_targets
    other = solved(X * of_rows, Y * of_targets, beta, tol=1e-8)
    assert_same(one, other, of_targets**2)


def test_a_turn_of_the_outputs_or_of_the_features_changes_nothing_for_squares():
    turn = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    one = solved()
    assert_same(one, solved(Y=Y @ turn))
    assert_same(one, solved(X @ turn, gates=GATES @ turn))
    # Targets of rank one have a network of one vector of outputs.
    parallel = solved(Y=Y[:, :1] @ turn[:1])
    outputs = parallel.network.output_weights
    directions = outputs / np.linalg.norm(outputs, axis=1)[:, None]
    np.testing.assert_allclose(np.abs(directions @ turn[0]), 1.0, rtol=1e-9)


@each_loss
@pytest.mark.parametrize("blank", ["X", "Y"])
def test_blank_data(loss, blank):
    data = {"X": X, "Y": target(loss)}
    if blank == "X":
        data["X"] = 0.0 * X
    else:
        data["Y"] = np.full((15, 3), 1.0 / 3.0) if loss == "softmax" else 0.0 * Y
    solution = solved(**data, loss=loss)
    assert solution.n_neurons == 0 and solution.gap <= TOL


def test_drawn_gates_are_those_of_the_random_state():
    options = {"model": Gated(n_gates=12), "loss": "softmax"}
    one, again, other = (
        cvxnn.solve(X, CLASSES, 0.4, random_state=state, **options) for state in (1, 1, 2)
    )
    assert one.network == again.network and one.objective != other.objective
    assert one.n_patterns <= 12 and one.n_neurons <= 3 * one.n_patterns
    known = {gate.tobytes() for gate in one.certificate.arrays["gates"]}
    assert {gate.tobytes() for gate in one.network.gates} <= known


def test_what_does_not_go_together_is_refused():
    for options, words in (
        ({"method": "exact"}, "is trained by method='global'"),
        ({"loss": "logistic"}, "labels -1 and 1 only"),
    ):
        with pytest.raises(cvxnn.InputError, match=words):
            cvxnn.solve(X, Y, 0.4, model=Gated(GATES), **options)
    with pytest.raises(cvxnn.InputError, match="takes no warm_start"):
        cvxnn.solve(X, Y, 0.4, model=Gated(GATES), warm_start=solved().network)
