"""A rough search on many rows and features: cheap ascents, joint descent in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses.offset import best_offsets
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.joint_descent import JointDescent
from cvxnn.solvers.descent.merging import merged
from cvxnn.solvers.descent.output_sizes import reweighted
from cvxnn.solvers.descent.row_ascent import RowAscent, along, first_outputs
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.descent.sizes import resized


def is_for_tiles(layer: Layer, rank: int) -> bool:
    """Whether the rows are plain, and of so large a rank that exact methods do not end."""
    return layer.readout is None and rank >= SETTINGS.least_rank


@final
class TileSearch:
    """Neurons on plain rows that come to rest up to float32, round by round.

    First many neurons in all directions find their places together, by Adam on objective (2).
    A round looks for more on some of the rows, starts them small, and moves all of them by
    L-BFGS; then the best sizes for their directions drop what is not needed.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.
    to_direction : ndarray, shape (d, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator
    deadline : Deadline
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.

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
    O(n k (d + c)) a step of the descent for k neurons and c outputs, the same for an ascent on a
    part of the rows.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        to_direction: FloatArray,
        random_state: np.random.Generator,
        deadline: Deadline,
        *,
        intercept: bool = False,
    ) -> None:
        self.problem, self.deadline, self.intercept = problem, deadline, intercept
        self._random_state = random_state
        self._ascent = RowAscent(problem.rows.rows, to_direction, random_state)
        # Of one output sizes are a Lasso; of several they come with the outputs.
        one = problem.n_outputs == 1
        self._best_sizes = resized if one else reweighted
        self._descent: JointDescent | None = None
        self._shuffled: JointDescent | None = None
        self.n_new = 0
        self.objective, self._prediction = np.inf, np.zeros_like(problem.target)
        self.clear()
        self._rate = self._first_move()

    @property
    def residual(self) -> FloatArray:
        """The dual point of the neurons, (n,) or (n, c); with an intercept its sums are zero."""
        return self.problem.residual(self._prediction)

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found elsewhere."""
        self._offer(neurons)
        self._offer(self._resized(neurons))

    def aim(self, beta: float) -> None:
        """Go on from the neurons, with another beta."""
        self.problem = replace(self.problem, beta=beta)
        total = float(self.neurons.sizes.sum())
        self.objective = self.problem.value(self._prediction, total)

    def restart(self, neurons: Neurons) -> None:
        """Begin anew from these neurons, whether they are better or not."""
        self.objective = np.inf
        self._offer(neurons)

    def clear(self) -> None:
        """Begin anew without neurons."""
        self.restart(Neurons.none(self.problem.rows.n_features, self.problem.n_outputs))

    def advance(self) -> bool:
        """One round; whether the search is over.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end; what was reached counts.
        """
        start = self._spread() if len(self.neurons) == 0 else None
        if start is not None:
            self._offer_both(self._stirred(start, SETTINGS.epochs))
            return False
        return self._round(SETTINGS.starts, self._moved)

    def refine(self, starts: int, steps: int = SETTINGS.rough_steps) -> bool:
        """A cheap round for a score, from neurons of a beta nearby; whether it gained nothing.

        Parameters
        ----------
        starts : int
            Of the ascent.
        steps : int, optional
            Of L-BFGS, where rows are not so many that there are epochs instead.

        Raises
        ------
        OutOfTimeError
            As for :meth:`advance`.
        """
        if len(self.problem.Y) < SETTINGS.stirred_rows:
            return self._round(starts, partial(self._moved, steps=steps))
        return self._round(starts, partial(self._stirred, epochs=SETTINGS.rough_epochs))

    def _round(self, starts: int, move: Callable[[Neurons], Neurons]) -> bool:
        before = self.objective
        neurons = self._with_new(starts)
        if self.problem.n_outputs > 1:
            # Many ascents lead to one neuron there.
            neurons = merged(neurons, SETTINGS.one)
        if len(neurons) == 0:
            return True
        self._offer_both(move(neurons))
        return before - self.objective <= SETTINGS.done * before

    def _offer_both(self, neurons: Neurons) -> None:
        """The neurons, and with the best sizes."""
        self._offer(neurons)
        self._offer(self._resized(neurons))

    def _offer(self, neurons: Neurons) -> None:
        problem = self.problem
        f = problem.rows.forward(neurons.rays, neurons.heads)
        if self.intercept:
            b = best_offsets(problem.loss, f, problem.target, neurons.intercept)
            neurons, f = replace(neurons, intercept=b), f + b
        objective = problem.value(f, float(neurons.sizes.sum()))
        if objective <= self.objective:
            self.neurons, self.objective, self._prediction = neurons, objective, f

    def _spread(self) -> Neurons | None:
        """Many neurons in all directions: they find their places together."""
        # More than rows need not be.
        directions = self._ascent.drawn(min(SETTINGS.wide, 1 + len(self.problem.Y) // 2))
        pulls, squares = self._slopes(self.residual, directions)
        outputs = first_outputs(pulls)
        slopes = along(outputs, pulls)
        if slopes.max(initial=0.0) <= self.problem.beta:
            # Such neurons only shrink; the ascent finds better ones, where there are any.
            return None
        self.n_new = len(outputs)
        # Where a neuron points the wrong way at first, it starts with next to nothing.
        reach = np.maximum(slopes, SETTINGS.nothing * slopes.max())
        return self._small(directions, outputs, reach, along(outputs**2, squares))

    def _with_new(self, starts: int) -> Neurons:
        """The neurons, and small ones where the ascent finds that they would help."""
        v, least = self.residual, self.problem.beta * (1.0 + SETTINGS.margin)
        # What a part of the rows says is not so sure.
        directions, outputs = self._ascent.found(v, starts, SETTINGS.unsure * least)
        pulls, squares = self._slopes(v, directions)
        slopes = along(outputs, pulls)
        kept = np.flatnonzero(slopes > least)
        self.n_new = len(kept)
        if self.n_new == 0:
            return self.neurons
        # All of one size: a neuron barely above beta may have the longest way to go.
        reach = np.full(len(kept), self.problem.beta + float(slopes.max()))
        squares = along(outputs**2, squares)[kept]
        return self._small(directions[kept], outputs[kept], reach, squares)

    def _small(
        self, directions: FloatArray, outputs: FloatArray, reach: FloatArray, squares: FloatArray
    ) -> Neurons:
        """The neurons, and new ones of a share of what would fit a residual that reaches so far."""
        sizes = SETTINGS.small * reach / np.maximum(squares, 1e-300) / len(outputs)
        joined = self.neurons.joined(directions, outputs)
        return joined.sized(np.concatenate([self.neurons.sizes, sizes]))

    def _slopes(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``V'(X u)_+`` and ``sum_i h_i (x_i'u)_+^2`` for directions u, (k,) or (c, k) each.

        With curvatures h above those of the loss, so that what would fit v does not overshoot.
        """
        slopes, squares = np.zeros((2, *v.shape[1:], len(directions)))
        curvature = self.problem.loss.majorizer(self._prediction, self.problem.target)
        for rows, part in self.problem.rows.tiles(len(directions)):
            self.deadline.check()
            activations = part.activations(directions)
            slopes += v[rows].T @ activations
            squares += curvature[rows].T @ activations**2
        return slopes, squares

    def _stirred(self, neurons: Neurons, epochs: int) -> Neurons:
        """After some passes over the rows, in an order of no meaning."""
        if self._shuffled is None:
            order = self._random_state.permutation(len(self.problem.Y))
            self._shuffled = self._descent_on(self.problem.take(order))
        beta = self.problem.beta
        return self._shuffled.stirred(
            neurons, beta, self._random_state, epochs=epochs, rate=self._rate
        )

    def _moved(self, neurons: Neurons, steps: int = SETTINGS.steps) -> Neurons:
        """After a descent on all rows at once, without what it has brought to nothing."""
        if self._descent is None:
            self._descent = self._descent_on(self.problem)
        beta = self.problem.beta
        moved = self._descent.moved(neurons, beta, steps=steps, enough=SETTINGS.enough)
        return moved.select(moved.sizes > SETTINGS.nothing * moved.sizes.max(initial=0.0))

    def _descent_on(self, problem: Problem[Layer]) -> JointDescent:
        return JointDescent(problem, np.float32, intercept=self.intercept, deadline=self.deadline)

    def _first_move(self) -> float:
        """Of a weight: they are as large as the root of what is to fit over what rows have."""
        problem = self.problem
        wanted = self.residual / problem.loss.majorizer(self._prediction, problem.target)
        sizes = [float((part**2).sum()) / max(part.size, 1) for part in (wanted, problem.rows.rows)]
        return float(SETTINGS.rate * (sizes[0] / max(sizes[1], 1e-300)) ** 0.25)

    def _resized(self, neurons: Neurons) -> Neurons:
        """With the best sizes for their directions."""
        return self._best_sizes(self.problem, neurons, self.deadline, intercept=self.intercept)
