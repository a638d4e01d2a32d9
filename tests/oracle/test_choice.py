"""The one place that says which oracle suits."""

import math

import numpy as np
import pytest

from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.oracle import BranchAndBound, CellOracle, RankTwoOracle, SignTree, choice
from cvxnn.oracle.branch_and_bound import ClimbAndBound
from cvxnn.oracle.choice import (
    Effort,
    RowGeometry,
    oracle_for,
    proof_work,
    usually_ends,
)
from cvxnn.patterns import enumerate_patterns, sample_patterns
from cvxnn.patterns.reduction import reduce_rows


def rows(n: int, rank: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, columns))


@pytest.mark.parametrize(("rank", "columns"), [(1, 1), (1, 3), (2, 2), (2, 4)])
def test_rank_two_at_most(rank, columns):
    X = rows(8, rank, columns)
    geometry = RowGeometry(X)
    assert geometry.kind() == "rank two"
    assert isinstance(geometry.oracle(), RankTwoOracle)
    # Rows that are read together are no predictions of their own.
    assert geometry.kind(is_read=True) == "cells"
    assert RowGeometry(X, lists_cells=False).kind(is_read=True) == "tree"
    # Only some cells are of interest: the arcs of all directions are too many.
    assert RowGeometry(X, patterns=sample_patterns(X, 5, 0)).kind() == "cells"


def test_few_cells_above_rank_two(monkeypatch):
    X = rows(8, 3, 4)
    geometry = RowGeometry(X)
    assert geometry.circle is None
    assert geometry.kind() == geometry.kind(is_read=True) == "cells"
    assert isinstance(geometry.oracle(), CellOracle)
    assert geometry.patterns is not None
    assert len(geometry.patterns) == len(enumerate_patterns(X))
    monkeypatch.setattr(choice, "_FEW_PATTERNS", len(geometry.patterns) - 1)
    assert RowGeometry(X).kind() == "tree"
    given = sample_patterns(X, 5, 0)
    assert RowGeometry(X, patterns=given, lists_cells=False).patterns is given


def test_a_tree_where_cells_are_not_to_be_listed():
    X = rows(8, 3, 3)
    geometry = RowGeometry(X, lists_cells=False)
    assert geometry.kind() == "tree"
    assert isinstance(geometry.oracle(), BranchAndBound)
    climbing = geometry.oracle(Effort(random_state=np.random.default_rng(0)))
    assert isinstance(climbing, ClimbAndBound)


@pytest.mark.parametrize(
    ("n", "rank", "oracle"),
    [(30, 6, BranchAndBound), (30, 7, SignTree), (30, 14, SignTree), (300, 7, BranchAndBound)],
)
def test_signs_of_few_rows_in_high_rank(n, rank, oracle):
    geometry = RowGeometry(rows(n, rank, 15), lists_cells=False)
    assert geometry.kind() == "tree"
    assert type(geometry.oracle()) is oracle
    # What counts is hyperplanes, not rows.
    doubled = RowGeometry(np.vstack([geometry.rows, -2.0 * geometry.rows]), lists_cells=False)
    assert type(doubled.oracle()) is oracle


def test_all_oracles_agree():
    for rank in (1, 2, 3):
        X, v = rows(9, rank, 3), np.random.default_rng(rank).standard_normal((9, 1))
        known = CellOracle(X, enumerate_patterns(X)).price(v).bound
        for lists_cells in (True, False):
            found = RowGeometry(X, lists_cells=lists_cells).oracle().price(v, tol=1e-9)
            assert found.bound == pytest.approx(known, rel=2e-9)
        assert oracle_for(Layer(X), Effort()).price(v).bound == pytest.approx(known, rel=2e-6)


def test_effort_reaches_the_oracles():
    X = np.column_stack([np.linspace(-1.0, 1.0, 200), np.ones(200)])
    v = np.random.default_rng(0).standard_normal((200, 1))
    everything = oracle_for(Layer(X), Effort()).price(v)
    assert len(everything.values) > 2
    assert len(oracle_for(Layer(X), Effort(most=2)).price(v).values) == 2
    hills = oracle_for(Layer(X), Effort(depth=0.9)).price(v)
    assert len(hills.values) < len(everything.values)
    X, v = rows(60, 4, 4), np.random.default_rng(0).standard_normal((60, 1))
    cut = oracle_for(Layer(X), Effort(max_nodes=0)).price(v)
    assert not cut.finished
    assert cut.bound > oracle_for(Layer(X), Effort()).price(v).bound


def test_the_deadline_is_kept():
    with pytest.raises(OutOfTimeError):
        _ = RowGeometry(rows(8, 3, 3), Deadline(0.0)).patterns


def test_few_rows_of_high_rank_are_little_work_and_end():
    rng = np.random.default_rng(0)

    def of(n, d):
        return reduce_rows(rng.standard_normal((n, d)))

    few, more, low = of(24, 12), of(80, 12), of(80, 5)
    assert proof_work(24, few) == pytest.approx(256.0) and usually_ends(few)
    assert proof_work(80, more) > 1e6 and not usually_ends(more)
    cells = 2 * sum(math.comb(79, k) for k in range(5))
    assert proof_work(80, low) == pytest.approx(cells / 1000.0) and usually_ends(low)
    # Where rows are repeated it is the distinct ones that count.
    again = np.tile(rng.standard_normal((20, 12)), (30, 1))
    assert proof_work(600, reduce_rows(again)) < 300.0
    assert 1e150 < proof_work(2000, of(600, 600)) < np.inf
