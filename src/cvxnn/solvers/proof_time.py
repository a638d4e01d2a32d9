"""How long a run looks for proofs that may never end: no longer than it has searched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline
from cvxnn.methods import LEAST_PROOF, Method

# Share of the time for proofs in which an exact oracle may look for one before a relaxation, where
# it usually does not end: what it leaves is of more use there.
_EXACT = 0.25
# Share of a limited time that is kept for proofs, at most: somebody has to search, too.
_MOST_KEPT = 2.0 / 3.0
# Seconds for an exact oracle that usually ends.
_PATIENCE = 60.0


@final
class ProofTime:
    """The seconds of a run for proofs: by oracles that may not end, then by a relaxation.

    Parameters
    ----------
    method : Method
        Says how many.

    Attributes
    ----------
    taken : float
        What such oracles have had of them.
    cut_short : float or None
        The same, where the last of them was cut short and may end with more.

    Examples
    --------
    >>> from cvxnn.methods import Global
    >>> ProofTime.kept(Global(), 60.0), ProofTime.kept(Global(proof_time=5.0), 60.0)
    (30.0, 5.0)
    """

    def __init__(self, method: Method) -> None:
        self._method, self._begun, self.taken = method, clock(), 0.0
        self.cut_short: float | None = None

    @staticmethod
    def kept(method: Method, limit: float) -> float:
        """Seconds of a time limit that a search leaves for a relaxation.

        As many as the method wants: by default half, so that a proof takes as long as the
        search. A search has a third of the limit at least.
        """
        return min(method.proof_seconds(0.5 * limit), _MOST_KEPT * limit)

    @property
    def searched(self) -> float:
        """Seconds since the begin, without those of the oracles."""
        return clock() - self._begun - self.taken

    def exact(self, *, ends: bool) -> float:
        """Seconds that are left for an exact oracle, which usually `ends` or does not.

        A quarter of those for proofs. Whoever asks for more time than the search took asks for
        it here, too; whoever wants no relaxation still asks for an exact oracle.
        """
        searched = max(self.searched, LEAST_PROOF)
        share = _EXACT * max(searched, self._method.proof_seconds(searched))
        return max(share, _PATIENCE if ends else 0.0) - self.taken

    def relaxed(self) -> float:
        """Seconds for a relaxation."""
        return self._method.proof_seconds(self.searched, self.taken)

    def parameter(self, limit: Deadline, *, timed_out: bool) -> str:
        """What gives proofs more time: "proof_time", "time_limit" or both.

        Parameters
        ----------
        limit : Deadline
            Of the run, before its relaxation.
        timed_out : bool
            Whether the search has used its share of that.

        Examples
        --------
        >>> from cvxnn.methods import Global
        >>> [
        ...     ProofTime(Global(proof_time=seconds)).parameter(Deadline(6.0), timed_out=True)
        ...     for seconds in ("auto", 1.0, 100.0)
        ... ]
        ['time_limit or proof_time', 'proof_time', 'time_limit']
        """
        if not limit.limited or not (timed_out or limit.remaining < self.relaxed()):
            return "proof_time"
        total = limit.elapsed + limit.remaining
        kept, method = self.kept(self._method, total), self._method
        if self.kept(method, 2.0 * total) <= kept:
            return "proof_time"
        return "time_limit or proof_time" if kept < _MOST_KEPT * total else "time_limit"

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count what an oracle takes."""
        begun = clock()
        try:
            yield
        finally:
            self.taken += clock() - begun
