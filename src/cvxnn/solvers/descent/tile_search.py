"""A rough search on many rows and features: cheap ascents, joint descent in float32."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import neuron_objective
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.gram_lasso import gram_lasso
from cvxnn.solvers.newton.local_descent import descend


@final
class TileSearch:
    """Neurons on plain rows that come to rest up to float32, round by round.

    A round looks for neurons on some of the rows, starts them small, and moves all of them by
    L-BFGS on objective (2); then the best sizes for their directions drop what is not needed.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with the squared loss.
    to_direction : ndarray, shape (d, d)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator
    deadline : Deadline

    Attributes
    ----------
    neurons : Neurons
        The best so far.
    objective : float
        Their objective (2), in float64.
    n_new : int
        Neurons that the last round added.

    Notes
    -----
    O(n d k) a step of the descent for k neurons, the same for an ascent on a part of the rows.
    """

    rounds_on_part = SETTINGS.rounds_on_part

    def __init__(
        self,
        problem: Problem[Layer],
        to_direction: FloatArray,
        random_state: np.random.Generator,
        deadline: Deadline,
    ) -> None:
        self.problem, self.deadline = problem, deadline
        self._to_direction, self._random_state = to_direction, random_state
        self._tiles = Tiles(problem.rows.rows, np.float32)
        self.neurons = Neurons.none(problem.rows.n_features)
        self.objective = problem.value(np.zeros_like(problem.y))
        self.n_new = 0

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found on a part of the rows."""
        self._offer(self._resized(neurons))

    def advance(self) -> bool:
        """One round; whether the search is over.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end; what was reached counts.
        """
        before = self.objective
        neurons = self._spread() if len(self.neurons) == 0 else self._with_new()
        if len(neurons) == 0:
            return True
        moved = self._moved(neurons)
        self._offer(moved)
        self._offer(self._resized(moved))
        return before - self.objective <= SETTINGS.done * before

    def _offer(self, neurons: Neurons) -> None:
        objective = neuron_objective(self.problem, neurons)
        if objective <= self.objective:
            self.neurons, self.objective = neurons, objective

    def _spread(self) -> Neurons:
        """Many neurons in all directions: they find their places together."""
        directions = self._drawn(SETTINGS.wide)
        signs = _alternating(len(directions))
        slopes, lengths = self._slopes(self.problem.y, directions)
        self.n_new = len(signs)
        if (signs * slopes).max(initial=0.0) <= self.problem.beta:
            # Such neurons only shrink; the ascent finds better ones, where there are any.
            return self._with_new()
        return self._small(directions, signs, signs * slopes, lengths)

    def _with_new(self) -> Neurons:
        """The neurons, and small ones where the ascent finds that they would help."""
        problem, neurons = self.problem, self.neurons
        v = problem.y - problem.rows.forward(neurons.rays, neurons.signs)
        directions, signs = self._climbed(v), _alternating(SETTINGS.starts)
        slopes, lengths = self._slopes(v, directions)
        values = signs * slopes
        best = np.argsort(-values, kind="stable")
        kept: list[int] = []
        for j in best[values[best] > problem.beta * (1.0 + SETTINGS.margin)]:
            rivals = [i for i in kept if signs[i] == signs[j]]
            if not (directions[rivals] @ directions[j] > SETTINGS.same).any():
                kept.append(int(j))
            if len(kept) == SETTINGS.most_new:
                break
        self.n_new = len(kept)
        if not kept:
            return neurons
        return self._small(directions[kept], signs[kept], values[kept], lengths[kept])

    def _small(
        self, directions: FloatArray, signs: FloatArray, values: FloatArray, lengths: FloatArray
    ) -> Neurons:
        """The neurons, and new ones of a share of what would fit the residual."""
        # Where a neuron points the wrong way at first, it starts with next to nothing.
        reach = np.maximum(values, SETTINGS.nothing * values.max(initial=0.0))
        sizes = SETTINGS.small * reach / np.maximum(lengths, 1e-300) ** 2 / len(signs)
        joined = self.neurons.joined(directions, signs[:, None])
        return joined.sized(np.concatenate([self.neurons.sizes, sizes]))

    def _slopes(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``v'(X u)_+`` and ``||(X u)_+||`` for directions u, on all rows, shape (k,) each."""
        slopes, squares = np.zeros((2, len(directions)))
        for rows, part in self.problem.rows.tiles(len(directions)):
            self.deadline.check()
            activations = part.activations(directions)
            slopes += v[rows] @ activations
            squares += np.einsum("ij,ij->j", activations, activations)
        return slopes, np.sqrt(squares)

    def _drawn(self, count: int) -> FloatArray:
        """Unit directions, spread evenly over the hyperplanes of the data."""
        d = self.problem.rows.n_features
        return _unit(self._random_state.standard_normal((count, d)) @ self._to_direction.T)

    def _climbed(self, v: FloatArray) -> FloatArray:
        """Directions after climbs on some of the rows, shape (starts, d)."""
        n, most = len(v), SETTINGS.ascent_rows
        rows = self._random_state.choice(n, most, replace=False) if n > most else slice(None)
        X, w = self.problem.rows.rows[rows].astype(np.float32), v[rows].astype(np.float32)
        U = self._drawn(SETTINGS.starts).astype(np.float32)
        return climbed(X, w, U, _alternating(len(U)).astype(np.float32)).astype(np.float64)

    def _moved(self, neurons: Neurons) -> Neurons:
        """After a descent, without the neurons that it has brought to nothing."""
        moved = descend(
            self.problem, neurons, tiles=self._tiles, deadline=self.deadline,
            steps=SETTINGS.steps, enough=SETTINGS.enough, stretch=SETTINGS.stretch,
            memory=SETTINGS.memory,
        )  # fmt: skip
        return moved.select(moved.sizes > SETTINGS.nothing * moved.sizes.max(initial=0.0))

    def _resized(self, neurons: Neurons) -> Neurons:
        """With the best sizes for their directions, from the Gram matrix of their activations."""
        k = len(neurons)
        gram, pull = np.zeros((k, k)), np.zeros(k)
        for rows, part in self.problem.rows.tiles(k):
            self.deadline.check()
            columns = part.activations(neurons.directions) * neurons.signs
            gram += columns.T @ columns
            pull += columns.T @ self.problem.y[rows]
        sizes = gram_lasso(gram, pull - self.problem.beta, neurons.sizes, deadline=self.deadline)
        return neurons.sized(sizes).select(sizes > 0.0)


def climbed(X: Array, v: Array, U: Array, signs: Array) -> Array:
    """Unit directions with larger ``s v'(X u)_+``, after a few steps from those of `U`.

    A step goes to the gradient, which is the maximiser over a cell where no row holds it back;
    every other one to the mean of that and the best point so far, which ends going to and fro.
    """
    best, top = U.copy(), np.full(len(U), -np.inf, U.dtype)
    for step in range(SETTINGS.ascent_steps):
        on = X @ U.T > 0.0
        slopes = (on * v[:, None]).T @ X
        values = signs * np.einsum("ij,ij->i", slopes, U)
        better = values > top
        top[better], best[better] = values[better], U[better]
        U = _unit(signs[:, None] * slopes)
        if step % 2:
            U = _unit(U + best)
    return best


def _alternating(count: int) -> FloatArray:
    """Signs 1, -1, 1, ..."""
    return np.where(np.arange(count) % 2 == 0, 1.0, -1.0)


def _unit(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0.0, lengths, 1.0))
