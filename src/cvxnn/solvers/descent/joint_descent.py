"""Joint descent of many neurons on objective (2), over tiles of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, interrupt_pending
from cvxnn.kernels import kernel
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.losses import Loss
from cvxnn.problems import Neurons, Problem, as_intercept
from cvxnn.solvers.descent.lbfgs import minimise
from cvxnn.solvers.descent.settings import SETTINGS

# Of Adam: what means of gradients and of their squares forget with a step.
_FORGOTTEN, _FORGOTTEN_SQUARES = 0.1, 0.001


@final
class JointDescent:
    """Moves neurons on objective (2), in balanced weights, whatever cells they cross.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows. Its beta is not looked at.
    dtype : type
        float32 or float64, to work in.
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.
    deadline : Deadline, optional
        Checked before every tile, as Ctrl-C is: what was reached comes back.

    Notes
    -----
    O(n k (d + c)) an evaluation on all rows, for k neurons and c outputs.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        dtype: type[np.floating[Any]],
        *,
        intercept: bool = False,
        deadline: Deadline = UNLIMITED,
    ) -> None:
        self._tiles = Tiles(problem.rows.rows, dtype, problem.n_outputs)
        self._intercept, self._deadline = intercept, deadline
        y, loss = problem.target.astype(dtype), problem.loss
        self._of_tiles: dict[int, tuple[Loss, Array]] = {
            rows.start: (loss.take(rows), y[rows]) for rows in self._tiles.slices
        }

    def moved(self, neurons: Neurons, beta: float, *, steps: int, enough: float) -> Neurons:
        """The neurons after L-BFGS on all rows; those that reach zero are dropped.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        beta : float
        steps : int
            At most.
        enough : float
            Share of the objective that a stretch of steps has to gain: else it ends.
        """
        if len(neurons) == 0:
            return neurons
        form = _Form.of(neurons)
        reached = minimise(
            lambda theta: self._evaluated(form, theta, beta), self._packed(neurons),
            steps=steps, enough=enough, stretch=SETTINGS.stretch, memory=SETTINGS.memory,
        )  # fmt: skip
        return form.neurons(reached)

    def stirred(
        self,
        neurons: Neurons,
        beta: float,
        random_state: np.random.Generator,
        *,
        epochs: int,
        rate: float,
    ) -> Neurons:
        """The neurons after Adam, a step on each tile, with steps that shrink to nothing.

        Far from rest all rows say nearly the same, and a step on some of them brings as much
        as one on all. The rows should be in random order.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        beta : float
        random_state : numpy.random.Generator
            For the order of the tiles.
        epochs : int
            Passes over all of them.
        rate : float
            The first move of a weight.

        Notes
        -----
        D. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
        """
        form = _Form.of(neurons)
        theta, count = self._packed(neurons), len(self._tiles.slices)
        means, squares = np.zeros((2, len(theta)))
        steps = epochs * count
        order = np.concatenate([random_state.permutation(count) for _ in range(epochs)])
        try:
            for step, tile in enumerate(order.tolist()):
                only = slice(tile, tile + 1)
                _, gradient = self._evaluated(form, theta, beta / count, only)
                # Means of few steps are too small by as much as they lack.
                scale = np.sqrt(1.0 - (1.0 - _FORGOTTEN_SQUARES) ** (step + 1))
                scale /= 1.0 - (1.0 - _FORGOTTEN) ** (step + 1)
                _adam_step(theta, gradient, means, squares, rate * (1.0 - step / steps) * scale)
        except OutOfTimeError:
            # What was reached counts.
            return form.neurons(theta)
        return form.neurons(theta)

    def _packed(self, neurons: Neurons) -> FloatArray:
        """Balanced weights of both layers, and the intercept where there is one."""
        hidden, output = neurons.balanced()
        weights = np.concatenate([hidden.ravel(), output.ravel()])
        if not self._intercept:
            return weights
        return np.append(weights, np.broadcast_to(neurons.intercept, output.shape[1:]))

    def _evaluated(
        self, form: _Form, theta: FloatArray, beta: float, only: slice = slice(None)
    ) -> tuple[float, FloatArray]:
        """Objective (2) on some of the tiles, and its gradient."""
        hidden, output, b = form.parts(theta)
        slope = np.zeros(output.shape[1:])

        def loss_of(rows: slice, f: Array) -> tuple[float, Array]:
            nonlocal slope
            if self._deadline.passed or interrupt_pending():
                raise OutOfTimeError
            loss, target = self._of_tiles[rows.start]
            if self._intercept:
                f += np.asarray(b, f.dtype)
            of_tile, gradient = loss.value_and_gradient(f, target)
            gradient = gradient.astype(f.dtype, copy=False)
            if self._intercept:
                slope += gradient.sum(axis=0)
            return of_tile, gradient

        value, *slopes = self._tiles.value_and_gradient(hidden, output, loss_of, only)
        gradient = np.empty_like(theta)
        weights = theta[: form.n_weights]
        gradient[: form.n_weights] = np.concatenate([part.ravel() for part in slopes])
        gradient[: form.n_weights] += beta * weights
        if self._intercept:
            gradient[form.n_weights :] = slope
        return value + 0.5 * beta * float(weights @ weights), gradient


@dataclass(frozen=True)
class _Form:
    """How weights of k neurons in d dimensions lie in one vector, with an intercept or none.

    Attributes
    ----------
    k, d : int
    of_output : tuple of int
        The shape of the output weights of a neuron: () for one output, else (c,).
    """

    k: int
    d: int
    of_output: tuple[int, ...]

    @classmethod
    def of(cls, neurons: Neurons) -> _Form:
        k, d = neurons.directions.shape
        return cls(k, d, neurons.heads.shape[1:])

    @property
    def n_weights(self) -> int:
        return self.k * (self.d + math.prod(self.of_output))

    def parts(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, float | FloatArray]:
        """Weights of both layers, and the intercept."""
        first, b = self.k * self.d, theta[self.n_weights :]
        hidden = theta[:first].reshape(self.k, self.d)
        output = theta[first : self.n_weights].reshape(self.k, *self.of_output)
        return hidden, output, as_intercept(b) if len(b) else 0.0

    def neurons(self, theta: FloatArray) -> Neurons:
        hidden, output, b = self.parts(theta.copy())
        return replace(Neurons.of_weights(hidden, output), intercept=b)


@kernel
def _adam_step(theta: Array, gradient: Array, means: Array, squares: Array, rate: float) -> None:
    for c in range(len(theta)):
        means[c] += _FORGOTTEN * (gradient[c] - means[c])
        squares[c] += _FORGOTTEN_SQUARES * (gradient[c] * gradient[c] - squares[c])
        if squares[c] > 0.0:
            theta[c] -= rate * means[c] / np.sqrt(squares[c])
