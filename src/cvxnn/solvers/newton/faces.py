"""Newton's method on all neurons at once, each inside the face of its cell.

A neuron is a ray ``w_j = c_j u_j``. As long as it stays in the closed cell it
is in, and on the hyperplanes it lies on (its *tight* rows), the objective

    1/2 || sum_j s_j D_j X w_j - y ||^2 + beta * sum_j ||w_j||

is smooth and convex in all w_j together. From the output of an interior-point
method a few steps give the last ten digits, which the certificate needs: a
dual point errs linearly where the objective errs quadratically.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import merge_cells, neuron_objective, residual, reweigh, sides_of
from cvxnn.solvers.newton.newton_settings import SETTINGS


def refine(
    problem: Problem[Layer],
    neurons: Neurons,
    *,
    steps: int = 20,
    merge: bool = True,
    deadline: Deadline = UNLIMITED,
) -> Neurons:
    """Best weights, merged cells, and Newton steps on the faces.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss.
    neurons : Neurons
        Weights may be zero (candidates).
    steps : int
        Newton steps at most.
    merge : bool
        Whether neurons that share a closed cell become one. The sum of two
        neurons on faces can lie in a third cell, which a program on chosen
        patterns may not have.
    deadline : Deadline, optional
        Ends the Newton steps.

    Returns
    -------
    Neurons
        With linearly independent activations, so at most n; up to rounding, the
        objective is not above that of the neurons given.

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the first step or after the last.
    """
    rows, combine = problem.rows.rows, merge_cells if merge else _unchanged
    weighted = neurons.sizes > 0.0
    combined = combine(rows, neurons.select(weighted), deadline)
    candidates = neurons.select(~weighted)
    joined = combined.joined(candidates.directions, candidates.signs[:, None])
    neurons = combine(rows, reweigh(problem, joined, deadline), deadline)
    value = neuron_objective(problem, neurons)
    for _ in range(steps):
        if len(neurons) == 0:
            break
        try:
            deadline.check()
            moved = _newton_step(problem, neurons, deadline)
        except OutOfTimeError:
            break
        reached = neuron_objective(problem, moved)
        if not reached < value:
            break
        small = value - reached <= 1e-15 * value
        neurons, value = moved, reached
        if small:
            break
    return reweigh(problem, neurons, deadline)


def _unchanged(X: FloatArray, neurons: Neurons, deadline: Deadline) -> Neurons:
    return neurons


@dataclass(frozen=True)
class _Faces:
    """The face each neuron lies on: tight rows, basis, and linear map to the output."""

    sides: NDArray[np.int8]
    bases: list[FloatArray]
    J: FloatArray
    parts: list[slice]

    @classmethod
    def of(cls, layer: Layer, neurons: Neurons, deadline: Deadline = UNLIMITED) -> _Faces:
        X = layer.rows
        lengths = np.linalg.norm(X, axis=1)
        sides = sides_of(X, neurons.directions, deadline)
        tight = (sides == 0) & (lengths > 0.0)
        bases, columns = [], []
        for s, u, side, t in zip(neurons.signs, neurons.directions, sides, tight, strict=True):
            deadline.check()
            bases.append(_face_basis(X[t], u))
            columns.append(s * layer.read((X * (side > 0)[:, None]) @ bases[-1]))
        ends = np.cumsum([basis.shape[1] for basis in bases])
        parts = [slice(end - basis.shape[1], end) for end, basis in zip(ends, bases, strict=True)]
        return cls(sides, bases, np.hstack(columns), parts)

    def along(self, neurons: Neurons) -> FloatArray:
        """The unit directions in the bases of their faces, stacked."""
        return np.concatenate(
            [basis.T @ u for basis, u in zip(self.bases, neurons.directions, strict=True)]
        )


def dual_point(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline = UNLIMITED
) -> FloatArray:
    """The residual of the network, corrected to be stationary on the faces.

    At an optimum ``J'v = beta b`` for the face columns J of all neurons. The
    plain residual misses this by the rounding of ``f(X)``, a sum of large terms
    that cancel; beside a small beta that error can ruin a bound. Any v gives a
    valid bound, so the correction needs no proof of its own. Raises OutOfTimeError if the
    deadline passes before the end.
    """
    v = residual(problem, neurons)
    if len(neurons) == 0:
        return v
    faces = _Faces.of(problem.rows, neurons, deadline)
    target = problem.beta * faces.along(neurons)
    for _ in range(2):
        deadline.check()
        v = v + np.linalg.lstsq(faces.J.T, target - faces.J.T @ v, rcond=1e-12)[0]
    return v


def settle(problem: Problem[Layer], neurons: Neurons) -> Neurons:
    """Newton steps for the last digits of the neurons, which the objective cannot see.

    Near the optimum the objective changes with the square of an error, so that it
    is flat in float64 while directions still err by 1e-8. What decides here is the
    gradient on the faces: steps go on as long as each halves it.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss.
    neurons : Neurons
        From :func:`refine`.

    Returns
    -------
    Neurons
    """
    rows = problem.rows.rows
    neurons = _without_noise(rows, neurons)
    slope = face_slope(problem, neurons, residual(problem, neurons))
    for _ in range(10):
        if len(neurons) == 0:
            break
        moved = _without_noise(rows, _newton_step(problem, neurons))
        reached = face_slope(problem, moved, residual(problem, moved))
        if len(moved) < len(neurons) or not reached < 0.5 * slope:
            break
        neurons, slope = moved, reached
    return neurons


def _without_noise(X: FloatArray, neurons: Neurons) -> Neurons:
    """Entries of directions that are the rounding of 0 become 0.

    A row that meets only such entries, as (0, 0, 1) meets (2, -1, 1e-17), lies on the
    hyperplane; but its product is as large as the terms that it sums.
    """
    reach = np.abs(neurons.directions) * np.abs(X).max(axis=0)
    kept = reach > SETTINGS.noise * reach.max(axis=1, keepdims=True, initial=0.0)
    return replace(neurons, directions=np.where(kept, neurons.directions, 0.0))


def face_slope(problem: Problem[Layer], neurons: Neurons, v: FloatArray) -> float:
    """Length of the gradient on the faces at a residual v.

    Over beta this is about the error of the directions.
    """
    if len(neurons) == 0:
        return 0.0
    faces = _Faces.of(problem.rows, neurons)
    return float(np.linalg.norm(problem.beta * faces.along(neurons) - faces.J.T @ v))


def _newton_step(
    problem: Problem[Layer], neurons: Neurons, deadline: Deadline = UNLIMITED
) -> Neurons:
    """One step for all neurons, cut where the first of them reaches a kink or zero."""
    beta, rows = problem.beta, problem.rows.rows
    faces = _Faces.of(problem.rows, neurons, deadline)
    along = faces.along(neurons)
    gradient = beta * along - faces.J.T @ residual(problem, neurons)
    curvature = np.zeros((len(along), len(along)))
    for part, c in zip(faces.parts, neurons.sizes, strict=True):
        b = along[part]
        curvature[part, part] = np.sqrt(beta / c) * (np.eye(len(b)) - np.outer(b, b))
    step = solve_normal(np.vstack([faces.J, curvature]), -gradient)
    moves = np.array(
        [basis @ step[part] for part, basis in zip(faces.parts, faces.bases, strict=True)]
    )
    w = neurons.rays
    w = w + _longest_step(rows, w, moves, faces.sides) * moves
    return Neurons.of(w, neurons.outputs)


def _face_basis(tight: FloatArray, u: FloatArray) -> FloatArray:
    """Orthonormal basis (r, q) of the directions that keep the tight rows tight."""
    r = len(u)
    if len(tight) == 0:
        return np.eye(r)
    rows = tight / np.linalg.norm(tight, axis=1, keepdims=True)
    _, singular, right = np.linalg.svd(rows)
    rank = int(np.count_nonzero(singular > 1e-7))
    return right[rank:].T if rank < r else u[:, None]


def solve_normal(tall: FloatArray, rhs: FloatArray) -> FloatArray:
    """Solve ``T'T x = rhs`` through the triangle of T, refined; least norm if singular."""
    triangle = scipy.linalg.qr(tall, mode="r", check_finite=False)[0][: tall.shape[1]]
    diagonal = np.abs(np.diag(triangle))
    if len(diagonal) < len(rhs) or diagonal.min() <= 1e-13 * diagonal.max():
        gram = tall.T @ tall
        return np.asarray(np.linalg.lstsq(gram, rhs, rcond=1e-14)[0])
    x = np.asarray(scipy.linalg.cho_solve((triangle, False), rhs))
    left = rhs - tall.T @ (tall @ x)
    return x + np.asarray(scipy.linalg.cho_solve((triangle, False), left))


def _longest_step(
    X: FloatArray, w: FloatArray, moves: FloatArray, sides: NDArray[np.int8]
) -> float:
    """The largest step up to 1 that keeps every neuron in its closed cell."""
    at, rate = w @ X.T, moves @ X.T
    leaving = (sides != 0) & (at * rate < 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(leaving, -at / rate, np.inf)
    return float(min(1.0, ratios.min(initial=1.0)))
