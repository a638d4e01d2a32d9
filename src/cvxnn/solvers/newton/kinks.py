"""Newton's method on all neurons at once that sees the kinks ahead.

Between two hyperplanes objective (2) is smooth in the rays ``w_j = c_j u_j``;
at ``x_i'w_j = 0`` it has a kink. Where the residual and the sign of the neuron
disagree (``s_j r_i < 0``) the kink is convex, and minimisers like to sit on it;
where they agree it is concave, and crossing it can only help. The model keeps
the second-order part of the smooth objective and the convex kinks next to each
neuron, each with the price of crossing it. Its minimiser is found by an
interior-point method, so that all neurons find their faces together instead of
one kink a step; once the faces are right, convergence is quadratic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import neuron_objective, residual
from cvxnn.solvers.newton.grams import ON_KINK, FaceGram, ReadGram
from cvxnn.solvers.newton.kink_program import Kinks, minimise_with_kinks
from cvxnn.solvers.newton.newton_settings import SETTINGS

Faces = FaceGram | ReadGram


def descend_over_kinks(
    problem: Problem[Layer],
    neurons: Neurons,
    *,
    steps: int,
    enough: float = 0.0,
    faces: Faces | None = None,
    deadline: Deadline = UNLIMITED,
) -> Neurons:
    """Newton steps on objective (2) until one gains less than `enough`, relative.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss.
    neurons : Neurons
    steps : int
        At most so many.
    enough : float
    faces : Faces, optional
        From :func:`faces_for` the same layer; spares the next call a new Gram matrix.
    deadline : Deadline, optional
        Looked at within a step too: the neurons are those of the last whole one then.

    Returns
    -------
    Neurons
        Objective not above that of the neurons given.

    Notes
    -----
    For k neurons O(n k r) a step, O((k r)^3) for the model, and O(k r^2) for
    every row that changes sides; O(n (k r)^2) for the first matrix.
    """
    faces = faces_for(problem.rows) if faces is None else faces
    enough = max(enough, SETTINGS.rounding)
    value = neuron_objective(problem, neurons)
    damping = 0.0
    for _ in range(steps):
        check_interrupt()
        if len(neurons) == 0 or deadline.passed:
            break
        gain, promised = 0.0, np.inf
        try:
            model = _Model.of(problem, neurons, faces, deadline)
            while gain <= 0.0 and damping <= SETTINGS.most_damping and promised > enough * value:
                deadline.check()
                moved, reached, promised = _step(
                    problem, neurons, value, model.damped(damping), deadline
                )
                gain = value - reached
                damping = max(8.0 * damping, 1e-2) if gain <= 0.0 else damping
        except OutOfTimeError:
            break
        if gain > 0.0:
            neurons, value = moved, reached
            damping = damping / 16.0 if damping > 1e-2 else 0.0
        if gain <= enough * value:
            break
    return neurons


def faces_for(layer: Layer) -> Faces:
    """The Gram matrix that :func:`descend_over_kinks` keeps up to date."""
    if layer.readout is None:
        return FaceGram(layer.rows, min(SETTINGS.near, len(layer.rows)))
    return ReadGram(layer, SETTINGS.near)


def _step(
    problem: Problem[Layer], neurons: Neurons, value: float, model: _Model, deadline: Deadline
) -> tuple[Neurons, float, float]:
    """Towards the minimiser of the model, halved until the objective falls.

    Returns the neurons, their objective, and the fall that the model promised.
    """
    solution = minimise_with_kinks(model.H, model.g, model.kinks, deadline)
    target = _onto_kinks(neurons.rays + solution.moves, model.kinks, solution.tight)
    promised = model.fall(solution.moves)
    length = 1.0
    for _ in range(SETTINGS.halvings):
        rays = (1.0 - length) * neurons.rays + length * target
        moved = Neurons.of(rays, neurons.outputs)
        reached = neuron_objective(problem, moved)
        if reached < value:
            return moved, reached, promised
        length *= 0.5
    return neurons, value, promised


def _onto_kinks(rays: FloatArray, kinks: Kinks, tight: BoolArray) -> FloatArray:
    """The rays, moved onto the hyperplanes that they lie next to."""
    rays = rays.copy()
    for j in np.unique(kinks.owner[tight]):
        rows = kinks.rows[tight & (kinks.owner == j)]
        if len(rows) < rays.shape[1]:
            off = np.linalg.lstsq(rows.T, rays[j], rcond=1e-9)[0]
            rays[j] -= rows.T @ off
    return rays


@dataclass(frozen=True)
class _Model:
    """Second-order part ``1/2 d'Hd + g'd`` of objective (2), and the kinks nearby."""

    H: FloatArray
    g: FloatArray
    kinks: Kinks
    stiffness: FloatArray

    def fall(self, moves: FloatArray) -> float:
        """How much the moves lower the model."""
        d = moves.ravel()
        return -float(0.5 * d @ (self.H @ d) + self.g.ravel() @ d) - self.kinks.cost(moves)

    def damped(self, damping: float) -> _Model:
        """With a price on moves, relative to the length of each ray."""
        if damping == 0.0:
            return self
        r = len(self.H) // len(self.stiffness)
        H = self.H + np.diag(np.repeat(damping * self.stiffness, r))
        return replace(self, H=H)

    @classmethod
    def of(
        cls, problem: Problem[Layer], neurons: Neurons, faces: Faces, deadline: Deadline
    ) -> _Model:
        beta, (k, r) = problem.beta, neurons.directions.shape
        weights = problem.rows.pull(residual(problem, neurons))
        faces.update(neurons.directions, deadline)
        H = (faces.blocks * np.outer(neurons.signs, neurons.signs)[:, None, :, None]).copy()
        stiffness = beta / neurons.sizes
        every = np.arange(k)
        across = np.eye(r) - neurons.directions[:, :, None] * neurons.directions[:, None, :]
        H[every, :, every, :] += stiffness[:, None, None] * across
        H = H.reshape(k * r, k * r)
        H[np.diag_indices(k * r)] += 1e-13 * np.trace(H) / (k * r)
        g = beta * neurons.directions - neurons.signs[:, None] * faces.pull(weights)
        kinks = _convex_kinks(faces, faces.strengths(weights), neurons)
        return cls(H, g, kinks, stiffness)


def _convex_kinks(faces: Faces, strengths: FloatArray, neurons: Neurons) -> Kinks:
    """The kinks of the nearest hyperplanes that hold a neuron back."""
    near = faces.near
    holds_back = (near >= 0) & (strengths[near] * neurons.signs[:, None] < 0.0)
    owner, place = np.nonzero(holds_back)
    planes = near[owner, place]
    normals = faces.normals(planes)
    sines = np.einsum("ij,ij->i", normals, neurons.directions[owner])
    side = np.where(sines > ON_KINK, 1.0, -1.0)
    return Kinks(
        rows=side[:, None] * normals,
        owner=owner,
        slack=np.abs(sines) * neurons.sizes[owner],
        price=np.abs(strengths[planes]),
        curvature=faces.stiffness(planes),
    )
