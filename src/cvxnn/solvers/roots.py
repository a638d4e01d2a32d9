"""The root of a falling function whose values come one after the other, each from a search."""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.optimize import brentq

# Steps of Brent's method, at most; some ten are needed.
_MOST_STEPS = 50
# Steps away from the start after which the search ends without a root.
_MOST_AWAY = 9


class _UnknownValueError(Exception):
    """The value at a point is not known yet."""

    def __init__(self, point: float) -> None:
        super().__init__(point)
        self.point = point


@final
class RootSearch:
    """A bracket by steps that double, then Brent's method, resumed after every value.

    Every time the whole way is gone again over the known values: they are few.

    Parameters
    ----------
    start : float
    first_step : float
        Away from the start; each further one is twice as long.

    Examples
    --------
    >>> search = RootSearch(0.0, 0.3)
    >>> while (point := search.next_point) is not None:
    ...     search.note(point, 1.0 - point**3)
    ...     last = point
    >>> round(last, 12)
    1.0
    """

    def __init__(self, start: float, first_step: float) -> None:
        self._start, self._first_step = start, first_step
        self._values: dict[float, float] = {}

    def note(self, point: float, value: float) -> None:
        """The value at a point that was asked for."""
        self._values[point] = value

    @property
    def next_point(self) -> float | None:
        """The point whose value is to be noted next; None at the end."""
        try:
            ends = self._bracket()
            if ends is not None:
                brentq(self._value, *ends, xtol=1e-15, maxiter=_MOST_STEPS, disp=False)
        except _UnknownValueError as unknown:
            return unknown.point
        return None

    def _value(self, point: float) -> float:
        if point not in self._values:
            raise _UnknownValueError(point)
        return self._values[point]

    def _bracket(self) -> tuple[float, float] | None:
        """Two points with the root between them; None if there is none far and wide."""
        point, value = self._start, self._value(self._start)
        if value == 0.0:
            return None
        step = self._first_step * float(np.sign(value))
        for _ in range(_MOST_AWAY):
            following = point + step
            # The sign is that of the first value until the root is passed.
            if value * self._value(following) <= 0.0:
                return point, following
            point, step = following, 2.0 * step
        return None
