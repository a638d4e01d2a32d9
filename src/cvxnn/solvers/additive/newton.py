"""Newton's method on neurons in groups of columns, each inside the face of its cell.

As in :mod:`cvxnn.solvers.planar.newton` a neuron may cross as many hyperplanes as it likes:
what counts is that the exact objective falls.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.solvers.additive.faces import Faces
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.additive.objective import GroupedObjective

# Trial steps that do not look at kinks.
_LENGTHS = (1.0, 0.3, 0.1)
# Gains below this share of the objective are not worth another step.
_SMALL_GAIN = 1e-13


def descend(
    objective: GroupedObjective, members: Members, steps: int, deadline: Deadline = UNLIMITED
) -> Members:
    """Newton steps with a line search on the exact objective; neurons merge on the way.

    Notes
    -----
    O(n p^2) a step for neurons on faces of p dimensions together.
    """
    left = objective.residual(members)
    value = objective.value_of(left, members)
    for _ in range(steps):
        check_interrupt()
        if len(members) == 0 or deadline.passed:
            break
        before = value
        members, left = _step(objective, members, left)
        value = objective.value_of(left, members)
        if not value < before:
            break
        merged = objective.merged(members, deadline)
        if len(merged) < len(members):
            members, left = merged, objective.residual(merged)
            value = min(value, objective.value_of(left, merged))
        if before - value <= _SMALL_GAIN * before:
            break
    return members


def stationary_residual(objective: GroupedObjective, members: Members) -> FloatArray:
    """The residual, corrected to ``J'v = beta u`` for the face columns J of all neurons.

    Any v gives a valid bound, so that the correction needs no proof of its own.
    """
    v = objective.residual(members)
    if len(members) == 0:
        return v
    faces = Faces.of(objective, members)
    for _ in range(2):
        v = faces.stationary(v, objective.problem.beta)
    return v


def _step(
    objective: GroupedObjective, members: Members, left: FloatArray
) -> tuple[Members, FloatArray]:
    """The neurons after a step, and their residual; as they were where none gains."""
    faces, value = Faces.of(objective, members, left), objective.value_of(left, members)
    moves = faces.newton(left, objective.problem.beta)
    # A neuron that would turn round stops at zero, and is gone.
    shrinking = -(moves * members.units).sum(axis=1) / members.sizes
    if members.costs is not None:
        shrinking /= (members.units**2).sum(axis=1)
    ends = np.where(shrinking > 0.0, 1.0 / np.maximum(shrinking, 1e-300), np.inf)
    for steps in _trials(faces, moves, ends):
        rays = faces.moved(steps, moves)
        rays[steps >= ends] = 0.0
        moved = members.moved(rays)
        reached = objective.residual(moved)
        if objective.value_of(reached, moved) < value:
            return moved, reached
    return members, left


def _trials(faces: Faces, moves: FloatArray, ends: FloatArray) -> Iterator[FloatArray]:
    """Step lengths for each neuron: across kinks; each to its next one; all to the first."""
    for length in _LENGTHS:
        yield np.minimum(length, ends)
    events = np.minimum(np.minimum(faces.kinks_ahead(moves), ends), 1.0)
    yield events
    yield np.full(len(ends), events.min())
