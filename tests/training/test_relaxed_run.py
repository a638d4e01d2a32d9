"""Runs that no oracle can prove: what a relaxation says at their end."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from variants import with_long

import cvxnn
from cvxnn import Global, InputError, Status
from cvxnn.interrupts import interrupt
from cvxnn.training.solve import prepare, solve_quietly

# More rows than a search over signs can take.
N, D = 600, 12
RNG = np.random.default_rng(7)


def problem(seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((N, D - 1)), np.ones(N)])
    return X, np.maximum(X[:, 0] + 0.5 * X[:, 1], 0.0) + 0.3 * rng.standard_normal(N)


X, Y = problem()
BETA = 80.0


def solve(**options):
    return solve_quietly(X, Y, BETA, max_iter=50, **options)


def bounds_of(solution):
    """Of the entries after the last round."""
    rounds = [entry.iteration for entry in solution.history]
    first = rounds.index(rounds[-1])
    return [entry.dual_bound for entry in solution.history[first + 1 :]]


def test_the_gap_is_that_of_the_relaxation_and_its_bounds_are_in_the_history():
    without = solve(method=Global(proof_time=0.0))
    seen = []
    solution = solve(method=Global(proof_time=1.5), callback=seen.append)
    assert without.status is Status.STATIONARY and without.gap > 0.1
    assert solution.status in (Status.STATIONARY, Status.OPTIMAL)
    assert solution.gap < 0.25 * without.gap
    assert solution.objective == without.objective
    found = bounds_of(solution)
    assert found and found == sorted(found) and found[-1] == pytest.approx(solution.dual_bound)
    assert tuple(seen) == solution.history and solution.n_iter == without.n_iter
    # A bound on all networks: also on what is found from elsewhere.
    other = solve(method=Global(certify=False), random_state=5)
    assert other.objective >= solution.dual_bound


def test_a_relaxation_that_would_outlast_its_time_does_not_begin(monkeypatch):
    """As for thousands of columns, where one iteration takes minutes."""
    monkeypatch.setattr("cvxnn.relaxation.loop._FIRST_BOUND", 1.0)
    without = solve(method=Global(proof_time=0.0))
    solution = solve(method=Global(proof_time=30.0))
    assert solution.status is Status.STATIONARY and bounds_of(solution) == []
    assert solution.dual_bound == without.dual_bound
    assert "the first bound of a relaxation takes about" in solution.advice
    # None of a limited time is kept for it.
    limited = prepare(X, Y, BETA, time_limit=60.0)
    assert limited._search_deadline().remaining > 50.0


@pytest.mark.long
def test_a_certificate_keeps_its_multipliers():
    for rows, options in ((X, {}), (X[:, :-1], {"intercept": True})):
        solution = solve_quietly(
            rows, Y, BETA, method=Global(proof_time=0.5), max_iter=5, **options
        )
        report = solution.certificate.verify(rows, Y)
        assert report.accepted and "multipliers" in report.how
        assert report.bound == pytest.approx(solution.dual_bound, rel=1e-4)
        # It may be charged less for rounding, but proves what was said, and no more than is true.
        assert solution.dual_bound * (1.0 - 1e-6) <= report.bound <= solution.objective
        assert not solution.certificate.verify(rows, Y + 1e-9).accepted


@pytest.mark.long
@with_long("options", [{"certify": False}, {"polish": False}])
def test_who_wants_no_proof_gets_none_unless_its_time_is_given(options):
    assert bounds_of(solve(method=Global(**options))) == []
    assert bounds_of(solve(method=Global(**options, proof_time=0.5))) != []


def test_a_time_limit_holds_for_the_proof_too():
    solution = solve(method=Global(proof_time=100.0), time_limit=1.0)
    assert solution.elapsed < 20.0 and bounds_of(solution) != []


@pytest.mark.long
def test_a_search_that_takes_all_its_time_leaves_some_for_the_proof():
    solution = solve_quietly(X, Y, 1.0, time_limit=2.0, tol=1e-12)
    assert solution.status is Status.TIME_LIMIT and bounds_of(solution) != []
    assert solution.dual_bound == pytest.approx(solution.history[-1].dual_bound)
    without = solve_quietly(X, Y, 1.0, method=Global(proof_time=0.0), time_limit=2.0)
    assert without.status is Status.TIME_LIMIT and bounds_of(without) == []
    # Low rank has exact oracles, which need no time of their own.
    run = prepare(X[:, :5], Y, 1.0, time_limit=2.0)
    assert run._search_deadline() is run._deadline


@pytest.mark.long
@pytest.mark.parametrize(("loss", "beta"), [("logistic", 15.0), ("huber", 40.0)])
def test_other_losses_and_an_intercept(loss, beta):
    y = np.where(Y > 0.3, 1.0, -1.0) if loss == "logistic" else Y + 100.0
    gaps = [
        solve_quietly(
            X[:, :-1],
            y,
            beta,
            loss=loss,
            intercept=True,
            max_iter=3,
            method=Global(proof_time=seconds),
        ).gap
        for seconds in (0.0, 1.0)
    ]
    assert gaps[1] < 0.7 * gaps[0]


def test_ctrl_c_within_the_proof_keeps_what_is_proven():
    pressed = []

    def press(progress):
        if len(pressed) == 0 and progress.n_blocks == 0 and progress.dual_bound > 0.0:
            pressed.append(progress)
            interrupt(2, None)

    solution = solve(method=Global(proof_time=30.0), callback=press)
    assert solution.status is Status.INTERRUPTED and pressed
    assert solution.dual_bound >= pressed[0].dual_bound * (1.0 - 1e-12)
    # The next one is not stopped for it.
    assert solve(method=Global(proof_time=0.0)).status is Status.STATIONARY


def test_a_callback_that_raises_within_the_proof():
    def fail(progress):
        if progress.n_blocks == 0:
            raise KeyboardInterrupt

    solution = solve(method=Global(proof_time=30.0), callback=fail)
    assert solution.status is Status.INTERRUPTED and solution.gap < np.inf


@pytest.mark.long
def test_the_warning_says_what_narrows_the_gap():
    with pytest.warns(ConvergenceWarning, match="fewer or projected features narrow it"):
        cvxnn.solve(X, Y, BETA, method=Global(proof_time=0.5))
    with pytest.warns(ConvergenceWarning, match=r"Global\(certify=True\)"):
        cvxnn.solve(X, Y, BETA, method=Global(certify=False))
    with pytest.warns(
        ConvergenceWarning, match="raise time_limit for a better network; the gap of"
    ):
        cvxnn.solve(X, Y, 1.0, method=Global(proof_time=0.5), time_limit=1.0, tol=1e-12)


@pytest.mark.long
def test_advice_without_a_warning_is_sentences():
    solution = solve_quietly(X, Y, BETA, method=Global(proof_time=0.5))
    assert solution.status is Status.STATIONARY
    advice = solution.advice
    assert advice.startswith("The gap ") and advice.endswith(("narrow it, too.", "narrow it."))
    x = X[:, [0, -1]]
    assert solve_quietly(x, Y, BETA).advice == ""


@with_long(
    ("seconds", "limit", "parameter"),
    [(0.0, None, "proof_time"), (0.0, 1.0, "proof_time"), (0.3, 1.0, "proof_time"),
     ("auto", 1.0, "time_limit"), (100.0, 1.0, "time_limit")],
)  # fmt: skip
def test_the_parameter_that_gives_a_proof_more_time_is_named(seconds, limit, parameter):
    # So small a beta that no search ends within a limit, and so large a one that it does.
    beta = BETA if limit is None else 1.0
    method = Global(proof_time=seconds)
    solution = solve_quietly(X, Y, beta, method=method, time_limit=limit, tol=1e-12)
    status = Status.STATIONARY if limit is None else Status.TIME_LIMIT
    assert solution.status is status
    # Nothing more than the time limit need be raised where nothing is known of the bound.
    said = solution.advice or "with a larger time_limit."
    ways = (f"with a larger {parameter}", "with more time", f"Raise {parameter} ")
    assert any(way in said for way in ways)


@pytest.mark.long
def test_few_rows_whose_exact_search_was_cut_short_may_be_proven(monkeypatch):
    rng = np.random.default_rng(70)
    X, y = rng.standard_normal((70, 12)), rng.standard_normal(70)
    beta = 0.3 * cvxnn.largest_beta(X, y)
    with monkeypatch.context() as patched:
        # However fast the machine is, it is cut short.
        patched.setattr("cvxnn.solvers.proof_time._EXACT", 1e-9)
        cut = solve_quietly(X, y, beta, method=Global(proof_time=1e-3), max_iter=20)
    assert cut.status is Status.STATIONARY
    assert cut.advice.startswith("The gap may close with a larger proof_time: an exact search was")
    proven = solve_quietly(X, y, beta, method=Global(proof_time=400.0))
    assert proven.status is Status.OPTIMAL
    assert cut.dual_bound <= proven.objective <= cut.objective * (1.0 + 1e-9)


@pytest.mark.long
def test_estimators_say_what_solve_says():
    labels = np.where(Y > 0.3, 1, 0)
    for model, y in ((cvxnn.ConvexReLURegressor, Y), (cvxnn.ConvexReLUClassifier, labels)):
        with pytest.warns(ConvergenceWarning, match="of this network .* proof_time"):
            fitted = model(1.0, time_limit=1.0, tol=1e-12, proof_time=0.2).fit(X, y)
        assert fitted.status_ is Status.TIME_LIMIT
        assert "with a larger proof_time" in fitted.solution_.advice or (
            "with more time" in fitted.solution_.advice
        )


@pytest.mark.parametrize("seconds", [-1.0, np.nan, np.inf, "soon", None])
def test_seconds_that_are_none(seconds):
    with pytest.raises(InputError, match="proof_time must be 'auto' or seconds >= 0"):
        Global(proof_time=seconds)
    with pytest.raises(InputError, match="proof_time must be 'auto' or seconds >= 0"):
        cvxnn.ConvexReLURegressor(1.0, proof_time=seconds).fit(X, Y)
    network = cvxnn.TwoLayerNetwork(np.ones((1, D)), [1.0])
    with pytest.raises(InputError, match="proof_time must be 'auto' or seconds >= 0"):
        cvxnn.certify(network, X, Y, BETA, proof_time=seconds)


@pytest.mark.long
def test_certify_says_what_more_time_would_bring():
    network = solve(method=Global(certify=False)).network
    certificate = cvxnn.certify(network, X, Y, BETA, proof_time=0.5)
    assert certificate.gap < 0.2
    assert any(note.startswith("The gap ") for note in certificate.notes)
    # Which says it all: a verdict promises nothing.
    assert "time" not in cvxnn.Verdict.UNDECIDED.value


@pytest.mark.long
def test_estimators_prove_for_as_long_as_they_are_told():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, long = (
            cvxnn.ConvexReLURegressor(BETA, proof_time=seconds).fit(X, Y) for seconds in (0.0, 1.0)
        )
    assert long.dual_gap_ < 0.5 * plain.dual_gap_ and long.objective_ == plain.objective_
    assert long.solution_.gap == pytest.approx(long.dual_gap_)


@pytest.mark.long
def test_networks_of_classes_share_the_time():
    labels = np.digitize(Y, [0.0, 1.0])
    plain, long = (
        cvxnn.ConvexReLUClassifier(45.0, proof_time=seconds, multi_class="ovr").fit(X, labels)
        for seconds in (0.0, 2.0)
    )
    assert long.dual_gap_ < 0.7 * plain.dual_gap_
    assert [one.objective for one in long.solutions_] == [one.objective for one in plain.solutions_]
