"""A search inside another one, taken to its end round by round."""

from __future__ import annotations

from typing import final

from cvxnn.interrupts import OutOfTimeError
from cvxnn.solvers.search import Search

# A few more rounds for the last digits, where they are cheap: the same network, up to
# rounding, for every random state. Predictions err by the root of the gap, so that it
# takes many digits of that.
_SHARP, _SHARP_ROUNDS = 1e-3, 3


@final
class Pursuit:
    """The rounds of a search up to its gap, and a few beyond it for the last digits.

    Parameters
    ----------
    search : Search
    tol : float
        The gap.
    """

    def __init__(self, search: Search, tol: float) -> None:
        self.search, self.tol = search, tol
        self._sharp_rounds = 0

    def advance(self) -> bool:
        """One round; False where none is left to do.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the gap is reached.
        """
        search = self.search
        if search.reaches(self.tol):
            return self._sharpen()
        if search.stationary or search.is_stuck or search.deadline.passed:
            return False
        search.step(self.tol)
        return True

    def _sharpen(self) -> bool:
        if self._sharp_rounds == _SHARP_ROUNDS or self.search.deadline.passed:
            return False
        self._sharp_rounds += 1
        try:
            return self.search.sharpen(_SHARP * self.tol)
        except OutOfTimeError:
            # What was asked for is there.
            return False
