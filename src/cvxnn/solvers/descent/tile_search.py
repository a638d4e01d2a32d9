"""A rough search on many rows and features: cheap ascents, joint descent in float32."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.gram_lasso import gram_lasso
from cvxnn.solvers.newton.local_descent import descend


def is_for_tiles(layer: Layer, rank: int) -> bool:
    """Whether the rows are plain, and of so large a rank that exact methods do not end."""
    return layer.readout is None and rank >= SETTINGS.least_rank


@final
class TileSearch:
    """Neurons on plain rows that come to rest up to float32, round by round.

    A round looks for neurons on some of the rows, starts them small, and moves all of them by
    L-BFGS on objective (2); then the best sizes for their directions drop what is not needed.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    to_direction : ndarray, shape (d, r)
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
        self._prediction = np.zeros_like(problem.y)
        self.objective = problem.value(self._prediction)
        self.n_new = 0

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found on a part of the rows."""
        self._offer(neurons)
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
        f = self.problem.rows.forward(neurons.rays, neurons.signs)
        objective = self.problem.value(f, float(neurons.sizes.sum()))
        if objective <= self.objective:
            self.neurons, self.objective, self._prediction = neurons, objective, f

    def _spread(self) -> Neurons:
        """Many neurons in all directions: they find their places together."""
        # More than rows need not be.
        directions = self._drawn(min(SETTINGS.wide, 1 + len(self.problem.y) // 2))
        signs = _alternating(len(directions))
        slopes, squares = self._slopes(self.problem.residual_at_zero, directions)
        self.n_new = len(signs)
        if (signs * slopes).max(initial=0.0) <= self.problem.beta:
            # Such neurons only shrink; the ascent finds better ones, where there are any.
            return self._with_new()
        return self._small(directions, signs, signs * slopes, squares)

    def _with_new(self) -> Neurons:
        """The neurons, and small ones where the ascent finds that they would help."""
        problem, neurons = self.problem, self.neurons
        v = problem.residual(self._prediction)
        directions, signs = self._climbed(v), _alternating(SETTINGS.starts)
        slopes, squares = self._slopes(v, directions)
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
        return self._small(directions[kept], signs[kept], values[kept], squares[kept])

    def _small(
        self, directions: FloatArray, signs: FloatArray, values: FloatArray, squares: FloatArray
    ) -> Neurons:
        """The neurons, and new ones of a share of what would fit the residual."""
        # Where a neuron points the wrong way at first, it starts with next to nothing.
        reach = np.maximum(values, SETTINGS.nothing * values.max(initial=0.0))
        sizes = SETTINGS.small * reach / np.maximum(squares, 1e-300) / len(signs)
        joined = self.neurons.joined(directions, signs[:, None])
        return joined.sized(np.concatenate([self.neurons.sizes, sizes]))

    def _slopes(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``v'(X u)_+`` and ``sum_i h_i (x_i'u)_+^2`` for directions u, shape (k,) each.

        With curvatures h above those of the loss, so that what would fit v does not overshoot.
        """
        slopes, squares = np.zeros((2, len(directions)))
        curvature = self.problem.loss.majorizer(self._prediction, self.problem.y)
        for rows, part in self.problem.rows.tiles(len(directions)):
            self.deadline.check()
            activations = part.activations(directions)
            slopes += v[rows] @ activations
            squares += curvature[rows] @ activations**2
        return slopes, squares

    def _drawn(self, count: int) -> FloatArray:
        """Unit directions, spread evenly over the hyperplanes of the data."""
        drawn = self._random_state.standard_normal((count, self._to_direction.shape[1]))
        return _unit(drawn @ self._to_direction.T)

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
        """With the best sizes for their directions, where the loss is its parabola at them."""
        problem, k = self.problem, len(neurons)
        f = problem.rows.forward(neurons.rays, neurons.signs)
        v, curvature = problem.residual(f), self._curvature(f)
        gram, pull = np.zeros((k, k)), np.zeros(k)
        for rows, part in problem.rows.tiles(k):
            self.deadline.check()
            columns = part.activations(neurons.directions) * neurons.signs
            weighted = columns * curvature[rows, None]
            gram += weighted.T @ columns
            pull += columns.T @ v[rows] + weighted.T @ f[rows]
        sizes = gram_lasso(gram, pull - problem.beta, neurons.sizes, deadline=self.deadline)
        return neurons.sized(sizes).select(sizes > 0.0)

    def _curvature(self, f: FloatArray) -> FloatArray:
        """Of the loss, and next to none where it is straight."""
        loss, y = self.problem.loss, self.problem.y
        return np.maximum(loss.curvature(f, y), SETTINGS.straight * loss.majorizer(f, y))


@final
class TileStages:
    """A rough search on a part of the rows, where they are many, and then one on all of them.

    Parameters
    ----------
    problem : Problem of Layer
        As for :class:`TileSearch`.
    to_direction, random_state, deadline
        As for :class:`TileSearch`.

    Attributes
    ----------
    neurons : Neurons
        Of the search under way.
    n_new : int
        Neurons that the last round added.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        to_direction: FloatArray,
        random_state: np.random.Generator,
        deadline: Deadline,
    ) -> None:
        n, size = len(problem.y), SETTINGS.part
        self._whole = TileSearch(problem, to_direction, random_state, deadline)
        self._search = self._whole
        self._rounds = 0
        if n > size:
            rows = np.sort(random_state.choice(n, size, replace=False))
            part = problem.take(rows)
            self._search = TileSearch(part, to_direction, random_state, deadline)

    @property
    def neurons(self) -> Neurons:
        return self._search.neurons

    @property
    def n_new(self) -> int:
        return self._search.n_new

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found elsewhere, and leave out the part."""
        self._search = self._whole
        self._whole.start_from(neurons)

    def advance(self) -> bool:
        """One round; whether the search on all rows is over."""
        done = self._search.advance()
        if self._search is self._whole:
            return done
        self._rounds += 1
        if done or self._rounds >= SETTINGS.rounds_on_part:
            self._whole.start_from(self._search.neurons)
            self._search = self._whole
        return False


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
