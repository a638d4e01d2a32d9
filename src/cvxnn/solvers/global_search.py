"""The global method: neurons are proposed and moved until the oracle proves that none is missing.

The state is a handful of neurons, not a list of cells. A round adds local
maxima of the oracle's function above beta, gives all neurons their best weights
(a non-negative Lasso), and moves them: by local descent while there is far to go, by
Newton's method over the kinks when they are near. Many rows have thousands of
kinks within one move: there a round climbs to the peaks next to the neurons, and
the weights do the rest; Newton's method only adds the last digits. When the ascent finds no
neuron that would help, the exact oracle finds one or proves that there is none.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.clocks import clock
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.methods import Global
from cvxnn.oracle import LayerOracle, Proposals
from cvxnn.oracle.choice import SURE_RANK, may_end, tree_of, usually_ends
from cvxnn.patterns.reduction import Reduction, reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import merge_cells, neuron_objective, residual, reweigh
from cvxnn.solvers.descent.tile_search import TileSearch, is_for_tiles
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.global_settings import SETTINGS
from cvxnn.solvers.neuron_search import NeuronSearch
from cvxnn.solvers.newton.faces import dual_point
from cvxnn.solvers.proof_time import ProofTime
from cvxnn.solvers.search import IncumbentSearch
from cvxnn.solvers.segments.segment import LENGTH


@final
class GlobalSearch(IncumbentSearch):
    """Search for the global optimum of (2), without a list of cells.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss.
    random_state : numpy.random.Generator
        Where ascents start; the optimum does not depend on it.
    reduction : Reduction, optional
        ``reduce_rows`` of the rows of the layer, where it is known already.
    deadline : Deadline, optional
    start : Neurons, optional
        Neurons to begin with, in the coordinates of the rows.
    certifies : bool
        Whether the exact oracle is asked; without it the end is stationary.
    polishes : bool
        Whether neurons come to rest to the last digits; without that no oracle is asked.
    proof_time : ProofTime, optional
        Of the run, of which this is one search.
    """

    def __init__(
        self,
        problem: Problem[Layer],
        random_state: np.random.Generator,
        reduction: Reduction | None = None,
        deadline: Deadline = UNLIMITED,
        *,
        start: Neurons | None = None,
        certifies: bool = True,
        polishes: bool = True,
        proof_time: ProofTime | None = None,
    ) -> None:
        assert problem.is_least_squares
        self._proof_time = ProofTime(Global()) if proof_time is None else proof_time
        self._begun, self._end, layer = clock(), deadline, problem.rows
        search_deadline = deadline.share(SETTINGS.search_share)
        self._reduction = reduce_rows(layer.rows, deadline) if reduction is None else reduction
        self._polishes, self.rank = polishes, self._reduction.rank
        # All that a rough search asks for are sums over the rows as they are.
        is_rough = not polishes and layer.readout is None
        self.basis = np.eye(layer.n_features) if is_rough else self._reduction.basis
        self.layer = layer.turned(self.basis)
        nothing = Neurons.none(self.layer.n_features)
        super().__init__(problem.on(self.layer), nothing, "tree", search_deadline)
        self._oracle = LayerOracle(self.layer, tree_of(layer.rows, self._reduction))
        self._take(spectral_proof(layer, problem.residual_at_zero))
        self._certifies = certifies and polishes
        arguments = (self.basis.T @ self._reduction.to_direction, random_state, self.deadline)
        self._fine = NeuronSearch(self.problem, *arguments, polishes=polishes)
        self._coarse: list[NeuronSearch | TileSearch] = []
        if start is None:
            self._coarse = self._split(*arguments)
        else:
            # They have been on the parts.
            self._fine.start_from(start.turned(self.basis))
            self._offer(self._fine.neurons)
            if self._is_rough:
                self._coarse = self._split(*arguments)
                self._coarse[0].start_from(self.neurons)
        self._exact = False
        self._few = SETTINGS.few if self.layer.n_features <= SETTINGS.quick_rank else 1

    @property
    def _is_rough(self) -> bool:
        """Whether the rough search is all there is to do."""
        return not self._polishes and self.layer.readout is None

    def _split(
        self, to_direction: FloatArray, random_state: np.random.Generator, deadline: Deadline
    ) -> list[NeuronSearch | TileSearch]:
        """Coarse searches: on growing parts of the rows, or rough ones in high rank."""
        n, many = len(self.problem.y), SETTINGS.many_rows
        arguments = (to_direction, random_state, deadline)
        # A projection only lowers the loss of what it is left of: without it the problem is one
        # of sums over the rows.
        problem = self.problem.on(self.layer.unmixed())
        if self._is_rough or is_for_tiles(problem.rows, self.rank):
            known = None if self._is_rough else to_direction
            rows = rows_of(problem)
            return [TileSearch(rows, problem.beta, known, random_state, deadline)]
        order = random_state.permutation(n) if n > many else np.arange(n)
        sizes = [n]
        while sizes[-1] > many:
            sizes.append(sizes[-1] // SETTINGS.part)
        parts = (problem.take(np.sort(order[:size])) for size in sizes[:0:-1])
        return [NeuronSearch(part, *arguments) for part in parts]

    def step(self, tol: float) -> None:
        """One round; on a part of the rows, while they are many."""
        if self._coarse:
            self._coarse_round()
        else:
            self._full_round(tol)

    def _coarse_round(self) -> None:
        search = self._coarse[0]
        try:
            done = search.advance()
        finally:
            self.n_blocks = search.n_new
            self._offer(search.neurons)
        if done and self._is_rough:
            self.stationary = True
        elif done:
            del self._coarse[0]
            following = self._coarse[0] if self._coarse else self._fine
            following.start_from(search.neurons)

    def _full_round(self, tol: float) -> None:
        search = self._fine
        if not self._polishes:
            self._rough_round(search)
            return
        before = (self.objective, self.bound)
        # Columns alone reach a coarse gap, and a Newton step over many rows is dear.
        converge = not search.is_many or tol < SETTINGS.columns_reach
        asks = self._exact
        if not self._exact or search.is_many:
            proposals = search.propose(self._excess(tol) / 4.0, near=self._exact)
            # Where the exact oracle is quick, it costs less than the starts that
            # would find the rest; once asked, it is asked every time.
            asks = len(proposals) < self._enough(search)
            self._add(proposals, converge=converge and (asks or self._exact))
            self.stationary = len(proposals) == 0 and not self._certifies
        if asks and self._certifies:
            self._exact = True
            proposals = self._price(tol, self._oracle_deadline())
            # An oracle that was cut short has looked at a part of the sphere only.
            excluded = len(proposals) == 0 and not self.deadline.passed
            self.stationary = excluded and self.gap > tol
            if len(proposals):
                self._add(proposals, converge=converge)
        self.n_blocks = len(proposals)
        improved = self.objective < before[0] * (1.0 - 1e-12) or self.bound > before[1]
        self.stalled = 0 if improved else self.stalled + 1

    def _rough_round(self, search: NeuronSearch) -> None:
        """A round of rows that are read together, for which there are no tiles."""
        before = self.objective
        proposals = search.propose(SETTINGS.coarse)
        self.n_blocks = len(proposals)
        self._add(proposals, converge=False)
        gained = before - self.objective
        self.stationary = len(proposals) == 0 or gained <= SETTINGS.at_rest * before

    def _add(self, proposals: Proposals, *, converge: bool) -> None:
        """Bring the neurons and the proposals to rest, if there is anything to do."""
        if len(proposals) or converge:
            try:
                self._fine.improve(proposals, converge=converge)
            finally:
                self._offer(self._fine.neurons)

    def sharpen(self, tol: float) -> bool:
        """Add the neurons that the ascent still finds: a proof leaves room for small ones.

        Each that is missing moves predictions by about the share of beta it exceeds beta by,
        where the objective feels the square. The bound stays as it is.
        """
        work = len(self.problem.y) * self.neurons.directions.size**2
        if not self._polishes or work > SETTINGS.sharp_work:
            return False
        proposals = self._fine.propose(self._excess(tol) / 4.0)
        self.n_blocks = len(proposals)
        self._add(proposals, converge=self.n_blocks > 0)
        return self.n_blocks > 0

    def _enough(self, search: NeuronSearch) -> float:
        """Proposals of the ascent below which the exact oracle is asked."""
        if self._exact or not search.is_many or self.layer.n_features > SETTINGS.quick_rank:
            return self._few
        return max(self._few, SETTINGS.rare * len(search.neurons))

    def _excess(self, tol: float) -> float:
        """The share by which the oracle may exceed beta for a gap of `tol`.

        Scaling a stationary residual by ``beta / M`` costs ``M / beta - 1`` of
        the penalty, and the gap is relative to the whole objective.
        """
        penalty = self.problem.beta * float(self.neurons.sizes.sum())
        if penalty == 0.0:
            return tol
        return tol * min(self.objective / penalty, SETTINGS.most_excess)

    def _oracle_deadline(self) -> Deadline:
        """When the exact oracle has to hand over what it has proven.

        It has all the time up to the rank to which it usually ends, and beyond that as much as
        there is for proofs, because a relaxation brings the bound closer in what is left.
        """
        if self.rank <= SURE_RANK:
            return self.deadline
        half = self.deadline.share(SETTINGS.unsure_share)
        return Deadline(min(half.remaining, self._seconds_of_proof()))

    def _seconds_of_proof(self) -> float:
        """What the exact oracle has of time where it need not end."""
        return self._proof_time.exact(ends=usually_ends(self._reduction))

    def _price(self, tol: float, deadline: Deadline) -> Proposals:
        """Ask the exact oracle for a bound, and for neurons that would help."""
        v = self._best_dual_point()
        tol = self._excess(tol)
        proposals = self._proposals_at(v, 0.5 * tol, deadline)
        worth = np.flatnonzero(proposals.values > self.problem.beta * (1.0 + 0.25 * tol))
        if not self._fine.is_many:
            worth = worth[: SETTINGS.most_exact]
        return proposals.select(worth).turned(self.basis)

    def _proposals_at(self, v: FloatArray, tol: float, deadline: Deadline) -> Proposals:
        """Price a dual point, and keep what is proven of it if it is the best."""
        time, may_take_all = self._proof_time, self.rank <= SURE_RANK
        with nullcontext() if may_take_all else time.taking():
            price = self._oracle.price(v[:, None], self.problem.beta, tol=tol, deadline=deadline)
        if not may_take_all:
            was_cut = not price.finished and deadline.passed and may_end(self._reduction)
            time.cut_short = time.taken if was_cut else None
        self._take(DualProof.priced(v[:, None], price))
        check_interrupt()
        return price.proposals

    def _best_dual_point(self) -> FloatArray:
        """The residual of the network, made stationary where that only mends rounding."""
        left = residual(self.problem, self.neurons)
        if len(left) * self.neurons.directions.size > SETTINGS.corrected_entries:
            return left
        v = dual_point(self.problem, self.neurons, self.deadline)
        # Which rows are tight is a guess; a wrong one asks for a large correction.
        small = np.linalg.norm(v - left) <= SETTINGS.rounding * np.linalg.norm(left)
        return v if small else left

    def _offer(self, neurons: Neurons) -> None:
        objective = neuron_objective(self.problem, neurons)
        if objective <= self.objective * (1.0 + SETTINGS.as_good):
            self.neurons, self.objective = neurons, objective

    def _merge(self, deadline: Deadline) -> None:
        """Independent activations, for the neurons of a round that was cut short."""
        try:
            merged = merge_cells(self.layer.rows, self.neurons, deadline)
            self._offer(reweigh(self.problem, merged, deadline))
        except OutOfTimeError:
            # They are good as they are, only more than are needed.
            return

    def finish(self, tol: float, *, quick: bool) -> None:
        """Use the time that is left for a certificate, unless there is one.

        No more than the search took: a proof may take exponential time, and `max_iter`
        has to end a run.
        """
        last = self._last_deadline(quick=quick)
        # A rough network of many rows is left as it is.
        is_small = self._is_rough and len(self.problem.y) <= LENGTH and not last.limited
        if quick or self.deadline.passed or is_small:
            self._merge(last)
        wanted = self._certifies and not quick and not self.stationary
        if wanted and self.gap > tol and not self._end.passed:
            deadline = Deadline(min(self._end.remaining, self._last_seconds()))
            if deadline.passed:
                return
            v = residual(self.problem, self.neurons)
            tight = 0.5 * self._excess(tol)
            coarse = max(tol, SETTINGS.last_tolerance)
            is_near = self.gap <= SETTINGS.nearly * tol
            self._proposals_at(v, tight if is_near else coarse, deadline)

    def _last_seconds(self) -> float:
        if self.rank > SURE_RANK:
            return self._seconds_of_proof()
        return max(clock() - self._begun, SETTINGS.least_proof)
