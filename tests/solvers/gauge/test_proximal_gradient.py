"""Proximal steps: where they lead, and when they end."""

import numpy as np
import pytest
from programs import LOSSES
from solvers.gauge.linear_networks import any_kind, drawn, problem_of, solved

from cvxnn.interrupts import Deadline
from cvxnn.solvers.gauge.descent import Objective, ProximalGradient


@any_kind
@pytest.mark.parametrize("loss", LOSSES)
def test_proximal_steps_lead_to_the_optimum(kind, loss):
    rows, y = drawn(kind, loss, 12, 3, 2)
    objective = Objective(problem_of(rows.program, y, 0.5, loss))
    gradient = ProximalGradient(objective)
    t = gradient.run(np.zeros(6), 500, Deadline())
    optimum = solved(rows.program, y, 0.5, loss, tol=1e-9).objective
    assert objective.value(t) == pytest.approx(optimum, rel=1e-8)
    np.testing.assert_allclose(gradient.run(t, 1, Deadline()), t, atol=1e-5)


@any_kind
def test_no_step_is_taken_when_time_is_up(kind):
    rows, y = drawn(kind, "squared", 9, 3, 2)
    gradient = ProximalGradient(Objective(problem_of(rows.program, y, 0.5, "squared")))
    assert not gradient.run(np.zeros(6), 60, Deadline(0.0)).any()


@any_kind
def test_data_of_zeros_leave_nothing_to_do(kind):
    rows, y = drawn(kind, "squared", 9, 3, 2)
    program = kind(0.0 * rows.data).program
    gradient = ProximalGradient(Objective(problem_of(program, y, 0.5, "squared")))
    assert not gradient.run(np.zeros(6), 3, Deadline()).any()
