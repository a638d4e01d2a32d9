"""The convex program against dense matrices and the definitions."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import Activations, draw_rows
from scipy.optimize import minimize_scalar, nnls
from sentences import refused
from variants import with_long

import cvxnn
from cvxnn import program as program_module
from cvxnn.models.gated import Gated
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork
from cvxnn.patterns import PatternSet, enumerate_patterns
from cvxnn.program import ConvexProgram


def random_program(seed, n=7, d=3, n_directions=9):
    """A program on random data, patterns, blocks and signs, with a zero row."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    X[rng.integers(n)] = 0.0
    patterns = PatternSet.from_directions(X, rng.standard_normal((n_directions, d)))
    blocks = rng.integers(0, len(patterns), size=n_directions + 3)
    signs = rng.choice([-1.0, 1.0], size=len(blocks))
    return ConvexProgram(X, rng.standard_normal(n), 0.3, patterns, blocks, signs)


def dense_matrices(program):
    """``A_c = s_c D_c X`` and ``G_c = (2 D_c - I) X``, both (C, n, d), from diagonal matrices."""
    X, eye = program.X, np.eye(len(program.X))
    D = [np.diag(program.patterns.masks[p].astype(float)) for p in program.block_patterns]
    A = [s * D_c @ X for s, D_c in zip(program.block_signs, D, strict=True)]
    return np.array(A), np.array([(2.0 * D_c - eye) @ X for D_c in D])


def blocks_inside_cones(program):
    """A point of the interior of every cone: a multiple of the direction of its pattern."""
    scales = np.random.default_rng(0).uniform(0.1, 2.0, size=(program.n_blocks, 1))
    return scales * program.patterns.directions[program.block_patterns]


seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 12)


@given(seed=seeds, n=sizes, d=sizes, n_directions=sizes)
def test_correlations_are_the_adjoint_of_the_prediction(seed, n, d, n_directions):
    program = random_program(seed, n, d, n_directions)
    rng = np.random.default_rng(seed)
    Z, v = rng.standard_normal((program.n_blocks, d)), rng.standard_normal(n)
    left, right = program.prediction(Z) @ v, (Z * program.correlations(v)).sum()
    size = np.abs(Z).sum() * np.linalg.norm(program.X) * np.linalg.norm(v)
    assert abs(left - right) <= 1e-13 * size


@pytest.mark.parametrize("seed", range(3))
def test_against_dense_matrices(seed):
    program = random_program(seed)
    A, G = dense_matrices(program)
    rng = np.random.default_rng(seed)
    Z, v = rng.standard_normal((program.n_blocks, 3)), rng.standard_normal(7)
    multipliers = rng.uniform(size=(program.n_blocks, 7))
    prediction = sum(A_c @ z for A_c, z in zip(A, Z, strict=True))
    np.testing.assert_allclose(program.prediction(Z), prediction, atol=1e-13)
    np.testing.assert_allclose(program.correlations(v), [A_c.T @ v for A_c in A], atol=1e-13)
    slacks = np.vstack([slack for _, slack in program.slacks(Z)])
    np.testing.assert_allclose(slacks, np.einsum("cnd,cd->cn", G, Z), atol=1e-13)
    gradients = [A_c.T @ v + G_c.T @ rho for A_c, G_c, rho in zip(A, G, multipliers, strict=True)]
    np.testing.assert_allclose(
        program.dual_norms(v, multipliers), np.linalg.norm(gradients, axis=1), atol=1e-13
    )
    residual = prediction - program.y
    objective = 0.5 * residual @ residual + 0.3 * np.linalg.norm(Z, axis=1).sum()
    np.testing.assert_allclose(program.objective(Z), objective)
    dual = 0.5 * program.y @ program.y - 0.5 * (v - program.y) @ (v - program.y)
    np.testing.assert_allclose(program.dual_objective(v), dual)


def test_multipliers_are_the_a_and_b_of_the_seed_paper():
    """(11b) reads ``||X'D (v + a + b) - X'b||``: a on the rows of S, b on the others."""
    program = random_program(5)
    rng = np.random.default_rng(5)
    v = rng.standard_normal(7)
    multipliers = rng.uniform(size=(program.n_blocks, 7))
    X = program.X
    expected = []
    for pattern, sign, rho in zip(
        program.block_patterns, program.block_signs, multipliers, strict=True
    ):
        mask = program.patterns.masks[pattern]
        a, b, D = np.where(mask, rho, 0.0), np.where(mask, 0.0, rho), np.diag(mask.astype(float))
        expected.append(np.linalg.norm(X.T @ D @ (sign * v + a + b) - X.T @ b))
    np.testing.assert_allclose(program.dual_norms(v, multipliers), expected)


def test_default_blocks_are_every_pattern_with_both_signs():
    program = random_program(0)
    full = ConvexProgram(program.X, program.y, 0.3, program.patterns)
    m = len(program.patterns)
    assert full.n_blocks == 2 * m
    np.testing.assert_array_equal(full.block_patterns, np.r_[np.arange(m), np.arange(m)])
    np.testing.assert_array_equal(full.block_signs, np.r_[np.ones(m), -np.ones(m)])


@pytest.mark.parametrize("signs", [None, np.ones(2)])
def test_each_block_needs_a_sign(signs):
    program = random_program(0)
    with pytest.raises(ValueError, match="one sign for each entry of block_patterns"):
        ConvexProgram(program.X, program.y, 0.3, program.patterns, np.zeros(3, dtype=int), signs)


def test_chunks_do_not_change_the_numbers(monkeypatch):
    program = random_program(4)
    rng = np.random.default_rng(4)
    Z, v = rng.standard_normal((program.n_blocks, 3)), rng.standard_normal(7)
    multipliers = rng.uniform(size=(program.n_blocks, 7))

    def numbers():
        residuals = program.kkt_residuals(Z, multipliers)
        figures = [program.objective(Z), program.cone_violation(Z), residuals.largest]
        slacks = np.vstack([slack for _, slack in program.slacks(Z)]).ravel()
        vectors = program.prediction(Z), program.correlations(v).ravel()
        return np.concatenate([*vectors, program.dual_norms(v, multipliers), slacks, figures])

    whole = numbers()
    for blocks_at_a_time in (0, 1, 5):  # 0: not even one block fits
        monkeypatch.setattr(program_module, "_CHUNK_BYTES", 8 * 7 * blocks_at_a_time)
        np.testing.assert_allclose(numbers(), whole, rtol=1e-12, atol=1e-13)


def test_sign_of_the_cone_violation():
    X = np.array([[1.0, 0.0], [0.0, 1.0]])
    patterns = PatternSet.from_directions(X, np.array([[1.0, -1.0]]))
    program = ConvexProgram(X, np.ones(2), 1.0, patterns)
    inside, boundary = np.array([[2.0, -3.0]]), np.array([[0.0, -3.0]])
    outside = np.array([[2.0, 0.5]])
    assert program.cone_violation(np.vstack([inside, inside])) == -2.0
    assert program.cone_violation(np.vstack([inside, boundary])) == 0.0
    assert program.cone_violation(np.vstack([inside, outside])) == 0.5
    multipliers = np.zeros((2, 2))
    assert program.kkt_residuals(np.vstack([inside, inside]), multipliers).cone_violation == 0.0


def test_recovery_is_6a_and_6b():
    program = random_program(6)
    Z = blocks_inside_cones(program)
    Z[[1, 4]] = 0.0
    network = program.recover(Z)
    alive = np.delete(np.arange(program.n_blocks), [1, 4])
    root = np.sqrt(np.linalg.norm(Z[alive], axis=1))
    np.testing.assert_allclose(network.hidden_weights, Z[alive] / root[:, None])
    np.testing.assert_allclose(network.output_weights, program.block_signs[alive] * root)
    # Theorem 1: the same function and the same objective.
    hidden, output = network.hidden_weights, network.output_weights
    prediction = np.maximum(program.X @ hidden.T, 0.0) @ output
    np.testing.assert_allclose(prediction, program.prediction(Z), atol=1e-13)
    residual = prediction - program.y
    objective = 0.5 * residual @ residual + 0.15 * ((hidden**2).sum() + (output**2).sum())
    np.testing.assert_allclose(program.objective(Z), objective)


def test_recovery_of_nothing_is_the_empty_network():
    program = random_program(6)
    network = program.recover(np.zeros((program.n_blocks, 3)))
    assert network.n_neurons == 0
    np.testing.assert_array_equal(network.forward(program.X), np.zeros(7))


def test_kkt_residuals_of_a_known_optimum():
    """One row x = (3, -4): ``z = (|y| - beta / 5) / 5 * x / 5`` and no multiplier is active."""
    X, y, beta = np.array([[3.0, -4.0]]), np.array([2.0]), 0.5
    patterns = PatternSet.from_directions(X, np.array([[1.0, 0.0], [-1.0, 0.0]]))
    program = ConvexProgram(X, y, beta, patterns)
    Z = np.zeros((4, 2))
    Z[0] = (2.0 - 0.1) / 5.0 * X[0] / 5.0
    assert program.kkt_residuals(Z, np.zeros((4, 1))).largest <= 1e-14

    scaled = program.kkt_residuals(1.1 * Z, np.zeros((4, 1)))
    assert scaled.stationarity > 0.1 and scaled.cone_violation == 0.0
    far = program.kkt_residuals(Z, np.zeros((4, 1)), v=2.0 * np.array([0.1]))
    np.testing.assert_allclose(far.dual_infeasibility, 1.0)
    assert program.kkt_residuals(-Z, np.zeros((4, 1))).cone_violation > 0.1
    assert program.kkt_residuals(Z, np.ones((4, 1))).complementarity > 0.1


def test_diagonal_matrices_are_never_stored():
    """500 patterns of 20000 rows: D(S) dense is 1.6 TB, and [D_1 X, ..., D_M X] is 1.6 GB."""
    n, d, n_patterns = 20_000, 20, 500
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    tracemalloc.start()
    try:
        patterns = PatternSet.from_directions(X, rng.standard_normal((n_patterns, d)))
        program = ConvexProgram(X, y, 0.1, patterns)
        held, _ = tracemalloc.get_traced_memory()
        Z = rng.standard_normal((program.n_blocks, d))
        objective = program.objective(Z)
        correlations = program.correlations(y - program.prediction(Z))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert program.n_blocks == 1000 and correlations.shape == (1000, d)
    assert np.isfinite(objective) and np.isfinite(correlations).all()
    assert held < 4 * 2**20  # 500 patterns of 20000 bits are 1.25 MB
    assert peak < 2**30


# ------------------------------------------------------------------ with an intercept


def blocks_of(network, program):
    """Each neuron in the block of its pattern and sign, by comparing bits."""
    Z = np.zeros((program.n_blocks, program.X.shape[1]))
    masks = program.patterns.masks[program.block_patterns]
    for u, a in zip(network.hidden_weights, network.output_weights, strict=True):
        same = (np.where(masks, 1.0, -1.0) * (program.X @ u) >= -1e-9).all(axis=1)
        Z[np.flatnonzero(same & (program.block_signs == np.sign(a)))[0]] += abs(a) * u
    return Z


def multipliers_of(program, v):
    """Of the projections of ``s X'D v`` on the cones, by scipy."""
    A, G = dense_matrices(program)
    return np.array([nnls(G_c.T, -A_c.T @ v)[0] for A_c, G_c in zip(A, G, strict=True)])


@with_long("loss", ["squared", "logistic"])
def test_beside_an_intercept(loss):
    cp = pytest.importorskip("cvxpy")
    X, y = draw_rows(loss, 8, 2)
    y = y if loss == "logistic" else y + 3.0
    network = cvxnn.solve(X, y, 0.2, loss=loss, intercept=True, tol=1e-9).network
    options = {"loss": cvxnn.LogisticLoss() if loss == "logistic" else None, "intercept": True}
    program = ConvexProgram(X, y, 0.2, enumerate_patterns(X), **options)
    Z, b = blocks_of(network, program), network.intercept
    optimum = Activations(X[:, None]).optimum(cp, loss, y, 0.2, intercept=True)
    assert program.objective(Z, b) == pytest.approx(optimum, rel=1e-6)
    assert program.best_intercept(Z) == pytest.approx(b, rel=1e-4)
    assert program.objective(Z, program.best_intercept(Z)) <= program.objective(Z, b) * (1 + 1e-15)
    v = -program.loss.gradient(program.prediction(Z, b), y)
    multipliers = multipliers_of(program, v)
    assert program.kkt_residuals(Z, multipliers, intercept=b).largest <= 1e-4
    assert program.dual_objective(v) == pytest.approx(optimum, rel=1e-6)
    # Another intercept is no optimum, and the sum of the dual point says so.
    moved = program.kkt_residuals(Z, multipliers, intercept=b + 0.1)
    shifted = -program.loss.gradient(program.prediction(Z, b + 0.1), y)
    assert moved.dual_infeasibility >= abs(shifted.sum()) / np.abs(shifted).sum() > 1e-2
    # And back to the network.
    recovered = program.recover(Z, b)
    assert recovered.intercept == b
    np.testing.assert_allclose(recovered(X), network(X), atol=1e-9)
    np.testing.assert_allclose(recovered(X), program.prediction(Z, b), atol=1e-12)


@given(seed=seeds)
def test_the_best_intercept_by_a_line_search(seed):
    program = random_program(seed)
    beside = ConvexProgram(
        program.X, program.y, 0.3, program.patterns, program.block_patterns, program.block_signs,
        intercept=True,
    )  # fmt: skip
    Z = np.random.default_rng(seed).standard_normal((program.n_blocks, 3))
    b = beside.best_intercept(Z)
    assert b == pytest.approx((program.y - program.prediction(Z)).mean(), rel=1e-9, abs=1e-9)
    found = minimize_scalar(lambda at: beside.objective(Z, at))
    assert beside.objective(Z, b) <= found.fun * (1.0 + 1e-12)
    assert program.best_intercept(Z) == 0.0
    assert beside.objective(Z) == program.objective(Z)


def test_what_the_program_is_not_for():
    program = random_program(0)
    X, y, patterns = program.X, program.y, program.patterns
    for model in (ReLU(0.1), ReLU(skip="free"), Gated(), "gated", "rely", 3, TwoLayerNetwork):
        refused(
            lambda model=model: ConvexProgram(X, y, 0.3, patterns, model=model),
            r"ConvexProgram is for ReLU\(\), not for .* train it",
        )
    Y = np.column_stack([y, y])
    refused(lambda: ConvexProgram(X, Y, 0.3, patterns), r"got shape \(7, 2\).*NP-hard.*; solve")
    refused(lambda: ConvexProgram(X, y, 0.3, patterns, intercept="yes"), "intercept must be")
    Z = np.zeros((program.n_blocks, 3))
    for call in (program.prediction, program.objective, program.recover):
        refused(lambda call=call: call(Z, 1.0), "intercept must be 0 .*intercept=True")
    assert ConvexProgram(X, y, 0.3, patterns, model=ReLU()).n_blocks == 2 * len(patterns)
