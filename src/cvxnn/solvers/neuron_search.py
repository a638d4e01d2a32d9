"""One round of the global method: propose neurons, weigh them, move them, merge them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.oracle import AscentOracle, Proposals
from cvxnn.problems import Neurons
from cvxnn.solvers.neurons import (
    atom_lengths,
    merge_cells,
    neuron_objective,
    residual,
    reweigh,
)
from cvxnn.solvers.newton.kink_newton import descend_over_kinks, faces_for
from cvxnn.solvers.newton.local_descent import descend

FloatArray = NDArray[np.float64]

# Random starts of an ascent: at first, and at most.
_STARTS = 200
_MOST_STARTS = 1_000
# Rows times starts of one ascent: beyond it there are fewer starts.
_ASCENT_WORK = 1 << 25
# Rows from which a round also climbs from the neurons that are there. Their peaks
# have moved a little, over many kinks: a climb costs less than Newton's method.
MANY_ROWS = 4_000
# Neurons of each sign that one round may add.
_MOST_NEW, _WIDE_MOST_NEW = 60, 150
# While a proposal exceeds beta by this factor, neurons have far to go.
_FAR = 1.2
_DESCENT_STEPS, _WIDE_DESCENT_STEPS = 200, 1_000
# Local descent in high rank ends when 50 steps gain less than this share of the objective, or
# than that share of what the round before gained: new neurons gain more. In low rank
# neurons have to come near to rest, for Newton's method.
_WIDE_GAIN, _SHARE_OF_ROUND = 1e-3, 0.25
# Rows times neurons times steps of one descent.
_DESCENT_WORK = 1 << 29
# Newton steps of a round while there are many new neurons, and to converge.
_FEW_STEPS, _MANY_STEPS = 4, 12
# Variables of the model with kinks: beyond it a step costs more than it brings.
_NEWTON_VARIABLES, _WIDE_NEWTON_VARIABLES = 2_000, 700
# From this rank on proposals start small and travel, instead of being weighed first.
_WIDE_RANK = 8
_SMALL = 0.1
_WIDE = 400
# Relative difference of objectives that is rounding. The residual, on which the
# certificate rests, errs by the root of what the objective errs by.
AS_GOOD = 1e-13


class NeuronSearch:
    """Neurons for one set of rows, improved round by round.

    Parameters
    ----------
    layer : Layer
        In reduced coordinates.
    y : ndarray, shape (n,)
    beta : float
    to_direction : ndarray, shape (r, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator
    deadline : Deadline

    Attributes
    ----------
    neurons : Neurons
        The best so far.
    objective : float
        Their objective (2).
    """

    def __init__(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        to_direction: FloatArray,
        random_state: np.random.Generator,
        deadline: Deadline,
    ) -> None:
        self.layer, self.y, self.beta = layer, y, beta
        self.deadline = deadline
        self._ascent = AscentOracle(layer.rows, to_direction, random_state)
        self._faces = faces_for(layer)
        self._n_starts = _STARTS
        self.neurons = Neurons.none(layer.n_features)
        self.objective = 0.5 * float(y @ y)
        self._gain = np.inf

    @property
    def _is_wide(self) -> bool:
        return self.layer.n_features >= _WIDE_RANK

    @property
    def is_many(self) -> bool:
        """Whether neurons move by climbs rather than by Newton's method."""
        return len(self.layer.rows) > MANY_ROWS and not self._is_wide

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found elsewhere."""
        self._offer(reweigh(self.layer, self.y, self.beta, neurons, self.deadline))

    def residual(self) -> FloatArray:
        """``y - f(X)``, shape (n,)."""
        return residual(self.layer, self.y, self.neurons)

    def propose(self, margin: float, *, near: bool = False) -> Proposals:
        """Neurons above ``beta (1 + margin)``; more starts where they become rare.

        With `near`, no new starts: only climbs from the neurons that are there.
        """
        if self._is_wide and len(self.neurons.sizes) == 0:
            # One neuron of each sign would be no start: hundreds find their places together.
            directions = self._ascent.draw(_WIDE)
            signs = np.where(np.arange(_WIDE) % 2 == 0, 1.0, -1.0)
            values = signs * self._correlations(directions)
            if values.max() > _FAR * self.beta:
                return Proposals(directions, signs[:, None], values)
        most = _WIDE_MOST_NEW if self._is_wide else _MOST_NEW
        most_starts = max(
            _STARTS // 2, min(_MOST_STARTS, _ASCENT_WORK // max(len(self.layer.rows), 1))
        )
        starts = self.neurons.directions if self.is_many else None
        n_drawn = 0 if near else min(self._n_starts, most_starts)
        proposals = self._ascent.search(
            self.layer.pull(self.residual())[:, None],
            self.beta * (1.0 + margin),
            n_drawn,
            starts=starts,
            start_signs=self.neurons.signs,
            most=most + (0 if starts is None else len(starts)),
            polish=True,
            deadline=self.deadline,
        )
        if not (near or self.is_many) and len(proposals) < most:
            self._n_starts = min(2 * self._n_starts, _MOST_STARTS)
        return proposals

    def _correlations(self, directions: FloatArray) -> FloatArray:
        """``y'R (M u)_+`` for the rows u of `directions`, shape (k,)."""
        total = np.zeros(len(directions))
        for outputs, part in self.layer.tiles(len(directions)):
            self.deadline.check()
            total += self.y[outputs] @ part.activations(directions)
        return total

    def improve(self, proposals: Proposals, *, converge: bool) -> None:
        """Add the proposals and bring all neurons to rest.

        Parameters
        ----------
        proposals : Proposals
        converge : bool
            Whether to take Newton steps until rounding ends them.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end; what was reached counts.
        """
        before = self.objective
        moved = self.neurons
        try:
            for moved in self._moved(proposals, converge=converge):  # noqa: B007
                pass
        finally:
            self._offer(moved)
        self._gain = (before - self.objective) / max(self.objective, 1e-300)

    def _moved(self, proposals: Proposals, *, converge: bool) -> Iterator[Neurons]:
        """The neurons after each stage of :meth:`improve`."""
        layer, y, beta = self.layer, self.y, self.beta
        neurons = self._with(proposals)
        limit = _WIDE_NEWTON_VARIABLES if self._is_wide else _NEWTON_VARIABLES
        movable = neurons.directions.size <= limit
        if proposals.largest > _FAR * beta or not movable:
            work = len(layer.rows) * max(len(neurons.sizes), 1)
            most = _WIDE_DESCENT_STEPS if self._is_wide else _DESCENT_STEPS
            steps = min(most, max(20, _DESCENT_WORK // work))
            enough = min(_WIDE_GAIN, _SHARE_OF_ROUND * self._gain) if self._is_wide else 0.0
            neurons = descend(
                layer, y, beta, neurons, steps=steps, enough=enough, deadline=self.deadline
            )
            yield neurons
            neurons = self._tidy(neurons)
        if neurons.directions.size <= limit and (converge or not self.is_many):
            neurons = descend_over_kinks(
                layer, y, beta, neurons,
                steps=_MANY_STEPS if converge else _FEW_STEPS,
                enough=0.0 if converge else 1e-9,
                faces=self._faces,
                deadline=self.deadline,
            )  # fmt: skip
            yield neurons
            neurons = self._tidy(neurons)
        yield neurons

    def _with(self, proposals: Proposals) -> Neurons:
        """The neurons and the proposals, with weights to start from.

        In high rank the best weights of the moment would drop nearly all of the
        proposals, and each needs to travel: all of them start small.
        """
        joined = self.neurons.joined(proposals.directions, proposals.outputs)
        if not self._is_wide or proposals.largest <= _FAR * self.beta:
            neurons = reweigh(self.layer, self.y, self.beta, joined, self.deadline)
            self._offer(neurons)
            return neurons
        lengths = atom_lengths(self.layer, joined, self.deadline)
        sizes = (self.beta + proposals.largest) / np.where(lengths > 0.0, lengths, np.inf) ** 2
        small = _SMALL * sizes / max(len(proposals), 1)
        weights = np.where(joined.sizes > 0.0, joined.sizes, small)
        return joined.sized(weights)

    def _tidy(self, neurons: Neurons) -> Neurons:
        """Merged, and with linearly independent activations."""
        merged = merge_cells(self.layer.rows, neurons, self.deadline)
        return reweigh(self.layer, self.y, self.beta, merged, self.deadline)

    def _offer(self, neurons: Neurons) -> None:
        """Take neurons that are better, or as good: they may be closer to rest."""
        objective = neuron_objective(self.layer, self.y, self.beta, neurons)
        if objective <= self.objective * (1.0 + AS_GOOD):
            self.neurons, self.objective = neurons, objective
