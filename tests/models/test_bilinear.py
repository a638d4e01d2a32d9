"""Linear and circular networks: their programs, and how few filters they have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from programs import LOSSES, draw
from solvers.gauge.linear_networks import Circular, Patches, Rows

from cvxnn import CircularConv, LinearConv, Status, solve
from cvxnn.losses import as_loss

KINDS: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
    "patches": (LinearConv(), Patches, (12, 4, 3)),
    "even circle": (CircularConv(), Circular, (12, 1, 4)),
    "odd circle": (CircularConv(), Circular, (12, 1, 5)),
}
each_kind = pytest.mark.parametrize("name", KINDS)


def problem(name: str, loss: str = "squared") -> tuple[Any, Rows, Any]:
    model, kind, shape = KINDS[name]
    patches, y = draw(loss, *shape)
    return model, kind(patches[:, 0] if kind is Circular else patches), y


@each_kind
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("beta", [0.01, 1.0])
def test_the_network_attains_the_optimum_of_the_program(name: str, loss: str, beta: float) -> None:
    model, rows, y = problem(name, loss)
    solution = solve(rows.data, y, beta, model=model, loss=loss)
    network = solution.network
    assert solution.status is Status.OPTIMAL
    prediction = rows.data.reshape(12, -1) @ network.coefficients.ravel()
    np.testing.assert_allclose(network.forward(rows.data), prediction, rtol=1e-12)
    value = as_loss(loss).value(prediction, y) + beta * rows.gauge(network.coefficients.ravel())
    assert value == pytest.approx(solution.objective, rel=1e-9)
    assert 1 <= network.n_neurons <= rows.most_filters


@each_kind
def test_no_filters_are_an_optimum_from_the_largest_beta_on(name: str) -> None:
    model, rows, y = problem(name)
    slope = rows.data.reshape(12, -1).T @ y
    largest = rows.dual_norm(slope)
    solution = solve(rows.data, y, largest * (1.0 + 1e-9), model=model)
    assert solution.status is Status.OPTIMAL
    assert solution.network.n_neurons == 0
    assert solution.objective == 0.5 * float(y @ y)
    assert solve(rows.data, y, 0.9 * largest, model=model).network.n_neurons == 1
