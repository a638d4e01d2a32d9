"""The registry of test problems, and their arrangements by brute force.

Every method of the library is run on every problem in ``PROBLEMS``. What is
known about a problem was not computed by the library: the optimal values are
closed forms or come from ``data/optima.json``, the numbers of patterns are
formula (4) or were counted by :func:`brute_force_cells`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from math import comb
from pathlib import Path

import numpy as np
import pytest
from reference import solve_with_clarabel
from scipy.optimize import linprog

from cvxnn.array_types import FloatArray
from cvxnn.patterns import PatternSet
from cvxnn.program import ConvexProgram


@dataclass(frozen=True)
class Problem:
    """Data of objective (2), and what is known about the optimum.

    ``objective`` is None where nothing independent is known in advance: tests
    compare with the reference solver there.
    """

    name: str
    X: FloatArray
    y: FloatArray
    beta: float
    n_patterns: int | None = None
    objective: float | None = None

    def __post_init__(self):
        self.X.flags.writeable = False
        self.y.flags.writeable = False


def with_bias(features):
    """`features` and a last column of ones."""
    return np.column_stack([features, np.ones(len(features))])


def cover(n, rank):
    """Patterns of n rows in general position: ``2 sum_{k < rank} C(n - 1, k)``."""
    return 2 * sum(comb(n - 1, k) for k in range(rank))


def one_row_optimum(x, y, beta):
    """Optimum for one row: ``min_f 1/2 (f - y)^2 + beta |f| / ||x||``, a soft threshold."""
    price = beta / float(np.linalg.norm(x))
    return price * abs(y) - 0.5 * price**2 if abs(y) > price else 0.5 * y**2


def one_feature_optimum(x, y, beta):
    """Optimum for one feature and no bias: a scalar Lasso on each half-line."""
    value = 0.5 * float(y @ y)
    for half in (np.maximum(x, 0.0), np.maximum(-x, 0.0)):
        if half.any():
            value -= 0.5 * max(abs(float(half @ y)) - beta, 0.0) ** 2 / float(half @ half)
    return value


def _stored_problems():
    entries = json.loads((Path(__file__).parent / "data" / "optima.json").read_text("utf-8"))
    return [
        Problem(
            name,
            np.array(entry["X"]),
            np.array(entry["y"]),
            entry["beta"],
            entry["n_patterns"],
            entry["objective"],
        )
        for name, entry in entries.items()
    ]


def _targets():
    """Ordinary data with targets, or a beta, that make the optimum special."""
    rng = np.random.default_rng(1)
    X = with_bias(rng.standard_normal((8, 2)))
    y = rng.standard_normal(8)
    # M(y) <= ||X'D y|| <= sum_i ||x_i|| |y_i|: above it the empty network is optimal.
    beta_above = 1.01 * float(np.linalg.norm(X, axis=1) @ np.abs(y))
    row = np.array([[3.0, -4.0]])
    feature = np.array([-2.0, -0.5, 0.0, 1.0, 1.5, 3.0])
    response = np.array([1.0, 2.0, -1.0, -0.5, 2.0, 0.7])
    return [
        Problem("one_row", row, np.array([2.0]), 0.5, 2, one_row_optimum(row, 2.0, 0.5)),
        Problem("one_row_negative", row, np.array([-2.0]), 3.0, 2, one_row_optimum(row, -2.0, 3.0)),
        Problem(
            "one_feature_no_bias",
            feature[:, None],
            response,
            0.3,
            2,
            one_feature_optimum(feature, response, 0.3),
        ),
        Problem("constant_y", X, np.full(8, 2.0), 0.1, cover(8, 3)),
        Problem("zero_y", X, np.zeros(8), 0.1, cover(8, 3), 0.0),
        Problem("beta_above_max", X, y, beta_above, cover(8, 3), 0.5 * float(y @ y)),
    ]


def _degenerate_rows():
    """Rows that are equal, parallel, zero, or many on one hyperplane."""
    rng = np.random.default_rng(2)
    X = with_bias(rng.standard_normal((6, 2)))
    repeated = X[[0, 1, 2, 3, 4, 5, 1, 1, 4]]
    directions = rng.standard_normal((5, 3))
    parallel = np.vstack([directions, 2.5 * directions[1], -0.5 * directions[1], -directions[3]])
    zero = np.vstack([X[:5], np.zeros((1, 3))])
    grid = with_bias(np.array([[a, b] for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]))
    y = rng.standard_normal(9)
    # 58 is the number of threshold functions on a 3 x 3 grid, OEIS A114146.
    return [
        Problem("duplicated_rows", repeated, y, 0.1, cover(6, 3)),
        Problem("parallel_rows", parallel, y[:8], 0.1, cover(5, 3)),
        Problem("zero_row", zero, y[:6], 0.1, cover(5, 3)),
        Problem("zero_data", np.zeros((3, 2)), y[:3], 0.1, 1, 0.5 * float(y[:3] @ y[:3])),
        Problem("grid_3x3", grid, y, 0.1, 58),
    ]


def _degenerate_columns():
    """Columns that repeat, depend on each other, outnumber the rows, or differ in scale."""
    rng = np.random.default_rng(3)
    line = with_bias(np.linspace(-1.0, 2.0, 7)[:, None])
    plane = rng.standard_normal((8, 2))
    y = rng.standard_normal(8)
    scaled = with_bias(plane * np.array([1e-4, 1e4]))
    return [
        Problem("constant_column_twice", line[:, [0, 1, 1]], y[:7], 0.1, cover(7, 2)),
        Problem("collinear_columns", plane[:, [0, 1, 0]] * [1, 1, -3], y, 0.1, cover(8, 2)),
        Problem("rank_deficient", plane @ rng.standard_normal((2, 4)), y, 0.1, cover(8, 2)),
        Problem("wide", rng.standard_normal((4, 6)), y[:4], 0.1, 16),
        Problem("badly_scaled_columns", scaled, y, 0.1, cover(8, 3)),
    ]


PROBLEMS = (*_stored_problems(), *_targets(), *_degenerate_rows(), *_degenerate_columns())

SMALL_PROBLEMS = tuple(
    p for p in PROBLEMS if p.n_patterns is not None and p.n_patterns * len(p.X) <= 10_000
)
"""Those whose full program takes the reference solver a second at most."""


# Of these, the ones with many cells, and those that are like others: among the long tests of what
# takes its time on them.
LARGE = (
    "d1_n100", "d1_n50", "d2_n50", "d2_n50_beta1", "grid_with_duplicates_n25",
    "badly_scaled_columns", "d3_no_bias_n16", "one_row_negative", "constant_y", "beta_above_max",
    "parallel_rows", "collinear_columns",
)  # fmt: skip


def each_with_long(problems):
    """Parametrised by problems, the large ones for long tests only."""
    return pytest.mark.parametrize(
        "problem",
        [
            pytest.param(p, id=p.name, marks=pytest.mark.long if p.name in LARGE else ())
            for p in problems
        ],
    )


def problem_ids(problem):
    """For ``pytest.mark.parametrize(..., ids=problem_ids)``."""
    return problem.name


def problem_named(name):
    """The problem of that name."""
    return next(problem for problem in PROBLEMS if problem.name == name)


@cache
def _arrangement(name):
    masks, directions = brute_force_cells(problem_named(name).X)
    return PatternSet(np.packbits(masks, axis=1), directions, masks.shape[1], is_complete=True)


def arrangement(problem):
    """All patterns of a registered problem, by brute force; computed once in a process."""
    return _arrangement(problem.name)


@cache
def _by_clarabel(name):
    problem = problem_named(name)
    program = ConvexProgram(problem.X, problem.y, problem.beta, arrangement(problem))
    return float(solve_with_clarabel(program).objective)


def optimum_of(problem):
    """The known optimum of a registered problem, or that of Clarabel on all its patterns."""
    return problem.objective if problem.objective is not None else _by_clarabel(problem.name)


def brute_force_patterns(X):
    """All activation patterns of `X`, each as ``np.packbits(mask).tobytes()``."""
    return {row.tobytes() for row in np.packbits(brute_force_cells(X)[0], axis=1)}


def brute_force_cells(X):
    """All full-dimensional cells of the arrangement of `X`, by a tree of linear programs.

    Row after row: a sign pattern of the first k rows is extended by a sign s
    when some ``u`` has ``s_j x_j'u >= 1`` for the rows so far. At most n M
    linear programs, for data of any kind. Zero rows have no hyperplane: their
    bit is 0.

    Returns
    -------
    masks : ndarray of bool, shape (M, n)
    directions : ndarray, shape (M, d)
        Points of the cells: ``(X u > 0)`` is the mask.
    """
    X, column_scale = _scaled_by_powers_of_two(X)
    live = np.flatnonzero(X.any(axis=1))
    masks = np.zeros((1, len(X)), dtype=bool)
    if len(live) == 0:
        return masks, np.zeros((1, X.shape[1]))
    # Cells come in pairs -u, u: follow those that are positive on the first row.
    cells = [(np.ones(1), X[live[0]])]
    for k in range(1, len(live)):
        cells = _split_cells(cells, X[live[: k + 1]])
    half = np.array([signs for signs, _ in cells]) > 0
    masks = np.zeros((2 * len(half), len(X)), dtype=bool)
    masks[:, live] = np.vstack([half, ~half])
    points = np.array([u for _, u in cells])
    directions = np.vstack([points, -points])
    assert np.array_equal(directions @ X.T > 0, masks)
    return masks, directions / column_scale


def _split_cells(cells, rows):
    """The cells of `rows` from those of ``rows[:-1]``: pairs of signs and a point."""
    row = rows[-1]
    children = []
    for signs, point in cells:
        side = float(row @ point)
        for sign in (1.0, -1.0):
            extended = np.append(signs, sign)
            # A point of the parent that lies clearly on this side is the proof, without a program.
            clearly_inside = sign * side > 1e-9 * np.linalg.norm(row) * np.linalg.norm(point)
            inside = point if clearly_inside else _interior_point(extended[:, None] * rows)
            if inside is not None:
                children.append((extended, inside))
    return children


def _interior_point(G):
    """Some ``u`` with ``G u >= 1``, or None when there is none."""
    result = linprog(
        np.zeros(G.shape[1]), A_ub=-G, b_ub=-np.ones(len(G)), bounds=(None, None), method="highs"
    )
    if result.status == 2:
        return None
    assert result.status == 0, result.message
    assert (G @ result.x > 0.5).all()
    return np.asarray(result.x)


def _scaled_by_powers_of_two(X):
    """`X` with columns, then rows, of largest entry in [1, 2); and the divisors of the columns.

    Powers of two keep every exact linear dependency of the data.
    """

    def scale(largest):
        return np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))

    columns = scale(np.abs(X).max(axis=0))
    scaled = X / columns
    return scaled / scale(np.abs(scaled).max(axis=1))[:, None], columns
