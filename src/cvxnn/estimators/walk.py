"""All folds of a cross-validation, walking along falling beta in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from cvxnn.array_types import FloatArray
from cvxnn.clocks import clock
from cvxnn.errors import InputError
from cvxnn.estimators.folds import Fold, Outcome
from cvxnn.interrupts import (
    Deadline,
    check_interrupt,
    deferred_interrupts,
    forget_interrupt,
)
from cvxnn.networks.base import Network
from cvxnn.progress import Columns, format_number
from cvxnn.results import Status

# The grid of somebody who has none: betas in a decade, and how far it may go down.
_PER_DECADE, _DECADES = 3, 6
# It ends when some betas have not gained this share of the best mean score.
_GAIN = 1e-4
# Means that differ by this share are equal: sums of the same scores in another order.
_SAME = 1e-12


@dataclass(frozen=True)
class Step:
    """One beta, for which all folds have networks."""

    beta: float
    outcomes: list[Outcome]
    seconds: float
    best_beta: float
    best_score: float

    @property
    def score(self) -> float:
        """The mean over the folds."""
        return float(np.mean([outcome.score for outcome in self.outcomes]))

    @property
    def loss(self) -> float:
        """The mean loss on the test rows."""
        return float(np.mean([outcome.loss for outcome in self.outcomes]))

    @property
    def neurons(self) -> list[int]:
        """Of every network of every fold."""
        return [network.n_neurons for each in self.outcomes for network in each.networks]


COLUMNS: Columns[Step] = Columns(
    ("beta", "mean score", "best beta", "best score", "neurons", "seconds"),
    lambda step: (
        f"{step.beta:.3g}",
        format_number(step.score),
        f"{step.best_beta:.3g}",
        format_number(step.best_score),
        str(sum(network.n_neurons for network in step.outcomes[0].networks)),
        f"{step.seconds:.1f}",
    ),
    "Ctrl-C stops with the best beta so far",
)


def falling(largest: float) -> Iterator[float]:
    """Betas from the largest down, three in a decade, to a millionth of it."""
    # Targets of zero have no scale: any beta gives the zero network.
    start = largest or 1.0
    for k in range(_PER_DECADE * _DECADES + 1):
        yield start * 10.0 ** (-k / _PER_DECADE)


@dataclass
class Walk:
    """The scores of all folds for one beta after the other.

    Attributes
    ----------
    folds : list of Fold
    deadline : Deadline
        When it passes, the walk ends with what it has.
    n_jobs : int or None
        Folds at the same time, in threads unless a backend of joblib is chosen.
    patience : int
        Betas without a gain after which it ends.
    show : callable or None
        Called with every :class:`Step`.
    steps : list of Step
    networks : list of list of Network
        For the best beta so far those of all folds, for each network of a fold.
    cut_short : Status or None
        What ended it before its time.
    """

    folds: list[Fold]
    deadline: Deadline
    n_jobs: int | None = None
    patience: int = 3
    show: Callable[[Step], None] | None = None
    steps: list[Step] = field(default_factory=list)
    best: int = 0
    networks: list[list[Network]] = field(default_factory=list)
    cut_short: Status | None = None

    def run(self, betas: Iterable[float], *, stops: bool) -> None:
        """Walk along betas, and stop early if the scores have stopped improving.

        Ctrl-C ends the walk as well, from step to step and within.
        """
        begun = clock()
        with deferred_interrupts():
            try:
                for beta in betas:
                    # Folds in other processes do not see it.
                    check_interrupt()
                    outcomes = self._advance(beta)
                    if self.deadline.passed and self.steps:
                        # These networks were cut short, and others are better.
                        break
                    self._take(beta, outcomes, clock() - begun)
                    if self.deadline.passed or (stops and self._has_stopped()):
                        break
            except KeyboardInterrupt:
                self.cut_short = Status.INTERRUPTED
            forget_interrupt()
        if self.cut_short is None and self.deadline.passed:
            self.cut_short = Status.TIME_LIMIT

    @property
    def betas(self) -> FloatArray:
        """Those that have scores, falling, shape (k,)."""
        return np.array([step.beta for step in self.steps])

    @property
    def has_neurons(self) -> bool:
        """Whether any beta leaves some."""
        return any(any(step.neurons) for step in self.steps)

    @property
    def scores(self) -> FloatArray:
        """Shape (k, n_folds)."""
        scores = [[outcome.score for outcome in step.outcomes] for step in self.steps]
        return np.array(scores).reshape(len(self.steps), len(self.folds))

    @property
    def means(self) -> FloatArray:
        """Mean score of each beta, shape (k,)."""
        return np.array([step.score for step in self.steps])

    def check(self) -> None:
        """Raise InputError if no score is a number."""
        if self.steps and np.isnan(self.means).all():
            raise InputError(
                "scoring gives no number for any beta, in one fold at least: R^2 needs folds of "
                "two rows and more, others both classes; take another cv or scoring."
            )

    def _advance(self, beta: float) -> list[Outcome]:
        found = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_advanced)(fold, beta) for fold in self.folds
        )
        # From another process they come back as they have become there.
        self.folds, outcomes = map(list, zip(*found, strict=True))
        return outcomes

    def _take(self, beta: float, outcomes: list[Outcome], seconds: float) -> None:
        step = Step(beta, outcomes, seconds, 0.0, 0.0)
        if not self.steps or self._is_better(step, self.steps[self.best]):
            self.best, best = len(self.steps), step
            self.networks = [
                list(each) for each in zip(*(o.networks for o in outcomes), strict=True)
            ]
        else:
            best = self.steps[self.best]
        self.steps.append(Step(beta, outcomes, seconds, best.beta, best.score))
        if self.show is not None:
            self.show(self.steps[-1])

    @staticmethod
    def _is_better(step: Step, than: Step) -> bool:
        """By the mean score, or by the loss where the scores are equal."""
        if np.isnan(step.score) or np.isnan(than.score):
            return bool(np.isnan(than.score) and not np.isnan(step.score))
        if abs(step.score - than.score) <= _SAME * abs(than.score):
            return step.loss < than.loss
        return step.score > than.score

    def _has_stopped(self) -> bool:
        """Whether the latest betas have gained nothing worth waiting for."""
        if len(self.steps) <= self.patience:
            return False
        before, latest = self.steps[: -self.patience], self.steps[-self.patience :]
        # Some scores are no number for a constant, which networks of large betas are.
        known = [step.score for step in before if not np.isnan(step.score)]
        if not known:
            return all(np.isnan(step.score) for step in latest) and all(latest[-1].neurons)
        top, least = max(known), min(step.loss for step in before)
        gain = _GAIN * abs(top)
        return not any(
            step.score > top + gain or (step.score >= top and step.loss < (1.0 - _GAIN) * least)
            for step in latest
        )


def _advanced(fold: Fold, beta: float) -> tuple[Fold, Outcome]:
    """A fold after the next beta, and what came of it."""
    outcome = fold.advance(beta)
    return fold, outcome
