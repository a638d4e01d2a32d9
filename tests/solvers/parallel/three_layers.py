"""Independent values of networks of three layers: the program of all blocks, and local search."""

from itertools import product

import cvxpy as cp
import numpy as np
from scipy.optimize import minimize

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.parallel import ParallelRows
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.parallel.strategy import ParallelStrategy
from cvxnn.solvers.search import Pursuit


def drawn(seed, n=6, d=2):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


def noisy_tent(n, seed=0):
    u = np.linspace(-1.5, 1.5, n)
    noise = 0.05 * np.random.default_rng(seed).standard_normal(n)
    return np.column_stack([u, np.ones(n)]), np.maximum(1.0 - np.abs(u), 0.0) + noise


def problem_of(X, y, beta):
    return Problem.of(ParallelRows(X), y, beta, SquaredLoss())


def solved(X, y, beta, tol=1e-6, rounds=200):
    search = ParallelStrategy(problem_of(X, y, beta), np.random.default_rng(0)).open(Deadline())
    pursuit = Pursuit(search)
    for _ in range(rounds):
        if search.reaches(tol) or not pursuit.advance(tol):
            break
    return search


def bound_of(proof: DualProof, problem):
    return proof.bound(problem)


def plain_objective(X, y, beta, neurons):
    """By loops over weights, with the penalty of the three norms."""
    f, penalty = np.zeros(len(y)), 0.0
    for W, b, a in zip(*neurons.balanced(), strict=True):
        for i, x in enumerate(X):
            inner = sum(b[j] * max(float(x @ W[j]), 0.0) for j in range(len(b)))
            f[i] += a * max(inner, 0.0)
        penalty += (np.linalg.norm(W) ** 3 + np.linalg.norm(b) ** 3 + abs(a) ** 3) / 3.0
    return 0.5 * float((f - y) @ (f - y)) + beta * penalty


def arcs_in_plane(X):
    """Where the arcs between lines begin and end, as angles."""
    angles = np.arctan2(X[:, 1], X[:, 0])
    ends = np.sort(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]) % (2 * np.pi))
    return ends, np.append(ends[1:], ends[0] + 2 * np.pi)


def patterns_in_plane(X):
    middles = np.mean(arcs_in_plane(X), axis=0)
    return np.unique(X @ np.array([np.cos(middles), np.sin(middles)]) > 0.0, axis=1).T


def squares(f, y):
    return 0.5 * cp.sum_squares(f - y)


def optimum_of_blocks(X, y, beta, loss=squares, intercept=False):
    """The program of all blocks, for rank two and two hidden units, by cvxpy.

    Two hidden units of the same sign are sums of sub-networks of one, so that what is left are
    single patterns, and pairs of which one is taken away from the other on the rows E.
    """
    masks = patterns_in_plane(X)
    blocks = []
    for D in masks:
        blocks += [(D, np.zeros_like(D), D, s) for s in (1.0, -1.0)]
    for D1, D2 in product(masks, masks):
        both = np.flatnonzero(D1 & D2)
        for choice in product((False, True), repeat=len(both)):
            E = D1 & ~D2
            E[both] = choice
            if E.any():
                blocks += [(D1, D2, E, s) for s in (1.0, -1.0)]
    count = len(blocks)
    V1, V2 = cp.Variable((count, 2)), cp.Variable((count, 2))
    D1, D2, E = (np.array([b[k] for b in blocks], dtype=float) for k in range(3))
    sign = np.array([b[3] for b in blocks])
    first, second = cp.multiply(D1, V1 @ X.T), cp.multiply(D2, V2 @ X.T)
    f = sign @ cp.multiply(E, first - second)
    penalty = cp.sum(cp.norm(V1, axis=1)) + cp.sum(cp.norm(V2, axis=1))
    constraints = [
        cp.multiply(2 * D1 - 1, V1 @ X.T) >= 0,
        cp.multiply(2 * D2 - 1, V2 @ X.T) >= 0,
        cp.multiply(2 * E - 1, first - second) >= 0,
    ]
    f = f + cp.Variable() if intercept else f
    program = cp.Problem(cp.Minimize(loss(f, y) + beta * penalty), constraints)
    return float(program.solve(solver="CLARABEL"))


def descended(X, y, beta, count, width, seed):
    """A local optimum from random weights, by scipy on the cubes."""
    rng, d = np.random.default_rng(seed), X.shape[1]
    sizes = [count * width * d, count * width, count]

    def value_and_gradient(theta):
        W, b, a = np.split(theta, np.cumsum(sizes)[:2])
        W, b = W.reshape(count, width, d), b.reshape(count, width)
        first = np.maximum(np.einsum("nd,kjd->nkj", X, W), 0.0)
        second = np.maximum(np.einsum("nkj,kj->nk", first, b), 0.0)
        left = second @ a - y
        norms = [np.sqrt((W**2).sum((1, 2))), np.sqrt((b**2).sum(1)), np.abs(a)]
        value = 0.5 * left @ left + beta / 3 * sum((norm**3).sum() for norm in norms)
        pull = left[:, None] * (second > 0.0) * a
        gradients = [
            np.einsum("nk,kj,nkj,nd->kjd", pull, b, first > 0.0, X)
            + beta * norms[0][:, None, None] * W,
            np.einsum("nk,nkj->kj", pull, first) + beta * norms[1][:, None] * b,
            second.T @ left + beta * norms[2] * a,
        ]
        return value, np.concatenate([part.ravel() for part in gradients])

    start = rng.standard_normal(sum(sizes))
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B")
    return float(found.fun)


def largest_by_choices(X, v):
    """``max v'(g)_+`` over G by all choices of signs, each a program over neurons of all arcs.

    In the plane: from below, because only some directions of each arc are there.
    """
    angles = np.linspace(*arcs_in_plane(X), 60).ravel()
    H = np.maximum(X @ np.array([np.cos(angles), np.sin(angles)]), 0.0)
    atoms, best = np.hstack([H, -H]), 0.0
    weights = cp.Variable(atoms.shape[1], nonneg=True)
    g, chosen, below = atoms @ weights, cp.Parameter(len(v)), cp.Parameter(len(v), nonneg=True)
    # -m (g)_+ is concave, and a chosen row counts as it is.
    value = chosen @ g - below @ cp.pos(g)
    program = cp.Problem(cp.Maximize(value), [cp.sum(weights) <= 1.0])
    positive = np.flatnonzero(v > 0.0)
    for choice in product((0.0, 1.0), repeat=len(positive)):
        chosen.value = np.zeros(len(v))
        chosen.value[positive] = np.array(choice) * v[positive]
        below.value = np.maximum(-v, 0.0)
        best = max(best, float(program.solve(solver="CLARABEL")))
    return best
