"""How the optimum with a loss that has kinks is looked for: by searches with smooth ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, final

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.search import Search
from cvxnn.solvers.smoothing.problems import SmoothedProblem
from cvxnn.solvers.smoothing.search import Evaluated, SmoothingSearch
from cvxnn.solvers.strategy import Strategy

# Residuals next to a kink, for targets of size one: of a first network, and of what is as good as
# the loss itself.
_FIRST, _NOTHING = 2.0**-10, 2.0**-40


@final
class SmoothingStrategy(Strategy):
    """Opens the search with a loss that has kinks.

    Parameters
    ----------
    problem : Problem
    inner : callable
        The strategy for a problem of a smooth loss on the same rows.
    evaluated : callable
        Predictions of neurons, with all that is beside them, and what beta multiplies.
    start : Neurons, optional
        Where the search starts.
    intercept : bool
        Whether there is one beside the neurons.
    gradual : bool
        Whether widths fall step by step, for searches by Newton's method.
    """

    def __init__(
        self,
        problem: Problem[Any],
        inner: Callable[[Problem[Any]], Strategy],
        evaluated: Evaluated,
        start: Neurons | None = None,
        *,
        intercept: bool,
        gradual: bool = False,
    ) -> None:
        self._intercept, self._gradual = intercept, gradual
        self._problem, self._evaluated, self._start = problem, evaluated, start
        self._strategy_for = inner
        self._inner = inner(SmoothedProblem.over(problem, _FIRST).problem)

    @cached_property
    def _sharp(self) -> tuple[SmoothedProblem, Strategy]:
        """The problem with hardly any width, for what takes no search."""
        smoothed = SmoothedProblem.over(self._problem, _NOTHING)
        return smoothed, self._strategy_for(smoothed.problem)

    @property
    def n_patterns(self) -> int:  # type: ignore[override]
        """Patterns of the neurons."""
        return self._inner.n_patterns

    @property
    def arrays(self) -> dict[str, FloatArray]:
        """Those of the neurons."""
        return self._inner.arrays

    @property
    def asks(self) -> bool:
        """As for smooth losses."""
        return self._inner.asks

    @property
    def polishes(self) -> bool:
        """As for smooth losses."""
        return self._inner.polishes

    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""
        return self.open_for(self._problem, self._start, deadline)

    def open_for(
        self,
        problem: Problem[Any],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows."""

        def open_smooth(smooth: Problem[Any], start: Neurons | None) -> Search:
            return self._inner.open_for(smooth, start, deadline, certifies=certifies)

        search = SmoothingSearch(
            problem, self.nothing(), open_smooth, self._evaluated, deadline,
            intercept=self._intercept, gradual=self._gradual,
        )  # fmt: skip
        search.start_from(start, self.first_proof())
        return search

    def opening(self) -> Neurons:
        """A first network for a smooth loss."""
        return self._inner.opening()

    def nothing(self) -> Neurons:
        """No neurons."""
        return self._sharp[1].nothing()

    def first_proof(self) -> DualProof:
        """What the residual of the network without neurons proves."""
        smoothed, strategy = self._sharp
        return smoothed.proof(strategy.first_proof())

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by an exact oracle."""
        smoothed, strategy = self._sharp
        return smoothed.proof(strategy.sharp_proof(deadline))
