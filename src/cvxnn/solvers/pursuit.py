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
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self._sharp_rounds = 0

    def advance(self, tol: float) -> bool:
        """One round on the way to the gap `tol`; False where none is left to do.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the gap is reached.
        """
        search = self.search
        if search.reaches(tol):
            return self._sharpen(_SHARP * tol)
        if search.stationary or search.is_stuck or search.deadline.passed:
            return False
        search.step(tol)
        return True

    def _sharpen(self, tol: float) -> bool:
        if self._sharp_rounds == _SHARP_ROUNDS or self.search.deadline.passed:
            return False
        self._sharp_rounds += 1
        try:
            return self.search.sharpen(tol)
        except OutOfTimeError:
            # What was asked for is there.
            return False
