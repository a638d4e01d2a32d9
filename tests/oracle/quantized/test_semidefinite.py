"""Bounds by multipliers: above all signs whatever the multipliers, and the best ones the SDP."""

from fractions import Fraction

import numpy as np
import pytest
from oracle.quantized.test_tree import drawn, each_kind
from solvers.quantized.sign_networks import all_signs
from variants import with_long

from cvxnn.oracle.quantized.semidefinite import (
    largest_eigenvalue,
    multiplier_bound,
    multipliers_of,
    unit_vectors,
)


def best_multipliers(N):
    d = len(N)
    rng = np.random.default_rng(0)
    vectors = unit_vectors(N, *rng.standard_normal((2, d, d)), 5000)
    return multipliers_of(N, *vectors)


@each_kind
@with_long("d", [1, 2, 4, 7], always=2)
def test_the_bound_is_above_all_values(kind, d):
    rng = np.random.default_rng(d)
    for seed in range(4):
        N = drawn(seed, d, kind)
        exact = max(sum(abs(sum(map(Fraction, row * u))) for row in N) for u in all_signs(d))
        sizes = np.abs(N).sum(axis=1)
        for m in (sizes, best_multipliers(N), 0.0 * sizes, -sizes, sizes * rng.random(d)):
            assert Fraction(multiplier_bound(N, m)) >= exact


@each_kind
def test_the_best_multipliers_are_those_of_the_relaxation(kind):
    cp = pytest.importorskip("cvxpy")
    N = drawn(2, 6, kind)
    m = cp.Variable(6)
    program = cp.Problem(cp.Minimize(cp.sum(m)), [cp.diag(m) - N >> 0, cp.diag(m) + N >> 0])
    value = program.solve(solver="CLARABEL")
    found = multiplier_bound(N, best_multipliers(N))
    assert found == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("size", [1e-200, 1e-8, 1.0, 1e100])
def test_eigenvalues_are_bounded(d, size):
    rng = np.random.default_rng(d)
    vectors = np.linalg.qr(rng.standard_normal((d, d)))[0]
    values = np.linspace(-1.0, 2.0, d)
    matrix = size * (vectors * values) @ vectors.T
    matrix = 0.5 * (matrix + matrix.T)
    found = largest_eigenvalue(matrix)
    # The top one of the matrix as it is differs by its own rounding.
    assert size * (values[-1] - 1e-13) <= found <= size * (values[-1] + 1e-11)
    assert largest_eigenvalue(0.0 * matrix) == 0.0


def test_a_whole_number_of_an_eigenvalue_is_not_rounded_away():
    for d in (2, 5, 9):
        matrix = np.ones((d, d)) - np.eye(d)
        assert largest_eigenvalue(matrix) >= d - 1.0
        assert largest_eigenvalue(-matrix) >= 1.0
