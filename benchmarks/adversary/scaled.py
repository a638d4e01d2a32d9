"""The problem in float64 units of size one: value, gradient and the way back, without proofs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from adversary import deviances
from adversary.dyadic import Dyadic, nearest
from adversary.problem import FloatArray, Problem, Weights, kink_sides

_TINY = 1e-300
# Activations below this share of row and neuron are on the kink of the ReLU.
_ON_KINK = 1e-10


class ScaledProblem:
    """Rows, targets and weights divided by powers of two; parameters are one vector theta.

    With X = a X', y = b y' and weights c times those here, objectives are b^2 c times
    those of this problem and weights of neurons sqrt(b / a) times, where b / a is a
    power of four. Beside an intercept targets are distances from the middle one.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.power_x = _power(problem.rows)
        self.center = 0.0
        if problem.intercept and problem.has_units:
            self.center = float(np.sort(problem.y)[len(problem.y) // 2])
        targets = problem.y - self.center
        self.power_y = _power(targets) if problem.has_units else 0
        if (self.power_y - self.power_x) % 2:
            self.power_x += 1
        power_w = _power(problem.weights)
        self.rows = np.ldexp(problem.rows, -self.power_x)
        self.y = np.ldexp(targets, -self.power_y)
        self.weights = np.ldexp(problem.weights, -power_w)
        power_beta = -self.power_x - self.power_y - power_w
        self.beta = float(_ldexp(problem.beta, power_beta))
        self.delta = float(_ldexp(problem.delta, -self.power_y))
        n, self.patches, self.p = self.rows.shape
        self.flat = self.rows.reshape(n * self.patches, self.p)
        self.outputs = self.patches if problem.read == "bilinear" else 1

    def pack(self, network: Weights) -> FloatArray:
        """Theta of a network in the units of the caller."""
        power = (self.power_x - self.power_y) // 2
        parts = [
            Dyadic.of(part).scaled(power).floats().ravel()
            for part in (network.hidden, network.output)
        ]
        if self.problem.skip is not None:
            parts.append(Dyadic.of(network.skip).scaled(2 * power).floats())
        if self.problem.intercept:
            moved = Fraction(network.intercept) - Fraction(self.center)
            parts.append(np.array([nearest(moved / Fraction(2) ** self.power_y)]))
        return np.concatenate(parts)

    def unpack(self, theta: FloatArray, masks: Any = None) -> Weights:
        """The network of theta in the units of the caller, without rounding."""
        hidden, output, skip, b = self.split(theta)
        power = (self.power_y - self.power_x) // 2
        return Weights(
            Dyadic.of(hidden).scaled(power),
            Dyadic.of(output if self.outputs > 1 or self._bilinear else output[:, 0]).scaled(power),
            None if skip is None else Dyadic.of(skip).scaled(2 * power),
            masks,
            Fraction(float(b)) * Fraction(2) ** self.power_y + Fraction(self.center),
        )

    def join(
        self, hidden: FloatArray, output: FloatArray, skip: FloatArray | None, b: float
    ) -> FloatArray:
        """Theta from its parts, shapes (m, p), (m, K or 1) and (p,), and the intercept."""
        beside = [b] if self.problem.intercept else []
        parts = [hidden.ravel(), output.ravel(), [] if skip is None else skip, beside]
        return np.concatenate(parts)

    def split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray | None, float]:
        """The parts that `join` joined."""
        skip, b = None, 0.0
        if self.problem.intercept:
            theta, b = theta[:-1], float(theta[-1])
        if self.problem.skip is not None:
            theta, skip = theta[: -self.p], theta[-self.p :]
        m = len(theta) // (self.p + self.outputs)
        return (
            theta[: m * self.p].reshape(m, self.p),
            theta[m * self.p :].reshape(m, self.outputs),
            skip,
            b,
        )

    @property
    def _bilinear(self) -> bool:
        return self.problem.read == "bilinear"

    def activations(self, hidden: FloatArray, masks: Any) -> tuple[FloatArray, FloatArray]:
        """What neurons give for every output, (n, m), and their derivatives, (n, K, m).

        Of a bilinear network the first is (n, K, m): there is an output weight for each.
        """
        n = len(self.rows)
        sums = (self.flat @ hidden.T).reshape(n, self.patches, len(hidden))
        if self._bilinear:
            return sums, np.ones_like(sums)
        if masks is not None:
            return sums[:, 0] * masks, masks[:, None, :].astype(float)
        slopes = np.where(sums > 0.0, 1.0, self.problem.slope)
        if self.problem.read == "max":
            best = sums.argmax(axis=1)[:, None, :]
            slopes = slopes * (np.arange(self.patches)[None, :, None] == best)
        elif self.problem.read == "average":
            slopes = slopes / self.patches
        return (slopes * sums).sum(axis=1), slopes

    def predict(self, theta: FloatArray, masks: Any = None) -> FloatArray:
        """The outputs f."""
        hidden, output, skip, b = self.split(theta)
        return self._outputs(self.activations(hidden, masks)[0], output, skip) + b

    def value_and_gradient(self, theta: FloatArray, masks: Any = None) -> tuple[float, FloatArray]:
        hidden, output, skip, b = self.split(theta)
        active, slopes = self.activations(hidden, masks)
        f = self._outputs(active, output, skip) + b
        values, g = self.loss(f)
        size = float(values) + 0.5 * self.beta * float(hidden.ravel() @ hidden.ravel())
        size += 0.5 * self.beta * float(output.ravel() @ output.ravel())
        if self._bilinear:
            to_output = np.einsum("n,nkm->mk", g, active)
            back = g[:, None, None] * output.T[None]
        else:
            to_output = (active.T @ g)[:, None]
            back = slopes * (g[:, None] * output[:, 0])[:, None, :]
        to_hidden = back.reshape(len(self.flat), len(hidden)).T @ self.flat + self.beta * hidden
        to_skip = None
        if skip is not None:
            to_skip = self.rows[:, 0].T @ g
            if self.problem.skip == "penalised":
                length = float(np.linalg.norm(skip))
                size += self.beta * length
                to_skip = to_skip + self.beta * skip / max(length, _TINY)
        to_output = to_output + self.beta * output
        return size, self.join(to_hidden, to_output, to_skip, float(g.sum()))

    def _outputs(
        self, active: FloatArray, output: FloatArray, skip: FloatArray | None
    ) -> FloatArray:
        f = np.einsum("nkm,mk->n", active, output) if self._bilinear else active @ output[:, 0]
        return f if skip is None else f + self.rows[:, 0] @ skip

    def loss(self, f: FloatArray) -> tuple[float, FloatArray]:
        """The loss and its gradient."""
        y, weights, name = self.y, self.weights, self.problem.loss
        if self.problem.has_log_link:
            return deviances.losses(name, f, y, weights)
        if name == "logistic":
            margin = y * f
            pull = 1.0 / (1.0 + np.exp(np.minimum(margin, 700.0)))
            return float(weights @ np.logaddexp(0.0, -margin)), -weights * y * pull
        if name == "squared_hinge":
            pull = np.maximum(1.0 - y * f, 0.0)
            return 0.5 * float(weights @ pull**2), -weights * y * pull
        residual = f - y
        if name in ("absolute", "quantile", "hinge"):
            sides = [kink_sides(name, Fraction(float(target))) for target in self.problem.y]
            # Of the first degree, where the others are of the second.
            unit = self.delta / self.problem.delta
            low, high = (unit * np.array(part, dtype=float) for part in zip(*sides, strict=True))
            pull = np.where(residual < 0.0, high, np.where(residual > 0.0, low, 0.0))
            return float(weights @ (-pull * residual)), -weights * pull
        if name == "squared":
            return 0.5 * float(weights @ residual**2), weights * residual
        clipped = np.clip(residual, -self.delta, self.delta)
        return float(weights @ (clipped * (residual - 0.5 * clipped))), weights * clipped


def kink_projections(scaled: ScaledProblem, theta: FloatArray) -> Any:
    """Projections of every neuron on the directions that keep its activations of zero at zero.

    Of shape (m, p, p); None where no neuron is on a kink. With max pooling the patches that
    tie for the largest stay tied.
    """
    if scaled.problem.read in ("gated", "bilinear") or not np.isfinite(theta).all():
        return None
    hidden, *_ = scaled.split(theta)
    projections, found = np.tile(np.eye(scaled.p), (len(hidden), 1, 1)), False
    lengths = np.abs(scaled.flat).max(axis=1)
    units = scaled.flat[lengths > 0.0] / lengths[lengths > 0.0, None]
    for j, u in enumerate(hidden):
        size = float(np.abs(u).max(initial=0.0))
        fixed = units[np.abs(units @ u) <= _ON_KINK * size]
        if scaled.problem.read == "max":
            fixed = np.vstack([fixed, _ties(scaled.rows, u, _ON_KINK * size)])
        if size > 0.0 and len(fixed):
            left, values, _ = np.linalg.svd(fixed.T, full_matrices=False)
            base = left[:, values > _ON_KINK * values[0]]
            projections[j] -= base @ base.T
            found = True
    return projections if found else None


def _ties(rows: FloatArray, u: FloatArray, tolerance: float) -> FloatArray:
    """Differences of patches of an image that have the largest activation together."""
    sums = rows @ u
    best = sums.argmax(axis=1)
    differences = rows - rows[np.arange(len(rows)), best][:, None, :]
    tied = (sums.max(axis=1)[:, None] - sums <= tolerance) & (differences != 0.0).any(axis=2)
    return differences[tied]


def _power(array: FloatArray) -> int:
    """The exponent of the power of two next to the largest entry."""
    largest = float(np.abs(array).max(initial=0.0))
    return int(np.frexp(largest)[1]) if largest > 0.0 else 0


def _ldexp(number: float, power: int) -> float:
    """Times 2^power; infinite or zero beyond float64."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(np.float64(number), power))
