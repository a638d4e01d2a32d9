"""Three layers on rows of high rank: searched roughly, bounded by the relaxation."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from solvers.parallel.three_layers import plain_objective, problem_of

import cvxnn
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt
from cvxnn.results import Status
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.rough_search import RoughSubNetworkSearch
from cvxnn.solvers.parallel.search import ParallelSearch
from cvxnn.solvers.search import Pursuit
from cvxnn.verification.multipliers import Multipliers
from cvxnn.verification.single import SingleMultipliers


def table(n=80, d=8, seed=0):
    """A smooth function of three columns, with some noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    f = np.abs(X[:, 0]) - np.minimum(np.abs(X[:, 1] + X[:, 2]), 1.0)
    return X, f - f.mean() + 0.1 * rng.standard_normal(n)


def solved(X, y, beta, model="parallel", **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cvxnn.solve(X, y, beta, model=model, tol=1e-3, **settings)


@pytest.fixture(scope="module")
def trained():
    X, y = table()
    beta = 0.1 * cvxnn.largest_beta(X, y)
    return X, y, beta, solved(X, y, beta, method=cvxnn.Global(proof_time=2.0))


def test_the_network_is_no_worse_than_two_layers_and_proven_to_a_gap(trained):
    X, y, beta, solution = trained
    two = solved(X, y, beta, "relu", method=cvxnn.Global(polish=False))
    assert solution.objective <= two.objective * (1.0 + 1e-2)
    assert solution.status is Status.STATIONARY
    assert 0.0 < solution.gap < 0.5
    assert "larger beta" in solution.advice


def test_files_keep_a_certificate_that_is_accepted_and_one_that_is_changed_is_not(
    trained, tmp_path
):
    X, y, _, solution = trained
    path = tmp_path / "certificate.npz"
    solution.certificate.save(path)
    again = cvxnn.load_certificate(path)
    report = again.verify(X, y, network=solution.network)
    assert report.accepted
    assert report.how == "multipliers of products of rows, for choices of signs"
    given = again.evidence
    halves = tuple(
        SingleMultipliers.of(Multipliers(*(0.5 * array for array in part.doubled())))
        for part in given.parts
    )
    changed = replace(again, evidence=replace(given, parts=halves))
    assert not changed.sealed().verify(X, y).accepted


def test_the_objective_is_that_of_the_weights():
    X, y = table(70, 7)
    beta = 0.1 * cvxnn.largest_beta(X, y)
    search = RoughSubNetworkSearch(problem_of(X, y, beta), np.random.default_rng(0), Deadline())
    values = []
    pursuit = Pursuit(search)
    while pursuit.advance(1e-3):
        values.append(search.objective)
        neurons = search.incumbent()
        assert search.objective == pytest.approx(plain_objective(X, y, beta, neurons), rel=1e-9)
    assert values == sorted(values, reverse=True) and search.stationary
    assert search.bound <= search.objective


@pytest.mark.long
def test_an_intercept_is_searched_with_the_sub_networks():
    X, y = table()
    y = y + 3.0
    beta = 0.2 * cvxnn.largest_beta(X, y, intercept=True)
    solution = solved(X, y, beta, intercept=True, method=cvxnn.Global(proof_time=1.0))
    alone = solved(X, y, beta, method=cvxnn.Global(proof_time=0.0))
    assert solution.objective < alone.objective
    left = y - solution.network(X)
    assert abs(left.sum()) <= 1e-6 * np.abs(left).sum()
    assert solution.dual_bound > 0.0
    assert solution.certificate.verify(X, y, network=solution.network).accepted


@pytest.mark.parametrize("intercept", [False, True])
def test_without_sub_networks_it_ends(intercept):
    X, y = table(70, 7)
    beta = 1.01 * cvxnn.largest_beta(X, y, intercept=intercept)
    method = cvxnn.Global(proof_time=0.1)
    solution = solved(X, y, beta, intercept=intercept, method=method)
    left = y - y.mean() * intercept
    assert solution.dual_bound <= solution.objective <= 0.5 * left @ left * (1.0 + 1e-12)
    assert solution.gap < 0.5


def test_an_intercept_that_is_worse_than_none_by_a_rounding():
    rng, n_worse = np.random.default_rng(0), 0
    for _ in range(100):
        X, y = rng.standard_normal((3, 3)), rng.standard_normal(3)
        y -= y.mean()
        problem = problem_of(X, y, 100.0)
        search = RoughSubNetworkSearch(problem, rng, Deadline(), intercept=True)
        assert 0.0 < search.bound <= search.objective <= problem.value(np.zeros(3))
        n_worse += problem.value(np.full(3, y.mean())) > problem.value(np.zeros(3))
    assert n_worse > 0


def test_without_time_for_a_proof_there_is_none(trained):
    X, y, beta, solution = trained
    quick = solved(X, y, beta, method=cvxnn.Global(proof_time=0.0))
    assert quick.objective == pytest.approx(solution.objective, rel=1e-2)
    assert quick.dual_bound < solution.dual_bound


def test_a_start_is_gone_on_from():
    X, y = table(70, 7)
    problem = problem_of(X, y, 0.2 * cvxnn.largest_beta(X, y))
    neurons = SubNetworks.of_layers(np.eye(7)[:1, None], np.ones((1, 1)), np.ones(1))
    start = neurons.sized(np.array([0.01]))
    search = RoughSubNetworkSearch(problem, np.random.default_rng(0), Deadline(), start)
    assert 0.0 < search.objective <= problem.value(start.predict(X), 0.01)
    search.step(1e-3)
    assert search.n_blocks > 0


def test_the_time_is_kept_to(trained):
    X, y, beta, _ = trained
    with pytest.raises(OutOfTimeError):
        RoughSubNetworkSearch(problem_of(X, y, beta), np.random.default_rng(0), Deadline(0.0))
    late = solved(X, y, beta, time_limit=1e-6)
    assert late.status is Status.TIME_LIMIT and late.dual_bound <= late.objective


def test_ctrl_c_keeps_the_network(trained):
    X, y, beta, _ = trained
    rounds = []

    def interrupt(progress):
        rounds.append(progress)
        if len(rounds) == 2:
            raise KeyboardInterrupt

    solution = cvxnn.solve(X, y, beta, model="parallel", callback=interrupt)
    assert solution.status is Status.INTERRUPTED
    assert solution.objective == pytest.approx(rounds[-1].objective)


def test_ctrl_c_within_the_proof_keeps_the_bound(trained):
    X, y, beta, _ = trained
    pressed = []

    def press(progress):
        if not pressed and progress.n_blocks == 0 and progress.dual_bound > 0.0:
            pressed.append(progress)
            interrupt(2, None)

    method = cvxnn.Global(proof_time=60.0)
    solution = cvxnn.solve(X, y, beta, model="parallel", method=method, callback=press)
    assert solution.status is Status.INTERRUPTED and pressed
    assert solution.dual_bound >= pressed[0].dual_bound * (1.0 - 1e-12)


def test_low_rank_and_few_rows_are_searched_with_oracles():
    def opened(n, d):
        X, y = table(n, d)
        problem = problem_of(X, y, 1.0)
        choices = cvxnn.models.base.Choices(cvxnn.Global(), np.random.default_rng(0), None)
        return cvxnn.Parallel().strategy(problem, choices).open(Deadline(60.0))

    assert isinstance(opened(80, 3), ParallelSearch)
    assert isinstance(opened(20, 8), ParallelSearch)
    assert isinstance(opened(80, 8), RoughSubNetworkSearch)


@pytest.mark.long
def test_a_loss_with_kinks_and_one_of_labels():
    X, y = table(70, 7)
    labels = np.sign(y)
    for loss, target in (("absolute", y), ("logistic", labels)):
        beta = 0.2 * cvxnn.largest_beta(X, target, loss=loss)
        solution = solved(X, target, beta, loss=loss, time_limit=2.0)
        nothing = np.abs(y).sum() if loss == "absolute" else 70 * np.log(2.0)
        assert 0.0 < solution.dual_bound <= solution.objective < nothing
        assert solution.certificate.verify(X, target, network=solution.network).accepted
