"""The time of a whole fit: seconds, no limit, or as long as it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.validation import check_optional_positive

# Seconds of a fit that nobody has given a time, and those in it for proofs: searches that end
# by themselves take as many for some ten thousand rows of a hundred columns and many classes.
AUTOMATIC, PROOFS = 60.0, 5.0
# Share of a fit for bounds by a relaxation that nobody has asked for.
_BOUNDS = 0.1


@dataclass(frozen=True)
class Budget:
    """Time that the networks of a fit share.

    Attributes
    ----------
    deadline : Deadline
        Of the whole fit.
    is_automatic : bool
        Whether nobody has asked for a time: a search ends where it gains little, before the
        clock does, so that a fit is the same on machines of most speeds.
    proofs : float
        Seconds in it for proofs that nobody has asked for.
    """

    deadline: Deadline
    is_automatic: bool = False
    proofs: float = 0.0

    @classmethod
    def of(cls, time_limit: object, *, has_proof: bool = False) -> Self:
        """From the parameter, and whether proofs take seconds; the clock starts.

        Raises
        ------
        InputError
            If it is neither "auto", None nor a number > 0.

        Examples
        --------
        >>> Budget.of("auto").is_automatic, Budget.of(None).deadline.limited
        (True, False)
        """
        if isinstance(time_limit, str):
            if time_limit != "auto":
                raise InputError(
                    f"time_limit must be 'auto', None or seconds > 0, got {time_limit!r}."
                )
            return cls(Deadline(AUTOMATIC), is_automatic=True, proofs=has_proof * PROOFS)
        return cls(Deadline(check_optional_positive(time_limit, "time_limit")))

    def bounds(self, proof_time: float | str) -> float:
        """Seconds for bounds by a relaxation of all networks, once they are there.

        A search that has been given a time looks for them by itself.
        """
        if not self.is_automatic:
            return 0.0
        if isinstance(proof_time, str):
            return _BOUNDS * self.deadline.elapsed
        return proof_time

    def share_of(self, n_left: int) -> Deadline:
        """The share of one of so many networks that are left."""
        if not self.deadline.limited:
            return self.deadline
        return self.deadline.share(1.0 / n_left)
