"""The time of a whole fit: seconds, no limit, or as long as it takes without a proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.validation import check_optional_positive

# Seconds for a proof that nobody has asked for, and for a search that would end by itself: it
# takes as many for some ten thousand rows of a hundred columns and many classes.
_PROOF, SEARCH = 10.0, 60.0


@dataclass(frozen=True)
class Budget:
    """Time that the networks of a fit share.

    Attributes
    ----------
    deadline : Deadline
        Of the whole fit.
    is_open_ended : bool
        Whether a search ends where it gains little, before the clock does: so a fit is the
        same on machines of most speeds.
    """

    deadline: Deadline
    is_open_ended: bool = False

    @classmethod
    def of(cls, time_limit: object, *, has_proof: bool = True) -> Self:
        """From the parameter; the clock starts.

        Raises
        ------
        InputError
            If it is neither "auto", None nor a number > 0.

        Examples
        --------
        >>> Budget.of("auto", has_proof=False).is_open_ended, Budget.of(None).deadline.limited
        (True, False)
        """
        if isinstance(time_limit, str):
            if time_limit != "auto":
                raise InputError(
                    f"time_limit must be 'auto', None or seconds > 0, got {time_limit!r}."
                )
            seconds = _PROOF if has_proof else SEARCH
            return cls(Deadline(seconds), is_open_ended=not has_proof)
        return cls(Deadline(check_optional_positive(time_limit, "time_limit")))

    def share_of(self, n_left: int) -> Deadline:
        """The share of one of so many networks that are left."""
        if not self.deadline.limited:
            return self.deadline
        return self.deadline.share(1.0 / n_left)
