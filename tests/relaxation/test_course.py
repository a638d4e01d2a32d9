"""When an iteration asks for a bound, and when it is said to bring little."""

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.relaxation.course import FIRST, Course

# One row: the bound of a proof is ``t 2 - t^2 / 2`` for ``t = min(2, beta / level)``.
PROBLEM = Problem.of(Layer(np.ones((1, 1))), np.array([2.0]), 1.0, SquaredLoss())
NOTHING = DualProof.of(np.zeros(1), 0.0, "cells")


def proof(level):
    return DualProof.of(np.ones(1), level, "relaxation")


def course(objective=2.0, on_bound=None):
    return Course(PROBLEM, objective, NOTHING, on_bound)


def test_the_best_proof_is_kept_and_reported():
    seen = []
    run = course(objective=1.5, on_bound=seen.append)
    found = [proof(level) for level in (4.0, 1.0, 2.0)]
    for iteration, one in enumerate(found):
        run.note(iteration, one)
    assert seen == [found[0], found[1], found[1]] and run.proof is found[1]
    assert run.closed(1e-9) and not course(objective=1.6).closed(1e-9)


def test_bounds_become_rarer():
    run = course()
    due = [k for k in range(1, 1000) if run.is_due(k)]
    steps = np.diff(due)
    assert due[0] == FIRST and (steps >= FIRST).all() and (np.diff(steps) >= 0).all()
    assert steps[-1] > 2 * FIRST
    run.begin(1000, soon=True)
    assert not run.is_due(1000 + FIRST - 1) and run.is_due(1000 + FIRST)


def test_what_is_slow():
    run = course()
    for k, level in ((100, 4.0), (200, 2.0), (400, 1.99)):
        run.note(k, proof(level))
    assert run.gains_less_than(400, 0.1, 2)
    # Four times as many iterations have brought much; half as many do not count yet.
    assert not run.gains_less_than(400, 0.1, 4)
    assert not run.gains_less_than(400, 0.1, 2, settled=300)
    # From a new beginning on there is nothing to compare with.
    run.begin(400)
    run.note(800, proof(1.98))
    assert not run.gains_less_than(800, 0.1, 2)
