"""A search among all directions whose end depends little on where it starts, without a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.estimators.inputs import Samples
from cvxnn.estimators.training import OnRound, Training
from cvxnn.interrupts import Deadline
from cvxnn.networks.base import Network
from cvxnn.problems import Neurons, as_intercept
from cvxnn.results import Progress
from cvxnn.solvers.descent.rough_path import RoughPath
from cvxnn.validation import check_random_state

# Steps of beta on the way down, and those of L-BFGS at each: what is not at rest yet, comes to
# it when networks are joined.
_FACTOR, _STEPS = 10.0 ** (1.0 / 3.0), 20
# Networks that are joined: as many as there are for so many rows in all, within these.
_LEAST, _MOST, _ROWS = 2, 16, 40_000
# Fewer, where the standard error of their mean is below this share of the deviation of their
# predictions: for values, and for labels, where less is decided by it.
_STEADY, _STEADY_LABELS = 0.008, 0.05
# Rounds after networks have been joined.
_JOINT_ROUNDS = 2


@final
class JoinedSearch:
    """Networks that were found independently, joined and brought to rest together.

    The mean of several networks is a network with the neurons of all, and by convexity its
    objective is at most the mean of theirs. What the next rounds make of it depends less on
    where each search began: of ten random states, predictions on rows of the training differ by
    about 1.5 standard errors of that mean.

    Parameters
    ----------
    training : Training
    samples : Samples
        Plain rows.
    beta : float
    deadline : Deadline
        When it passes, the networks so far are joined as they are.
    on_round : callable or None
        Called with a :class:`Progress` after every network and every joint round; it may
        raise KeyboardInterrupt.

    Attributes
    ----------
    network : Network or None
        The best so far.
    objective : float
        Its objective (2).
    history : list of Progress
    """

    def __init__(
        self,
        training: Training,
        samples: Samples,
        beta: float,
        deadline: Deadline,
        on_round: OnRound,
    ) -> None:
        self._training, self._samples, self._beta = training, samples, beta
        self._deadline, self._on_round = deadline, on_round
        self._problem = training.problem(samples)
        self._rng = check_random_state(training.random_state)
        self.network: Network | None = None
        self.objective = np.inf
        self.history: list[Progress] = []

    def run(self, starts: Sequence[Network]) -> None:
        """Search, from networks that are known, or from nothing."""
        path = self._path()
        found = self._searched(path, [self._training.model.neurons(start) for start in starts])
        path.advance(self._beta, 0)
        path.start_from(mean(found))
        self._take(path.advance(self._beta, _JOINT_ROUNDS))

    def _searched(self, path: RoughPath, starts: list[Neurons]) -> list[Neurons]:
        """Independent ones, the first by the path that is given, until their mean is steady.

        Those that are known count; of them two are enough.
        """
        most = min(max(_ROWS // len(self._samples.y), 1), _LEAST if starts else _MOST)
        found, predictions = list(starts), [self._take(neurons) for neurons in starts]
        while len(found) < most and not self._is_steady(predictions):
            if found and self._deadline.passed:
                break
            walking = path if len(found) == len(starts) else self._path()
            beta = walking.largest_beta / _FACTOR
            while beta > self._beta:
                walking.advance(beta)
                beta /= _FACTOR
            found.append(walking.advance(self._beta))
            predictions.append(self._take(found[-1]))
        return found

    def _is_steady(self, predictions: list[FloatArray]) -> bool:
        """Whether more networks would hardly change the mean of these."""
        if len(predictions) < _LEAST:
            return False
        variance = float(np.mean(np.var(predictions, axis=0, ddof=1))) / len(predictions)
        # Of each output by itself: a constant is no part of it.
        deviation = float(np.sqrt(np.mean(np.var(np.mean(predictions, axis=0), axis=0))))
        share = _STEADY_LABELS if self._problem.loss.has_labels else _STEADY
        return bool(np.sqrt(variance) <= share * deviation)

    def _path(self) -> RoughPath:
        intercept = self._training.intercept
        return RoughPath(
            self._problem, self._rng,
            intercept=intercept, deadline=self._deadline, steps=_STEPS,
        )  # fmt: skip

    def _take(self, neurons: Neurons) -> FloatArray:
        """Keep the network if it is the best so far, and report; what it predicts."""
        network = self._training.model.network(neurons, self._samples.X.shape[1:])
        prediction = network.predict_on(self._problem.rows).values
        objective = self._problem.value(prediction) + self._beta * network.penalty()
        if self.network is None or objective < self.objective:
            self.network, self.objective = network, objective
        progress = Progress(
            iteration=len(self.history),
            elapsed=self._deadline.elapsed,
            objective=self.objective,
            dual_bound=-np.inf,
            n_blocks=0,
            n_neurons=self.network.n_neurons,
        )
        self.history.append(progress)
        if self._on_round is not None:
            self._on_round(progress)
        return prediction


def mean(found: Sequence[Neurons]) -> Neurons:
    """The mean of networks as one network, with the neurons of all.

    Examples
    --------
    >>> one = Neurons(np.array([[1.0]]), np.array([2.0]), np.array([[1.0]]), intercept=4.0)
    >>> mean([one, Neurons.none(1)])
    Neurons(directions=array([[1.]]), sizes=array([1.]), outputs=array([[1.]]), linear=None,
    intercept=2.0)
    """
    joined = found[0]
    for neurons in found[1:]:
        both = joined.joined(neurons.directions, neurons.outputs)
        joined = both.sized(np.concatenate([joined.sizes, neurons.sizes]))
    intercept = np.mean(np.array([neurons.intercept for neurons in found]), axis=0)
    return replace(
        joined.sized(joined.sizes / len(found)), intercept=as_intercept(np.atleast_1d(intercept))
    )
