"""What there is of a linear network before its search has made a round."""

import numpy as np
import pytest
from programs import LOSSES
from solvers.gauge.linear_networks import Circular, Patches, drawn, problem_of

from cvxnn.interrupts import Deadline
from cvxnn.losses import as_loss
from cvxnn.solvers.gauge.search import GaugeStrategy


@pytest.mark.parametrize("kind", [Patches, Circular])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_strategy_has_a_network_and_a_proof_at_once(kind, loss):
    rows, y = drawn(kind, loss, 12, 4, 3)
    chosen = as_loss(loss)
    strategy = GaugeStrategy(problem_of(rows.program, y, 0.1, loss))
    assert strategy.n_patterns == 0
    search = strategy.open(Deadline())
    nothing = chosen.value(np.zeros(12), y)
    assert search.objective == nothing
    assert search.bound == strategy.first_proof().bound(search.problem)
    opening = strategy.opening()
    root = np.sqrt(opening.sizes)[:, None]
    prediction = rows.function(opening.directions * root, opening.outputs * root)
    first = chosen.value(prediction, y) + 0.1 * opening.sizes.sum()
    assert search.bound <= first < nothing
    search.step(1e-6)
    assert search.bound <= search.objective <= first
