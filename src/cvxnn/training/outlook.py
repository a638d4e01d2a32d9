"""How a bound comes closer as time goes on, and whether more of it would help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.results import relative_gap

# A gap of which the last half of the time has closed less than this share is at rest.
_SLOW = 0.03
# Times more than it has had that a bound may be worth waiting for.
_PATIENCE = 100.0


@final
@dataclass
class Outlook:
    """The bounds of a relaxation on one objective over the time that it was given.

    Attributes
    ----------
    objective : float
        Of the network whose gap it is.
    at_rest : bool
        Whether it has ended before its time, because it came no closer.

    Examples
    --------
    >>> outlook = Outlook(10.0)
    >>> for seconds, bound in [(1.0, 6.0), (2.0, 8.0), (4.0, 9.0)]:
    ...     outlook.add(seconds, bound)
    >>> outlook.times_for_half  # the last doubling of the time has halved the gap
    2.0
    >>> outlook.sentence()
    'it would halve in about 8 s of proof, with a larger proof_time (it had 4 s).'
    """

    objective: float
    at_rest: bool = False
    _bounds: list[tuple[float, float]] = field(default_factory=list)

    def add(self, seconds: float, bound: float) -> None:
        """One more bound, after so many seconds of the relaxation."""
        self._bounds.append((seconds, bound))

    @property
    def seconds(self) -> float:
        """What the relaxation has had of time."""
        return self._bounds[-1][0] if self._bounds else 0.0

    @property
    def times_for_half(self) -> float:
        """How many times as long would halve the gap, if it goes on like the last half; or inf."""
        if self.at_rest or len(self._bounds) < 2:
            return np.inf
        end, last = self._bounds[-1]
        middle = [bound for seconds, bound in self._bounds if seconds <= 0.5 * end]
        before = relative_gap(self.objective, middle[-1] if middle else self._bounds[0][1])
        now = relative_gap(self.objective, last)
        if not 0.0 < now < (1.0 - _SLOW) * before:
            return np.inf
        return float(2.0 ** (np.log(2.0) / np.log(before / now)))

    @property
    def is_known(self) -> bool:
        """Whether there is more than one bound, or an end, to tell it from."""
        return self.at_rest or len(self._bounds) > 1

    @property
    def helps(self) -> bool:
        """Whether more time would bring the bound closer."""
        return self.times_for_half <= _PATIENCE

    def sentence(self, *, limited: bool = False, what: str = "it") -> str:
        """What more time would bring.

        Parameters
        ----------
        limited : bool
            Whether it was the time of the whole run that was over.
        what : str
            How the gap is called.
        """
        how = "with a larger time_limit" if limited else "with a larger proof_time"
        if not self.is_known:
            return f"{what} may narrow {how}."
        if not self.helps:
            return f"{what} would hardly narrow with more time."
        times = self.times_for_half
        return (
            f"{what} would halve in about {_rounded(times * self.seconds)} s of proof, {how} "
            f"(it had {_rounded(self.seconds)} s)."
        )


def _rounded(seconds: float) -> str:
    """Two digits, without an exponent."""
    return f"{float(f'{seconds:.2g}'):g}"
