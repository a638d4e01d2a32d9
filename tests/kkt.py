"""The one checker of optimality: every solver and every method goes through it.

Written in dense NumPy from the definitions; nothing is taken from the library but
the two objectives of :class:`ConvexProgram`, which ``test_program.py`` tests.
"""

import numpy as np

from cvxnn.losses import SquaredLoss
from cvxnn.results import Status


def assert_optimal_blocks(program, Z, multipliers, v, *, tol):
    """`Z` solves program (5) and ``(v, multipliers)`` its dual (11), to the relative `tol`.

    With ``g_c = s_c X'D_c v + G_c' rho_c`` the gap is exactly the sum of three
    terms, none of them negative at feasible points, so each is held to `tol`::

        objective - dual = 1/2 ||v - (y - f)||^2                    v is the residual
                           + sum_c (beta ||z_c|| - z_c'g_c)         stationarity
                           + sum_c rho_c'G_c z_c                    complementarity

    This form needs no decision on which blocks are zero: an interior-point
    method leaves them small. It is the squared loss that the first line is for.
    """
    assert isinstance(program.loss, SquaredLoss)
    X, y, beta = program.X, program.y, program.beta
    n_blocks, n, d = program.n_blocks, *X.shape
    assert Z.shape == (n_blocks, d) and multipliers.shape == (n_blocks, n) and v.shape == (n,)
    assert np.isfinite(Z).all() and np.isfinite(multipliers).all() and np.isfinite(v).all()

    masks = program.patterns.masks[program.block_patterns]
    A = program.block_signs[:, None, None] * masks[:, :, None] * X
    G = np.where(masks[:, :, None], X, -X)
    slacks = np.einsum("cnd,cd->cn", G, Z)
    gradients = np.einsum("cnd,n->cd", A, v) + np.einsum("cnd,cn->cd", G, multipliers)
    norms = np.linalg.norm(Z, axis=1)
    row_norms = np.linalg.norm(X, axis=1)

    # Primal feasibility, relative to what the row could give.
    assert (slacks >= -tol * row_norms * max(1.0, norms.max(initial=0.0))).all(), slacks.min()
    # Dual domain, (11b) and (11c).
    assert (multipliers * row_norms >= -tol * beta).all(), multipliers.min()
    dual_norms = np.linalg.norm(gradients, axis=1)
    assert dual_norms.max(initial=0.0) <= beta * (1.0 + tol), dual_norms.max() / beta - 1.0

    objective, dual_objective = program.objective(Z), program.dual_objective(v)
    scale = tol * _size(X, y, beta, objective)
    residual = y - np.einsum("cnd,cd->n", A, Z)
    distance = 0.5 * float((v - residual) @ (v - residual))
    stationarity = beta * norms - (Z * gradients).sum(axis=1)
    complementarity = multipliers * slacks
    assert distance <= scale, distance / scale
    assert np.abs(stationarity).sum() <= scale, np.abs(stationarity).sum() / scale
    assert np.abs(complementarity).sum() <= scale, np.abs(complementarity).sum() / scale
    assert abs(objective - dual_objective) <= scale, (objective - dual_objective) / scale


def assert_certified(solution, X, y, beta, *, optimum=None, rtol=1e-6):
    """Everything that a :class:`Solution` claims holds, by independent computation.

    `optimum` is a known optimal value of (2). Every dual bound must lie below
    it; the objective must reach it, to `rtol`, where the status claims success
    over all networks.
    """
    network = solution.network
    hidden, output = np.asarray(network.hidden_weights), np.asarray(network.output_weights)
    assert hidden.shape == (solution.n_neurons, X.shape[1]) and output.shape == hidden.shape[:1]
    activations = np.maximum(X @ hidden.T, 0.0)
    residual = activations @ output - y
    squares = float((hidden**2).sum()) + float((output**2).sum())
    objective = 0.5 * float(residual @ residual) + 0.5 * beta * squares
    size = _size(X, y, beta, objective)
    assert abs(solution.objective - objective) <= 1e-12 * size, (solution.objective, objective)
    assert (solution.beta, solution.objective >= 0.0) == (beta, True)

    # What is proven.
    assert not np.isnan(solution.dual_bound)
    assert solution.dual_bound <= objective + 1e-12 * size, (solution.dual_bound, objective)
    assert 0.0 <= solution.objective_error <= 1e-8 * size
    rest = max(objective + solution.objective_error - solution.dual_bound, 0.0)
    gap = rest / max(abs(objective), 1e-300) if rest else 0.0
    np.testing.assert_allclose(solution.gap, gap, rtol=1e-9, atol=1e-12)
    if solution.status is Status.OPTIMAL:
        assert solution.gap <= solution.tol
    if optimum is not None:
        slack = rtol * _size(X, y, beta, optimum)
        assert solution.dual_bound <= optimum + slack, (solution.dual_bound, optimum)
        # A network below the optimum means that the optimum, or the objective, is wrong.
        assert objective >= optimum - slack, (objective, optimum)
        if solution.status is Status.OPTIMAL:
            assert objective <= optimum + slack, (objective, optimum)

    # What is promised of the network.
    assert solution.n_neurons <= len(X) and (output != 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1), np.abs(output), rtol=1e-9)
    if solution.n_neurons > 0:
        lengths = np.linalg.norm(activations, axis=0)
        assert (lengths > 0.0).all()
        singular = np.linalg.svd(activations / lengths, compute_uv=False)
        assert singular[-1] > len(X) * np.finfo(float).eps * singular[0], singular


def _size(X, y, beta, objective):
    """What a relative tolerance refers to: the objective, or for y = 0 the unit of (2)."""
    if y.any():
        return abs(objective)
    return abs(objective) + (beta / max(float(np.linalg.norm(X)), 1e-300)) ** 2
