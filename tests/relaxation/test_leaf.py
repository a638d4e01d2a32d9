"""Leaves of fixed signs: their bounds hold, and their moments are those of neurons."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from relaxation_instances import multipliers, random_moments, rows_and_weights
from variants import with_long

import cvxnn
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED
from cvxnn.layers import Layer
from cvxnn.losses import LogisticLoss, SquaredLoss
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation import prover
from cvxnn.relaxation.admm import Admm
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.choice import LEAVES, prover_for
from cvxnn.relaxation.leaf import Fixed, Leaf
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.relaxation.proximal import LossStep
from cvxnn.relaxation.safe_bound import in_dual_cone, safe_bound
from cvxnn.verification.leaves import LeavesEvidence


def of_signs(signs):
    """On where a sign is 1, off where it is -1."""
    return Fixed(np.where(signs < 0, 0.0, 1.0), np.where(signs > 0, 0.0, 1.0))


def largest_where_fixed(X, w, signs, U):
    """``max w'(Xu)_+`` over directions that obey the signs."""
    size, top = np.abs(X).max() or 1.0, np.abs(w).max() or 1.0
    lengths = np.linalg.norm(U, axis=1, keepdims=True)
    U = U / np.where(lengths > 0.0, lengths, 1.0) * (1.0 - 1e-15)
    t = U @ (X / size).T
    obeys = (signs * t >= 0.0).all(axis=1)
    active = np.maximum(t[obeys], 0.0)
    return float((active @ (w / top)).max(initial=0.0)) * size * top


@pytest.mark.long
def test_never_below_what_is_found_on_nasty_instances():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, d = int(rng.integers(1, 9)), int(rng.integers(1, 6))
        X, w = rows_and_weights(rng, n, d)
        blocks = Blocks.of(X, int(rng.integers(1, n + 1)))
        U = rng.standard_normal((60, d))
        # Signs of one of the directions, so that there are some that obey them.
        signs = np.sign(U[0] @ (X / (np.abs(X).max() or 1.0)).T) * (rng.random(n) < 0.5)
        weights = blocks.scattered(w)
        L = multipliers(rng, blocks.rows, weights)
        bound = safe_bound(blocks.rows, weights, L, of_signs(blocks.scattered(signs)))
        assert bound >= largest_where_fixed(X, w, signs, U) * (1.0 - 1e-14)


@with_long("seed", range(12), always=4)
def test_leaves_together_are_never_below_exact_oracles(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    X, w = rng.standard_normal((n, d)), rng.standard_normal(n)
    blocks, rows = Blocks.of(X, int(rng.integers(1, n + 1))), rng.permutation(n)[:2]
    exact = CellOracle(X, enumerate_patterns(X)).price(w[:, None]).bounds[0]
    for scale in (0.0, 0.03, 0.3):
        bounds = []
        for pair in product((-1.0, 1.0), repeat=2):
            signs = np.zeros(n)
            signs[rows] = pair
            L = random_moments(rng, *blocks.rows.shape, scale)
            fixed = of_signs(blocks.scattered(signs))
            bounds.append(safe_bound(blocks.rows, blocks.scattered(w), L, fixed))
        assert max(bounds) >= exact * (1.0 - 1e-9)


def test_what_is_fixed_is_free_in_rational_numbers():
    """The form of multipliers of a leaf is at least w'p at neurons of the leaf, exactly."""
    rng = np.random.default_rng(3)
    exactly = np.vectorize(Fraction, otypes=[object])
    checked = 0
    for _ in range(60):
        n, d = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        X = np.ldexp(rng.integers(-64, 65, (n, d)).astype(float), -6)
        signs = rng.integers(-1, 2, n)
        L = in_dual_cone(random_moments(rng, 1, n, d), of_signs(signs[None]))
        L, rows = L.combined(exactly), exactly(X)
        for point in product(range(-2, 3), repeat=d):
            u = np.array([Fraction(k, 4) for k in point], dtype=object)
            t = rows @ u
            if u @ u > 1 or (signs * t < 0).any():
                continue
            p, q = np.maximum(t, 0), np.maximum(-t, 0)
            heads = L.p[0] @ p + L.q[0] @ q + u @ L.up[0] @ p + u @ L.uq[0] @ q
            pairs = p @ L.pp[0] @ p + 2 * (p @ L.pq[0] @ q) + q @ L.qq[0] @ q
            assert 2 * heads + pairs >= 0
            checked += 1
    assert checked > 500


def test_free_multipliers_stay_as_they_are():
    rng = np.random.default_rng(4)
    L, fixed = random_moments(rng, 2, 3, 2), of_signs(rng.integers(-1, 2, (2, 3)))
    inside = in_dual_cone(L, fixed)
    zero = inside.combined(lambda a, b: a - b, fixed.kept(inside))
    same = L._replace(corner=0.0 * L.corner)
    for a, b in zip(zero, same.combined(lambda a, b: a - b, fixed.kept(same)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_leaves_of_a_split_are_the_leaf():
    like = np.ones((2, 3))
    leaf = Leaf(1.0, Fixed.nothing(like))
    assert leaf.fixed.is_nothing
    on, off = leaf.split((1, 2))
    assert on.fixed.q[1, 2] == off.fixed.p[1, 2] == 0.0
    assert on.fixed.p.all() and off.fixed.q.all() and on.sign == off.sign == 1.0
    assert on.fixed.q.sum() == off.fixed.p.sum() == 5.0
    assert on.fixed.merged()[1].shape == (1, 6)
    np.testing.assert_array_equal(on.fixed.take(slice(1, 2)).q, [[1.0, 1.0, 0.0]])


def iteration(X, y, beta, size, n_workers=1):
    """The relaxation of the squared loss, from no neurons."""
    blocks, step = Blocks.of(X, size), LossStep(SquaredLoss(), y)

    def dual(centre, theta):
        return blocks.scattered(step.dual(blocks.gathered(centre), blocks.gathered(theta)))

    admm = Admm(
        blocks, beta, dual, Neurons.none(X.shape[1]), blocks.scattered(y), 1.0,
        n_workers=n_workers,
    )  # fmt: skip
    return blocks, admm


def levels(blocks, admm):
    v = admm.dual_point()
    return [
        safe_bound(blocks.rows, leaf.sign * v, admm.multipliers(k), leaf.fixed)
        for k, leaf in enumerate(admm.leaves)
    ]


@pytest.mark.long
@pytest.mark.parametrize(("size", "n_workers"), [(10, 1), (5, 4)])
def test_children_inherit_the_bound_and_what_is_fixed_is_nothing(size, n_workers):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((10, 3)), rng.standard_normal(10)
    blocks, admm = iteration(X, y, 0.3, size, n_workers)
    for _ in range(60):
        admm.step()
    before = levels(blocks, admm)
    moments = admm.state(0).image
    row = int(admm.torn(0).argmax())
    assert admm.split(0) and len(admm.leaves) == 3
    assert admm.leaves[0].fixed.q.flat[row] == admm.leaves[1].fixed.p.flat[row] == 0.0
    after = levels(blocks, admm)
    # Multipliers outside the cone need not be moved into it any more: about the same bound.
    assert max(after[:2]) <= before[0] * (1.0 + 1e-2) and after[2] == before[1]
    for whole, *halves in zip(moments, admm.state(0).image, admm.state(1).image, strict=True):
        np.testing.assert_allclose(sum(halves), whole, atol=1e-12)
    for _ in range(700):
        admm.step()
    assert max(admm.residuals) < 1e-3
    assert abs(admm.state(0).image.q.flat[row]) + abs(admm.state(1).image.p.flat[row]) < 1e-3


def test_a_leaf_without_torn_rows_is_not_split():
    _, admm = iteration(np.eye(3), np.ones(3), 0.3, 3)
    assert not admm.split(0) and len(admm.leaves) == 2


def small(n, d, seed):
    """Waves with noise, and a column of ones."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
    return X, np.sin(2.0 * X[:, 0]) + 0.5 * rng.standard_normal(n)


def bounds_of(problem, neurons, leaves, most=1500, block=50):
    """What is proven with so many leaves of each sign, in the same number of iterations."""
    prover = RelaxationProver(
        problem, block=block, largest=block, most=most, threads=1, leaves=leaves
    )
    first = DualProof.of(problem.y, np.inf, "none")
    return prover.improve(neurons, first, 1e-6, UNLIMITED)


@pytest.mark.long
def test_a_tree_is_tighter_and_never_above_the_optimum():
    X, y = small(10, 3, 1)
    beta = 0.05 * cvxnn.largest_beta(X, y)
    solution = cvxnn.solve(X, y, beta=beta)
    neurons = Neurons.of_weights(solution.network.hidden_weights, solution.network.output_weights)
    problem = Problem.of(Layer(X), y, beta, SquaredLoss())
    root, tree = (bounds_of(problem, neurons, k) for k in (1, 4))
    gaps = [1.0 - proof.bound(problem) / solution.objective for proof in (root, tree)]
    assert -1e-9 <= gaps[1] < 0.6 * gaps[0]
    exact = CellOracle(X, enumerate_patterns(X)).price(tree.V).bounds
    assert (tree.bounds >= exact * (1.0 - 1e-9)).all()


@pytest.mark.long
def test_a_tree_for_labels():
    X, y = small(12, 3, 5)
    y = np.where(y > 0.0, 1.0, -1.0)
    beta = 0.05 * cvxnn.largest_beta(X, y, loss="logistic")
    solution = cvxnn.solve(X, y, beta=beta, loss="logistic")
    neurons = Neurons.of_weights(solution.network.hidden_weights, solution.network.output_weights)
    problem = Problem.of(Layer(X), y, beta, LogisticLoss())
    root, tree = (bounds_of(problem, neurons, k, block=6) for k in (1, 2))
    assert 0.8 * root.bound(problem) <= tree.bound(problem)
    assert tree.bound(problem) <= solution.objective + solution.objective_error


@pytest.mark.long
def test_a_tree_has_no_more_leaves_than_a_file_holds(monkeypatch):
    X, y = small(10, 3, 1)
    beta = 0.05 * cvxnn.largest_beta(X, y)
    problem, nothing = Problem.of(Layer(X), y, beta, SquaredLoss()), Neurons.none(3)
    assert bounds_of(problem, nothing, 4, most=700).evidence.kind == "leaves"
    each = LeavesEvidence.bytes_each(1, 10, 3)
    monkeypatch.setattr(prover, "_MOST_BYTES", 3 * each - 1)
    assert bounds_of(problem, nothing, 4, most=700).evidence.kind == "multipliers"


def test_only_rows_that_are_proven_together_have_trees():
    few, many = np.eye(3), np.ones((5001, 1))
    problems = [Problem.of(Layer(X), np.ones(len(X)), 0.5, SquaredLoss()) for X in (few, many)]
    assert prover_for(problems[0]).leaves == LEAVES > 1
    assert prover_for(problems[1]).make(problems[1]).leaves == 1
