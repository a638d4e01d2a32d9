"""A free linear part beside any loss: cvxpy, and what its bound rests on."""

from fractions import Fraction

import numpy as np
import pytest
from networks.cases import exact
from programs import COUNTS, LOSSES, targets
from scipy.optimize import minimize
from skip_problems import BETA, data, opener, reference, run, skip_rows, value
from variants import with_long

import cvxnn
from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.losses import HingeLoss, HuberLoss, Loss, WeightedLoss, as_loss
from cvxnn.problems import Problem
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.profile import ProfiledProblem
from cvxnn.solvers.skip.projection import ProjectedProblem
from cvxnn.solvers.skip.strategy import free_problem

each_loss = pytest.mark.parametrize("loss", (*LOSSES, *COUNTS))


def overlapping(loss: str, n: int = 12) -> tuple[FloatArray, FloatArray]:
    """Data that no line fits or separates, for any of the losses."""
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    y = 3.0 * rng.standard_normal(n) + X[:, 0]
    return X, targets(loss, y)


def profiled(loss: str | Loss, X: FloatArray, y: FloatArray) -> ProfiledProblem:
    problem = Problem.of(skip_rows(X, 0.0, is_free=True), y, BETA, as_loss(loss))
    return ProfiledProblem.of(problem)


@pytest.mark.parametrize("slope", [0.0, -1.0])
@with_long("loss", ["squared", "huber", "squared_hinge"])
def test_the_optimum_is_that_of_cvxpy(loss, slope):
    X, y = data(loss)
    rows = skip_rows(X, slope, is_free=True)
    free = ProfiledProblem.of(Problem.of(rows, y, BETA, as_loss(loss)))
    search = FreeSkipSearch(free, opener(Deadline()))
    run(search, 1e-8)
    optimum = reference(slope, "free", loss)
    assert search.reaches(1e-8)
    assert search.objective == pytest.approx(optimum, rel=2e-6)
    again = value(rows, y, BETA, loss, search.neurons, search.linear)
    assert again == pytest.approx(search.objective, rel=1e-12)
    for proof in search.final_proofs(quick=False):
        assert float(np.linalg.norm(X.T @ proof.v)) <= 1e-9
        assert 0.0 < proof.slack < 1e-9
        bound = proof.bound(free.problem)
        assert search.bound * (1.0 - 1e-9) <= bound <= optimum * (1.0 + 1e-6)


def test_the_squared_loss_is_a_projection_and_any_other_is_not():
    X, y = overlapping("squared")
    weights = np.linspace(0.5, 2.0, len(y))
    for loss, kind in (
        (as_loss("squared"), ProjectedProblem),
        (WeightedLoss(as_loss("squared"), weights), ProjectedProblem),
        (HuberLoss(1.0), ProfiledProblem),
        (WeightedLoss(HuberLoss(1.0), weights), ProfiledProblem),
    ):
        problem = Problem.of(skip_rows(X, 0.0, is_free=True), y, BETA, loss)
        assert isinstance(free_problem(problem), kind)


@each_loss
@pytest.mark.parametrize("seed", range(4))
def test_dual_points_are_moved_to_vanish_on_the_line_within_the_domain(loss, seed):
    X, y = overlapping(loss)
    chosen = profiled(loss, X, y).inner.loss
    v = 10.0 ** (seed - 2) * np.random.default_rng(seed).standard_normal(len(y))
    moved = chosen.project(v, y)
    assert np.isfinite(as_loss(loss).conjugate(moved, y))
    assert float(np.abs(X.T @ moved).max()) <= 1e-9 * max(1.0, float(np.abs(v).max()))
    assert moved.any()
    again = chosen.project(moved, y)
    np.testing.assert_allclose(again, moved, atol=1e-7)


@with_long(
    "loss",
    [LOSSES[0], LOSSES[2], COUNTS[0], HingeLoss().smoothed(2.0**-20), LOSSES[3], COUNTS[1]],
    ids=str,
)
def test_no_better_network_has_a_longer_line_than_its_reach(loss):
    """The longest lines of a loss below that without neurons, beside the largest neurons."""
    X, y = overlapping(loss)
    free, of_rows = profiled(loss, X, y), as_loss(loss)
    basis, reach = free.space.basis, free._reach
    assert np.isfinite(reach)
    reached = value(free.problem.rows, y, BETA, loss, *nothing(free))
    lengths, rng = free.problem.rows.layer.lengths, np.random.default_rng(0)
    for _ in range(40):
        f = rng.uniform(-1.0, 1.0, len(y)) * lengths * reached / BETA
        move = rng.standard_normal(3)

        def loss_at(t: float, f: FloatArray = f, move: FloatArray = move) -> float:
            return of_rows.value(f + t * (basis @ move), y)

        t = 1e-3
        while t < 1e12 and loss_at(2.0 * t) <= reached:
            t *= 2.0
        # A loss may be infinite in float64 on the way.
        with np.errstate(invalid="ignore", over="ignore"):
            best = minimize(lambda c, f=f: of_rows.value(f + basis @ c, y), np.zeros(3)).x
        lines = [t * move] if loss_at(t) <= reached else []
        if of_rows.value(f + basis @ best, y) <= reached:
            lines.append(best)
        assert all(float(np.linalg.norm(c)) <= reach for c in lines)


def nothing(free: ProfiledProblem):
    from cvxnn.problems import Neurons

    none = Neurons.none(free.problem.rows.n_features)
    return none, free.linear(none)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_left_on_the_line_is_covered_in_rational_arithmetic(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((7, 2)) * [1.0, 1e6], np.ones(7)])
    free = profiled(HuberLoss(1.0), X, rng.standard_normal(7))
    space, v = free.space, 10.0 ** rng.uniform(-6.0, 3.0, 7)
    basis = exact(space.columns) @ exact(space.transform) @ exact(space.turn)
    pulls = exact(v) @ basis
    assert all(abs(p) <= Fraction(b) for p, b in zip(pulls, free._pull(v), strict=True))


def test_without_a_proof_of_the_columns_there_is_only_the_least_loss():
    X, y = overlapping("huber")
    free = profiled("huber", X, y)
    object.__setattr__(free.space, "least", 0.0)
    search = FreeSkipSearch(free, opener(Deadline()))
    assert search.bound == 0.0 < search.objective and not search.proof.v.any()


def test_labels_that_a_line_separates():
    X, _ = overlapping("logistic")
    y = np.sign(X @ [1.0, -2.0, 0.1])
    with pytest.raises(InputError, match="a linear function of X separates"):
        profiled("logistic", X, y)
    # The best margins of a squared hinge are finite, and cost nothing.
    free = profiled("squared_hinge", X, y)
    neurons, w = nothing(free)
    assert len(neurons) == 0 and (y * (X @ w) >= 1.0 - 1e-9).all()
    search = FreeSkipSearch(free, opener(Deadline()))
    assert search.bound == 0.0 and search.objective <= 1e-15
    assert len(search.neurons) == 0


def test_rows_without_columns_have_no_line():
    free = profiled("huber", np.zeros((3, 1)), np.array([1.0, -2.0, 3.0]))
    search = FreeSkipSearch(free, opener(Deadline()))
    assert search.linear.tolist() == [0.0] and search.proof.slack == 0.0
    assert search.objective == pytest.approx(0.5 + 1.5 + 2.5)


@pytest.mark.parametrize("slope", [0.0, -1.0])
@pytest.mark.parametrize("intercept", [False, True])
def test_labels_that_a_line_separates_have_an_objective_of_zero(slope, intercept):
    """Not one of 1e-32, which is far from 0 relative to itself."""
    rng = np.random.default_rng(0)
    for n, d in [(4, 1), (5, 3), (9, 2), (11, 3)]:
        X = rng.standard_normal((n, d))
        y = np.sign(X[:, 0])
        y[:2], X[:2, 0] = [1.0, -1.0], [0.5, -0.5]
        solution = cvxnn.solve(
            X, y, 0.3, loss="squared_hinge", model=cvxnn.ReLU(slope, "free"), intercept=intercept
        )
        assert solution.status is cvxnn.Status.OPTIMAL
        assert solution.objective == solution.dual_bound == solution.gap == 0.0
        # Exactly, and not only as it says; a rounded prediction may be one unit short.
        network = solution.network
        assert network.n_neurons == 0
        weights = [*map(Fraction, network.skip_weights.ravel()), Fraction(network.intercept)]
        for row, label in zip(np.column_stack([X, np.ones(n)]), y, strict=True):
            f = sum(Fraction(x) * w for x, w in zip(row, weights, strict=True))
            assert Fraction(label) * f >= 1
