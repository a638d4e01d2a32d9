"""The frame of a run: rounds until the gap is closed or a limit is reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from cvxnn.clocks import clock
from cvxnn.interrupts import (
    Deadline,
    OutOfTimeError,
    check_interrupt,
    deferred_interrupts,
    forget_interrupt,
)
from cvxnn.results import Progress, Status, relative_gap

Callback = Callable[[Progress], object]


@dataclass(frozen=True)
class Settings:
    """What a run is asked for."""

    tol: float
    max_iter: int
    time_limit: float | None
    callback: Callback | None


class Rounds(ABC):
    """The state of a run: the best weights and the best bound, at any time a valid answer.

    Attributes
    ----------
    objective, dual_bound : float
        In the units of the data.
    history : list of Progress
        One entry per round.
    elapsed : float
    """

    # Rounds without any progress after which rounding is to blame.
    _patience: int

    def __init__(self, settings: Settings) -> None:
        self._settings, self._start = settings, clock()
        self._deadline = Deadline(settings.time_limit)
        self.objective, self.dual_bound, self._idle = float("inf"), -float("inf"), 0
        self.history: list[Progress] = []

    @property
    def elapsed(self) -> float:
        return clock() - self._start

    @property
    def gap(self) -> float:
        return relative_gap(self.objective, self.dual_bound)

    def execute(self) -> Status:
        """Run until the gap is within tol, or a limit is reached."""
        with deferred_interrupts():
            try:
                self._begin()
                while (status := self._status()) is None:
                    check_interrupt()
                    self._count_round()
                self._finish()
            except OutOfTimeError:
                status = Status.TIME_LIMIT
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            if not status.is_success:
                self._open_if_empty()
            forget_interrupt()
        return status

    def _open_if_empty(self) -> None:
        """A first network, in the time of a few passes over the data, if there is none."""
        # One Ctrl-C is what has led here, or is meant for what is over anyway.
        for _ in range(2):
            try:
                return self._open()
            except KeyboardInterrupt:
                continue

    @abstractmethod
    def _begin(self) -> None:
        """Note the network that is 0, and what it proves."""

    @abstractmethod
    def _round(self) -> bool:
        """Improve the weights or the bound; or else say whether that is still to come."""

    @abstractmethod
    def _open(self) -> None:
        """Note a first network that is better than 0, unless there is one already."""

    @abstractmethod
    def _finish(self) -> None:
        """Make the weights presentable; they are as good before."""

    @property
    @abstractmethod
    def _sizes(self) -> tuple[int, int]:
        """Blocks in the working set and neurons of the best network, for a callback."""

    def _status(self) -> Status | None:
        if self.gap <= self._settings.tol:
            return Status.OPTIMAL
        if self._deadline.passed:
            return Status.TIME_LIMIT
        if len(self.history) >= self._settings.max_iter:
            return Status.ITERATION_LIMIT
        return Status.NUMERICAL_ERROR if self._idle >= self._patience else None

    def _count_round(self) -> None:
        before = self.objective, self.dual_bound
        advancing = self._round() or (self.objective, self.dual_bound) != before
        self._idle = 0 if advancing else self._idle + 1
        sizes = self._sizes
        self.history.append(
            Progress(len(self.history), self.elapsed, self.objective, self.dual_bound, *sizes)
        )
        if self._settings.callback is not None:
            self._settings.callback(self.history[-1])
