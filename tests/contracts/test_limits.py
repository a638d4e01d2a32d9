"""Contracts of a run that ends early, of what it reports, and of what it leaves behind."""

import os
import re
import signal
import warnings
from itertools import cycle, pairwise

import numpy as np
import pytest
from contracts import cases
from runs import quietly
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info
from variants import with_long

import cvxnn
from cvxnn import Status
from cvxnn.interrupts import Deadline
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.training.solve import prepare

# Out of reach within a round, and for some within any number of them.
STRICT = {"tol": 1e-14, "beta": 1e-3}


@pytest.fixture(autouse=True)
def ctrl_c():
    """A shell starts its background jobs with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def large(case, **options):
    """The large problem of a case with a tolerance that takes rounds: arguments of `solve`."""
    X, y = case.data(options.get("loss", "squared"), case.large)
    return {"X": X, "y": y, "model": case.model, "method": cases.method_of(case)} | STRICT | options


def _name_of(loss):
    """A loss of the same kind of targets."""
    inner = getattr(loss, "loss", loss)
    names = [name for name in cases.COUNTS if type(as_loss(name)) is type(inner)]
    return names[0] if names else ("logistic" if loss.has_labels else "squared")


def assert_cut_short(case, solution, status, loss="squared"):
    chosen = as_loss(loss)
    X, y = case.data(_name_of(chosen), case.large)
    assert solution.status is status and solution.status.value in solution.message
    cases.assert_consistent(solution, X, y, chosen)
    assert solution.gap > solution.tol and solution.n_neurons > 0
    assert solution.objective < chosen.value(np.zeros(len(y)), y)
    if solution.history:
        assert solution.objective <= solution.history[-1].objective * (1.0 + 1e-12)


@cases.each_case_with_long
def test_max_iter_ends_a_run_with_one_warning(case):
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        solution = cvxnn.solve(**large(case, max_iter=1))
    assert_cut_short(case, solution, Status.ITERATION_LIMIT)
    assert solution.n_iter == 1
    (warning,) = caught
    assert warning.filename == __file__
    text = str(warning.message)
    assert f"The gap is {solution.program_gap:.1e}, tol is 1.0e-14" in text and "\n" not in text


@cases.each_case_with_long
def test_no_time_at_all_still_gives_neurons(case):
    for method in case.methods:
        if method == "exact" and case.large[-1] > 6:
            continue
        with pytest.warns(ConvergenceWarning, match="raise time_limit") as caught:
            solution = cvxnn.solve(**large(case, method=method, time_limit=1e-9))
        assert [warning.filename for warning in caught] == [__file__]
        assert_cut_short(case, solution, Status.TIME_LIMIT)
        assert solution.history == ()
        # A network that no search has found may be of no program but that over all.
        assert solution.program_gap == solution.gap
    # The bound of a search that ran is one of the same problem.
    limited = quietly(cvxnn.solve, **large(case, max_iter=1))
    assert limited.dual_bound <= solution.objective
    assert solution.dual_bound <= limited.objective <= solution.objective * (1.0 + 1e-12)


@cases.each_loss
def test_no_time_at_all_still_gives_neurons_for_weighted_rows(case, loss):
    X, y = case.data(loss, case.large)
    weights = np.linspace(0.5, 2.0, len(y))
    problem = large(case, X=X, y=y, loss=loss, sample_weight=weights)
    solution = quietly(cvxnn.solve, **problem, time_limit=1e-9)
    assert_cut_short(case, solution, Status.TIME_LIMIT, WeightedLoss(as_loss(loss), weights))


class Looks(Deadline):
    """Passes when it has been looked at so often; or Ctrl-C is pressed then, once."""

    def __init__(self, count, *, presses):
        super().__init__(1e6)
        self._left, self._presses = count, presses

    @property
    def passed(self):
        self._left -= 1
        if self._presses and self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return not self._presses and self._left < 0

    def share(self, fraction):
        return self


@cases.each_of_four
def test_a_run_may_end_at_any_look_at_its_deadline(case):
    loss = case.losses[-1]
    X, y = case.data(loss, case.large)
    problem = large(case, X=X, y=y, loss=loss, beta=0.1, tol=1e-4)
    best = quietly(cvxnn.solve, **problem)
    for count, presses in zip((1, 1, 2, 5, 21, 55), cycle((True, False)), strict=False):
        run = prepare(**problem)
        run._deadline = Looks(count, presses=presses)
        solution = run.execute()
        cases.assert_consistent(solution, X, y, loss)
        expected = Status.INTERRUPTED if presses else Status.TIME_LIMIT
        assert solution.status is expected or solution.status.is_success
        assert solution.n_neurons > 0 and solution.objective >= best.dual_bound * (1.0 - 1e-9)
        assert solution.dual_bound <= best.objective * (1.0 + 1e-9)
        if solution.history:
            assert solution.objective <= solution.history[-1].objective * (1.0 + 1e-12)


@pytest.mark.long
def test_a_run_on_many_rows_may_end_at_any_look():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((5_000, 3)), np.ones(5_000)])
    y = np.sin(2.0 * X[:, 0]) + 0.3 * rng.standard_normal(5_000)
    for count in (1, 4, 16, 64, 256, 400):
        run = prepare(X, y, 50.0)
        run._deadline = Looks(count, presses=False)
        solution = run.execute()
        assert solution.n_neurons > 0 and solution.objective < 0.5 * float(y @ y)
        assert solution.dual_bound <= solution.objective


@cases.each_case
def test_nobody_is_told_to_wait_for_neurons_that_do_not_help(case):
    # The network 0 is optimal, or the line alone.
    solution = quietly(cvxnn.solve, **large(case, beta=1e6, time_limit=1e-9))
    assert solution.n_neurons == 0
    assert ("no neurons yet" in solution.message) == (solution.status is Status.TIME_LIMIT)


def kill(progress):
    os.kill(os.getpid(), signal.SIGINT)


def throw(progress):
    raise KeyboardInterrupt


@with_long("press", [kill, throw])
@cases.each_case_with_long
def test_ctrl_c_in_a_round_returns_the_best_so_far_in_silence(case, press):
    seen = []

    def interrupt(progress):
        seen.append(progress)
        press(progress)

    solution = cvxnn.solve(**large(case, callback=interrupt))
    assert_cut_short(case, solution, Status.INTERRUPTED)
    assert solution.history == tuple(seen) and solution.n_iter == 1


@cases.each_of_four
def test_a_callback_sees_every_round_and_the_gap_close(case):
    seen = []
    X, y = case.data(shape=case.large)
    solution = cvxnn.solve(**large(case, callback=seen.append, beta=0.3, tol=1e-6))
    assert solution.status.is_success
    cases.assert_consistent(solution, X, y)
    assert tuple(seen) == solution.history and solution.n_iter == len(seen) > 0
    for name, sign in (("objective", -1.0), ("dual_bound", 1.0), ("elapsed", 1.0)):
        values = [sign * getattr(progress, name) for progress in seen]
        # The last digit of a sum of thousands is not known.
        assert all(new >= old - 1e-15 * abs(old) for old, new in pairwise(values))
    last = seen[-1]
    assert last.objective == pytest.approx(solution.objective, rel=1e-6) and last.gap <= 2e-6
    assert last.n_neurons > 0 and last.elapsed <= solution.elapsed


@cases.each_of_few
def test_errors_of_a_callback_get_through(case):
    def fail(progress):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        cvxnn.solve(**large(case, callback=fail))


def state_of_the_process():
    threads = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    return list(warnings.filters), np.geterr(), signal.getsignal(signal.SIGINT), threads


@cases.each_of_four
def test_nothing_is_left_behind(case):
    before, state = state_of_the_process(), np.random.get_state()[1].copy()
    case.solve()
    quietly(cvxnn.solve, **large(case, max_iter=1))
    quietly(cvxnn.solve, **large(case, time_limit=1e-9))
    cvxnn.solve(**large(case, callback=kill))
    with pytest.raises(ZeroDivisionError):
        cvxnn.solve(**large(case, callback=lambda progress: 1 / 0))
    assert state_of_the_process() == before
    # A generator of NumPy's own that a run drew from would be a seed of others.
    assert np.array_equal(np.random.get_state()[1], state)


@cases.each_warm
def test_a_warm_start_is_never_lost(case):
    best = cases.solved(case.name, "squared", "global")
    solution = quietly(case.solve, warm_start=best.network, time_limit=1e-9, tol=1e-15)
    assert solution.objective <= best.objective * (1.0 + 1e-14)
    cases.assert_consistent(solution, *case.data())


@pytest.mark.long
@with_long(
    ("model", "shape", "fewer"),
    [
        (cvxnn.Conv(4), (140, 5, 5), "smaller filters"),
        (cvxnn.ReLU(), (600, 11), "fewer or projected features"),
    ],
    ids=repr,
)
def test_a_run_without_a_proof_says_what_would_help(model, shape, fewer):
    case = cases.Case("", model, shape, shape)
    parameter = "proof_time in method=Global(proof_time=...)"
    advice = f"with a larger {parameter}. A larger beta or {fewer} narrow it, too"
    with pytest.warns(ConvergenceWarning, match=re.escape(advice)):
        solution = case.solve(method=cvxnn.Global(proof_time=0.0), beta=100.0)
    assert solution.status is Status.STATIONARY and 0.0 < solution.dual_bound < solution.objective
    cases.assert_consistent(solution, *case.data())


def test_a_run_that_was_to_have_no_proof_says_how_to_get_one():
    with pytest.warns(ConvergenceWarning, match=r"a proof takes method=Global\(certify=True\)"):
        cases.Case("", cvxnn.ReLU(), (20, 8), (20, 8)).solve(
            method=cvxnn.Global(certify=False), beta=0.5
        )
