"""The best output weights for given directions, many of them zero: a group Lasso."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.lasso.group_rows import minimised
from cvxnn.solvers.outputs.curvature import Curvature

# Models of the loss, the relative gain of one that is the last, and shares of a step to it.
_MODELS, _AT_REST, _SHARES = 12, 1e-14, (1.0, 0.5, 0.25, 0.1, 0.01)
# Unknowns up to which a model is cheap.
_MOST_UNKNOWNS = 1_000
# Curvature that every output has, as a share of the largest: some have none of their own.
_STRAIGHT = 1e-6


def reweighted(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline, *, intercept: bool
) -> Neurons:
    """The neurons that are left with the best sizes and outputs for their directions.

    Parameters
    ----------
    problem : Problem of Layer
        With c outputs and any loss.
    neurons : Neurons
    deadline : Deadline
        What was reached comes back when it passes.
    intercept : bool
        Whether the best intercept goes with them.

    Notes
    -----
    Proximal Newton: the loss is replaced by its quadratic model, of which one is enough for
    squares. O(n k^2 c^2) for each, for k neurons; for squares O(n k^2).
    """
    k, c = neurons.outputs.shape
    if (k + intercept) * c > _MOST_UNKNOWNS or k + intercept == 0:
        return neurons
    weights = _Weights.of(problem, neurons, intercept=intercept)
    for _ in range(1 if problem.is_least_squares else _MODELS):
        if deadline.passed:
            break
        further = weights.improved()
        if further is None:
            break
        gained, weights = weights.value - further.value, further
        if gained <= _AT_REST * abs(weights.value):
            break
    rows = weights.rows[:k]
    sizes = np.linalg.norm(rows, axis=1)
    outputs = rows / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    b = weights.rows[k] if intercept else neurons.intercept
    found = replace(neurons, sizes=sizes, outputs=outputs, intercept=b)
    return found.select(np.flatnonzero(sizes > 0.0))


@final
@dataclass(frozen=True)
class _Weights:
    """Weights for given directions, and in a last row those of a constant that costs nothing.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
    rows : ndarray, shape (k, c) or (k + 1, c)
    offset : ndarray, shape (c,)
        What is added to the predictions besides.
    """

    problem: Problem[Layer]
    directions: FloatArray
    rows: FloatArray
    offset: FloatArray | float

    @classmethod
    def of(cls, problem: Problem[Layer], neurons: Neurons, *, intercept: bool) -> Self:
        rows, b = neurons.outputs * neurons.sizes[:, None], neurons.intercept
        if not intercept:
            return cls(problem, neurons.directions, rows, b)
        constant = np.broadcast_to(b, (1, rows.shape[1]))
        return cls(problem, neurons.directions, np.vstack([rows, constant]), 0.0)

    @property
    def prices(self) -> FloatArray:
        """Of the rows: the constant has none."""
        return np.where(np.arange(len(self.rows)) < len(self.directions), self.problem.beta, 0.0)

    @cached_property
    def value(self) -> float:
        """The objective."""
        total, problem = 0.0, self.problem
        for outputs, part in problem.rows.tiles(len(self.rows)):
            f = self._columns(part) @ self.rows + self.offset
            total += problem.loss.take(outputs).value(f, problem.target[outputs])
        return total + float(self.prices @ np.linalg.norm(self.rows, axis=1))

    def improved(self) -> Self | None:
        """After a step to the minimum of the model, or as far as it is one; None without gain."""
        shape = self.rows.shape
        slope, Q = self._model()
        linear = (Q @ self.rows.ravel()).reshape(shape) - slope
        goal = minimised(Q, linear, self.prices, self.rows)
        for share in _SHARES:
            further = replace(self, rows=self.rows + share * (goal - self.rows))
            # Without curvature to speak of a minimum may be beyond float64, and is no gain then.
            with np.errstate(over="ignore", invalid="ignore"):
                gains = further.value < self.value
            if gains:
                return further
        return None

    def _model(self) -> tuple[FloatArray, FloatArray]:
        """The gradient of the loss, and its curvature."""
        problem, slope = self.problem, np.zeros_like(self.rows)
        curvature = Curvature(self.rows, np.zeros(0, dtype=np.int64))
        for outputs, part in problem.rows.tiles(self.rows.size):
            columns, loss, y = (
                self._columns(part), problem.loss.take(outputs), problem.target[outputs]
            )  # fmt: skip
            f = columns @ self.rows + self.offset
            slope += columns.T @ loss.gradient(f, y)
            h, g = loss.factors(f, y)
            h = np.maximum(h, _STRAIGHT * loss.majorizer(f, y))
            curvature.add(np.zeros((len(f), 0)), columns, h, g)
        return slope, curvature.total

    def _columns(self, layer: Layer) -> FloatArray:
        columns = layer.activations(self.directions)
        if len(self.rows) == len(self.directions):
            return columns
        return np.column_stack([columns, np.ones(len(columns))])
