"""Lower bounds against optimal values that the library did not compute."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from least_squares import least_squares
from problems import PROBLEMS, SMALL_PROBLEMS, Problem, arrangement, problem_ids, problem_named
from reference import solve_with_clarabel

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, dual_bound, spectral_proof
from cvxnn.layers import Layer, spectral_bound
from cvxnn.losses import SquaredLoss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns, sample_patterns
from cvxnn.program import ConvexProgram
from cvxnn.results import Certificate

LOSS = SquaredLoss()
# Stored optima come from a solver with a relative tolerance of 1e-9; a dual point in
# 60 digits shows that of fig3_n5 to be 2.3e-9 too low.
ABOVE = 1.0 + 1e-8

known = pytest.mark.parametrize(
    "problem", [p for p in PROBLEMS if p.objective is not None], ids=problem_ids
)
quick = pytest.mark.parametrize(
    "problem", [p for p in SMALL_PROBLEMS if (p.n_patterns or 0) <= 100], ids=problem_ids
)


@cache
def _oracle(name: str) -> CellOracle:
    X = problem_named(name).X
    return CellOracle(X, enumerate_patterns(X))


def over_cells_of(
    network: TwoLayerNetwork, X: FloatArray, y: FloatArray, beta: float, oracle: CellOracle
) -> Certificate:
    """From the residual of the network and the cells of an oracle."""
    evaluation = network.evaluate(X, y, beta, LOSS)
    V = (y - network.forward(X))[:, None]
    proof = DualProof.priced(V, oracle.price(V, beta))
    lower = proof.bound(least_squares(X, y, beta))
    return Certificate(evaluation.value, lower, proof.oracle_bound, evaluation.error)


def by_spectrum_of(
    network: TwoLayerNetwork, X: FloatArray, y: FloatArray, beta: float
) -> Certificate:
    """From the residual of the network, without any patterns."""
    proof = spectral_proof(Layer(X), y - network.forward(X))
    objective = network.objective(X, y, beta)
    lower = proof.bound(least_squares(X, y, beta))
    return Certificate(objective, lower, proof.oracle_bound, 0.0)


def random_network(rng: np.random.Generator, problem: Problem) -> TwoLayerNetwork:
    """A few neurons, in all units; sometimes scaled so that the network fits y as it can."""
    d = problem.X.shape[1]
    m = int(rng.integers(1, 6))
    hidden = rng.standard_normal((m, d)) / np.abs(problem.X).max(axis=0).clip(1e-3)
    features = np.maximum(problem.X @ hidden.T, 0.0)
    output = rng.standard_normal(m) * 10.0 ** rng.integers(-2, 2)
    if rng.random() < 0.5:
        output = np.linalg.lstsq(features, problem.y, rcond=None)[0]
    return TwoLayerNetwork(hidden, output)


def dual_points(problem: Problem) -> list[FloatArray]:
    """y, noise of different sizes, and residuals of random networks."""
    rng = np.random.default_rng(4)
    y, n = problem.y, len(problem.y)
    points = [y, -y, 1e-3 * y, 1e3 * y, np.zeros(n)]
    points += [10.0 ** rng.integers(-3, 3) * rng.standard_normal(n) for _ in range(10)]
    points += [y + 0.1 * rng.standard_normal(n) for _ in range(10)]
    points += [y - random_network(rng, problem).forward(problem.X) for _ in range(20)]
    return points


@known
def test_no_dual_point_bounds_above_the_optimum_and_a_smaller_oracle_bound_gives_more(problem):
    bounds = []
    for v in dual_points(problem):
        M = _oracle(problem.name).price(v[:, None]).bound
        of_cells, looser, loosest, by_spectrum = (
            dual_bound(LOSS, problem.y, v, problem.beta, largest)
            for largest in (M, 1.5 * M, 10.0 * M, spectral_bound(problem.X, v))
        )
        assert of_cells >= looser >= loosest - 1e-12
        bounds += [of_cells, by_spectrum]
    assert max(bounds) <= problem.objective * ABOVE
    # y and 0 are dual points with a bound of at least 0.
    assert max(bounds) >= -1e-12


@quick
def test_tight_at_the_dual_point_and_the_network_of_clarabel(problem):
    X, y, beta, oracle = problem.X, problem.y, problem.beta, _oracle(problem.name)
    program = ConvexProgram(X, y, beta, arrangement(problem))
    solution = solve_with_clarabel(program)
    bound = dual_bound(LOSS, y, solution.v, beta, oracle.price(solution.v[:, None]).bound)
    assert bound <= solution.objective * (1.0 + 1e-12)
    assert bound >= solution.objective * (1.0 - 1e-6) - 1e-12
    if problem.objective is not None:
        assert bound <= problem.objective * ABOVE
    certificate = over_cells_of(program.recover(solution.Z), X, y, beta, oracle)
    gap = certificate.objective - certificate.dual_bound
    assert gap >= -1e-12 * certificate.objective
    # Clarabel's residual is dual feasible up to a factor, by which the bound is smaller.
    excess = 1.0 - min(beta / max(certificate.oracle_bound, 1e-300), 1.0)
    assert gap <= (excess + 1e-6) * certificate.objective + 1e-12


@known
def test_certificates_of_random_networks(problem):
    assert problem.objective is not None
    X, y, beta = problem.X, problem.y, problem.beta
    rng = np.random.default_rng(5)
    for _ in range(20):
        network = random_network(rng, problem)
        over_cells = over_cells_of(network, X, y, beta, _oracle(problem.name))
        by_spectrum = by_spectrum_of(network, X, y, beta)
        for certificate in (over_cells, by_spectrum):
            assert certificate.objective == network.objective(X, y, beta)
            assert certificate.dual_bound <= problem.objective * ABOVE
            assert certificate.objective >= problem.objective / ABOVE
        if over_cells.oracle_bound > beta:
            assert by_spectrum.oracle_bound >= over_cells.oracle_bound * (1.0 - 1e-10)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8), d=st.integers(1, 4))
def test_bounds_of_random_problems_are_below_all_networks(seed, n, d):
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (n, d)).astype(np.float64)
    y, beta = rng.standard_normal(n), 10.0 ** rng.uniform(-4, 1)
    problem = Problem("random", X, y, beta)
    oracle = CellOracle(X, enumerate_patterns(X))
    networks = [random_network(rng, problem) for _ in range(8)]
    networks += [network.balance() for network in networks]
    networks.append(TwoLayerNetwork(np.zeros((0, d)), np.zeros(0)))
    certificates = [over_cells_of(net, X, y, beta, oracle) for net in networks]
    certificates += [by_spectrum_of(net, X, y, beta) for net in networks]
    best = min(certificate.objective for certificate in certificates)
    assert max(certificate.dual_bound for certificate in certificates) <= best


def test_an_incomplete_oracle_certifies_the_networks_in_its_cells():
    problem = problem_named("d1_n50")
    assert problem.objective is not None
    oracle = CellOracle(problem.X, sample_patterns(problem.X, 5, 0))
    program = ConvexProgram(problem.X, problem.y, problem.beta, sample_patterns(problem.X, 5, 0))
    solution = solve_with_clarabel(program)
    network = program.recover(solution.Z)
    X, y, beta = problem.X, problem.y, problem.beta
    restricted = over_cells_of(network, X, y, beta, oracle)
    assert problem.objective * 1.01 < restricted.dual_bound <= solution.objective
    np.testing.assert_allclose(restricted.dual_bound, solution.objective, rtol=1e-6)
    globally = over_cells_of(network, X, y, beta, _oracle(problem.name))
    assert globally.dual_bound <= problem.objective * ABOVE


def test_one_row_in_closed_form():
    """``x = (3, -4)``: ``min_f 1/2 (f - y)^2 + beta |f| / 5``; the residual is beta / 5."""
    y, beta = np.array([2.0]), 0.5
    optimum = 0.1 * 2.0 - 0.5 * 0.1**2
    for v in (0.1, 1.0, 7.0):
        bound = dual_bound(LOSS, y, np.array([v]), beta, 5.0 * v)
        np.testing.assert_allclose(bound, optimum, rtol=1e-12)
        assert bound <= optimum
    # The other sign proves nothing better than 0.
    assert -1e-15 <= dual_bound(LOSS, y, np.array([-1.0]), beta, 5.0) <= 0.0


def test_where_the_oracle_bound_is_zero_the_best_multiple_is_free():
    y = np.array([1.0, -2.0])
    for v in (y, 100.0 * y, 0.01 * y):
        np.testing.assert_allclose(dual_bound(LOSS, y, v, 0.1, 0.0), 2.5, rtol=1e-13)
    assert dual_bound(LOSS, y, np.zeros(2), 0.1, 0.0) == 0.0


def test_a_proof_has_what_the_oracle_says():
    X, V = np.eye(2), np.array([[3.0], [-4.0]])
    price = CellOracle(X, enumerate_patterns(X)).price(V)
    proof = DualProof.priced(V, price)
    assert proof.kind == "cells"
    np.testing.assert_array_equal(proof.bounds, price.bounds)
    assert proof.oracle_bound == price.bound
    y = np.array([3.0, -4.0])
    assert proof.bound(least_squares(X, y)) == dual_bound(LOSS, y, V[:, 0], 1.0, price.bound)
