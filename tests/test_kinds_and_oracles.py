"""Every kind of network with every search and oracle: the same optimum whichever is at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cvxnn.architectures import solve_cnn, solve_leaky
from cvxnn.training.methods import Searches
from numpy.typing import NDArray

from cvxnn.oracle import choice
from cvxnn.results import Status
from cvxnn.training import solve

FloatArray = NDArray[np.float64]
Train = Callable[..., Any]

WEIGHTS = np.array([0.3, 2.0, 1e-3, 1.0, 5.0, 40.0])


def leaky(slope: float, skip: str | None) -> Train:
    def train(X: FloatArray, y: FloatArray, beta: float, method: str, **options: Any) -> Any:
        return solve_leaky(X, y, beta, slope, skip=skip, method=method, **options)

    return train


def signals(X: FloatArray, y: FloatArray, beta: float, method: str, **options: Any) -> Any:
    """Filters over the rows as signals, all of one patch or of neighbours."""
    size = min(2, X.shape[1])
    return solve_cnn(X, y, beta, filter_size=size, method=method, **options)


KINDS: dict[str, Train] = {
    "relu": solve,
    "leaky": leaky(0.1, None),
    "modulus": leaky(-1.0, None),
    "relu beside a penalised line": leaky(0.0, "penalised"),
    "leaky beside a penalised line": leaky(0.1, "penalised"),
    "relu beside a free line": leaky(0.0, "free"),
    "leaky beside a free line": leaky(0.1, "free"),
    "filters": signals,
}


def data(rank: int, columns: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(10 * rank + columns)
    X = rng.standard_normal((6, rank)) @ rng.standard_normal((rank, columns))
    return X, rng.standard_normal(6) + np.maximum(X[:, 0], 0.0)


def losses(kind: str) -> list[str]:
    if "free" in kind:
        return ["squared"]
    # Beside a penalised line a training is some ten of the others.
    few = ["squared", "logistic"]
    return few if "penalised" in kind else ["squared", "huber", "logistic", "squared_hinge"]


@pytest.mark.parametrize("few", [True, False], ids=["cells where they are few", "no cells"])
@pytest.mark.parametrize(
    ("rank", "columns"), [(1, 1), (1, 2), (2, 2), (2, 4), (3, 3)], ids=lambda k: str(k)
)
@pytest.mark.parametrize("kind", KINDS)
def test_global_finds_the_optimum_of_exact(
    kind: str, rank: int, columns: int, few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not few:
        monkeypatch.setattr(choice, "_FEW_PATTERNS", 0)
    X, y = data(rank, columns)
    for k, loss in enumerate(losses(kind)):
        target = np.where(y > 0.0, 1.0, -1.0) if loss in ("logistic", "squared_hinge") else y
        weights = WEIGHTS if k % 2 == 0 else None
        options: dict[str, Any] = {"loss": loss, "sample_weight": weights, "tol": 1e-5}
        beta = (0.05, 0.3)[(k + rank) % 2]
        found = KINDS[kind](X, target, beta, "global", **options)
        exact = KINDS[kind](X, target, beta, "exact", **options)
        case = kind, loss, beta
        assert found.status is exact.status is Status.OPTIMAL, case
        # Neither bound is above the network of the other: both are of the same problem.
        assert found.dual_bound <= exact.objective + exact.objective_error, case
        assert exact.dual_bound <= found.objective + found.objective_error, case
        assert found.objective == pytest.approx(exact.objective, rel=1.1e-5), case


@pytest.mark.parametrize("skip", [None, "penalised", "free"])
def test_integers_of_rank_two_beside_a_line(skip: str | None) -> None:
    """A bound of sums over arcs is none of a problem that mixes predictions."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        X = rng.integers(-3, 4, (5, 2)).astype(float)
        y = rng.integers(-3, 4, 5).astype(float)
        beta = float(rng.uniform(0.1, 1.0))
        found = solve_leaky(X, y, beta, 0.0, skip=skip)
        exact = solve_leaky(X, y, beta, 0.0, skip=skip, method="exact")
        assert found.status is exact.status is Status.OPTIMAL
        assert found.objective == pytest.approx(exact.objective, rel=2e-6)


def test_a_penalised_line_of_one_feature() -> None:
    X, y = np.array([[1.0], [-2.0], [3.0], [0.5], [-1.0]]), np.array([1.0, 1.0, -1.0, 2.0, 0.5])
    solution = solve_leaky(X, y, 1.0, 0.0, skip="penalised")
    assert solution.status is Status.OPTIMAL
    # Of its neurons (x)_+ and (-x)_+ and the line: p = ||f - y||^2 / 2 + |a| + |b| + |w| with
    # f = (a + w) x for x > 0 and (w - b) x else, by calculus on each half line.
    x, half = X[:, 0], X[:, 0] > 0.0
    grid = np.linspace(-2.0, 2.0, 401)
    right, left = np.meshgrid(grid, grid, indexing="ij")
    loss = sum(
        0.5 * (np.where(on, right, left) * t - target) ** 2
        for on, t, target in zip(half, x, y, strict=True)
    )
    # Slopes of one sign share the line, which costs the larger of the two.
    price = np.where(right * left > 0.0, np.maximum(abs(right), abs(left)), abs(right) + abs(left))
    best = float((loss + price).min())
    assert solution.dual_bound <= best
    assert solution.objective == pytest.approx(best, rel=1e-4)


def test_a_root_that_mixes_predictions_excludes_sums_over_arcs() -> None:
    from cvxnn.training.methods import Method

    from cvxnn.interrupts import Deadline
    from cvxnn.layers import Layer
    from cvxnn.losses.roots import DiagonalRoot, SkipRoot
    from cvxnn.solvers.planar.rank_two_search import RankTwoSearch

    X, y = data(2, 2)
    method = Method("global", None, 10, "data", np.random.default_rng(0))
    searches = Searches(method, Layer(X), None, Deadline(), by_cells=True)
    assert isinstance(searches.open(None, y, 1.0, None), RankTwoSearch)
    assert isinstance(searches.open(DiagonalRoot(WEIGHTS), y, 1.0, None), RankTwoSearch)
    mixed = searches.open(SkipRoot(WEIGHTS, X, 1.0), y, 1.0, None)
    assert not isinstance(mixed, RankTwoSearch)


@pytest.mark.parametrize("method", ["global", "exact"])
@pytest.mark.parametrize("seed", range(4))
def test_bundles_of_nearly_equal_rows(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, (3, 4)).astype(float)
    X = base[np.arange(9) % 3] + 1e-9 * rng.standard_normal((9, 4))
    y = rng.standard_normal(9)
    solution = solve(X, y, 1e-3, method)
    assert solution.status is Status.OPTIMAL
    # Telling rows of a bundle apart costs 1e9 a unit: the optimum is that of the bundles,
    # of which each row is a copy, up to this.
    merged = solve(base[np.arange(9) % 3], y, 1e-3, method)
    assert solution.objective == pytest.approx(merged.objective, rel=1e-5)
