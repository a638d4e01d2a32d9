"""Local descent on objective (2) itself, in balanced weights, across all kinks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, interrupt_pending
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.newton.newton_settings import SETTINGS

# Value, and gradients in hidden and output weights.
Gradients = tuple[float, FloatArray, FloatArray]


def descend(
    problem: Problem[Layer],
    neurons: Neurons,
    *,
    steps: int,
    enough: float = 0.0,
    stretch: int = SETTINGS.stretch,
    memory: int = SETTINGS.memory,
    tiles: Tiles | None = None,
    deadline: Deadline = UNLIMITED,
) -> Neurons:
    """L-BFGS on (2) from the given neurons; those that reach zero are dropped.

    Far from the optimum neurons have many cells to cross, and a method that
    stops at each kink does not get anywhere; a gradient method does not notice
    kinks until it is close.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss, or any that is a sum over the rows where there are tiles.
    neurons : Neurons
        With positive weights.
    steps : int
        Iterations at most.
    enough : float
        Share of the objective that a stretch has to gain: below it the descent ends.
    stretch : int
        Steps over which progress is judged.
    memory : int
        Pairs that L-BFGS keeps.
    tiles : Tiles, optional
        Of the rows of a layer without a readout, in the precision to work in.
    deadline : Deadline, optional
        Checked before every evaluation, as Ctrl-C is: what was reached comes back.

    Returns
    -------
    Neurons
        Objective not above that of the neurons given, up to the precision of the tiles.

    Notes
    -----
    O(N k r) an iteration. D. C. Liu and J. Nocedal, Mathematical Programming
    45, 1989.
    """
    if len(neurons) == 0:
        return neurons
    y, beta, (k, r) = problem.y, problem.beta, neurons.directions.shape
    root = np.sqrt(neurons.sizes)
    parts = list(problem.rows.tiles(k)) if tiles is None else []
    start = np.concatenate([(neurons.directions * root[:, None]).ravel(), neurons.signs * root])
    best, least = start, np.inf

    def is_over() -> bool:
        return deadline.passed or interrupt_pending()

    def loss_of(rows: slice, f: Array) -> tuple[float, Array]:
        if is_over():
            raise OutOfTimeError
        loss, target = problem.loss.take(rows), y[rows].astype(f.dtype)
        gradient = loss.gradient(f, target).astype(f.dtype, copy=False)
        return loss.value(f, target), gradient

    def evaluated(hidden: FloatArray, output: FloatArray) -> Iterator[Gradients]:
        if tiles is not None:
            yield tiles.value_and_gradient(hidden, output, loss_of)
        for outputs, part in parts:
            if is_over():
                raise OutOfTimeError
            yield part.value_and_gradient(hidden, output, y[outputs])

    def evaluate(theta: FloatArray) -> tuple[float, FloatArray]:
        nonlocal best, least
        hidden, output = theta[: k * r].reshape(k, r), theta[k * r :]
        value, slopes = 0.5 * beta * float(theta @ theta), beta * theta
        hidden_slopes, output_slopes = slopes[: k * r].reshape(k, r), slopes[k * r :]
        for of_part in evaluated(hidden, output):
            value += of_part[0]
            hidden_slopes += of_part[1]
            output_slopes += of_part[2]
        if value < least:
            best, least = theta.copy(), value
        return value, slopes

    values: list[float] = []

    def watch(intermediate_result: OptimizeResult) -> None:
        values.append(float(intermediate_result.fun))
        slow = values[-stretch:][0] - values[-1] < enough * values[-1]
        if is_over() or (len(values) >= stretch and slow):
            raise StopIteration

    try:
        reached = minimize(
            evaluate, start, jac=True, method="L-BFGS-B", callback=watch,
            options={"maxiter": steps, "maxcor": memory, "ftol": 1e-13, "gtol": 1e-12},
        ).x  # fmt: skip
    except OutOfTimeError:
        reached = best
    hidden, output = reached[: k * r].reshape(k, r), reached[k * r :]
    return Neurons.of(hidden * np.abs(output)[:, None], np.where(output < 0.0, -1.0, 1.0)[:, None])
