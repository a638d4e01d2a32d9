"""How long a check may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import final


@final
class Deadline:
    """An end of the time for a search, which then says what it has proven.

    Parameters
    ----------
    seconds : float, optional
        From now on; None for ever.
    stopped : callable, optional
        Asked, too, whether to end now.

    Attributes
    ----------
    was_missed : bool
        Whether a search was told that its time is up, by this or a share of this.

    Examples
    --------
    >>> Deadline(0.0).passed, Deadline(None).passed
    (True, False)
    """

    def __init__(
        self, seconds: float | None = None, stopped: Callable[[], bool] | None = None
    ) -> None:
        self._end = math.inf if seconds is None else perf_counter() + seconds
        self._stopped, self._whole, self.was_missed = stopped, self, False

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        is_over = perf_counter() >= self._end or (self._stopped is not None and self._stopped())
        if is_over:
            self._whole.was_missed = self.was_missed = True
        return is_over

    def share(self, parts: int) -> Deadline:
        """The first of so many equal parts of what is left."""
        if self._end == math.inf:
            return self
        found = Deadline(max(self._end - perf_counter(), 0.0) / parts, self._stopped)
        found._whole = self._whole
        return found


FOREVER = Deadline()
