"""The best of a local search for several outputs: upper bounds on the optimum."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from adversary.dyadic import Dyadic, nearest
from adversary.outputs.problem import OutputsProblem, OutputsWeights, objective
from adversary.problem import FloatArray, Interval

_ROUNDS, _NEW, _STARTS, _SAMPLES, _CLIMBS = 6, 3, 2, 300, 30
_PROGRESS = 1 - Fraction(1, 10**11)


@dataclass
class Best:
    """The best network so far; its objective lies between two rational numbers."""

    network: OutputsWeights
    objective: Interval
    origin: str


class OutputsSearch:
    """L-BFGS from a given network, from none with neurons added, and from random ones.

    In units in which rows, targets and weights are of size one; what is found is judged by
    its exact objective in those of the caller.
    """

    def __init__(
        self, problem: OutputsProblem, given: OutputsWeights, rng: np.random.Generator
    ) -> None:
        self._problem, self._rng = problem, rng
        (self._n, self._c), self._p = problem.Y.shape, problem.rows.shape[-1]
        self._center = np.zeros(self._c)
        if problem.intercept and not problem.has_labels:
            self._center = np.sort(problem.Y, axis=0)[self._n // 2]
        targets = problem.Y - self._center
        x, w = _power(problem.rows), _power(problem.weights)
        y = 0 if problem.has_labels else _power(targets)
        x += (y - x) % 2
        self._x, self._y = x, y
        self._rows, self._Y = np.ldexp(problem.flat, -x), np.ldexp(targets, -y)
        self._weights = np.ldexp(problem.weights, -w)
        self._beta = float(np.ldexp(problem.beta, -x - y - w))
        self._delta = float(np.ldexp(problem.delta, -y))
        self.best = Best(given, objective(problem, given), "given")

    def run(self) -> Best:
        """All starts; the best network."""
        with np.errstate(all="ignore"):
            nothing = np.zeros(self._c if self._problem.intercept else 0)
            self._offer(nothing, "nothing")
            if 0.0 < self._beta < np.inf:
                given = self._packed(self.best.network)
                self._descend(given, "descent")
                self._descend(self._best_multiple(given), "multiple")
                self._grow()
                before = self.best
                self._descend(nothing, "nothing")
                for _ in range(_STARTS):
                    m = min(self._n + 2, 10)
                    start = self._rng.standard_normal(m * (self._p + self._c)) / np.sqrt(m)
                    self._descend(np.concatenate([start, nothing]), "random")
                if self.best is not before:
                    self._grow()
        return self.best

    def _packed(self, network: OutputsWeights) -> FloatArray:
        power = (self._x - self._y) // 2
        parts = [
            Dyadic.of(part).scaled(power).floats().ravel()
            for part in (network.hidden, network.output)
        ]
        if self._problem.intercept:
            moved = [
                (b - Fraction(float(o))) / Fraction(2) ** self._y
                for b, o in zip(network.intercept, self._center, strict=True)
            ]
            parts.append(np.array([nearest(b) for b in moved]))
        return np.concatenate(parts)

    def _unpacked(self, theta: FloatArray) -> OutputsWeights:
        u, a, b = self._split(theta)
        power = (self._y - self._x) // 2
        intercept = tuple(
            Fraction(float(x)) * Fraction(2) ** self._y + Fraction(float(o))
            for x, o in zip(b, self._center, strict=True)
        )
        if not self._problem.intercept:
            intercept = (Fraction(0),) * self._c
        alive = u.any(axis=1) & a.any(axis=1)
        return OutputsWeights(
            Dyadic.of(u[alive]).scaled(power), Dyadic.of(a[alive]).scaled(power), intercept
        )

    def _split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        b = np.zeros(self._c)
        if self._problem.intercept:
            theta, b = theta[: -self._c], theta[-self._c :]
        m = len(theta) // (self._p + self._c)
        return theta[: m * self._p].reshape(m, self._p), theta[m * self._p :].reshape(m, self._c), b

    def _best_multiple(self, theta: FloatArray) -> FloatArray:
        """Weights times a factor: a way down on which rows that are on a kink stay there."""
        k = len(theta) - (self._c if self._problem.intercept else 0)

        def multiple(factor: float) -> FloatArray:
            return np.concatenate([factor * theta[:k], theta[k:]])

        found = minimize_scalar(
            lambda factor: self._value(multiple(factor))[0], bounds=(0.0, 2.0), method="bounded"
        )
        return multiple(float(found.x))

    def _offer(self, theta: FloatArray, origin: str) -> None:
        if not np.isfinite(theta).all():
            return
        network = self._unpacked(theta)
        value = objective(self._problem, network)
        if value[1] < self.best.objective[0]:
            self.best = Best(network, value, origin)

    def _descend(self, theta: FloatArray, origin: str) -> None:
        """L-BFGS along the kinks that the start is on, and without them."""
        if not theta.size or not np.isfinite(theta).all():
            return
        unit = max(abs(self._value(theta)[0]), 1e-250)
        if not np.isfinite(unit):
            return

        def function(x: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self._value(x)
            value, gradient = value / unit, gradient / unit
            if not np.isfinite(value) or not np.isfinite(gradient).all():
                return 1e300, np.zeros_like(x)
            return value, gradient

        options = {"maxiter": 300, "ftol": 1e-15, "gtol": 1e-13}
        found = minimize(function, theta, jac=True, method="L-BFGS-B", options=options)
        self._offer(found.x, origin)

    def _value(self, theta: FloatArray) -> tuple[float, FloatArray]:
        u, a, b = self._split(theta)
        sums = self._rows @ u.T
        slopes = np.where(sums > 0.0, 1.0, self._problem.slope)
        active = self._pooled(slopes * sums)
        loss, g = self._loss(active @ a + b)
        to_u = (slopes * self._spread(g @ a.T)).T @ self._rows + self._beta * u
        to_a = active.T @ g + self._beta * a
        parts = [to_u.ravel(), to_a.ravel()]
        if self._problem.intercept:
            parts.append(g.sum(axis=0))
        size = float((u * u).sum() + (a * a).sum())
        return loss + 0.5 * self._beta * size, np.concatenate(parts)

    def _loss(self, f: FloatArray) -> tuple[float, FloatArray]:
        """Value and gradient."""
        weights, Y = self._weights, self._Y
        if self._problem.loss == "softmax":
            gaps = f.max(axis=1, keepdims=True) - f
            shares, size = np.exp(-gaps), Y.sum(axis=1)
            total = shares.sum(axis=1)
            value = size * np.log(total) + (Y * gaps).sum(axis=1)
            g = size[:, None] * shares / total[:, None] - Y
        else:
            g = left = f - Y
            if self._problem.loss == "huber":
                g = np.clip(left, -self._delta, self._delta)
            value = (g * (left - 0.5 * g)).sum(axis=1)
        return float(weights @ value), weights[:, None] * g

    def _grow(self) -> None:
        """Neurons along which the objective falls, and descent, as long as there are some."""
        for _ in range(_ROUNDS):
            theta, before = self._packed(self.best.network), self.best.objective[0]
            if not np.isfinite(theta).all():
                return
            u, a, b = self._split(theta)
            V = -self._loss(self._pooled(self._activated(u)) @ a + b)[1]
            units = self._climbed(V)
            outputs = self._pooled(self._activated(units)).T @ V
            values = np.linalg.norm(outputs, axis=1)
            order = np.argsort(-values)[:_NEW]
            order = order[values[order] > self._beta * (1.0 + 1e-12)]
            if not len(order):
                return
            for size in (0.3, 1e-3):
                new = size * outputs[order] / values[order, None]
                parts = [np.vstack([u, size * units[order]]).ravel(), np.vstack([a, new]).ravel()]
                self._descend(
                    np.concatenate([*parts, b if self._problem.intercept else []]), "grown"
                )
            if self.best.objective[0] >= before * _PROGRESS:
                return

    def _activated(self, units: FloatArray) -> FloatArray:
        sums = self._rows @ units.T
        return np.where(sums > 0.0, 1.0, self._problem.slope) * sums

    def _pooled(self, activations: FloatArray) -> FloatArray:
        """Added up over the patches of a row."""
        count = activations.shape[1]
        return np.asarray(activations.reshape(self._n, self._problem.n_patches, count).sum(axis=1))

    def _spread(self, pulls: FloatArray) -> FloatArray:
        """Those of a row for each of its patches."""
        return np.repeat(pulls, self._problem.n_patches, axis=0)

    def _climbed(self, V: FloatArray) -> FloatArray:
        """Directions of large ``||V'phi(u)||``."""
        u = _units(np.vstack([self._rng.standard_normal((_SAMPLES, self._p)), self._rows]))
        for _ in range(_CLIMBS):
            pull = self._spread(V @ (V.T @ self._pooled(self._activated(u))))
            slopes = np.where(self._rows @ u.T > 0.0, 1.0, self._problem.slope)
            new = _units((pull * slopes).T @ self._rows)
            u = new if len(new) == len(u) else u
        return u


def _units(vectors: FloatArray) -> FloatArray:
    sizes = np.abs(vectors).max(axis=1, initial=0.0)
    vectors = vectors[sizes > 1e-290] / sizes[sizes > 1e-290, None]
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def _power(array: FloatArray) -> int:
    """The exponent of the power of two next to the largest entry."""
    largest = float(np.abs(array).max(initial=0.0))
    return int(np.frexp(largest)[1]) if largest > 0.0 else 0
