"""One round of the global method: propose neurons, weigh them, move them, merge them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.layers.tiles import Tiles
from cvxnn.oracle import AscentOracle, Proposals
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import atom_lengths, merge_cells, neuron_objective, residual, reweigh
from cvxnn.solvers.descent.row_ascent import RowAscent, sample_of
from cvxnn.solvers.descent.settings import SETTINGS as DESCENT
from cvxnn.solvers.global_settings import SETTINGS
from cvxnn.solvers.newton.kinks import descend_over_kinks, faces_for
from cvxnn.solvers.newton.local_descent import descend


@final
class NeuronSearch:
    """Neurons for one set of rows, improved round by round.

    Parameters
    ----------
    problem : Problem of Layer
        In reduced coordinates, with the squared loss.
    to_direction : ndarray, shape (r, r)
        Maps evenly spread directions to those of the data.
    random_state : numpy.random.Generator
    deadline : Deadline
    polishes : bool
        Whether Newton's method follows local descent.

    Attributes
    ----------
    neurons : Neurons
        The best so far.
    objective : float
        Their objective (2).
    n_new : int
        Neurons that the last round of :meth:`advance` has added.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        to_direction: FloatArray,
        random_state: np.random.Generator,
        deadline: Deadline,
        *,
        polishes: bool = True,
    ) -> None:
        self._polishes = polishes
        self.problem, self.deadline = problem, deadline
        self._ascent = AscentOracle(problem.rows.rows, to_direction, random_state)
        self._cheap = RowAscent(self._n_rows, to_direction, random_state)
        self._faces = faces_for(problem.rows)
        self._n_starts = SETTINGS.starts
        self._tiles: Tiles | None = None
        if self._is_wide and problem.rows.readout is None:
            self._tiles = Tiles(problem.rows.rows, np.float64)
        self.n_new = self._rounds = 0
        self.neurons = Neurons.none(problem.rows.n_features)
        self.objective = problem.value(np.zeros_like(problem.y))
        self._gain = np.inf

    @property
    def _is_wide(self) -> bool:
        return self.problem.rows.n_features >= DESCENT.least_rank

    @property
    def _n_rows(self) -> int:
        return len(self.problem.rows.rows)

    @property
    def is_many(self) -> bool:
        """Whether neurons move by climbs rather than by Newton's method."""
        return self._n_rows > SETTINGS.many_rows and not self._is_wide

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found elsewhere."""
        self._offer(reweigh(self.problem, neurons, self.deadline))

    def advance(self) -> bool:
        """One round on the way to a larger part of the rows; whether it is time for that."""
        proposals = self.propose(SETTINGS.coarse)
        self.n_new = len(proposals)
        self.improve(proposals, converge=False)
        self._rounds += 1
        is_last = self._rounds >= SETTINGS.coarse_rounds
        return is_last or self.n_new <= SETTINGS.done * len(self.neurons)

    def propose(self, margin: float, *, near: bool = False) -> Proposals:
        """Neurons above ``beta (1 + margin)``; more starts where they become rare.

        With `near`, no new starts: only climbs from the neurons that are there.
        """
        beta, n_wide = self.problem.beta, SETTINGS.wide
        if self._is_wide and len(self.neurons) == 0:
            # One neuron of each sign would be no start: hundreds find their places together.
            directions = self._ascent.draw(n_wide)
            signs = np.where(np.arange(n_wide) % 2 == 0, 1.0, -1.0)
            values = signs * self._correlations(directions)
            if values.max() > SETTINGS.far * beta:
                return Proposals(directions, signs[:, None], values)
        if self._is_wide and self._n_rows > SETTINGS.dear_rows:
            return self._cheap_proposals(beta * (1.0 + margin))
        most = SETTINGS.wide_most_new if self._is_wide else SETTINGS.most_new
        limit = min(SETTINGS.most_starts, SETTINGS.ascent_work // max(self._n_rows, 1))
        n_drawn = 0 if near else min(self._n_starts, max(SETTINGS.starts // 2, limit))
        starts = self.neurons if self.is_many else None
        proposals = self._ascent.search(
            self.problem.rows.pull(residual(self.problem, self.neurons))[:, None],
            beta * (1.0 + margin),
            n_drawn,
            neurons=starts,
            most=most if starts is None else most + len(starts),
            polish=True,
            deadline=self.deadline,
        )
        if not (near or self.is_many) and len(proposals) < most:
            self._n_starts = min(2 * self._n_starts, SETTINGS.most_starts)
        return proposals

    def _cheap_proposals(self, least: float) -> Proposals:
        """Neurons above a value, looked for on a part of the rows."""
        rows, v = self.problem.rows, residual(self.problem, self.neurons)
        sample, guess = sample_of(rows.rows, rows.pull(v)), DESCENT.unsure * least
        directions, outputs = self._cheap.found(sample, DESCENT.starts, guess)
        self.deadline.check()
        values = outputs[:, 0] * rows.scores(v, directions)[0]
        best = np.argsort(-values, kind="stable")
        above = best[values[best] > least]
        return Proposals(directions, outputs, values).select(above)

    def _correlations(self, directions: FloatArray) -> FloatArray:
        """``y'R (M u)_+`` for the rows u of `directions`, shape (k,)."""
        total = np.zeros(len(directions))
        for outputs, part in self.problem.rows.tiles(len(directions)):
            self.deadline.check()
            total += self.problem.y[outputs] @ part.activations(directions)
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
        neurons = self._with(proposals)
        wide = self._is_wide
        limit = SETTINGS.wide_newton_variables if wide else SETTINGS.newton_variables
        is_far = proposals.largest > SETTINGS.far * self.problem.beta
        if is_far or neurons.directions.size > limit or not self._polishes:
            neurons = self._descended(neurons)
            yield neurons
            neurons = self._merged(neurons)
        is_small = neurons.directions.size <= limit
        if self._polishes and is_small and (converge or not self.is_many):
            neurons = descend_over_kinks(
                self.problem,
                neurons,
                steps=SETTINGS.many_steps if converge else SETTINGS.few_steps,
                enough=0.0 if converge else SETTINGS.enough,
                faces=self._faces,
                deadline=self.deadline,
            )
            yield neurons
            neurons = self._merged(neurons)
        yield neurons

    def _descended(self, neurons: Neurons) -> Neurons:
        """After a local descent that is worth its time."""
        work = self._n_rows * max(len(neurons), 1)
        most, enough = SETTINGS.descent_steps, 0.0
        if self._is_wide:
            most = SETTINGS.wide_descent_steps
            enough = min(SETTINGS.wide_gain, SETTINGS.share_of_round * self._gain)
        steps = min(most, max(SETTINGS.least_descent_steps, SETTINGS.descent_work // work))
        return descend(
            self.problem, neurons,
            steps=steps, enough=enough, tiles=self._tiles, deadline=self.deadline,
        )  # fmt: skip

    def _with(self, proposals: Proposals) -> Neurons:
        """The neurons and the proposals, with weights to start from.

        In high rank the best weights of the moment would drop nearly all of the
        proposals, and each needs to travel: all of them start small.
        """
        joined = self.neurons.joined(proposals.directions, proposals.outputs)
        if not self._is_wide or proposals.largest <= SETTINGS.far * self.problem.beta:
            neurons = reweigh(self.problem, joined, self.deadline)
            self._offer(neurons)
            return neurons
        lengths = atom_lengths(self.problem.rows, joined, self.deadline)
        reach = self.problem.beta + proposals.largest
        sizes = reach / np.where(lengths > 0.0, lengths, np.inf) ** 2
        small = SETTINGS.small * sizes / max(len(proposals), 1)
        weights = np.where(joined.sizes > 0.0, joined.sizes, small)
        return joined.sized(weights)

    def _merged(self, neurons: Neurons) -> Neurons:
        """One in each cell, and with linearly independent activations."""
        merged = merge_cells(self.problem.rows.rows, neurons, self.deadline)
        return reweigh(self.problem, merged, self.deadline)

    def _offer(self, neurons: Neurons) -> None:
        """Take neurons that are better, or as good: they may be closer to rest."""
        objective = neuron_objective(self.problem, neurons)
        if objective <= self.objective * (1.0 + SETTINGS.as_good):
            self.neurons, self.objective = neurons, objective
