"""Frank and Wolfe's steps: their rate, and bounds that are never above the optimum."""

import numpy as np
import pytest
from variants import with_long

import cvxnn
from cvxnn import FrankWolfe, Status
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.stepwise.frank_wolfe import FrankWolfeSearch
from cvxnn.solvers.stepwise.neurons import NextNeuron

# Most of these runs end before their tolerance.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RULES = ("line_search", "open_loop")


def draw(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.sin(2.0 * X[:, 0]) + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("step", RULES)
@with_long("shape", [(20, 3), (40, 2)], ids=str)
def test_the_rate_is_that_of_the_theorem(step, shape):
    """``F_k - F* <= 2 C / (k + 2)``, C at most the squared diameter of what steps reach."""
    X, y = draw(*shape)
    beta = 0.2 * cvxnn.largest_beta(X, y)
    best = cvxnn.solve(X, y, beta, tol=1e-9).objective
    solution = cvxnn.solve(X, y, beta, method=FrankWolfe(step), max_iter=100)
    # Of predictions of size T at most, T = l(0) / beta.
    radius = 0.5 * float(y @ y) / beta * np.sqrt((X**2).sum())
    for entry in solution.history:
        k = entry.iteration + 1
        assert entry.objective - best <= 2.0 * (2.0 * radius) ** 2 / (k + 2)
    assert step == "open_loop" or solution.objective < 1.02 * best


@with_long(
    "step, loss, seed",
    [
        ("line_search", "logistic", 0), ("open_loop", "squared", 1),
        ("line_search", "huber", 2), ("open_loop", "squared_hinge", 0),
        ("line_search", "squared", 1), ("open_loop", "logistic", 2),
    ],
    always=2,
    ids=str,
)  # fmt: skip
def test_the_own_gap_is_never_below_the_true_one(step, loss, seed):
    X, y = draw(25, 2 + seed % 2, seed)
    y = np.where(y > 0.0, 1.0, -1.0) if as_loss(loss).has_labels else y
    beta = (0.5, 0.05, 0.2)[seed]
    best = cvxnn.solve(X, y, beta, loss=loss, tol=1e-9)
    upper = best.objective + best.objective_error
    solution = cvxnn.solve(X, y, beta, loss=loss, method=FrankWolfe(step), max_iter=40)
    for entry in solution.history:
        assert entry.method_bound <= upper
        # The bound of the house is as good, of the same dual point.
        assert entry.method_bound <= entry.dual_bound + 1e-9 * abs(entry.objective)
        assert entry.dual_bound <= upper
    assert solution.dual_bound <= upper


ROWS = {
    "tiny": lambda X: 1e-90 * X,
    "huge": lambda X: 1e90 * X,
    "rows of zeros": lambda X: X * (np.arange(len(X)) % 3 > 0)[:, None],
    "equal rows": lambda X: X[np.arange(len(X)) // 4],
    "nearly equal rows": lambda X: (
        X[np.arange(len(X)) // 4] * (1.0 + 1e-15 * np.arange(len(X)))[:, None]
    ),
    "one row": lambda X: X[:1],
    "one feature": lambda X: X[:, :1],
    "rank one": lambda X: np.outer(X[:, 0], [1.0, -2.0, 3.0]),
    "columns of other units": lambda X: X * [1.0, 1e-9, 1e9],
    "nothing": lambda X: 0.0 * X,
}


@with_long("method", ["frank_wolfe", "incremental"])
@with_long("name", ROWS, always=4)
def test_no_bound_is_wrong_on_difficult_rows(method, name):
    X, y = draw(24, 3)
    X = ROWS[name](X)
    y = y[: len(X)]
    beta = 0.1 * cvxnn.largest_beta(X, y) or 1.0
    best = cvxnn.solve(X, y, beta, tol=1e-8)
    upper = best.objective + best.objective_error
    solution = cvxnn.solve(X, y, beta, method=method, max_iter=40)
    assert (
        solution.dual_bound <= upper <= (solution.objective + solution.objective_error) * (1 + 1e-8)
    )
    for entry in solution.history:
        assert entry.dual_bound <= upper
        if method == "frank_wolfe" and entry.method_bound is not None:
            assert entry.method_bound <= upper * (1.0 + 1e-12)


def test_a_bound_of_an_ascent_is_none():
    """Where the oracle has found too little, its upper bound counts, not what it has found."""
    X, y = draw(40, 8)
    best = cvxnn.solve(X, y, 3.0, method=cvxnn.Global(certify=False))
    solution = cvxnn.solve(X, y, 3.0, method=FrankWolfe(certify=False), max_iter=30)
    assert not solution.status.is_success
    for entry in solution.history:
        assert entry.method_bound <= entry.dual_bound + 1e-9 <= best.objective + 1e-8


def test_the_formula_of_the_gap():
    """Of a dual point and any M at least as large as the oracle, by hand."""
    X, y = draw(20, 2)
    problem = Problem.of(Layer(X), y, 0.5, as_loss("squared"))
    time = ProofTime(FrankWolfe())
    neuron = NextNeuron(problem.rows, np.random.default_rng(0), 4, UNLIMITED, time)
    search = FrankWolfeSearch(problem, neuron, UNLIMITED, certifies=True, is_open_loop=False)
    largest = 2.0 * cvxnn.largest_beta(X, y)
    search._note(DualProof.of(y, largest, "tree"))
    half = 0.5 * float(y @ y)
    assert search.method_bound == pytest.approx(half - half / 0.5 * (largest - 0.5))


def test_nothing_is_the_optimum_above_the_largest_beta():
    X, y = draw(20, 2)
    beta = 1.01 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta, method="frank_wolfe")
    assert solution.status is Status.OPTIMAL and solution.n_neurons == 0


def test_settings_and_what_goes_without():
    with pytest.raises(cvxnn.InputError, match="step must be"):
        FrankWolfe("short")
    X, y = draw(10, 2)
    for options, says in (
        ({"intercept": True}, "takes no intercept"),
        ({"loss": "absolute"}, "takes no loss with kinks"),
        ({"loss": "poisson"}, "takes no loss of counts"),
    ):
        target = np.abs(y) if options.get("loss") == "poisson" else y
        with pytest.raises(cvxnn.InputError, match=says):
            cvxnn.solve(X, target, 0.1, method="frank_wolfe", **options)


@pytest.mark.parametrize("method", ["frank_wolfe", "incremental"])
def test_a_time_limit_ends_a_run_with_a_network_and_a_bound(method):
    X, y = draw(2000, 3)
    solution = cvxnn.solve(X, y, 0.01, method=method, time_limit=0.3)
    assert solution.status is Status.TIME_LIMIT
    assert 0.0 <= solution.dual_bound <= solution.objective < 0.5 * float(y @ y)


@pytest.mark.parametrize("step", RULES)
def test_a_network_to_start_from_is_where_it_starts(step):
    X, y = cvxnn.load_ring()
    best = cvxnn.solve(X, y, 1.0)
    method = FrankWolfe(step=step)
    solution = cvxnn.solve(X, y, 1.0, method=method, max_iter=3, warm_start=best.network)
    assert solution.objective == pytest.approx(best.objective, rel=1e-12)
    assert solution.dual_bound <= best.objective
    for line in solution.history:
        assert line.method_bound <= best.objective * (1.0 + 1e-12)
