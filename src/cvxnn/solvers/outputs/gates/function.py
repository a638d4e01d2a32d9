"""The objective of neurons on fixed gates as a smooth function of their balanced weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.problems import Problem


@final
@dataclass(frozen=True)
class Weights:
    """Balanced weights of k neurons on gates, and an intercept.

    Attributes
    ----------
    hidden : ndarray, shape (k, d)
        The ``u_j``.
    output : ndarray, shape (k, c)
        The ``a_j``.
    b : ndarray, shape (c,)
        The intercept.
    """

    hidden: FloatArray
    output: FloatArray
    b: FloatArray

    @property
    def flat(self) -> FloatArray:
        """All of them, shape (k (d + c) + c,)."""
        return np.concatenate([self.hidden.ravel(), self.output.ravel(), self.b])

    def reshaped(self, flat: FloatArray) -> Weights:
        """Others of these shapes."""
        ends = self.hidden.size, self.hidden.size + self.output.size
        hidden, output, b = np.split(flat, ends)
        return Weights(hidden.reshape(self.hidden.shape), output.reshape(self.output.shape), b)


@final
class GatedFunction:
    """``l(sum_j D_j X u_j a_j' + 1 b', Y) + beta/2 sum_j (||u_j||^2 + ||a_j||^2)``.

    Without kinks, as gates do not move. A point of rest at which no singular value of any
    ``X'D_i V`` is above beta has the least value that there is, convex or not.

    Parameters
    ----------
    problem : Problem
        With c outputs; its rows do not matter.
    X : ndarray, shape (n, d)
    sides : ndarray, shape (n, k)
        1 where the gate of a neuron is open, else 0.
    like : Weights
        Of the shapes of points.
    intercept : bool
        Whether b moves.
    deadline : Deadline
        OutOfTimeError is raised when it passes, and on Ctrl-C.

    Notes
    -----
    O(n k (d + c)) for a value and its gradient, and the same for a product with the Hessian.
    """

    def __init__(
        self,
        problem: Problem[Any],
        X: FloatArray,
        sides: FloatArray,
        like: Weights,
        deadline: Deadline,
        *,
        intercept: bool,
    ) -> None:
        self.problem, self.X, self.sides, self.like = problem, X, sides, like
        self.intercept, self._deadline = intercept, deadline

    def activations(self, weights: Weights) -> FloatArray:
        """``D_j X u_j`` as columns, shape (n, k)."""
        return np.asarray((self.X @ weights.hidden.T) * self.sides)

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        """At a point of shape (k (d + c) + c,)."""
        self.check()
        problem, weights = self.problem, self.like.reshaped(point)
        active = self.activations(weights)
        f = active @ weights.output + weights.b
        value, slope = problem.loss.value_and_gradient(f, problem.target)
        size = len(point) - len(weights.b)
        hidden = ((slope @ weights.output.T) * self.sides).T @ self.X
        gradient = Weights(hidden, active.T @ slope, self.of_constant(slope)).flat
        gradient[:size] += problem.beta * point[:size]
        return value + 0.5 * problem.beta * float(point[:size] @ point[:size]), gradient

    def curvature(self, point: FloatArray) -> GatedCurvature:
        """The Hessian there."""
        return GatedCurvature(self, self.like.reshaped(point))

    def of_constant(self, of_rows: FloatArray) -> FloatArray:
        """Sums over the rows as a gradient in b, 0 where it does not move, shape (c,)."""
        return of_rows.sum(axis=0) if self.intercept else np.zeros(of_rows.shape[1])

    def check(self) -> None:
        """Raise OutOfTimeError where there is no time left."""
        if self._deadline.passed or interrupt_pending():
            raise OutOfTimeError


@final
class GatedCurvature:
    """The Hessian of a :class:`GatedFunction`.

    Parameters
    ----------
    function : GatedFunction
    weights : Weights
        Where it is.
    """

    def __init__(self, function: GatedFunction, weights: Weights) -> None:
        self._function, self._weights = function, weights
        loss, y = function.problem.loss, function.problem.target
        self._active = function.activations(weights)
        f = self._active @ weights.output + weights.b
        self._slope = loss.gradient(f, y)
        self._h, self._g = loss.factors(f, y)

    def product(self, move: FloatArray) -> FloatArray:
        """Times a move of the weights."""
        function, weights = self._function, self._weights
        function.check()
        moved = weights.reshaped(move)
        active = function.activations(moved)
        change = active @ weights.output + self._active @ moved.output
        if function.intercept:
            change += moved.b
        bent = self._h * change
        if self._g is not None:
            bent -= self._g * (self._g * change).sum(axis=1, keepdims=True)
        # What curves the loss, and what the layers have in common.
        both = bent @ weights.output.T + self._slope @ moved.output.T
        hidden = (both * function.sides).T @ function.X
        output = self._active.T @ bent + active.T @ self._slope
        image = Weights(hidden, output, function.of_constant(bent)).flat
        size = len(move) - len(weights.b)
        image[:size] += function.problem.beta * move[:size]
        return image

    @cached_property
    def sizes(self) -> FloatArray:
        """The diagonal, without what the layers have in common, which has no sign."""
        function, output = self._function, self._weights.output
        beta = function.problem.beta
        h, squares = self._h, self._active**2
        of_hidden, of_output = h @ (output**2).T, squares.T @ h
        if self._g is not None:
            of_hidden = of_hidden - (self._g @ output.T) ** 2
            of_output = of_output - squares.T @ self._g**2
            h = h - self._g**2
        hidden = (np.maximum(of_hidden, 0.0) * function.sides).T @ function.X**2
        # A constant that moves nothing has no curvature.
        b = function.of_constant(h)
        b = np.where(b > 0.0, b, 1.0)
        return Weights(hidden + beta, np.maximum(of_output, 0.0) + beta, b).flat
