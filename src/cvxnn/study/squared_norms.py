"""The program that penalises squared norms: not the one the paper states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.patterns import PatternSet
from cvxnn.program import ConvexProgram
from cvxnn.study.outcomes import StudyError

# How far the two values of the quadratic program may be apart, relative to the larger.
_AGREEMENT = 1e-6


@dataclass(frozen=True)
class SquaredNormOptimum:
    """The optimum of the program with squared norms, checked from both sides.

    Attributes
    ----------
    value : float
        ``1/2 ||sum_c s_c D_c X z_c - y||^2 + beta sum_c ||z_c||^2`` at the blocks
        found, recomputed.
    dual_value : float
        The lower bound of the solver on the same.
    residual : float
        ``1/2 ||sum_c s_c D_c X z_c - y||^2``, the part of the fit.
    network_objective : float
        Objective (2) of the network that the blocks stand for.
    cone_violation : float
        Largest ``-(2 D_c - I) X z_c``; 0 inside the cones.
    """

    value: float
    dual_value: float
    residual: float
    network_objective: float
    cone_violation: float


def minimise_squared_norms(
    X: FloatArray, y: FloatArray, beta: float, patterns: PatternSet
) -> SquaredNormOptimum:
    """Minimise the squared error plus ``beta`` times the *squared* norms over the cones.

    The program is, with one block ``v_i`` and one ``w_i`` for each pattern,

        minimise    1/2 ||sum_i D_i X (v_i - w_i) - y||^2 + beta sum_i (||v_i||^2 + ||w_i||^2)
        subject to  (2 D_i - I) X v_i >= 0,  (2 D_i - I) X w_i >= 0.

    With norms that are not squared it is program (5) of the seed paper, whose
    value is that of training (2). With squared ones it is another problem: the
    penalty falls when a neuron is divided among several patterns, and its value
    is no objective of a network.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    beta : float
    patterns : PatternSet
        All patterns of X, or some.

    Returns
    -------
    SquaredNormOptimum

    Raises
    ------
    StudyError
        If the solver does not reach the optimum.
    InputError
        If the program of M patterns is too large: 2 M n above 200 000.

    Notes
    -----
    A quadratic program of 2 M d variables and 2 M n inequalities, solved by
    Clarabel; for small data. The blocks and the bound are checked here.

    Examples
    --------
    >>> from cvxnn.patterns import enumerate_patterns
    >>> X, y = np.array([[1.0], [-1.0]]), np.array([1.0, 0.0])
    >>> optimum = minimise_squared_norms(X, y, 0.5, enumerate_patterns(X))
    >>> print(f"{optimum.value:.4f} {optimum.network_objective:.4f}")
    0.2500 0.3750
    """
    program = ConvexProgram(X, y, beta, patterns)
    if program.n_blocks * len(X) > 200_000:
        raise InputError(f"The program of {len(patterns)} patterns is too large.")
    Z, dual_value = _solve(program)
    residual = program.loss.value(program.prediction(Z), y)
    optimum = SquaredNormOptimum(
        value=residual + beta * float(np.vdot(Z, Z)),
        dual_value=dual_value,
        residual=residual,
        network_objective=program.objective(Z),
        cone_violation=max(program.cone_violation(Z), 0.0),
    )
    if abs(optimum.value - dual_value) > _AGREEMENT * max(abs(optimum.value), abs(dual_value)):
        raise StudyError(
            f"The program with squared norms has the value {optimum.value:.10g} at the blocks "
            f"found, and the lower bound {dual_value:.10g}."
        )
    return optimum


def _solve(program: ConvexProgram) -> tuple[FloatArray, float]:
    """The blocks (C, d) and the lower bound that Clarabel finds."""
    import clarabel

    n, d = program.X.shape
    size = program.n_blocks * d
    masks = program.patterns.unpack(program.block_patterns)
    signed = program.block_signs[:, np.newaxis] * masks
    forward = (signed[:, :, np.newaxis] * program.X).transpose(1, 0, 2).reshape(n, size)
    cones = sparse.block_diag(
        [np.where(mask[:, np.newaxis], program.X, -program.X) for mask in masks]
    )
    # The residual is a variable of its own: the Hessian in the blocks alone is dense.
    hessian = sparse.diags(np.concatenate([np.full(size, 2.0 * program.beta), np.ones(n)]))
    constraints = sparse.block_array([[forward, -sparse.eye(n)], [-cones, None]])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    # The value of five points is 1e-3: an absolute tolerance of 1e-8, the default, shows in it.
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solution = clarabel.DefaultSolver(
        hessian.tocsc(),
        np.zeros(size + n),
        constraints.tocsc(),
        np.concatenate([program.y, np.zeros(cones.shape[0])]),
        [clarabel.ZeroConeT(n), clarabel.NonnegativeConeT(cones.shape[0])],
        settings,
    ).solve()
    if solution.status != clarabel.SolverStatus.Solved:
        raise StudyError(f"The program with squared norms was not solved: {solution.status}.")
    return np.array(solution.x)[:size].reshape(-1, d), float(solution.obj_val_dual)
