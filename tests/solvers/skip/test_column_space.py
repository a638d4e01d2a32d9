"""The proven basis of a column space, against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from cvxnn import ReLU, solve
from cvxnn.results import Status
from cvxnn.solvers.skip.column_space import ColumnSpace

FREE = ReLU(0.0, "free")


def product(first: list[list[float]], second: list[list[float]]) -> list[list[Fraction]]:
    columns = list(zip(*second, strict=True))
    return [
        [sum(Fraction(a) * Fraction(b) for a, b in zip(row, c, strict=True)) for c in columns]
        for row in first
    ]


def exact_basis(space: ColumnSpace) -> list[list[Fraction]]:
    """``D S R T`` in rational arithmetic."""
    R = product(space.transform.tolist(), space.turn.tolist())
    return [
        [
            Fraction(scale) * sum(Fraction(s) * R[k][j] for k, s in enumerate(row))
            for j in range(len(R))
        ]
        for scale, row in zip(space.scales.tolist(), space.columns.tolist(), strict=True)
    ]


@pytest.mark.parametrize("decades", [0, 5, 12])
@pytest.mark.parametrize("seed", range(5))
def test_basis_error_and_least_singular_value(seed, decades):
    rng = np.random.default_rng(seed)
    S = rng.standard_normal((8, 4)) * 10.0 ** rng.uniform(-decades, decades, 4)
    S[:, 3] = S[:, 2] + 1e-8 * rng.standard_normal(8)
    scales = 10.0 ** rng.uniform(-decades, 0.0, 8)
    space = ColumnSpace.of(S, scales)
    exact = exact_basis(space)
    for i in range(8):
        for j in range(len(space.kept)):
            difference = abs(exact[i][j] - Fraction(space.basis[i, j]))
            assert difference <= Fraction(space.error[i, j])
    # The Gram matrix minus its least eigenvalue's bound is positive definite: pivots > 0.
    k = len(space.kept)
    gram = [
        [sum(row[a] * row[b] for row in exact) - (a == b) * Fraction(space.least) ** 2
         for b in range(k)] for a in range(k)
    ]  # fmt: skip
    for p in range(k):
        assert gram[p][p] > 0
        for a in range(p + 1, k):
            factor = gram[a][p] / gram[p][p]
            gram[a] = [gram[a][b] - factor * gram[p][b] for b in range(k)]
    # As far as twice the precision goes, the basis is orthonormal to rounding.
    least, rest = {0: (0.999, 1e-13), 5: (0.999, 1e-6), 12: (0.9, 1.0)}[decades]
    assert space.least > least
    z = rng.standard_normal(8)
    part = [sum(row[j] * Fraction(t) for row, t in zip(exact, z, strict=True)) for j in range(k)]
    length = sum(x**2 for x in part) / Fraction(space.least) ** 2
    assert length <= Fraction(space.share(z)) ** 2
    assert space.share(space.project(z)) <= rest


@pytest.mark.parametrize("unit", [1e-100, 1e-9, 1.0, 1e9, 1e100])
@pytest.mark.parametrize("weight", [1e-40, 1e-10, 1.0, 1e40])
def test_neither_weights_nor_units_decide_what_depends(weight, unit):
    x = np.arange(1.0, 6.0)
    almost = x.copy()
    almost[-1] += 1e-8
    scales = np.ones(5)
    scales[-1] = weight
    S = np.column_stack([np.ones(5), x, almost * unit])
    assert len(ColumnSpace.of(S, scales).kept) == 3
    S = np.column_stack([np.ones(5), x, (1.0 - 2.0 * x) * unit])
    assert len(ColumnSpace.of(S, scales).kept) == 2


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_timestamps_of_a_tenth_of_a_second():
    """Many rows are no reason to take a column of 4e5 units in the last place for a constant."""
    x = 1.7e9 + np.linspace(0.0, 0.1, 2000)
    y = (x - 1.7e9) * 10.0
    solution = solve(np.column_stack([x, np.ones(2000)]), y, 1e12, model=FREE)
    # The line 10 x - 1.7e10 is y, every product and difference exact.
    assert solution.dual_bound <= 0.0
    assert solution.objective <= 1e-9


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("weight", [1e-10, 1.0])
def test_columns_that_one_light_row_tells_apart(weight):
    """The difference of two columns fits the only target: the optimum is 0."""
    x = np.arange(1.0, 6.0)
    almost = x.copy()
    almost[-1] += 1e-8
    X, w = np.column_stack([np.ones(5), x, almost]), np.ones(5)
    w[-1] = weight
    y = np.zeros(5)
    y[-1] = 1e3 / np.sqrt(weight)
    solution = solve(X, y, 1e6, model=FREE, sample_weight=w)
    # c (x_3 - x_2) with this c, evaluated in rational arithmetic, is a network.
    c = Fraction(float(y[-1] / (almost[-1] - x[-1])))
    difference = Fraction(float(almost[-1])) - Fraction(float(x[-1]))
    best = Fraction(weight) * (c * difference - Fraction(float(y[-1]))) ** 2 / 2
    assert Fraction(solution.dual_bound) <= best
    assert solution.objective <= 1e-20
    assert solution.status is not Status.OPTIMAL or best == 0
