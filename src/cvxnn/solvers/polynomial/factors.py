"""The objective of polynomial networks as a smooth function of factors, with its Hessian."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline, OutOfTimeError, interrupt_pending
from cvxnn.layers.polynomial import Lifted, PolynomialRows
from cvxnn.problems import Neurons, Problem, as_intercept


@final
@dataclass(frozen=True)
class Factors:
    """Neurons as factors ``w_j = sqrt(size_j) u_j``, each of one output and a sign.

    A neuron is then ``s_j (a (x'w)^2 + b ||w|| x'w + c ||w||^2)`` at the price ``||w||^2``: smooth
    but at 0, and without the constraint that u has the length 1.

    Attributes
    ----------
    W : ndarray, shape (k, h)
    outputs : ndarray, shape (k, c)
        Unit vectors of the outputs, times the signs.
    intercept : ndarray, shape (c,)
    """

    W: FloatArray
    outputs: FloatArray
    intercept: FloatArray

    @classmethod
    def of(cls, neurons: Neurons, constant: float = 0.0) -> Self:
        """Those of neurons and an intercept, which takes over this constant of each neuron."""
        W, _ = neurons.balanced()
        intercept = np.broadcast_to(np.ravel(neurons.intercept), neurons.outputs.shape[1:])
        found = cls(W, neurons.outputs, intercept.copy())
        return found.shifted(constant)

    def shifted(self, constant: float) -> Factors:
        """The same with ``constant sum_j alpha_j`` added to the intercept."""
        moved = constant * (self.lengths**2 @ self.outputs)
        return Factors(self.W, self.outputs, self.intercept + moved)

    def moved(self, point: FloatArray) -> Factors:
        """The same neurons elsewhere, from factors and intercepts in one vector."""
        size = self.W.size
        W = point[:size].reshape(self.W.shape)
        return Factors(W, self.outputs, point[size:] if len(point) > size else self.intercept)

    def vector(self, *, intercept: bool) -> FloatArray:
        """Factors, and perhaps intercepts, in one vector."""
        return np.concatenate([self.W.ravel(), self.intercept if intercept else np.zeros(0)])

    @property
    def neurons(self) -> Neurons:
        """As unit directions and sizes."""
        unit = np.abs(self.W).max(initial=0.0)
        if unit == 0.0:
            h, c = self.W.shape[1], self.outputs.shape[1]
            found = Neurons.none(h, c)
        else:
            relative = self.W / unit
            lengths = np.linalg.norm(relative, axis=1)
            alive = lengths > 0.0
            directions = relative[alive] / lengths[alive, None]
            found = Neurons(directions, (lengths[alive] * unit) ** 2, self.outputs[alive])
        return Neurons(
            found.directions, found.sizes, found.outputs, intercept=as_intercept(self.intercept)
        )

    @cached_property
    def lengths(self) -> FloatArray:
        """``||w_j||``, shape (k,)."""
        return np.asarray(np.linalg.norm(self.W, axis=1))

    @cached_property
    def units(self) -> FloatArray:
        """``w_j / ||w_j||``, and 0 for 0."""
        lengths = self.lengths[:, None]
        return np.divide(self.W, lengths, out=np.zeros_like(self.W), where=lengths > 0.0)

    @property
    def penalty(self) -> float:
        """What beta multiplies."""
        return float(np.vdot(self.W, self.W))


@final
class FactorObjective:
    """``l(f, Y) + beta sum_j ||w_j||^2`` as a function of factors, and perhaps intercepts.

    Parameters
    ----------
    problem : Problem of PolynomialRows
    factors : Factors
        Which neurons there are.
    intercept : bool
        Whether intercepts move, too.
    deadline : Deadline, optional
        When a descent is to end; without one neither that nor Ctrl-C is looked at.

    Notes
    -----
    A value with its gradient, and a product with the Hessian, take four products of the rows
    and the factors each: O(n K h k).
    """

    def __init__(
        self,
        problem: Problem[PolynomialRows],
        factors: Factors,
        deadline: Deadline | None = None,
        *,
        intercept: bool = False,
    ) -> None:
        self._problem, self._factors, self._deadline = problem, factors, deadline
        self.intercept = intercept
        self._at: FactorPoint | None = None

    def at(self, point: FloatArray) -> FactorPoint:
        """What products with one Hessian share."""
        if self._at is None or not np.array_equal(self._at.point, point):
            self.check()
            self._at = FactorPoint(self._problem, self._factors.moved(point), point, self)
        return self._at

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        """OutOfTimeError when time is up or Ctrl-C has been pressed."""
        found = self.at(point)
        return found.value, found.gradient

    def curvature(self, point: FloatArray) -> FactorPoint:
        """The Hessian as a map."""
        return self.at(point)

    def check(self) -> None:
        """OutOfTimeError when time is up or Ctrl-C has been pressed."""
        if self._deadline is not None and (self._deadline.passed or interrupt_pending()):
            raise OutOfTimeError


@final
class FactorPoint:
    """Value, gradient and Hessian at factors.

    Attributes
    ----------
    point : ndarray, shape (p,)
        The factors, and perhaps intercepts, in one vector.
    prediction : ndarray, shape (n, c)
    """

    def __init__(
        self,
        problem: Problem[PolynomialRows],
        factors: Factors,
        point: FloatArray,
        objective: FactorObjective,
    ) -> None:
        self.point, self._problem, self._objective = point, problem, objective
        self._rows, self._factors = problem.rows, factors
        self._sums = problem.rows.table @ factors.W.T
        self.prediction = self._predicted()
        self._residual = self._of_loss(problem.loss.gradient)

    def _predicted(self) -> FloatArray:
        a, b, c = self._rows.coefficients
        factors = self._factors
        values = a * self._sums
        values += b * factors.lengths
        values *= self._sums
        outputs = self._rows.pooled(values @ factors.outputs)
        return np.asarray(outputs + c * (factors.lengths**2 @ factors.outputs) + factors.intercept)

    def _of_loss(self, function: object) -> FloatArray:
        """A function of the loss at the predictions, shape (n, c)."""
        prediction = self.prediction.reshape(self._problem.target.shape)
        found: FloatArray = function(prediction, self._problem.target)  # type: ignore[operator]
        return found.reshape(self.prediction.shape)

    @cached_property
    def value(self) -> float:
        """The objective."""
        prediction = self.prediction.reshape(self._problem.target.shape)
        return self._problem.value(prediction, self._factors.penalty)

    @cached_property
    def gradient(self) -> FloatArray:
        """In all variables."""
        slopes = self._pulled(self._residual)
        slopes += 2.0 * self._problem.beta * self._factors.W
        return self._joined(slopes, self._residual.sum(axis=0))

    @cached_property
    def _slopes(self) -> FloatArray:
        """Of the activations in the sums, shape (n K, k)."""
        a, b, _ = self._rows.coefficients
        return 2.0 * a * self._sums + b * self._factors.lengths

    def _pulled(self, residual: FloatArray) -> FloatArray:
        """What slopes of the loss, shape (n, c), pull the factors along: of first order."""
        _, b, c = self._rows.coefficients
        factors = self._factors
        weights = self._rows.spread(residual @ factors.outputs.T)
        found = (weights * self._slopes).T @ self._rows.table
        along = np.einsum("ij,ij->j", weights, self._sums)
        found += b * along[:, None] * factors.units
        found += 2.0 * c * weights.sum(axis=0)[:, None] * factors.W
        return np.asarray(found)

    def product(self, move: FloatArray) -> FloatArray:
        """The Hessian times a move; OutOfTimeError as for values."""
        self._objective.check()
        problem, factors, rows = self._problem, self._factors, self._rows
        _, b, c = rows.coefficients
        moved = factors.moved(move)
        H = moved.W
        along = np.einsum("ij,ij->i", factors.units, H)
        change = rows.table @ H.T
        change *= self._slopes
        change += (b * along) * self._sums
        outputs = rows.pooled(change @ factors.outputs)
        outputs += (2.0 * c * factors.lengths * along) @ factors.outputs
        if self._objective.intercept:
            outputs += moved.intercept
        bent = self._bent(outputs)
        found = self._pulled(bent) + 2.0 * problem.beta * H
        for k, (lifted, signs) in enumerate(zip(self._adjoints, factors.outputs.T, strict=True)):
            mine = factors.outputs[:, k] != 0.0
            found[mine] += signs[mine, None] * _bent(
                lifted, factors.units[mine], H[mine], along[mine]
            )
        return self._joined(found, bent.sum(axis=0))

    @cached_property
    def matrix(self) -> FloatArray:
        """The Hessian, shape (p, p); O(n c p^2) for c outputs."""
        J, (h, g) = self._jacobian, self._factors_of_loss
        p = J.shape[2]
        flat = J.reshape(-1, p)
        found = flat.T @ (h.reshape(-1, 1) * flat)
        if g is not None:
            joined = np.einsum("ic,icp->ip", g, J)
            found -= joined.T @ joined
        size = self._factors.W.shape[1]
        for j, block in enumerate(self._blocks()):
            part = slice(j * size, (j + 1) * size)
            found[part, part] += block
        return np.asarray(found)

    @property
    def _jacobian(self) -> FloatArray:
        """Of the predictions in all variables, shape (n, c, p)."""
        _, b, c = self._rows.coefficients
        factors, rows = self._factors, self._rows
        n, count = self.prediction.shape
        (k, size), table = factors.W.shape, rows.table
        found = np.zeros((n, count, k * size + (count if self._objective.intercept else 0)))
        for j, (w, unit) in enumerate(zip(factors.W, factors.units, strict=True)):
            slopes = self._slopes[:, j, None] * table + b * self._sums[:, j, None] * unit
            mine = rows.pooled(slopes) + 2.0 * c * w
            found[:, :, j * size : (j + 1) * size] = mine[:, None] * factors.outputs[j][:, None]
        if self._objective.intercept:
            found[:, :, k * size :] = np.eye(count)
        return found

    def _blocks(self) -> Iterator[FloatArray]:
        """The second derivative of each neuron at its slopes of the loss, shape (h, h)."""
        factors, eye = self._factors, np.eye(self._factors.W.shape[1])
        for signs, unit in zip(factors.outputs, factors.units, strict=True):
            block = 2.0 * self._problem.beta * eye
            for lifted, sign in zip(self._adjoints, signs, strict=True):
                if sign != 0.0:
                    block += sign * _bent(lifted, np.tile(unit, (len(eye), 1)), eye, unit)
            yield 0.5 * (block + block.T)

    def _bent(self, change: FloatArray) -> FloatArray:
        """The Hessian of the loss times changes of the predictions."""
        h, g = self._factors_of_loss
        found = h * change
        if g is not None:
            found -= g * (g * change).sum(axis=1, keepdims=True)
        return np.asarray(found)

    @cached_property
    def _factors_of_loss(self) -> tuple[FloatArray, FloatArray | None]:
        loss, target = self._problem.loss, self._problem.target
        if self._problem.n_outputs > 1:
            return loss.factors(self.prediction, target)
        return self._of_loss(loss.curvature), None

    @cached_property
    def _adjoints(self) -> list[Lifted]:
        return [self._rows.adjoint(column) for column in self._residual.T]

    @cached_property
    def sizes(self) -> FloatArray:
        """About the diagonal of the Hessian, of parabolas that are nowhere below the loss.

        The loss itself may have no curvature at any row, but only next to its kinks.
        """
        rows, factors = self._rows, self._factors
        bends = self._of_loss(self._problem.loss.majorizer)
        h = rows.spread(bends @ np.abs(factors.outputs).T)
        squares = np.einsum("ij,ij,ij->j", h, self._slopes, self._slopes)
        found = squares[:, None] * _mean_squares(rows) + 2.0 * self._problem.beta
        found += 4.0 * rows.coefficients[2] ** 2 * h.sum(axis=0)[:, None] * factors.W**2
        return self._joined(found, np.maximum(bends.sum(axis=0), EPS))

    def _joined(self, of_factors: FloatArray, of_intercept: FloatArray) -> FloatArray:
        last = of_intercept if self._objective.intercept else np.zeros(0)
        return np.concatenate([of_factors.ravel(), last])


def _bent(lifted: Lifted, units: FloatArray, H: FloatArray, along: FloatArray) -> FloatArray:
    """The second derivative of ``w'S w + ||w|| t'w + z ||w||^2`` times moves."""
    pull, inner = units @ lifted.vector, H @ lifted.vector
    found = 2.0 * (H @ lifted.matrix) + 2.0 * lifted.number * H
    found += along[:, None] * lifted.vector + inner[:, None] * units
    found += pull[:, None] * (H - along[:, None] * units)
    return np.asarray(found)


def _mean_squares(rows: PolynomialRows) -> FloatArray:
    """Of the columns of the patches, 0 nowhere."""
    table = rows.table
    found = np.einsum("ij,ij->j", table, table) / len(table)
    return np.asarray(found + EPS * found.max(initial=0.0) + 1e-300)
