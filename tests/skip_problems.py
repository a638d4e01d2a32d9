"""Small problems with a linear skip connection: programs written out anew, searches inside."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from programs import Activations

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import as_loss
from cvxnn.losses.base import Root
from cvxnn.oracle import CellOracle
from cvxnn.patterns import PatternSet, enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.working_set import WorkingSet
from cvxnn.solvers.proximal_newton import search_for
from cvxnn.solvers.search import Opener, Search

BETA = 0.3


@cache
def data(loss: str = "squared", n: int = 8) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n, 2)), np.ones(n)])
    y = np.sign(rng.standard_normal(n)) + 0.8 * X[:, 0]
    return X, np.sign(y) if as_loss(loss).has_labels else y


@cache
def reference(slope: float, skip: str | None, loss: str, n: int = 8, beta: float = BETA) -> float:
    """Optimum of the program on all patterns, with ``D + slope (I - D)``, in cvxpy."""
    cp = pytest.importorskip("cvxpy")
    X, y = data(loss, n)
    linear = None if skip is None else X
    program = Activations(X[:, None], slope, linear=linear, is_free=skip == "free")
    return program.optimum(cp, loss, y, beta)


def skip_rows(X: FloatArray, slope: float, *, is_free: bool) -> SkipLayer:
    return SkipLayer(Layer(X).with_slope(slope), X, is_free)


def opener(deadline: Deadline) -> Opener:
    """Searches over all cells, for any loss."""
    known: dict[bytes, tuple[PatternSet, CellOracle]] = {}

    def over_cells(
        problem: Problem[Layer],
        start: Neurons | None,
        root: Root[Any] | None = None,
        certifies: bool = True,
    ) -> Search:
        rows = problem.rows.rows
        key = rows.tobytes()
        if key not in known:
            patterns = enumerate_patterns(rows)
            known[key] = patterns, CellOracle(rows, patterns)
        rng = np.random.default_rng(0)
        return WorkingSet(problem, *known[key], rng, deadline, start)

    def open_search(problem: Problem[Layer], start: Neurons | None) -> Search:
        deadline.check()
        if not problem.is_least_squares:
            problem = problem.on(problem.rows.with_readout())
        return search_for(problem, over_cells, deadline, start)

    return open_search


def run(search: Search, tol: float, most: int = 500) -> int:
    """Rounds up to the gap, or to where there is no progress; their number."""
    rounds = 0
    while not (search.reaches(tol) or search.is_stuck or search.stationary) and rounds < most:
        search.step(tol)
        rounds += 1
    search.finish(tol, quick=False)
    return rounds


def value(
    rows: SkipLayer, y: FloatArray, beta: float, loss: str, neurons: Neurons, w: FloatArray
) -> float:
    """The objective without a constant, from its definition."""
    hidden, output = neurons.balanced()
    price = 0.0 if rows.is_free else float(np.linalg.norm(w))
    penalty = 0.5 * float((hidden**2).sum() + (output**2).sum())
    return as_loss(loss).value(rows.forward(hidden, output[:, 0], w), y) + beta * (penalty + price)
