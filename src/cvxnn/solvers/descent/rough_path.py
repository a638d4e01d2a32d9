"""Rough networks for one beta after the other, each from the one before."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.errors import InputError
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.patterns.reduction import row_space
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.row_ascent import RowAscent, along, climbed, pull_of, sample_of
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.smoothing.problems import SmoothedProblem

# Roundings that the best intercept may be off by.
_OF_INTERCEPT = 1_000
# Residuals next to a kink, for targets of size one: far from rounding in float32.
_STRIP = 2.0**-7


@final
class RoughPath:
    """Networks that are good enough for a score, along beta.

    Ascent, joint descent in float32, best sizes: no Newton steps over kinks, no proof.
    Objectives are within some per cent of where they would come to rest, and scores of test
    rows differ by less than folds do.

    Parameters
    ----------
    problem : Problem of Layer
        In the units of the data, without a readout, of any rank, with a loss that is a sum
        over the rows. Its beta is not looked at.
    random_state : numpy.random.Generator
        Where ascents start, and on which rows.
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.
    deadline : Deadline, optional
        When it passes, networks stay as they are.
    steps : int, optional
        Of L-BFGS for a beta, where rows are not so many that neurons move by epochs.

    Attributes
    ----------
    largest_beta : float
        From it on the best network has no neurons; an estimate from below. 0 where neurons are
        of no use at all.

    Raises
    ------
    InputError
        If beta is out of all proportion to the data, or if there are labels that are all the
        same or a class that no row has, with an intercept: it has no best value.

    Notes
    -----
    O(n k (d + c)) a step of L-BFGS, for k neurons and c outputs.

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> X = np.random.default_rng(0).standard_normal((50, 4))
    >>> problem = Problem.of(Layer(X), np.maximum(X[:, 0], 0.0) + 3.0, 1.0, SquaredLoss())
    >>> path = RoughPath(problem, np.random.default_rng(0), intercept=True)
    >>> [len(path.advance(share * path.largest_beta)) > 0 for share in (1.0, 0.5)]
    [False, True]
    """

    def __init__(
        self,
        problem: Problem[Layer],
        random_state: np.random.Generator,
        *,
        intercept: bool = False,
        deadline: Deadline = UNLIMITED,
        steps: int = SETTINGS.rough_steps,
    ) -> None:
        if intercept and problem.loss.has_labels:
            _check_labels(problem.loss, problem.Y)
        elif intercept:
            problem.loss.check_intercept(problem.target)
        # The search is in float32, whose range the weights may be far outside.
        loss = problem.loss.in_weight_units()
        scaled, self._units = replace(problem, loss=loss).in_units()
        # Of a beta of the data over one of the search.
        self._beta_unit = problem.loss.weight_unit * self._units.rows * self._units.targets
        if loss.is_kinked:
            smoothed = SmoothedProblem.over(scaled, _STRIP)
            scaled = smoothed.problem
            self._beta_unit /= smoothed.width
        self._basis, to_direction = row_space(scaled.rows.rows)
        reduced = scaled.on(scaled.rows.turned(self._basis))
        arguments = (self._basis.T @ to_direction, random_state)
        rows = rows_of(reduced)
        self._search = TileSearch(rows, reduced.beta, *arguments, deadline, intercept=intercept)
        self._ascent = RowAscent(rows.n_rows, *arguments)
        self._starts, self._steps = SETTINGS.few_starts, steps
        self._largest = self._found_largest()

    @property
    def largest_beta(self) -> float:
        return self._largest * self._beta_unit

    def start_from(self, neurons: Neurons) -> None:
        """Go on from neurons in the coordinates and units of the data."""
        self._search.restart(self._units.reduced(neurons).turned(self._basis))

    def advance(self, beta: float, rounds: int = 1) -> Neurons:
        """Neurons for a beta, from those before.

        Parameters
        ----------
        beta : float
            In the units of the data, > 0.
        rounds : int
            At most; fewer, where one gains nothing. One is enough for a score, and for a start
            at the next beta; each of more is one of a search for one beta only.

        Returns
        -------
        Neurons
            In the coordinates and units of the data.
        """
        search, scaled = self._search, beta / self._beta_unit
        search.aim(scaled)
        if scaled >= self._largest:
            search.clear()
            rounds = 0
        try:
            for _ in range(rounds):
                starts, steps = self._starts, self._steps
                is_over = search.advance() if rounds > 1 else search.refine(starts, steps)
                # Where many starts lead to neurons of their own, more would find more.
                if search.n_new > SETTINGS.dense * starts:
                    self._starts = min(2 * starts, SETTINGS.starts)
                if is_over:
                    break
        except OutOfTimeError:
            # What was reached counts.
            pass
        return self._units.restored(search.neurons.turned(self._basis.T))

    def _found_largest(self) -> float:
        """The largest value that climbs find, on a part of the rows first, for no neurons."""
        X, v = self._search.sample(slice(None))
        found = self._ascent.found(sample_of(X, v), SETTINGS.starts, 0.0)
        ends = (part[: SETTINGS.peaks] for part in found)
        directions, outputs = (part.astype(np.float32) for part in ends)
        pull = pull_of(X.astype(np.float32), v.astype(np.float32), outputs)
        tops, outputs, values = climbed(pull, directions, SETTINGS.peak_steps)
        if len(values) == 0:
            return 0.0
        best = int(values.argmax())
        # In float64.
        value = float(along(outputs[best], v.T @ np.maximum(X @ tops[best], 0.0)))
        lengths = np.linalg.norm(X, axis=1)
        return max(float(values[best]), 0.0) if value > rounding_of_zero(v, lengths) else 0.0


def _check_labels(loss: Loss, Y: FloatArray) -> None:
    """InputError where the best intercept would be infinite."""
    if loss.joins_outputs and (Y == 0.0).all(axis=0).any():
        raise InputError("a class has no row, an intercept has no best value then.")
    if not loss.joins_outputs and (Y[:1] == Y).all(axis=0).any():
        raise InputError("the labels are all the same, an intercept has no best value then.")


def rounding_of_zero(v: FloatArray, lengths: FloatArray) -> float:
    """What rounding may make of ``max_u ||V'(X u)_+|| = 0``, for rows of these lengths.

    Sums of n terms have n roundings; an intercept, beside which v is a residual, is found up
    to some hundreds.
    """
    return (len(v) + _OF_INTERCEPT) * EPS * float((np.abs(v).T @ lengths).sum())
