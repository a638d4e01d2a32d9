"""How a bound comes closer as time goes on, and whether more of it would help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.results import relative_gap

# A gap of which a doubling of the time closes less than this share is at rest.
_SLOW = 0.03
# Times the time it has had up to which a halving is foretold: whatever it comes closer to, it does
# so ever more slowly. Up to fewer of a relaxation that is not the last: it comes to rest before.
_PATIENCE, _NOT_LAST = 20.0, 4.0
# Powers of the time that are zero.
_ROUNDING = 1e-3
# Bounds without which nothing is told from how they go on.
_ENOUGH = 6


@final
@dataclass
class Outlook:
    """The bounds of a relaxation on one objective over the time that it was given.

    Attributes
    ----------
    objective : float
        Of the network whose gap it is.
    parameter : str
        What gives the proof more time: "proof_time", "time_limit" or "time_limit or proof_time".
    cut_short : float or None
        Seconds of an exact oracle before it, which was cut short and may end with more.
    least : float or None
        Seconds of a first bound, where there was no time to begin with it.
    at_rest : bool
        Whether it has ended before its time, because it came no closer.

    Examples
    --------
    >>> outlook = Outlook(10.0)
    >>> outlook.begin(is_last=True)
    >>> for seconds in range(1, 13):
    ...     outlook.add(seconds, 10.0 - 8.0 / seconds)
    >>> round(outlook.times_for_half, 6)  # the last doubling of the time has halved the gap
    2.0
    >>> outlook.sentence()
    'it would halve in about 24 s of proof, with a larger proof_time (it had 12 s).'
    """

    objective: float
    parameter: str = "proof_time"
    cut_short: float | None = None
    least: float | None = None
    at_rest: bool = False
    _is_last: bool = field(default=False, init=False)
    _begun: float = field(default=0.0, init=False)
    _bounds: list[tuple[float, float]] = field(default_factory=list, init=False)

    def begin(self, *, is_last: bool) -> None:
        """Another relaxation from here on: larger blocks, or more leaves, or the last of these.

        What came before says little of how its bounds go on.
        """
        self._begun, self._is_last = self.seconds, is_last
        self._bounds = self._bounds[-1:]

    def add(self, seconds: float, bound: float) -> None:
        """One more bound, after so many seconds of the relaxation."""
        self._bounds.append((seconds, bound))

    @property
    def seconds(self) -> float:
        """What the relaxation has had of time."""
        return self._bounds[-1][0] if self._bounds else 0.0

    @property
    def times_for_half(self) -> float:
        """How many times as long would halve the gap, if it goes on like the last half; or inf.

        The gap is taken for a power of the time, fitted by least squares to the last half of it
        and to the last part of that: the slower one counts.
        """
        if self.at_rest:
            return np.inf
        power = min(self._power(0.5), self._power(0.7))
        return float(2.0 ** (1.0 / power)) if power > _ROUNDING else np.inf

    def _power(self, share: float) -> float:
        """Of the time, by which the gap has fallen since this share of it."""
        known = [(t, relative_gap(self.objective, bound)) for t, bound in self._recent(share)]
        logs = np.log([(t, gap) for t, gap in known if 0.0 < gap < np.inf]).reshape(-1, 2)
        if len(logs) < 2:
            return 0.0
        times = logs[:, 0] - logs[:, 0].mean()
        total = float(times @ times)
        return -float(times @ logs[:, 1]) / total if total > 0.0 else 0.0

    def _recent(self, share: float) -> list[tuple[float, float]]:
        """The bounds of this relaxation since a share of the time."""
        return [(t, bound) for t, bound in self._bounds if t >= share * self.seconds and t > 0.0]

    @property
    def is_known(self) -> bool:
        """Whether there are bounds enough, or an end, to tell it from."""
        return self.at_rest or len(self._recent(0.5)) >= _ENOUGH

    @property
    def is_certain(self) -> bool:
        """Whether there is no larger relaxation to come, and this one has had half of the time."""
        return self.at_rest or (self._is_last and 2.0 * self._begun <= self.seconds)

    @property
    def helps(self) -> bool:
        """Whether more time may bring the bound closer."""
        if self.cut_short is not None or not (self.is_known and self.is_certain):
            return True
        return self._foretells

    @property
    def _foretells(self) -> bool:
        """Whether a halving of the gap is near enough to be told."""
        most = _PATIENCE if self.is_certain else _NOT_LAST
        return self.is_known and self.times_for_half <= most

    def sentence(self, what: str = "it") -> str:
        """What more time would bring to the gap, which is called `what`."""
        more = f"with a larger {self.parameter}"
        if self.cut_short is not None:
            spent = _rounded(self.cut_short)
            return (
                f"{what} may close {more}: an exact search was cut short after {spent} s, and may "
                "end in more."
            )
        if self.least is not None:
            return (
                f"{what} may narrow {more}: the first bound of a relaxation takes about "
                f"{_rounded(self.least)} s."
            )
        times = self.times_for_half
        if self._foretells:
            return (
                f"{what} would halve in about {_rounded(times * self.seconds)} s of proof, {more} "
                f"(it had {_rounded(self.seconds)} s)."
            )
        if not (self.is_known and self.is_certain):
            return f"{what} may narrow {more}."
        if times > _times_at_rest():
            return f"{what} would hardly narrow with more time."
        return f"{what} would narrow slowly {more} (it had {_rounded(self.seconds)} s)."


def _times_at_rest() -> float:
    """How many times as long halves a gap that is taken for one at rest."""
    return float(2.0 ** (np.log(2.0) / -np.log1p(-_SLOW)))


def _rounded(seconds: float) -> str:
    """Two digits, without an exponent."""
    return f"{float(f'{seconds:.2g}'):g}"
