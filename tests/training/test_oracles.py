"""Every kind of network with every search and oracle: the same optimum whichever is at work."""

from typing import Any

import numpy as np
import pytest
from contracts.cases import assert_consistent
from programs import LOSSES, targets
from variants import with_long

from cvxnn import Conv, ReLU, Status, solve
from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.losses.base import DiagonalRoot
from cvxnn.losses.skip import SkipRoot
from cvxnn.oracle import choice
from cvxnn.problems import Problem
from cvxnn.solvers.layer_strategy import Searches
from cvxnn.solvers.planar.rank_two_search import RankTwoSearch

WEIGHTS = np.array([0.3, 2.0, 1e-3, 1.0, 5.0, 40.0])
MODELS: dict[str, Any] = {
    "relu": ReLU(),
    "leaky": ReLU(0.1),
    "modulus": ReLU(-1.0),
    "relu beside a penalised line": ReLU(0.0, "penalised"),
    "leaky beside a penalised line": ReLU(0.1, "penalised"),
    "relu beside a free line": ReLU(0.0, "free"),
    "leaky beside a free line": ReLU(0.1, "free"),
    "filters": Conv(2),
}


def data(rank: int, columns: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(10 * rank + columns)
    X = rng.standard_normal((6, rank)) @ rng.standard_normal((rank, columns))
    return X, rng.standard_normal(6) + np.maximum(X[:, 0], 0.0)


# Priced like others, and among the slowest.
LIKE_OTHERS = ("modulus", "leaky beside a penalised line", "leaky beside a free line")


def losses(name: str) -> tuple[str, ...]:
    if "free" in name:
        # A line separates the labels of six rows.
        return ("squared", "huber")
    # Beside a penalised line a training is some ten of the others.
    return ("squared", "logistic") if "penalised" in name else LOSSES


RANKS = [(1, 1), (1, 2), (2, 2), (2, 4), (3, 3)]


def is_in_turn(name, rank, few):
    """Of each model and rank one way to price, and each way with every second rank."""
    return (list(MODELS).index(name) + RANKS.index(rank) + few) % 2 == 0


def is_like_another(name, rank):
    """Of each model that is not, ranks that another one does not have; all ranks with the two."""
    own = [each for each in MODELS if each not in LIKE_OTHERS]
    return name not in own or (own.index(name) + RANKS.index(rank) // 2) % 2 == 1


@pytest.mark.parametrize(
    ("name", "rank", "columns", "few"),
    [
        pytest.param(
            name, *rank, few,
            id=f"{name}-{rank[0]}-{rank[1]}-{'cells where they are few' if few else 'no cells'}",
            marks=pytest.mark.long if is_like_another(name, rank) else (),
        )
        for name in MODELS
        for rank in RANKS
        for few in (True, False)
        if is_in_turn(name, rank, few)
    ],
)  # fmt: skip
def test_global_finds_the_optimum_of_exact(name, rank, columns, few, monkeypatch):
    if not few:
        monkeypatch.setattr(choice, "_FEW_PATTERNS", 0)
    X, y = data(rank, columns)
    # Filters over the rows as signals, all of one patch or of neighbours.
    model = Conv(min(2, columns)) if name == "filters" else MODELS[name]
    of_model = losses(name)
    # Two losses each, which take turns.
    for k in sorted({(rank + few) % len(of_model), (rank + few + 1) % len(of_model)}):
        loss = of_model[k]
        weights = WEIGHTS if k % 2 == 0 else None
        options = {"model": model, "loss": loss, "sample_weight": weights, "tol": 1e-5}
        problem = X, targets(loss, y), (0.05, 0.3)[(k + rank) % 2]
        found, exact = (solve(*problem, method=way, **options) for way in ("global", "exact"))
        case = name, loss, problem[2]
        assert found.status is exact.status is Status.OPTIMAL, case
        # Neither bound is above the network of the other: both are of the same problem.
        assert found.dual_bound <= exact.objective + exact.objective_error, case
        assert exact.dual_bound <= found.objective + found.objective_error, case
        assert found.objective == pytest.approx(exact.objective, rel=1.1e-5), case


@pytest.mark.parametrize("skip", [None, "penalised", "free"])
def test_integers_of_rank_two_beside_a_line(skip):
    """A bound of sums over arcs is none of a problem that mixes predictions."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        X = rng.integers(-3, 4, (5, 2)).astype(float)
        y = rng.integers(-3, 4, 5).astype(float)
        beta = float(rng.uniform(0.1, 1.0))
        found, exact = (
            solve(X, y, beta, model=ReLU(skip=skip), method=way) for way in ("global", "exact")
        )
        assert found.status is exact.status is Status.OPTIMAL
        assert found.objective == pytest.approx(exact.objective, rel=2e-6)


def test_a_root_that_mixes_predictions_excludes_sums_over_arcs():
    X, y = data(2, 2)
    layer = Layer(X)
    searches = Searches(
        layer, None, np.random.default_rng(0), Deadline(),
        by_cells=True, certifies=True,
    )  # fmt: skip
    problem = Problem.of(layer, y, 1.0, SquaredLoss())
    assert isinstance(searches.open(problem), RankTwoSearch)
    for root, kind in ((DiagonalRoot(WEIGHTS), True), (SkipRoot(WEIGHTS, X, 1.0), False)):
        rooted = problem.on(root.applied(problem.rows))
        assert isinstance(searches.open(rooted, root=root), RankTwoSearch) is kind


@with_long("method", ["global", "exact"])
@with_long("seed", range(2))
def test_bundles_of_nearly_equal_rows(seed, method):
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, (3, 4)).astype(float)
    X = base[np.arange(9) % 3] + 1e-9 * rng.standard_normal((9, 4))
    y = rng.standard_normal(9)
    solution = solve(X, y, 1e-3, method=method)
    assert solution.status is Status.OPTIMAL
    # Telling rows of a bundle apart costs 1e9 a unit: the optimum is that of the bundles,
    # of which each row is a copy, up to this.
    merged = solve(base[np.arange(9) % 3], y, 1e-3, method=method)
    assert solution.objective == pytest.approx(merged.objective, rel=1e-5)
    assert_consistent(solution, X, y)
