"""One network to train: from other networks or from nothing, for so long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cvxnn.blas import suitable_threads
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.joined_search import JoinedSearch, mean
from cvxnn.estimators.training import AT_ONCE, OnRound, Training
from cvxnn.interrupts import Deadline, deferred_interrupts, forget_interrupt
from cvxnn.networks.base import Network
from cvxnn.results import Solution, Status

# Gap of a network whose proof was nearly done when time was over.
_NEARLY = 1e-2


@dataclass(frozen=True)
class Task:
    """A network to train.

    Attributes
    ----------
    training : Training
    samples : Samples
    beta : float
    starts : sequence of Network
        To begin with; where there are several, with their mean.
    on_round : callable or None
    """

    training: Training
    samples: Samples
    beta: float
    starts: Sequence[Network]
    on_round: OnRound

    def run(self, deadline: Deadline, proofs: float | None) -> Solution[Any]:
        """Settled, with so many seconds for a proof, or to the gap where there are none said.

        The deadline begins with it: until then a task may have waited.
        """
        deadline = Deadline(deadline.length)
        return self.solve(deadline) if proofs is None else self.settled(deadline, proofs)

    def solve(self, deadline: Deadline) -> Solution[Any]:
        """To the gap, or for as long as time allows."""
        return self.training.solve(self.samples, self.beta, deadline, self._start(), self.on_round)

    def settled(self, deadline: Deadline, seconds: float) -> Solution[Any]:
        """The best network if it is proven or nearly so in seconds, else what a search finds.

        A network that is far from proven has been polished for long at a beta that was chosen
        by searches that end early, and may predict worse than they do. Methods that do not
        search among all directions come to an end of their own.
        """
        if not self.training.can_search:
            return self.solve(deadline)
        if seconds == 0.0:
            return self.search(deadline)
        solution = self.solve(Deadline(min(seconds, deadline.remaining)))
        is_open = solution.status in (Status.TIME_LIMIT, Status.STATIONARY)
        is_far = is_open and solution.gap > _NEARLY
        return self.search(deadline) if is_far else solution

    def search(self, deadline: Deadline) -> Solution[Any]:
        """Until rounds gain little, without a proof: STATIONARY, or what ended it before."""
        training, samples = self.training, self.samples
        if training.is_settled(samples):
            return self.solve(Deadline(AT_ONCE))
        if not training.has_plain_rows(samples):
            return training.solve_roughly(
                samples, self.beta, deadline, self._start(), self.on_round
            )
        search = JoinedSearch(training, samples, self.beta, deadline, self.on_round)
        with deferred_interrupts(), suitable_threads(len(samples.y)):
            try:
                search.run(self.starts)
                status = Status.TIME_LIMIT if deadline.passed else Status.STATIONARY
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            forget_interrupt()
        # The objective from the weights, and what is known of a bound.
        known = training.solve(samples, self.beta, Deadline(AT_ONCE), search.network)
        history, elapsed = tuple(search.history), known.elapsed
        if history:
            elapsed += history[-1].elapsed
        if not known.status.is_success:
            known = replace(known, status=status, advice="")
        return replace(known, history=history, elapsed=elapsed)

    def _start(self) -> Network | None:
        """One network that stands for all starts."""
        training, samples = self.training, self.samples
        if not self.starts or not training.takes_starts:
            return None
        if len(self.starts) == 1 or not training.has_plain_rows(samples):
            return self.starts[0]
        neurons = mean([training.model.neurons(start) for start in self.starts])
        return training.model.network(neurons, samples.X.shape[1:])
