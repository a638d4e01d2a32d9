"""The weights of many neurons as one vector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons, as_intercept
from cvxnn.solvers.segments.segment import Offset
from cvxnn.solvers.segments.tree import Sums


@final
@dataclass(frozen=True)
class Weights:
    """How balanced weights of k neurons in d dimensions lie in one vector, and an intercept.

    Attributes
    ----------
    k, d : int
    of_output : tuple of int
        The shape of the output weights of a neuron: () for one output, else (c,).
    intercept : bool
        Whether there is one.
    """

    k: int
    d: int
    of_output: tuple[int, ...]
    intercept: bool

    @classmethod
    def of(cls, neurons: Neurons, *, intercept: bool) -> Weights:
        """The form of these neurons."""
        k, d = neurons.directions.shape
        return cls(k, d, neurons.heads.shape[1:], intercept)

    @property
    def n_penalised(self) -> int:
        """All but the intercept."""
        return self.k * (self.d + math.prod(self.of_output))

    def packed(self, neurons: Neurons) -> FloatArray:
        """The vector of neurons."""
        hidden, output = neurons.balanced()
        weights = np.concatenate([hidden.ravel(), output.ravel()])
        if not self.intercept:
            return weights
        return np.append(weights, np.broadcast_to(neurons.intercept, output.shape[1:]))

    def parts(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, Offset]:
        """Weights of both layers, and the intercept."""
        first, b = self.k * self.d, theta[self.n_penalised :]
        hidden = theta[:first].reshape(self.k, self.d)
        output = theta[first : self.n_penalised].reshape(self.k, *self.of_output)
        return hidden, output, as_intercept(b) if len(b) else 0.0

    def with_penalty(self, theta: FloatArray, beta: float, sums: Sums) -> tuple[float, FloatArray]:
        """Objective (2) and its gradient, from the loss and its gradients in all parts."""
        value, hidden, output, slope = sums
        weights = theta[: self.n_penalised]
        gradient = np.concatenate([hidden.ravel(), output.ravel(), np.ravel(slope)])[: len(theta)]
        gradient[: self.n_penalised] += beta * weights
        return value + 0.5 * beta * float(weights @ weights), gradient

    def neurons(self, theta: FloatArray) -> Neurons:
        """The neurons of a vector; those that are zero are dropped."""
        hidden, output, b = self.parts(theta.copy())
        return replace(Neurons.of_weights(hidden, output), intercept=b)
