"""The experiments of section 4 of the seed paper, each as a function of its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.methods import Exact, Global, Sampled
from cvxnn.patterns import PatternSet, enumerate_patterns
from cvxnn.plotting.styles import STYLES
from cvxnn.program import ConvexProgram
from cvxnn.study.outcomes import (
    BETA,
    DATA_SEED,
    OPTIMAL_OBJECTIVES,
    TABLE_BETA,
    DataResult,
    NormsRow,
    StudyError,
    check_bound,
)
from cvxnn.study.paper_data import Dataset, five_points, line, ring
from cvxnn.study.runner import Runner, collect, train_once

# How far the two values of the quadratic program may be apart, relative to the larger.
_AGREEMENT = 1e-6
# Neurons of gradient descent: the paper's, except for the ring, where it gives none.
_FIVE_POINTS_WIDTHS = (5, 10, 100)
_LINE_WIDTHS = {50: 150, 100: 200}
_RING_WIDTH = 150
_CIFAR_WIDTH = 40
# The default step, five times as long, makes most trials diverge on the images.
_CIFAR_STEP = 5e-4


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
        [sparse.csr_array(np.where(mask[:, np.newaxis], program.X, -program.X)) for mask in masks]
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


@dataclass(frozen=True)
class Experiment:
    """A section of the paper's experiments.

    Attributes
    ----------
    title : str
    n_steps : int
        Runs of methods that it takes.
    run : callable
        ``run(runner, cifar)`` with the data of section 4.4, None for the others.
    """

    title: str
    n_steps: int
    run: Callable[[Runner, Dataset | None], tuple[DataResult, ...]]


def small_line(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.1: five points of the line; gradient descent with 5, 10 and 100 neurons."""
    data = five_points()
    solutions = {"optimal": runner.train(data, Exact())}
    searches = {f"SGD, m = {m}": runner.descend(data, m) for m in _FIVE_POINTS_WIDTHS}
    return (collect("4.1", data, solutions, searches),)


def larger_line(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.2: 50 and 100 points of the line, table 2 and figure 4."""
    return tuple(
        _all_methods("4.2", line(n, runner.random_state), width, runner)
        for n, width in _LINE_WIDTHS.items()
    )


def plane(runner: Runner, cifar: Dataset | None = None) -> tuple[DataResult, ...]:
    """4.3: 50 points of the plane, the ring, figure 5."""
    return (_all_methods("4.3", ring(runner.random_state), _RING_WIDTH, runner),)


def images(runner: Runner, cifar: Dataset | None) -> tuple[DataResult, ...]:
    """4.4: airplanes and automobiles, whose patterns are too many to be listed."""
    assert cifar is not None, "run_study gives this experiment its data"
    settings = runner.settings
    solutions = {
        # As the paper draws them; the default scheme prefers hyperplanes between the points.
        "sampled": runner.train(cifar, Sampled(settings.n_samples, "gaussian"), tol=1e-3),
        "global": runner.train(cifar, Global(), max_iter=settings.max_iter),
    }
    searches = {
        "SGD": runner.descend(cifar, _CIFAR_WIDTH, step_size=_CIFAR_STEP),
        "L-BFGS": runner.descend(cifar, _CIFAR_WIDTH, "lbfgs"),
    }
    return (collect("4.4", cifar, solutions, searches),)


EXPERIMENTS = {
    "4.1": Experiment("Five points, d = 1", 4, small_line),
    "4.2": Experiment("50 and 100 points, d = 1", 8, larger_line),
    "4.3": Experiment("50 points in a ring, d = 2", 4, plane),
    "4.4": Experiment("Airplanes and automobiles of CIFAR-10, d = 100", 4, images),
}


def compare_norms(runner: Runner) -> tuple[NormsRow, ...]:
    """The program with squared norms, on the paper's data and on those of the study.

    Parameters
    ----------
    runner : Runner
        One step of it is taken.

    Returns
    -------
    tuple of NormsRow
        First the paper's own data with the beta that explains its table 2, then
        its data and those of the study with the beta that it states.

    Raises
    ------
    StudyError
        If the two programs contradict each other or their bounds.
    """
    sizes, random_state = tuple(OPTIMAL_OBJECTIVES), runner.random_state
    problems = [(n, DATA_SEED, beta) for beta in (TABLE_BETA, BETA) for n in sizes]
    if random_state != DATA_SEED:
        problems += [(n, random_state, BETA) for n in sizes if n in _LINE_WIDTHS]
    with runner.step("programs with squared norms"):
        return tuple(_norms_row(*problem) for problem in problems)


def _norms_row(n: int, seed: int, beta: float) -> NormsRow:
    data = line(n, seed)
    squared = minimise_squared_norms(data.X, data.y, beta, enumerate_patterns(data.X))
    solution = train_once(data.X, data.y, beta)
    # Its blocks are a network, though not the best one.
    check_bound(squared.network_objective, solution.dual_bound, f"{data.name}, squared norms")
    return NormsRow(
        data=data.name,
        seed=seed,
        beta=beta,
        squared_value=squared.value,
        squared_bound=squared.dual_value,
        optimum=solution.objective,
        lower_bound=solution.dual_bound,
        paper_objective=OPTIMAL_OBJECTIVES[n],
        is_paper_data=seed == DATA_SEED,
    )


def _all_methods(experiment: str, data: Dataset, width: int, runner: Runner) -> DataResult:
    solutions = {
        "optimal": runner.train(data, Exact()),
        "sampled": runner.train(data, Sampled()),
    }
    # L-BFGS, which the paper does not have: what gradients can do without a step to tune.
    searches = {STYLES[name].label: runner.descend(data, width, name) for name in ("sgd", "lbfgs")}
    return collect(experiment, data, solutions, searches)
