"""The full program (5) in a general conic solver: the reference for all others.

Nothing here knows the structure of the program beyond its sparsity, and that is
the point: what this file returns was not computed by cvxnn.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cvxnn.errors import InputError
from cvxnn.losses import SquaredLoss
from cvxnn.program import ConvexProgram

FloatArray = NDArray[np.float64]

# What each solver behind cvxpy calls its tolerances.
_CVXPY_TOLERANCES = {
    "CLARABEL": ("tol_gap_abs", "tol_gap_rel", "tol_feas"),
    "SCS": ("eps_abs", "eps_rel"),
}


@dataclass(frozen=True)
class ReferenceSolution:
    """A primal and a dual point of program (5) from a general solver.

    An interior-point method leaves blocks that vanish at the optimum small, not
    zero, and inequalities satisfied up to rounding; nothing is cleaned here.

    Attributes
    ----------
    Z : ndarray, shape (C, d)
        The blocks ``z_c``.
    multipliers : ndarray, shape (C, n)
        Multipliers ``rho_c >= 0`` of ``(2 D_c - I) X z_c >= 0``; 0 on zero rows of X.
    v : ndarray, shape (n,)
        Dual point of (11); ``y - prediction`` at an optimum.
    objective : float
        Objective (5) at `Z`, by :meth:`ConvexProgram.objective`.
    dual_objective : float
        Objective (11a) at `v`, by :meth:`ConvexProgram.dual_objective`. No proof:
        `v` satisfies (11b, 11c) to the tolerance of the solver only.
    status : str
        The solver's own word.
    iterations : int
        The solver's own count.
    seconds : float
        Time in the solver; building the matrices is not counted.
    """

    Z: FloatArray
    multipliers: FloatArray
    v: FloatArray
    objective: float
    dual_objective: float
    status: str
    iterations: int
    seconds: float


def solve_with_clarabel(
    program: ConvexProgram, *, tol: float = 1e-9, max_iter: int = 200, verbose: bool = False
) -> ReferenceSolution:
    """Solve program (5) with Clarabel, from sparse matrices.

    Minimises ``1/2 ||sum_c s_c D_c X z_c - y||^2 + beta * sum_c ||z_c||`` over
    ``(2 D_c - I) X z_c >= 0``: a sum over the rows, not a mean.

    Parameters
    ----------
    program : ConvexProgram
        With squared loss.
    tol : float
        Relative duality gap and feasibility to stop at.
    max_iter : int
        Most iterations.
    verbose : bool
        Whether Clarabel prints its log.

    Returns
    -------
    ReferenceSolution
        The point where Clarabel ends, also when `status` is not ``"Solved"``.

    Raises
    ------
    InputError
        If the loss is not the squared loss.

    Notes
    -----
    The variables are the residual f and one ``(t_c, z_c)`` for each block::

        minimise    1/2 ||f||^2 + beta * sum_c t_c
        subject to  f = sum_c s_c D_c X z_c - y         multiplier v
                    (2 D_c - I) X z_c >= 0              multiplier rho_c
                    ||z_c|| <= t_c

    With f as a variable the quadratic term is diagonal, and the factorisation
    can eliminate block after block down to a dense (n, n) matrix, rather than
    start from a dense (C d, C d) one. There are C n inequalities and O(n d C)
    non-zeros; with that order of elimination an iteration costs
    O(C n d^2 + C d n^2 + n^3).

    Clarabel compares the gap with ``max(1, |objective|)``, which is no relative
    test for a small objective. The objective is therefore divided by a lower
    bound on the optimum, (11a) at a multiple of y.

    References
    ----------
    P. J. Goulart and Y. Chen, "Clarabel: an interior-point solver for conic
    programs with quadratic objectives", arXiv 2405.12762; seed paper, (5), (11).

    Examples
    --------
    One row and both half-lines: the optimum is ``beta |y| - beta^2 / 2``.

    >>> import numpy as np
    >>> from cvxnn.patterns import PatternSet
    >>> X, y = np.array([[1.0]]), np.array([2.0])
    >>> patterns = PatternSet.from_directions(X, np.array([[1.0], [-1.0]]))
    >>> solution = solve_with_clarabel(ConvexProgram(X, y, 0.1, patterns))
    >>> solution.status, round(solution.objective, 6)
    ('Solved', 0.195)
    >>> round(solution.v.item(), 6)
    0.1
    """
    form = _conic_form(program, "solve_with_clarabel")
    settings = clarabel.DefaultSettings()
    settings.verbose = verbose
    settings.max_iter = max_iter
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tol
    started = perf_counter()
    result = clarabel.DefaultSolver(*form.clarabel_data(), settings).solve()
    seconds = perf_counter() - started
    n = len(program.X)
    duals = np.asarray(result.z)
    return form.solution(
        blocks=np.asarray(result.x)[n:],
        v=duals[:n],
        row_multipliers=duals[n : n + form.inequalities.shape[0]],
        status=str(result.status),
        iterations=result.iterations,
        seconds=seconds,
    )


def solve_with_cvxpy(
    program: ConvexProgram, *, solver: str = "CLARABEL", tol: float = 1e-9
) -> ReferenceSolution:
    """Solve program (5) through the modelling layer cvxpy.

    Minimises ``1/2 ||sum_c s_c D_c X z_c - y||^2 + beta * sum_c ||z_c||`` over
    ``(2 D_c - I) X z_c >= 0``, as :func:`solve_with_clarabel` does.

    Parameters
    ----------
    program : ConvexProgram
        With squared loss.
    solver : {"CLARABEL", "SCS"}
        A solver that cvxpy knows.
    tol : float
        Given to the solver as each of its tolerances.

    Returns
    -------
    ReferenceSolution
        `seconds` is the time that cvxpy reports for the solver.

    Raises
    ------
    InputError
        If the loss is not the squared loss, or `solver` is not one of the two.
    cvxpy.error.SolverError
        If the solver returns no point at all.

    Notes
    -----
    cvxpy's own work is O(n d C) too, with a constant that exceeds the solve on
    small programs. SCS is a first-order method: ask it for 1e-6, not 1e-9.

    References
    ----------
    S. Diamond and S. Boyd, "CVXPY: a Python-embedded modeling language for
    convex optimization", JMLR 17(83), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.patterns import PatternSet
    >>> X, y = np.array([[1.0]]), np.array([2.0])
    >>> patterns = PatternSet.from_directions(X, np.array([[1.0], [-1.0]]))
    >>> solution = solve_with_cvxpy(ConvexProgram(X, y, 0.1, patterns))
    >>> round(solution.objective, 6)
    0.195
    """
    if solver not in _CVXPY_TOLERANCES:
        raise InputError(f"solver must be one of {sorted(_CVXPY_TOLERANCES)}, got {solver!r}")
    form = _conic_form(program, "solve_with_cvxpy")
    import cvxpy as cp

    f = cp.Variable(len(program.X))
    blocks = cp.Variable((program.n_blocks, form.width))
    flat = cp.vec(blocks, order="C")
    fit = form.fit @ flat - f == program.y
    inside = form.inequalities @ flat >= 0
    norms = cp.SOC(blocks[:, 0], blocks[:, 1:], axis=1)
    cost = form.scale * (0.5 * cp.sum_squares(f) + program.beta * cp.sum(blocks[:, 0]))
    problem = cp.Problem(cp.Minimize(cost), [fit, inside, norms])
    problem.solve(solver=solver, **dict.fromkeys(_CVXPY_TOLERANCES[solver], tol))
    return form.solution(
        blocks=blocks.value,
        # d/df of cost + multiplier' (fit - f - y) is 0: the multiplier is scale * f = -scale * v.
        v=-fit.dual_value,
        row_multipliers=inside.dual_value,
        status=str(problem.status),
        iterations=int(problem.solver_stats.num_iters),
        seconds=float(problem.solver_stats.solve_time),
    )


@dataclass(frozen=True)
class _ConicForm:
    """Program (5) in the variables f and, block after block, ``(t_c, z_c)``.

    ``fit @ blocks`` is the prediction and ``inequalities @ blocks >= 0`` the
    cones: one row for each block and each non-zero row of X (`rows`), divided
    by the norm of that row of X. The objective is multiplied by `scale`.
    """

    program: ConvexProgram
    scale: float
    rows: NDArray[np.intp]
    row_norms: FloatArray
    fit: sparse.csc_array
    inequalities: sparse.csc_array

    @property
    def width(self) -> int:
        """Numbers in one block: d + 1."""
        return int(self.program.X.shape[1]) + 1

    def clarabel_data(self) -> tuple[Any, ...]:
        """``P, q, A, b, cones`` of min 1/2 x'Px + q'x, A x + s = b, s in the cones."""
        n, n_blocks, width = len(self.program.X), self.program.n_blocks, self.width
        n_inequalities, n_cone = self.inequalities.shape
        P = sparse.diags_array(np.repeat([self.scale, 0.0], [n, n_cone]), format="csc")
        q = np.zeros(n + n_cone)
        q[n::width] = self.scale * self.program.beta
        stacked = [
            [sparse.eye_array(n), -self.fit],
            [None, -self.inequalities],
            [None, -sparse.eye_array(n_cone)],
        ]
        A = sparse.block_array(stacked, format="csc")
        b = np.concatenate([-self.program.y, np.zeros(n_inequalities + n_cone)])
        cones = [clarabel.ZeroConeT(n), clarabel.NonnegativeConeT(n_inequalities)]
        cones += [clarabel.SecondOrderConeT(width)] * n_blocks
        return sparse.csc_matrix(P), q, sparse.csc_matrix(A), b, cones

    def solution(
        self,
        *,
        blocks: FloatArray,
        v: FloatArray,
        row_multipliers: FloatArray,
        status: str,
        iterations: int,
        seconds: float,
    ) -> ReferenceSolution:
        """The solver's point in the variables of :class:`ConvexProgram`, undoing all scalings."""
        program = self.program
        Z = np.ascontiguousarray(blocks.reshape(program.n_blocks, self.width)[:, 1:])
        v = v / self.scale
        per_row = row_multipliers.reshape(program.n_blocks, len(self.rows))
        multipliers = np.zeros((program.n_blocks, len(program.X)))
        multipliers[:, self.rows] = per_row / (self.scale * self.row_norms)
        return ReferenceSolution(
            Z=Z,
            multipliers=multipliers,
            v=v,
            objective=program.objective(Z),
            dual_objective=program.dual_objective(v),
            status=status,
            iterations=iterations,
            seconds=seconds,
        )


def _conic_form(program: ConvexProgram, caller: str) -> _ConicForm:
    if not isinstance(program.loss, SquaredLoss):
        raise InputError(
            f"{caller} accepts programs with SquaredLoss only, got {type(program.loss).__name__}"
        )
    norms = np.linalg.norm(program.X, axis=1)
    # A zero row makes the inequality 0 >= 0, which has no interior.
    rows = np.flatnonzero(norms)
    # A zero column in front of X stands for t_c.
    X = np.column_stack([np.zeros(len(norms)), program.X])
    masks = program.patterns.unpack(program.block_patterns)
    return _ConicForm(
        program=program,
        scale=1.0 / _natural_size(program),
        rows=rows,
        row_norms=norms[rows],
        fit=_fit_matrix(X, masks, program.block_signs),
        inequalities=_inequality_matrix(X[rows] / norms[rows, None], masks[:, rows]),
    )


def _natural_size(program: ConvexProgram) -> float:
    """A lower bound on the optimum, (11a) at a multiple of y; for y = 0 the unit of (5)."""
    norms = np.linalg.norm(program.correlations(program.y), axis=1)
    steepest = float(norms.max(initial=0.0))
    step = 1.0 if steepest <= program.beta else program.beta / steepest
    bound = program.dual_objective(step * program.y)
    if bound > 0.0:
        return bound
    size = float(np.linalg.norm(program.X))
    return (program.beta / size) ** 2 if size > 0.0 else 1.0


def _fit_matrix(X: FloatArray, masks: NDArray[np.bool_], signs: FloatArray) -> sparse.csc_array:
    """``[s_1 D_1 X, ..., s_C D_C X]``, sparse: a column holds the rows of its pattern."""
    n_blocks, n = masks.shape
    width = X.shape[1]
    columns = np.where(masks[:, None, :], signs[:, None, None] * X.T, 0.0)
    return sparse.csc_array(columns.reshape(n_blocks * width, n).T)


def _inequality_matrix(X: FloatArray, masks: NDArray[np.bool_]) -> sparse.csc_array:
    """``blockdiag((2 D_1 - I) X, ..., (2 D_C - I) X)``, sparse."""
    n_blocks, n = masks.shape
    width = X.shape[1]
    columns = np.where(masks[:, None, :], X.T, -X.T)
    rows = np.broadcast_to(np.arange(n_blocks * n).reshape(n_blocks, 1, n), columns.shape)
    ends = n * np.arange(n_blocks * width + 1)
    shape = (n_blocks * n, n_blocks * width)
    matrix = sparse.csc_array((columns.ravel(), rows.flatten(), ends), shape=shape)
    matrix.eliminate_zeros()
    return matrix
