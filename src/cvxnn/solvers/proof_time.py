"""How long a run looks for proofs that may never end: no longer than it has searched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from cvxnn.clocks import clock
from cvxnn.methods import LEAST_PROOF, Method

# Share of the time for proofs in which an exact oracle may look for one before a relaxation: it
# ends at once or never.
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

    Examples
    --------
    >>> from cvxnn.methods import Global
    >>> ProofTime.kept(Global(), 60.0), ProofTime.kept(Global(proof_time=5.0), 60.0)
    (30.0, 5.0)
    """

    def __init__(self, method: Method) -> None:
        self._method, self._begun, self.taken = method, clock(), 0.0

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

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Count what an oracle takes."""
        begun = clock()
        try:
            yield
        finally:
            self.taken += clock() - begun
