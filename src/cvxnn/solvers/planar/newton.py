"""Newton's method on all neurons at once, with moments instead of rows.

The same objective as in :mod:`cvxnn.solvers.newton.faces`,
``1/2 ||sum_j s_j (X w_j)_+ - y||^2 + beta sum_j ||w_j||``, for data of rank two.
A step costs the same for any number of rows, so a neuron may cross as many
hyperplanes as it likes: what counts is that the exact objective falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.problems import Neurons
from cvxnn.solvers.atoms import TIGHT
from cvxnn.solvers.lasso.gram_lasso import gram_lasso
from cvxnn.solvers.newton.slope_chain import SlopeChain
from cvxnn.solvers.planar.moments import Moments


@dataclass(frozen=True)
class Settings:
    """The numbers that Newton's method on moments goes by.

    Attributes
    ----------
    lengths : tuple of float
        Trial steps of a line search that does not look at kinks.
    along : float
        Curvature along a neuron as a share of that across, where the objective has none.
    damping : float
        Of the correction of a dual point, relative to the features.
    polishing, longest : int, float
        Steps that polish a dual point, and how far one may turn a neuron.
    nothing : float
        A neuron this much shorter than the longest is none, nor is one that does so little.
    small_gain : float
        Gains below this share of the objective are not worth another step.
    """

    lengths: tuple[float, ...] = (1.0, 0.3, 0.1)
    along: float = 1e-10
    damping: float = 1e-14
    polishing: int = 8
    longest: float = 0.5
    nothing: float = 1e-13
    small_gain: float = 1e-13


SETTINGS = Settings()


@final
@dataclass(frozen=True)
class MomentObjective:
    """Objective (2) of the neurons ``s_j (X w_j)_+``, and what lowers it.

    Attributes
    ----------
    moments : Moments
    beta : float
    """

    moments: Moments
    beta: float

    def value(self, rays: FloatArray, signs: FloatArray) -> float:
        """Objective (2) of the neurons ``s_j (X w_j)_+``."""
        lengths = np.linalg.norm(self.moments.weights(rays), axis=1)
        return self.moments.loss(rays, signs) + self.beta * float(lengths.sum())

    def reweigh(
        self, neurons: Neurons, deadline: Deadline = UNLIMITED, *, centred: bool = False
    ) -> Neurons:
        """The best weights for the given directions, without the neurons they drop.

        The same as :func:`cvxnn.solvers.atoms.reweigh` for any number of rows, with
        half of the digits. The activations of the answer are linearly independent. If
        `centred`, the residual of the neurons takes the place of y, which may be far larger.
        """
        units = np.zeros((len(neurons.sizes), 2))
        units[:, : neurons.directions.shape[1]] = neurons.directions
        k = len(units)
        full, products = self.moments.gram(units, neurons.signs)
        gram = np.einsum("ia,iajb,jb->ij", units, full.reshape(k, 2, k, 2), units)
        # Active on the hyperplane it lies on only: what is left is rounding.
        sizes = np.diag(full).reshape(k, 2).sum(axis=1) * (units**2).sum(axis=1)
        nothing = np.diag(gram) <= SETTINGS.nothing * sizes
        gram[nothing] = gram[:, nothing] = 0.0
        centre = neurons.sizes if centred else None
        if centred:
            pieces = self.moments.pieces(units)
            left = self.moments.gradient(pieces, units * neurons.sizes[:, None], neurons.signs)
            products = neurons.signs[:, None] * (pieces.on.T.astype(np.float64) @ left)
        target = (units * products.reshape(k, 2)).sum(axis=1) - self.beta
        if centred:
            # No rounding of residuals on the hyperplane that a neuron lies on.
            target[nothing] = 0.0
        weights = gram_lasso(gram, target, neurons.sizes, centre, deadline)
        return neurons.sized(weights).select(weights > 0.0)

    def descend(
        self, rays: FloatArray, signs: FloatArray, steps: int, deadline: Deadline = UNLIMITED
    ) -> tuple[FloatArray, FloatArray]:
        """Newton steps with a line search on the exact objective; neurons merge on the way."""
        value = self.value(rays, signs)
        for _ in range(steps):
            check_interrupt()
            if len(rays) == 0 or deadline.passed:
                break
            before = value
            rays, signs, value = self._step(rays, signs, value)
            if not value < before:
                break
            rays, signs = merge_arcs(self.moments, rays, signs)
            value = min(value, self.value(rays, signs))
            if before - value <= SETTINGS.small_gain * before:
                break
        return rays, signs

    def _step(
        self, rays: FloatArray, signs: FloatArray, value: float
    ) -> tuple[FloatArray, FloatArray, float]:
        """One step; neurons on a hyperplane change their length only."""
        norms, units = _lengths_and_units(self.moments, rays)
        # Newton's direction, as if the arcs went on for ever.
        slopes = SlopeChain.of(self.moments, rays, signs, TIGHT)
        gradient = self.moments.gradient(slopes.pieces, rays, signs)
        moves = slopes.solve(*self._penalty(rays), gradient)[0]
        # A neuron that would turn round stops at zero, and is gone.
        shrinking = -(moves * self.moments.pull(units)).sum(axis=1) / norms
        ends = np.where(shrinking > 0.0, 1.0 / np.maximum(shrinking, 1e-300), np.inf)
        best = rays, signs, value
        trials = _trials(_kinks_ahead(self.moments, rays, moves), ends)
        if self.moments.frame is not None:
            # Two neurons that turn away from each other are nearly a linear one on all rows:
            # long moves of the three cancel, but only together.
            trials = chain((np.full(len(ends), min(1.0, ends.min())),), trials)
        for lengths in trials:
            moved = rays + lengths[:, None] * moves
            reach = np.linalg.norm(moved, axis=1)
            alive = (lengths < ends) & (reach > SETTINGS.nothing * reach.max())
            moved, kept = moved[alive], signs[alive]
            reached = self.value(moved, kept)
            if reached < best[2]:
                best = moved, kept, reached
        return best

    def _penalty(self, rays: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Curvature of ``beta sum ||w_j||``, and minus its gradient; shapes (k, 2, 2), (k, 2)."""
        norms, units = _lengths_and_units(self.moments, rays)
        # A little curvature along the neuron too: a step may do nothing but grow.
        across = (1.0 + SETTINGS.along) * np.eye(2) - units[:, :, None] * units[:, None, :]
        if self.moments.frame is not None:
            across = self.moments.frame.T @ across @ self.moments.frame
        return (self.beta / norms)[:, None, None] * across, -self.beta * self.moments.pull(units)

    def stationary_residual(self, rays: FloatArray, signs: FloatArray) -> FloatArray:
        """The residual of the network, corrected to be stationary for its neurons; O(n).

        At an optimum ``J'v = beta u`` for the columns J of all neurons. The plain
        residual misses this by the rounding of ``f(X)``, a sum of large terms that
        cancel; beside a small beta that error can ruin a bound. Any v gives a valid
        bound, so the correction needs no proof of its own.
        """
        v = self.moments.y - self.moments.prediction(rays, signs)
        if len(rays) == 0:
            return v
        slopes = SlopeChain.of(self.moments, rays, signs, TIGHT)
        linear = -self.beta * self.moments.pull(_lengths_and_units(self.moments, rays)[1])
        none = SETTINGS.damping * slopes.sizes()[:, None, None] * np.eye(2)
        for _ in range(2):
            changes = slopes.solve(none, linear, self.moments.slopes_of(slopes.pieces, v))[1]
            v = v - self.moments.add_slopes(slopes.pieces, changes)
        return v

    def polished_residual(
        self, rays: FloatArray, signs: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Residual and neurons after Newton steps that change nothing but the last digits.

        Where rows are nearly parallel, a neuron may turn while neither its output nor the
        objective changes in any digit. A dual point shows it: ``J'v = beta u`` asks for
        digits of v that the residual of a sum of large terms does not have. O(n) a step.
        """
        v = self.moments.y - self.moments.prediction(rays, signs)
        if len(rays) == 0:
            return v, rays
        slopes = SlopeChain.of(self.moments, rays, signs, TIGHT)
        for _ in range(SETTINGS.polishing):
            moves, changes = slopes.solve(
                *self._penalty(rays), self.moments.slopes_of(slopes.pieces, v)
            )
            lengths = np.linalg.norm(self.moments.weights(rays), axis=1)
            size = float((np.linalg.norm(self.moments.weights(moves), axis=1) / lengths).max())
            step = min(1.0, SETTINGS.longest / max(size, SETTINGS.longest))
            rays = rays + step * moves
            v = v - step * self.moments.add_slopes(slopes.pieces, changes)
            if size <= SETTINGS.small_gain:
                break
        return v, rays


def merge_arcs(
    moments: Moments, rays: FloatArray, signs: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Add up neurons of one sign that share a closed arc.

    The output stays and the penalty does not grow: on a closed arc the ReLU is
    linear, and ``||p + q|| <= ||p|| + ||q||``.
    """
    p = moments.circle.n_classes
    rays = rays.copy()
    while len(rays) > 1:
        arcs, tight = moments.locate(rays, TIGHT)
        # A neuron on a hyperplane is in the arcs on both sides of it.
        first = arcs - ((tight >= 0) & (tight != arcs % p))
        last = first + (tight >= 0)
        stays = np.ones(len(rays), dtype=np.bool_)
        for sign in (1.0, -1.0):
            group = np.flatnonzero(signs == sign)
            group = group[np.argsort(first[group], kind="stable")]
            _merge_neighbours(rays, group, first, last, 2 * p, stays)
        if stays.all():
            break
        rays, signs = rays[stays], signs[stays]
    return rays, signs


def _merge_neighbours(
    rays: FloatArray,
    group: IntArray,
    first: IntArray,
    last: IntArray,
    n_arcs: int,
    stays: BoolArray,
) -> None:
    """Add the second of disjoint pairs of neighbours on the circle to the first."""
    taken = np.zeros(len(rays), dtype=np.bool_)
    for position, i in enumerate(group):
        after = group[(position + 1) % len(group)]
        turn = n_arcs if position + 1 == len(group) else 0
        if i == after or taken[i] or taken[after]:
            continue
        if first[after] + turn <= last[i]:
            rays[i] = rays[i] + rays[after]
            stays[after] = False
            taken[i] = taken[after] = True


def _trials(kinks: FloatArray, ends: FloatArray) -> Iterator[FloatArray]:
    """Step lengths for each neuron: across kinks; each to its next one; all to the first.

    Within their arcs the objective is smooth and convex, so the last one gains.
    """
    for length in SETTINGS.lengths:
        yield np.minimum(length, ends)
    events = np.minimum(np.minimum(kinks, ends), 1.0)
    yield events
    yield np.full(len(ends), events.min())


def _kinks_ahead(moments: Moments, rays: FloatArray, moves: FloatArray) -> FloatArray:
    """The step at which each neuron reaches the end of its arc, shape (k,)."""
    arcs, tight = moments.locate(rays, TIGHT)
    p = moments.circle.n_classes
    steps = np.full(len(rays), np.inf)
    for ends in ((arcs + p - 1) % p, arcs % p):
        normals = moments.circle.normals[ends]
        at, rate = (normals * rays).sum(axis=1), (normals * moves).sum(axis=1)
        ahead = (ends != tight) & (at * rate < 0.0)
        steps[ahead] = np.minimum(steps[ahead], -at[ahead] / rate[ahead])
    return steps


def _lengths_and_units(moments: Moments, rays: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lengths of the weights, and their directions."""
    weights = moments.weights(rays)
    norms = np.linalg.norm(weights, axis=1)
    return norms, weights / norms[:, None]
