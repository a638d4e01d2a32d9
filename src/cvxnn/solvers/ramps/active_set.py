"""Quadratic losses of piecewise linear functions that pay for turns: an active set of knots."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers.line import Line
from cvxnn.solvers.ramps.knots import Knots


@dataclass(frozen=True)
class Settings:
    """The numbers that the active set goes by.

    Attributes
    ----------
    violation : float
        Share of beta by which a turn may be too large where no knot is.
    least_gain : float
        Relative gain of a round below which rounding is all that is left.
    rounding : float
        The same of a step.
    """

    violation: float = 1e-11
    least_gain: float = 1e-15
    rounding: float = 1e-19


SETTINGS = Settings()


@final
@dataclass(frozen=True)
class Broken:
    """A piecewise linear function: its knots, values there, and the signs of its turns.

    Attributes
    ----------
    knots : Knots
    values : ndarray, shape (k,)
    signs : ndarray, shape (k,)
        Of each turn that is or is to come; 0 where the function is a constant.
    """

    knots: Knots
    values: FloatArray
    signs: FloatArray

    @classmethod
    def constant(cls, line: Line, value: float) -> Broken:
        """A number."""
        return cls(Knots(line.points, np.zeros(1, np.int64)), np.array([value]), np.zeros(1))

    @property
    def turns(self) -> FloatArray:
        """At each knot, of the sign that they have to have: what is not is rounding."""
        return self.signs * np.maximum(self.signs * self.knots.turns(self.values), 0.0)

    @property
    def cost(self) -> float:
        """What beta multiplies: half the sum of the moduli of all turns."""
        return 0.5 * float(np.abs(self.knots.turns(self.values)).sum())

    def expand(self) -> FloatArray:
        """The values at all points."""
        return self.knots.expand(self.values)

    def without(self, dropped: BoolArray) -> Broken:
        """Without some knots, where the function does not turn."""
        kept = np.flatnonzero(~dropped)
        if len(kept) < 2:
            kept = kept[:1] if len(kept) else np.zeros(1, np.int64)
            return Broken(self.knots.keep(kept), self.values[kept], np.zeros(1))
        return Broken(self.knots.keep(kept), self.values[kept], self.signs[kept])

    def joined(self, index: IntArray, signs: FloatArray) -> Broken:
        """With more knots, at which it does not turn yet."""
        old = self.knots
        if not self.signs.any():
            # The knot of a constant is none.
            old = replace(old, index=old.index[:0])
        every = np.concatenate([old.index, index])
        order = np.argsort(every, kind="stable")
        both = np.concatenate([self.signs[: len(old.index)], signs])
        knots = Knots(old.points, every[order])
        return Broken(knots, self.expand()[knots.index], both[order])


@final
@dataclass(frozen=True)
class QuadraticModel:
    """``1/2 sum_i h_i (f_i - c_i)^2 - p'(f - c) + beta/2 sum_j |turn_j|`` on a line.

    Attributes
    ----------
    line : Line
    h, centre, pull : ndarray, shape (m,)
        At the distinct points: h > 0, c and p.
    beta : float
    """

    line: Line
    h: FloatArray
    centre: FloatArray
    pull: FloatArray
    beta: float

    def residual(self, f: FloatArray) -> FloatArray:
        """Minus the gradient of what is no turn."""
        return self.pull - self.h * (f - self.centre)

    def value(self, now: Broken) -> float:
        """The objective of a function."""
        moved = now.expand() - self.centre
        return float((0.5 * self.h * moved - self.pull) @ moved) + self.beta * now.cost

    def solve(self, start: Broken, deadline: Deadline) -> Broken:
        """The minimum, from a function to begin with; as far as it comes until the deadline.

        On given knots and signs of turns the minimum is that of a quadratic function: Newton's
        step is exact. It ends where a turn has changed its sign and the objective grows; a knot
        without a turn is dropped. Then knots come in where the turns D of the residual are
        beyond ``mean -+ beta/2``, at most one of each sign between two knots; of those that
        would turn the other way there the step leaves out all. Every step lowers the objective,
        and there are finitely many sets: this ends at the minimum. O(m) a step.
        """
        now, before = start, np.inf
        while not deadline.passed:
            check_interrupt()
            now = self.rest(now, deadline)
            value = self.value(now)
            if value >= before - SETTINGS.least_gain * abs(value):
                break
            before = value
            index, signs = self._missing(now)
            if len(index) == 0:
                break
            now = now.joined(index, signs)
        return now

    def rest(self, now: Broken, deadline: Deadline = UNLIMITED) -> Broken:
        """The minimum on the knots that there are, some of which may go."""
        while not deadline.passed:
            step, gains = self._newton(now)
            turns = now.signs * now.turns
            wrong = (turns <= 0.0) & (gains < 0.0)
            if wrong.any():
                now = now.without(wrong)
                continue
            crossing = turns + gains < 0.0
            if not crossing.any():
                return replace(now, values=now.values + step)
            moved = self._step(now, step, turns, gains)
            if moved is None:
                break
            now = moved
        return now

    def _newton(self, now: Broken) -> tuple[FloatArray, FloatArray]:
        """Newton's step for the signs as they are, and by how much it turns there."""
        knots = now.knots
        pull = knots.gathered(self.residual(now.expand()))
        step = knots.solve(self.h, pull - 0.5 * self.beta * knots.turns(now.signs))
        return step, now.signs * knots.turns(step)

    def _step(
        self, now: Broken, step: FloatArray, turns: FloatArray, gains: FloatArray
    ) -> Broken | None:
        """The best point on the way of a step along which turns vanish, and grow again.

        None where the objective falls by rounding only: such steps may go round in a circle.
        """
        move = now.knots.expand(step)
        slope = -float(self.residual(now.expand()) @ move) + 0.5 * self.beta * float(gains.sum())
        curvature = float(self.h @ move**2)
        if slope >= 0.0 or 0.5 * slope**2 <= SETTINGS.rounding * abs(self.value(now)) * curvature:
            return None
        falling = np.flatnonzero(turns + gains < 0.0)
        ends = turns[falling] / -gains[falling]
        order = np.argsort(ends, kind="stable")
        signs, dropped = now.signs.copy(), np.zeros(len(now.signs), dtype=np.bool_)
        t = 1.0
        for j, end in zip(falling[order], ends[order], strict=True):
            if slope + end * curvature >= 0.0:
                t = -slope / curvature
                break
            slope -= self.beta * float(gains[j])
            signs[j] = -signs[j]
            if slope + end * curvature >= 0.0:
                t, dropped[j] = float(end), True
                break
        else:
            t = min(1.0, -slope / curvature)
        moved = Broken(now.knots, now.values + t * step, signs)
        return moved.without(dropped) if dropped.any() else moved

    def _missing(self, now: Broken) -> tuple[IntArray, FloatArray]:
        """Points at which a turn would lower the objective, and its sign there."""
        D, half = self.line.turns_of(self.residual(now.expand())), 0.5 * self.beta
        allowed = half * (1.0 + SETTINGS.violation)
        if not now.signs.any():
            ends = np.array([int(np.argmax(D)), int(np.argmin(D))])
            if D[ends[0]] - D[ends[1]] <= 2.0 * allowed:
                return ends[:0], np.zeros(0)
            return ends, np.array([1.0, -1.0])
        index = now.knots.index
        level = float(np.mean(D[index] - half * now.signs))
        found, signs = [], []
        bounds = np.concatenate([[0], index + 1, [len(D)]])
        for sign in (1.0, -1.0):
            excess = sign * (D - level) - allowed
            excess[index] = -np.inf
            for low, high in itertools.pairwise(bounds):
                if low < high:
                    best = low + int(np.argmax(excess[low:high]))
                    if excess[best] > 0.0:
                        found.append(best)
                        signs.append(sign)
        return np.array(found, dtype=np.int64), np.array(signs)
