"""Sums over rows in segments are those over all rows, in one order whoever adds them up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_rows import planted, planted_outputs
from variants import with_long

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import WeightedLoss, as_loss
from cvxnn.losses.offset import best_offsets
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.segments import rows as segmented
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import LocalRows, SegmentedRows, never
from cvxnn.solvers.segments.tree import joined, nodes_of, total_of

sizes = st.floats(-1e9, 1e9)


@given(st.lists(sizes, min_size=1, max_size=70), st.data())
def test_sums_have_the_same_digits_however_segments_are_dealt_out(numbers, data):
    each = [(number, np.array([number, 1.0])) for number in numbers]
    alone = total_of(nodes_of(each))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(each)), max_size=6)))
    ends = [0, *cuts, len(each)]
    parts = [nodes_of(each[a:b], first=a) for a, b in pairwise(ends)]
    together = total_of(joined(parts))
    assert together[0] == alone[0] and (together[1] == alone[1]).all()
    assert together[1][1] == len(each)
    assert together[0] == pytest.approx(sum(numbers), abs=1e-6)
    assert all(len(part) <= 2 * (len(each).bit_length() + 1) for part in parts)


class SeveralMemories(SegmentedRows):
    """Local rows by consecutive segments, each run with a memory of its own."""

    def __init__(self, problem, cuts):
        self.whole = LocalRows(problem)
        self.n_rows, self.n_features = self.whole.n_rows, self.whole.n_features
        self.n_outputs, self.loss = self.whole.n_outputs, self.whole.loss
        ends = [0, *cuts, len(self.whole._segments)]
        self.runs = list(pairwise(ends))

    def keep(self, method, kept, *arguments, check=never):
        return self.whole.keep(method, kept, *arguments, check=check)

    def total(self, method, kept, *arguments, check=never):
        each = self.keep(method, kept, *arguments, check=check)
        each = [part if isinstance(part, tuple) else (part,) for part in each]
        runs = reversed([nodes_of(each[a:b], first=a) for a, b in self.runs])
        return total_of(joined(reversed(list(runs))))

    def gather(self, rows):
        return self.whole.gather(rows)


@pytest.mark.parametrize("outputs", [1, 3])
@with_long("intercept", [False, True])
def test_a_search_ends_with_the_same_bits_in_several_memories(outputs, intercept, monkeypatch):
    monkeypatch.setattr(segmented, "LENGTH", 64)
    X, Y = planted(900) if outputs == 1 else planted_outputs(900)
    problem = Problem(Layer(X), Y.reshape(900, outputs), 30.0, as_loss("squared"))
    found = []
    for rows in (LocalRows(problem), SeveralMemories(problem, (3, 4, 9))):
        rng = np.random.default_rng(0)
        search = TileSearch(rows, 30.0, np.eye(8), rng, Deadline(), intercept=intercept)
        for _ in range(3):
            search.advance()
        found.append(search)
    first, second = found
    assert len(first.neurons) > 0 and first.objective == second.objective
    np.testing.assert_array_equal(first.neurons.rays, second.neurons.rays)


@pytest.mark.parametrize("name", ["squared", "huber", "logistic", "softmax", "poisson"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_what_neurons_reach_is_what_all_rows_say(name, is_weighted, monkeypatch):
    monkeypatch.setattr(segmented, "LENGTH", 32)
    X, Y = planted_outputs(200, loss=name)
    Y = {"logistic": np.where(Y > 0.3, 1.0, -1.0), "poisson": np.round(np.abs(Y))}.get(name, Y)
    loss, weights = as_loss(name), np.random.default_rng(2).uniform(0.5, 2.0, 200)
    if is_weighted and not loss.joins_outputs:
        loss = WeightedLoss(loss, weights)
    rng = np.random.default_rng(3)
    neurons = Neurons.of_weights(0.3 * rng.standard_normal((5, 8)), rng.standard_normal((5, 3)))
    reached = Reached.by(LocalRows(Problem(Layer(X), Y, 1.0, loss)), neurons, never, intercept=True)
    f = np.maximum(X @ neurons.rays.T, 0.0) @ neurons.outputs
    b = best_offsets(loss, f, Y)
    # Of softmax a number for all outputs changes nothing.
    moved = reached.neurons.intercept - b
    moved -= moved.mean() if loss.joins_outputs else 0.0
    np.testing.assert_allclose(moved, 0.0, atol=1e-9)
    assert reached.loss == pytest.approx(loss.value(f + b, Y), rel=1e-12)
    assert reached.objective(2.0) == pytest.approx(reached.loss + 2.0 * neurons.sizes.sum())
