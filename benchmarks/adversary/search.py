"""The best of a wide local search: upper bounds on the optimum from networks of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.optimize import minimize

from adversary import oracle
from adversary.candidates import simple_candidates
from adversary.dyadic import Dyadic
from adversary.intercept import with_best_intercept
from adversary.problem import FloatArray, Interval, Problem, Weights, empty, objective, predictions
from adversary.scaled import ScaledProblem, kink_projections

_ROUNDS, _NEW_NEURONS, _STARTS = 12, 3, 2
# Rounds go on as long as they lower the objective below this share.
_PROGRESS = 1 - Fraction(1, 10**12)


@dataclass
class Best:
    """The best network so far; its objective lies between two rational numbers."""

    network: Weights
    objective: Interval
    origin: str


class LocalSearch:
    """From a given network, from none, and from the simple networks that limits are made of.

    Parameters
    ----------
    problem : Problem
    given : Weights or None
        The network under test.
    masks : bool array, shape (n, G), or None
        Where the gates of a gated network are open, a column for each gate.
    """

    def __init__(
        self,
        problem: Problem,
        given: Weights | None,
        masks: Any,
        rng: np.random.Generator,
        steps: int = 200,
    ) -> None:
        self.problem, self.scaled, self.gates = problem, ScaledProblem(problem), masks
        self.rng, self.steps = rng, steps
        start = empty(problem) if given is None else given
        self.best = Best(start, objective(problem, start), "given")

    def run(self) -> Best:
        """All candidates, then rounds of added neurons and descent from the best."""
        with np.errstate(all="ignore"):
            if self.problem.intercept:
                self._offer(self.best.network, "best intercept")
            for network in simple_candidates(self.problem):
                self._offer(network, "simple")
            if 0.0 < self.scaled.beta < np.inf:
                self._descend_from(*self._theta(self.best.network), "descent")
                self._add_neurons()
                before = self.best
                for _ in range(_STARTS):
                    self._descend_from(*self._random_start(), "random")
                if self.best is not before:
                    self._add_neurons()
                self._refine()
        return self.best

    def _offer(self, network: Weights, origin: str) -> bool:
        if self.problem.intercept:
            network = with_best_intercept(self.problem, network)
        value = objective(self.problem, network)
        if value[1] < self.best.objective[0]:
            self.best = Best(network, value, origin)
            return True
        return False

    def _theta(self, network: Weights) -> tuple[FloatArray, Any]:
        return self.scaled.pack(network), network.masks

    def _random_start(self) -> tuple[FloatArray, Any]:
        scaled, rng = self.scaled, self.rng
        m = min(len(scaled.y) + 2, 12)
        hidden = rng.standard_normal((m, scaled.p)) / np.sqrt(m)
        output = rng.standard_normal((m, scaled.outputs)) / np.sqrt(m)
        skip = None if self.problem.skip is None else rng.standard_normal(scaled.p) / scaled.p
        masks = None
        if self.gates is not None:
            masks = self.gates[:, rng.integers(self.gates.shape[1], size=m)]
        return scaled.join(hidden, output, skip, 0.0), masks

    def _descend_from(self, theta: FloatArray, masks: Any, origin: str) -> None:
        """L-BFGS along the kinks that the start is on, where it is smooth, and without them.

        A penalised skip connection of 0 is such a kink.
        """
        kinks = kink_projections(self.scaled, theta)
        for without_skip in (False, True)[: 1 + (self.problem.skip == "penalised")]:
            if kinks is not None:
                self._descend(theta, masks, kinks, without_skip, origin)
            self._descend(theta, masks, None, without_skip, origin)

    def _descend(
        self, theta: FloatArray, masks: Any, kinks: Any, without_skip: bool, origin: str
    ) -> None:
        if not np.isfinite(theta).all() or not theta.size:
            return
        scaled = self.scaled
        unit = max(abs(scaled.value_and_gradient(theta, masks)[0]), 1e-250)
        if not np.isfinite(unit):
            return

        def along(x: FloatArray) -> FloatArray:
            hidden, output, skip, b = scaled.split(x)
            if kinks is not None:
                hidden = np.einsum("jpq,jq->jp", kinks, hidden)
            return scaled.join(hidden, output, np.zeros_like(skip) if without_skip else skip, b)

        def function(x: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = scaled.value_and_gradient(along(x), masks)
            value, gradient = value / unit, along(gradient) / unit
            if not np.isfinite(value) or not np.isfinite(gradient).all():
                return 1e300, np.zeros_like(x)
            return value, gradient

        found = minimize(
            function, theta, jac=True, method="L-BFGS-B",
            options={"maxiter": self.steps, "ftol": 1e-15, "gtol": 1e-14},
        )  # fmt: skip
        if np.isfinite(found.x).all():
            self._offer(_without_zeros(scaled.unpack(along(found.x), masks)), origin)

    def _add_neurons(self) -> None:
        for _ in range(_ROUNDS):
            theta, masks = self._theta(self.best.network)
            if not np.isfinite(theta).all():
                return
            before = self.best.objective[0]
            hidden, output, skip, b = self.scaled.split(theta)
            added = list(self._improving(theta, masks))
            if not added:
                return
            hidden = np.vstack([hidden, *(u[None] for u, _, _ in added)])
            output = np.vstack([output, *(np.atleast_2d(a) for _, a, _ in added)])
            if masks is not None:
                masks = np.column_stack([masks, *(mask for _, _, mask in added)])
            joined = self.scaled.join(hidden, output, skip, b)
            self._descend_from(joined, masks, "added neurons")
            if self.best.objective[0] >= before * _PROGRESS:
                return

    def _improving(
        self, theta: FloatArray, masks: Any
    ) -> Iterator[tuple[FloatArray, FloatArray, Any]]:
        """Balanced neurons whose value at the residual is above beta, at a good size."""
        scaled = self.scaled
        f = scaled.predict(theta, masks)
        v = -scaled.loss(f)[1]
        units, outputs, values, gates = self._priced(v)
        count = 0
        for k in np.argsort(-np.abs(values)):
            excess = abs(values[k]) - scaled.beta
            if excess <= 1e-12 * scaled.beta or count == _NEW_NEURONS:
                return
            sign = np.sign(values[k]) * outputs[k]
            mask = None if gates is None else gates[:, [k]]
            active, _ = scaled.activations(units[k : k + 1], mask)
            move = active[:, 0] if active.ndim == 2 else active[:, :, 0] @ sign
            curvature = float(scaled.weights @ move**2)
            size = np.sqrt(excess / curvature) if curvature > 0.0 else 1e-3
            if np.isfinite(size) and size > 0.0:
                count += 1
                yield units[k] * size, sign * size, None if mask is None else mask[:, 0]

    def _priced(self, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, Any]:
        """Unit directions, unit output weights, values at v and masks of gates."""
        scaled, read = self.scaled, self.problem.read
        if read == "bilinear":
            return (*_singular(np.einsum("n,nkp->kp", v, scaled.rows)), None)
        if read == "gated":
            gradients = (self.gates * v[:, None]).T @ scaled.rows[:, 0]
            lengths = np.linalg.norm(gradients, axis=1)
            units = gradients / np.maximum(lengths, 1e-300)[:, None]
            return units, np.ones((len(units), 1)), lengths, self.gates
        if read == "max":
            units, values = oracle.max_pooling_directions(scaled.rows, v, self.rng)
        else:
            pulled = np.repeat(v, scaled.patches) / (scaled.patches if read == "average" else 1)
            slope = self.problem.slope
            units = oracle.directions(scaled.flat, pulled, slope, self.rng)
            values = oracle.values(scaled.flat, pulled, slope, units)
        return units, np.ones((len(units), 1)), values, None

    def _refine(self) -> None:
        """Corrections of the output weights beyond float64, towards an interpolation."""
        network, problem = self.best.network, self.problem
        if not problem.has_units or problem.read == "bilinear" or not network.size:
            return
        for _ in range(2):
            residual = [
                Fraction(float(y)) - f
                for y, f in zip(problem.y, predictions(problem, network), strict=True)
            ]
            scaled = [r / Fraction(2) ** self.scaled.power_y for r in residual]
            theta, masks = self._theta(network)
            active, _ = self.scaled.activations(self.scaled.split(theta)[0], masks)
            target = np.array([float(r) for r in scaled])
            if not np.isfinite(active).all() or not np.isfinite(target).all():
                return
            step = np.linalg.lstsq(active, target, rcond=1e-13)[0]
            power = (self.scaled.power_y - self.scaled.power_x) // 2
            output = Dyadic.of(network.output) + Dyadic.of(step).scaled(power)
            network = replace(network, output=output)
            self._offer(network, "refined")


def _without_zeros(network: Weights) -> Weights:
    hidden, output = Dyadic.of(network.hidden), Dyadic.of(network.output)
    pairs = zip(hidden.integers, output.integers, strict=True)
    kept = [k for k, (u, a) in enumerate(pairs) if np.any(u != 0) and np.any(a != 0)]
    return replace(network, hidden=hidden, output=output).part(kept)


def _singular(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return right, left.T, values
