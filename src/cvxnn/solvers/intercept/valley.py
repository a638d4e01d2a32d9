"""Where a convex function of one variable is least, from values that come one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

# Steps away from the start after which the search ends without a minimum, and each at least,
# and at most, in those before.
_MOST_AWAY, _LEAST_GROWTH, _MOST_GROWTH = 9, 4.0, 64.0
# Points between two sides of the minimum, at most; some five are needed.
_MOST_BETWEEN = 40
# Share of the smallest slope so far that a new one has to be if it is said to fall.
_FASTER = 0.3


@dataclass(frozen=True)
class _Point:
    at: float
    value: float
    slope: float

    def tangent(self, at: float) -> float:
        return self.value + self.slope * (at - self.at)


@final
class Valley:
    """Steps that grow until the slope has changed its sign, and then points between.

    These are where the slope, as a line, is 0, as long as slopes fall; where they do not,
    the function may have a kink, which is where tangents on both sides meet.

    Parameters
    ----------
    start : float
    first_step : float
        Away from the start.

    Examples
    --------
    >>> valley = Valley(0.0, 0.3)
    >>> while (at := valley.next_point) is not None:
    ...     valley.note(at, abs(at - 1.0), float(np.sign(at - 1.0)))
    ...     last = at
    >>> last
    1.0
    """

    def __init__(self, start: float, first_step: float) -> None:
        self._start, self._first_step = start, first_step
        self._points: list[_Point] = []
        self._n_between, self._has_kink = 0, False

    def note(self, point: float, value: float, slope: float) -> None:
        """The function at a point that was asked for."""
        if self.width < np.inf:
            falls = abs(slope) <= _FASTER * min(abs(point.slope) for point in self._points)
            self._n_between, self._has_kink = self._n_between + 1, not (falls or self._has_kink)
        self._points.append(_Point(point, value, slope))

    @property
    def width(self) -> float:
        """Of the narrowest interval at whose ends the signs of slopes differ; inf for none."""
        low, high = self._sides()
        return max(high.at - low.at, 0.0) if low and high else np.inf

    @property
    def next_point(self) -> float | None:
        """The point whose value is to be noted next; None at the end."""
        if not self._points:
            return self._start
        low, high = self._sides()
        if any(point.slope == 0.0 for point in self._points) or self._n_between == _MOST_BETWEEN:
            return None
        if low is None or high is None:
            return self._beyond() if len(self._points) <= _MOST_AWAY else None
        for at in (self._between(low, high), 0.5 * (low.at + high.at)):
            if low.at < at < high.at:
                return at
        return None

    def _sides(self) -> tuple[_Point | None, _Point | None]:
        """The last point where the function falls, and the first where it rises."""
        falls = [point for point in self._points if point.slope <= 0.0]
        rises = [point for point in self._points if point.slope >= 0.0]
        low = max(falls, key=lambda point: point.at, default=None)
        return low, min(rises, key=lambda point: point.at, default=None)

    def _beyond(self) -> float:
        """A longer step than the last, as far as the slope, as a line, needs to be 0."""
        last = self._points[-1]
        if len(self._points) == 1:
            return last.at - float(np.copysign(self._first_step, last.slope))
        before = self._points[-2]
        step, fall = last.at - before.at, before.slope - last.slope
        growth = 1.2 * last.slope / fall if fall * last.slope > 0.0 else _LEAST_GROWTH
        return last.at + step * float(np.clip(growth, _LEAST_GROWTH, _MOST_GROWTH))

    def _between(self, low: _Point, high: _Point) -> float:
        if self._has_kink:
            # Relative to the lower end, whose tangent falls and the other's rises.
            return low.at + (low.value - high.tangent(low.at)) / (high.slope - low.slope)
        best, second, *_ = sorted(self._points, key=lambda point: abs(point.slope))
        change = second.slope - best.slope
        return best.at - best.slope * (second.at - best.at) / change if change else np.nan
