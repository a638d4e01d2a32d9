"""Newton's method for neurons of several outputs, each on a face of its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self, final

import numpy as np
import scipy.linalg

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers import Layer, row_chunks
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.outputs.curvature import Curvature
from cvxnn.solvers.outputs.neurons import objective_of

# Products in a Hessian, and unknowns, up to which a step is cheap.
_MOST_WORK, _MOST_UNKNOWNS = 1 << 34, 1500
# Cosines of rows that may be tight: guesses, the best one first.
_GUESSES = (1e-4, 1e-3, 1e-5)
# Steps from one guess.
_STEPS = 200
# Relative gain at which a step is the last, and difference of objectives that is rounding.
_AT_REST, _ROUNDING = 1e-15, 1e-14
# Last steps, and the share of the gradient that each has to leave at most.
_LAST_STEPS, _FALLS = 5, 0.5
# Singular values of tight rows that are nothing, relative to the largest.
_DEPENDENT = 1e-9
# Of a step, in shares of the largest curvature.
_LEAST_DAMPING = 1e-12
# Shares of a step that are tried.
_SHARES = tuple(0.5**k for k in range(7))


def polished(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline, *, intercept: bool
) -> Neurons:
    """Neurons brought to rest to the last digits, or as they were where that gains nothing.

    Parameters
    ----------
    problem : Problem of Layer
        With c outputs and a loss that is smooth.
    neurons : Neurons
        Nearly at rest.
    deadline : Deadline
        What was reached comes back.
    intercept : bool
        Whether the intercept moves, too.

    Notes
    -----
    On a cell of the arrangement the objective is a smooth function of balanced weights
    ``(u_j, a_j)``; neurons at rest are on faces of cells, where rows with ``x'u_j = 0`` stay
    tight. Which these are is guessed, and put right by the signs of their multipliers. A wrong
    guess gains nothing, and does no harm. O(n c K^2) a step for K unknowns.
    """
    n_unknowns = len(neurons) * (problem.rows.n_features + problem.n_outputs)
    is_cheap = n_unknowns**2 * len(problem.rows.rows) <= _MOST_WORK and n_unknowns <= _MOST_UNKNOWNS
    if len(neurons) == 0 or not is_cheap:
        return neurons
    value = objective_of(problem, neurons)
    for guess in _GUESSES:
        check_interrupt()
        if deadline.passed:
            break
        reached = _Faces.of(problem, neurons, guess, intercept=intercept).rested(deadline)
        if objective_of(problem, reached) <= value * (1.0 + _ROUNDING):
            return reached
    return neurons


class _Move(NamedTuple):
    """A change of hidden weights, (k, d), of output weights, (k, c), and of the intercept, (c,)."""

    hidden: FloatArray
    output: FloatArray
    b: FloatArray


Expand = Callable[[FloatArray], _Move]


@final
@dataclass(frozen=True)
class _Faces:
    """Balanced weights of neurons on faces.

    Attributes
    ----------
    hidden : ndarray, shape (k, d)
    output : ndarray, shape (k, c)
    b : ndarray, shape (c,)
        The intercept.
    intercept : bool
        Whether it moves.
    on : ndarray of bool, shape (N, k)
        Rows that are active; what tight rows are does not matter.
    tight : ndarray of bool, shape (N, k)
    """

    problem: Problem[Layer]
    hidden: FloatArray
    output: FloatArray
    b: FloatArray
    intercept: bool
    on: BoolArray
    tight: BoolArray

    @classmethod
    def of(
        cls, problem: Problem[Layer], neurons: Neurons, guess: float, *, intercept: bool
    ) -> Self:
        """Those of rows whose cosines with a neuron are small, as far as they hold it back."""
        hidden, output = neurons.balanced()
        rows = problem.rows.rows
        products = rows @ hidden.T
        lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(hidden, axis=1)
        tight = (np.abs(products) <= guess * lengths) & (lengths > 0.0)
        b = np.broadcast_to(neurons.intercept, output.shape[1])
        faces = cls(problem, hidden, output, b, intercept, products > 0.0, tight)
        # A concave kink holds nothing back.
        return faces._with(tight=tight & (faces._pull @ output.T > 0.0))

    def _with(self, **changes: Any) -> Self:
        """With some of it replaced, on the faces."""
        moved = replace(self, **changes)
        bases = self.bases if moved.tight is self.tight else moved.bases
        projected = [basis @ (basis.T @ u) for basis, u in zip(bases, moved.hidden, strict=True)]
        moved = replace(moved, hidden=np.reshape(projected, self.hidden.shape))
        # They are those of the tight rows, which stay.
        moved.__dict__["bases"] = bases
        return moved

    def rested(self, deadline: Deadline) -> Neurons:
        """The neurons at rest, on the faces that they come to."""
        faces, left = self, _STEPS
        while left > 0 and not deadline.passed:
            faces, spent = faces._descended(deadline, left)
            freed, left = faces._freed(), left - spent
            if freed is None:
                break
            faces = freed
        faces = faces._settled(deadline)
        return replace(Neurons.of_weights(faces.hidden, faces.output), intercept=faces.b)

    @cached_property
    def bases(self) -> list[FloatArray]:
        """An orthonormal basis of the face of each neuron, shapes (d, d - t)."""
        rows = self.problem.rows.rows
        return [_null_space(rows[tight]) for tight in self.tight.T]

    @property
    def _sides(self) -> FloatArray:
        """1 where a row is active, 0 elsewhere and where it is tight, shape (N, k)."""
        return (self.on & ~self.tight).astype(np.float64)

    @property
    def _prediction(self) -> FloatArray:
        """Of the network, in whatever cells it is."""
        layer = self.problem.rows
        return layer.read(np.maximum(layer.rows @ self.hidden.T, 0.0) @ self.output) + self.b

    @property
    def _pull(self) -> FloatArray:
        """The gradient of the loss there, pulled to the rows, shape (N, c)."""
        problem = self.problem
        return problem.rows.pull(problem.loss.gradient(self._prediction, problem.target))

    @property
    def value(self) -> float:
        """The objective there."""
        squares = float((self.hidden**2).sum() + (self.output**2).sum())
        return self.problem.value(self._prediction, 0.5 * squares)

    def _descended(self, deadline: Deadline, steps: int) -> tuple[Self, int]:
        """After steps of Newton's method, and how many; one that meets a kink stops there."""
        faces: Self = self
        value, damping = self.value, _LEAST_DAMPING
        spent = 0
        while spent < steps and not deadline.passed:
            spent += 1
            move, damping = faces._step(damping)
            further = faces._moved(move, value)
            if further is None:
                damping = max(1e3 * damping, 1e-6)
                if damping > 1e6:
                    break
                continue
            gained, is_held = value - further.value, further.tight.sum() > faces.tight.sum()
            faces, value = further, further.value
            damping = max(0.1 * damping, _LEAST_DAMPING)
            if gained <= _AT_REST * abs(value) and not is_held:
                break
        return faces, spent

    def _settled(self, deadline: Deadline) -> Self:
        """After whole steps for which the gradient falls, and the objective stays, to rounding.

        Objectives that agree to rounding have gradients that agree to the root of it, and with
        them bounds: what is left is too little for an objective to judge.
        """
        faces: Self = self
        most = self.value + _ROUNDING * abs(self.value)
        for _ in range(_LAST_STEPS):
            if deadline.passed:
                break
            move, _damping = faces._step(_LEAST_DAMPING)
            further = faces._after(move, 1.0, faces.tight)
            falls = further.steepness <= _FALLS * faces.steepness
            if not falls or further.value > most:
                break
            faces = further
        return faces

    @property
    def steepness(self) -> float:
        """The length of the gradient on the faces."""
        return float(np.linalg.norm(self._model[0]))

    def _step(self, damping: float) -> tuple[_Move, float]:
        """The damped step, and the damping that it took."""
        gradient, hessian, expand = self._model
        scale = float(np.abs(np.diag(hessian)).max())
        while True:
            shifted = hessian + damping * scale * np.eye(len(hessian))
            try:
                factor = scipy.linalg.cho_factor(shifted, check_finite=False)
            except scipy.linalg.LinAlgError:
                damping *= 100.0
                continue
            return expand(-scipy.linalg.cho_solve(factor, gradient, check_finite=False)), damping

    def _moved(self, move: _Move, value: float) -> Self | None:
        """After as much of a step as lowers the objective; None where nothing of it does."""
        kink = self._first_kink(move.hidden)
        tries = [(1.0, None), *([] if kink is None else [kink]), *((t, None) for t in _SHARES[1:])]
        for share, tight in tries:
            further = self._after(move, share, self.tight if tight is None else tight)
            # A kink that is next to a neuron holds it, though nothing is gained on the way there.
            allowed = value if tight is None else value + _AT_REST * abs(value)
            if further.value < allowed:
                return further
        return None

    def _after(self, move: _Move, share: float, tight: BoolArray) -> Self:
        """After a share of a move, with these rows tight."""
        hidden = self.hidden + share * move.hidden
        return self._with(
            hidden=hidden,
            output=self.output + share * move.output,
            b=self.b + share * move.b,
            tight=tight,
            on=self.problem.rows.rows @ hidden.T > 0.0,
        )

    def _first_kink(self, move: FloatArray) -> tuple[float, BoolArray] | None:
        """The share of a move at which a row is first met that holds a neuron back."""
        rows = self.problem.rows.rows
        products, changes = rows @ self.hidden.T, rows @ move.T
        holds = (self._pull @ self.output.T > 0.0) & ~self.tight & (products * changes < 0.0)
        shares = np.where(holds, -products / np.where(holds, changes, 1.0), np.inf)
        i, j = np.unravel_index(np.argmin(shares), shares.shape)
        if not shares[i, j] < 1.0:
            return None
        tight = self.tight.copy()
        tight[i, j] = True
        return float(shares[i, j]), tight

    def _freed(self) -> Self | None:
        """Without the tight rows of the wrong multipliers, the worst of each neuron; None if none.

        Between the slopes on both sides of a kink, 0 and w, the multiplier holds a row.
        """
        X, pull, sides = self.problem.rows.rows, self._pull, self._sides
        tight, on, is_changed = self.tight.copy(), self.on.copy(), False
        for j in np.flatnonzero(tight.any(axis=0)):
            weights = pull @ self.output[j]
            slope = X.T @ (sides[:, j] * weights) + self.problem.beta * self.hidden[j]
            rows = np.flatnonzero(tight[:, j])
            multipliers = np.linalg.lstsq(X[rows].T, -slope, rcond=_DEPENDENT)[0]
            wrong = np.maximum(-multipliers, multipliers - weights[rows])
            worst = int(np.argmax(wrong))
            if wrong[worst] > 0.0:
                is_changed = True
                tight[rows[worst], j] = False
                on[rows[worst], j] = multipliers[worst] > 0.0
        return replace(self, tight=tight, on=on) if is_changed else None

    @cached_property
    def _model(self) -> tuple[FloatArray, FloatArray, Expand]:
        """Gradient and Hessian on the faces, and the way from a step there to one of weights."""
        loss, beta, bases = self.problem.loss, self.problem.beta, self.bases
        k, c = self.output.shape
        owner = np.repeat(np.arange(k), [basis.shape[1] for basis in bases])
        frame, D = np.hstack([np.zeros((self.hidden.shape[1], 0)), *bases]), len(owner)
        n_weights, n_unknowns = D + k * c, D + (k + self.intercept) * c
        # The intercept is an output weight of a constant.
        weights = np.vstack([self.output, self.b[None][: self.intercept]])
        curvature = Curvature(weights, owner)
        gradient, across = np.zeros(n_unknowns), np.zeros((D, c))
        for part, rows, sides in self._tiles(n_unknowns):
            y, of_part = self.problem.target[part], loss.take(part)
            slopes = (rows.rows @ frame) * sides[:, owner]
            active = rows.rows @ self.hidden.T * sides
            f = rows.read(active @ self.output) + self.b
            slope = of_part.gradient(f, y)
            pull = rows.pull(slope)
            constant = np.ones((len(f), int(self.intercept)))
            read = np.hstack([rows.read(active), constant])
            curvature.add(rows.read(slopes), read, *of_part.factors(f, y))
            across += slopes.T @ pull
            gradient[D:n_weights] += (active.T @ pull).ravel()
            gradient[n_weights:] += (constant.T @ slope).ravel()
        gradient[:D] = (across * self.output[owner]).sum(axis=1)
        gradient[:D] += beta * (frame * self.hidden[owner].T).sum(axis=0)
        gradient[D:n_weights] += beta * self.output.ravel()
        hessian = curvature.total
        hessian[np.diag_indices(n_weights)] += beta
        # What the derivatives of products add: between the two layers of one neuron.
        places = D + owner[:, None] * c + np.arange(c)
        unknowns = np.arange(D)[:, None]
        hessian[unknowns, places] += across
        hessian[places, unknowns] += across

        def expand(step: FloatArray) -> _Move:
            hidden = np.zeros((k, frame.shape[0]))
            np.add.at(hidden, owner, (frame * step[:D]).T)
            b = step[n_weights:] if self.intercept else np.zeros(c)
            return _Move(hidden, step[D:n_weights].reshape(k, c), b)

        return gradient, hessian, expand

    def _tiles(self, width: int) -> Iterator[tuple[slice, Layer, FloatArray]]:
        """Some of the rows at a time, where each is a prediction: slices, layers and sides."""
        layer, sides = self.problem.rows, self._sides
        if layer.readout is not None:
            yield slice(None), layer, sides
            return
        for part in row_chunks(len(sides), width):
            yield part, layer.take(part), sides[part]


def _null_space(rows: FloatArray) -> FloatArray:
    """An orthonormal basis of the vectors that are orthogonal to all rows, shape (d, d - t)."""
    if len(rows) == 0:
        return np.eye(rows.shape[1])
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    _, values, vectors = np.linalg.svd(units)
    rank = int((values > _DEPENDENT * values[0]).sum())
    return np.asarray(vectors[rank:].T)
