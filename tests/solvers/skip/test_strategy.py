"""What a strategy opens, and what it knows before: against networks and bounds of their own."""

from __future__ import annotations

import numpy as np
import pytest
from skip_problems import BETA, FloatArray, data, opener, reference, run, skip_rows, value

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import Loss, as_loss
from cvxnn.problems import Neurons
from cvxnn.solvers.search import Search
from cvxnn.solvers.skip.free import FreeSkipSearch
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch
from cvxnn.solvers.skip.strategy import SkipStrategy
from cvxnn.solvers.strategy import Strategy


class OverCells(Strategy):
    """Neurons alone, and for an opening the best one along a coordinate."""

    def __init__(
        self, layer: Layer, y: FloatArray, beta: float, loss: Loss, start: Neurons | None
    ) -> None:
        self._problem = layer, y, beta, loss
        self._start = start

    def open(self, deadline: Deadline) -> Search:
        search = opener(deadline)(*self._problem, self._start)
        self.n_patterns = 7 if self._start is None else 5
        return search

    def opening(self) -> Neurons:
        layer, y, beta, loss = self._problem
        units = np.vstack([np.eye(3), -np.eye(3)])
        columns = layer.activations(units)
        lines = [Neurons(units[[j]], np.array([0.1]), np.array([[s]])) for j in range(6)
                 for s in (1.0, -1.0)]  # fmt: skip
        values = [loss.value(0.1 * line.signs * columns[:, j // 2], y) + 0.1 * beta
                  for j, line in enumerate(lines)]  # fmt: skip
        return lines[int(np.argmin(values))]

    def first_proof(self) -> DualProof:
        layer, y, _, loss = self._problem
        return spectral_proof(layer, -loss.gradient(np.zeros_like(y), y))


def strategy(is_free: bool, loss: str = "squared") -> SkipStrategy:
    X, y = data(loss)
    return SkipStrategy(skip_rows(X, 0.2, is_free=is_free), y, BETA, as_loss(loss), OverCells)


@pytest.mark.parametrize(("is_free", "skip"), [(False, "penalised"), (True, "free")])
def test_the_search_of_each_kind(is_free: bool, skip: str) -> None:
    chosen = strategy(is_free)
    assert chosen.n_patterns == 0
    search = chosen.open(Deadline())
    assert isinstance(search, FreeSkipSearch if is_free else PenalisedSkipSearch)
    run(search, 1e-7)
    assert search.objective == pytest.approx(reference(0.2, skip, "squared"), rel=2e-6)
    # The largest program of all that were searched.
    assert chosen.n_patterns == 7


@pytest.mark.parametrize(
    ("is_free", "loss"), [(False, "squared"), (False, "logistic"), (True, "squared")]
)
def test_what_there_is_before_a_search(is_free: bool, loss: str) -> None:
    X, y = data(loss)
    chosen, rows = strategy(is_free, loss), skip_rows(X, 0.2, is_free=is_free)
    neurons, none = chosen.opening(), Neurons.none(3)
    opened = value(rows, y, BETA, loss, neurons, chosen.linear(neurons))
    empty = value(rows, y, BETA, loss, none, chosen.linear(none))
    optimum = reference(0.2, "free" if is_free else "penalised", loss)
    assert optimum * (1.0 - 1e-6) <= opened < empty
    assert chosen.first_proof().bound(as_loss(loss), y, BETA) <= optimum * (1.0 + 1e-6)
    if is_free:
        expected = np.linalg.lstsq(X, y, rcond=None)[0]
        np.testing.assert_allclose(chosen.linear(none), expected, atol=1e-12)


@pytest.mark.parametrize("is_free", [False, True])
def test_no_time_at_all(is_free: bool) -> None:
    with pytest.raises(OutOfTimeError):
        strategy(is_free).open(Deadline(0.0)).step(1e-6)
