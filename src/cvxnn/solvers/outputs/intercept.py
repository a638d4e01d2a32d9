"""An intercept for each of several outputs: the best constant, and dual points beside one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.losses.offset import best_offsets
from cvxnn.problems import Neurons, Problem


def without_neurons(problem: Problem[Any], *, intercept: bool) -> Neurons:
    """The best network without neurons."""
    Y, none = problem.target, Neurons.none(problem.rows.n_features, problem.n_outputs)
    b = best_offsets(problem.loss, np.zeros_like(Y), Y) if intercept else np.zeros(Y.shape[1])
    return replace(none, intercept=b)


def dual_point(problem: Problem[Any], V: FloatArray, *, intercept: bool) -> FloatArray:
    """A point next to V of which a bound may be made, shape (n, c).

    It is in the domain of the conjugate, and beside an intercept, which moves all rows of an
    output alike, the sum over the rows is 0 for each output, exactly.
    """
    project = problem.loss.balanced if intercept else problem.loss.project
    return project(V, problem.target)
