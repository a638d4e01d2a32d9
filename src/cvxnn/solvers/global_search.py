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

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.clocks import clock
from cvxnn.interrupts import Deadline, OutOfTimeError, check_interrupt
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.oracle import BranchAndBound, LayerOracle, Proposals
from cvxnn.patterns.reduction import Reduction, reduce_rows
from cvxnn.problems import Neurons
from cvxnn.solvers.neuron_search import AS_GOOD, MANY_ROWS, NeuronSearch
from cvxnn.solvers.neurons import (
    merge_cells,
    neuron_objective,
    residual,
    reweigh,
)
from cvxnn.solvers.newton.face_newton import dual_point
from cvxnn.solvers.search import Search

FloatArray = NDArray[np.float64]

# A search on many rows starts on a part of them, a quarter at a time.
_PART = 4
# Excess over beta at which a search on a part of the rows has done its work.
_COARSE = 0.01
_COARSE_ROUNDS = 20
# It has, too, when a round finds no more than this share of its neurons anew.
_DONE = 1.0 / 16.0
# Gap that weighing peaks reaches without Newton's method.
_COLUMNS_REACH = 1e-5
# Share of the time for the search; the rest is for the certificate.
_SEARCH_SHARE = 0.85
# Up to this rank the exact oracle is quick: it takes over from the ascent when a
# round of that finds fewer neurons.
_QUICK_RANK = 4
_FEW = 8
# On many rows the exact oracle takes over earlier: below this share of the neurons.
_RARE = 0.25
# Objective over penalty, at most: beyond it the residual is hardly stationary.
_MOST_EXCESS = 10.0
# Tolerance of a certificate that is made when time is up, unless the gap is within
# this factor of its goal: then a tight one may reach it.
_LAST_TOLERANCE = 1e-3
_NEARLY = 10.0
# Seconds that it may take, however short the search was.
_LEAST_PROOF = 1.0
# Neurons of the exact oracle that one round takes up; all it keeps on many rows,
# where they are cheap to weigh and dear to find.
_MOST_EXACT = 60
# Up to this many entries the dual point is corrected on the faces of the neurons.
_CORRECTED_ENTRIES = 600_000
_ROUNDING = 1e-6
# Products in the Gram matrix of a Newton step up to which the last digits are worth it.
_SHARP_WORK = 1 << 33


class GlobalSearch(Search):
    """Search for the global optimum of (2), without a list of cells.

    Parameters
    ----------
    layer : Layer
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
        The squared loss.
    random_state : numpy.random.Generator
        Where ascents start; the optimum does not depend on it.
    reduction : Reduction, optional
        ``reduce_rows`` of the rows of the layer, where it is known already.
    deadline : Deadline, optional
    start : Neurons, optional
        Neurons to begin with, in the coordinates of the rows.
    certifies : bool
        Whether the exact oracle is asked; without it the end is stationary.

    Attributes
    ----------
    neurons : Neurons
        Best network so far, in reduced coordinates.
    objective : float
        Its objective (2).
    bound : float
        Best lower bound so far, for networks of any width.
    proof : DualProof
        The dual point behind that bound.
    n_blocks : int
        Neurons proposed in the last round.
    stationary : bool
        Whether no neuron is known that would help, but none excluded either.
    """

    def __init__(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        loss: Loss,
        random_state: np.random.Generator,
        reduction: Reduction | None = None,
        deadline: Deadline | None = None,
        *,
        start: Neurons | None = None,
        certifies: bool = True,
    ) -> None:
        self._begun = clock()
        self._end = Deadline() if deadline is None else deadline
        self.deadline = self._end.share(_SEARCH_SHARE)
        self._reduction = reduce_rows(layer.rows, self._end) if reduction is None else reduction
        self.basis, self.rank = self._reduction.basis, self._reduction.rank
        self.layer = layer.turned(self.basis)
        self.y, self.beta, self.loss = y, beta, loss
        self._oracle = LayerOracle(self.layer, BranchAndBound(layer.rows, self._reduction))
        self.neurons = Neurons.none(self.layer.n_features)
        self.objective = loss.value(np.zeros_like(y), y)
        self.bound, self.proof = -np.inf, DualProof.of(y, np.inf, "tree")
        v = -loss.gradient(np.zeros_like(y), y)
        self._take(spectral_proof(layer, v))
        self._certifies = certifies
        self._searches = self._split(random_state, start)
        self._rounds = 0
        self._exact = False
        self._few = _FEW if self.layer.n_features <= _QUICK_RANK else 1
        self.n_blocks = 0
        self.stalled = 0.0
        self.stationary = False

    def _split(
        self, random_state: np.random.Generator, start: Neurons | None
    ) -> list[NeuronSearch]:
        """Searches on growing parts of the rows; the last has them all.

        Neurons to start with have been on the parts: then it is the only one.
        """
        n = len(self.y)
        order = random_state.permutation(n) if n > MANY_ROWS else np.arange(n)
        sizes = [n]
        while sizes[-1] > MANY_ROWS and start is None:
            sizes.append(sizes[-1] // _PART)
        to_direction = self.basis.T @ self._reduction.to_direction
        searches = []
        for size in reversed(sizes):
            rows = np.sort(order[:size])
            searches.append(
                NeuronSearch(
                    self.layer.take(rows), self.y[rows], self.beta * size / n,
                    to_direction, random_state, self.deadline,
                )
            )  # fmt: skip
        if start is not None:
            searches[0].start_from(start.turned(self.basis))
            self._offer(searches[0].neurons)
        return searches

    def step(self, tol: float) -> None:
        """One round; on a part of the rows, while they are many."""
        if len(self._searches) > 1:
            self._coarse_round()
        else:
            self._full_round(tol)

    def _coarse_round(self) -> None:
        search = self._searches[0]
        proposals = search.propose(_COARSE)
        self.n_blocks = len(proposals)
        try:
            search.improve(proposals, converge=False)
        except BaseException:
            self._offer(search.neurons)
            raise
        self._rounds += 1
        if self.n_blocks <= _DONE * len(search.neurons.sizes) or self._rounds >= _COARSE_ROUNDS:
            del self._searches[0]
            self._rounds = 0
            self._offer(search.neurons)
            self._searches[0].start_from(search.neurons)
        else:
            self._offer(search.neurons)

    def _full_round(self, tol: float) -> None:
        search = self._searches[0]
        before = (self.objective, self.bound)
        # Columns alone reach a coarse gap, and a Newton step over many rows is dear.
        converge = not search.is_many or tol < _COLUMNS_REACH
        asks = self._exact
        if not self._exact or search.is_many:
            proposals = search.propose(self._excess(tol) / 4.0, near=self._exact)
            # Where the exact oracle is quick, it costs less than the starts that
            # would find the rest; once asked, it keeps the word.
            asks = len(proposals) < self._enough(search)
            self._add(proposals, converge=converge and (asks or self._exact))
            self.stationary = len(proposals) == 0 and not self._certifies
        if asks and self._certifies:
            self._exact = True
            proposals = self._price(tol, self.deadline)
            # An oracle that was cut short has looked at a part of the sphere only.
            excluded = len(proposals) == 0 and not self.deadline.passed
            self.stationary = excluded and self.gap > tol
            if len(proposals):
                self._add(proposals, converge=converge)
        self.n_blocks = len(proposals)
        improved = self.objective < before[0] * (1.0 - 1e-12) or self.bound > before[1]
        self.stalled = 0 if improved else self.stalled + 1

    def _add(self, proposals: Proposals, *, converge: bool) -> None:
        """Bring the neurons and the proposals to rest, if there is anything to do."""
        if len(proposals) or converge:
            try:
                self._searches[0].improve(proposals, converge=converge)
            finally:
                self._offer(self._searches[0].neurons)

    def sharpen(self, tol: float) -> bool:
        """Add the neurons that the ascent still finds: a proof leaves room for small ones.

        Each that is missing moves predictions by about the share of beta it exceeds beta by,
        where the objective feels the square. The bound stays as it is.
        """
        if len(self.y) * self.neurons.directions.size**2 > _SHARP_WORK:
            return False
        proposals = self._searches[-1].propose(self._excess(tol) / 4.0)
        self.n_blocks = len(proposals)
        self._add(proposals, converge=self.n_blocks > 0)
        return self.n_blocks > 0

    def _enough(self, search: NeuronSearch) -> float:
        """Proposals of the ascent below which the exact oracle is asked."""
        if self._exact or not search.is_many or self.layer.n_features > _QUICK_RANK:
            return self._few
        return max(self._few, _RARE * len(search.neurons.sizes))

    def _excess(self, tol: float) -> float:
        """The share by which the oracle may exceed beta for a gap of `tol`.

        Scaling a stationary residual by ``beta / M`` costs ``M / beta - 1`` of
        the penalty, and the gap is relative to the whole objective.
        """
        penalty = self.beta * float(self.neurons.sizes.sum())
        return tol * min(self.objective / penalty, _MOST_EXCESS) if penalty > 0.0 else tol

    def _price(self, tol: float, deadline: Deadline) -> Proposals:
        """Ask the exact oracle for a bound, and for neurons that would help."""
        v = self._best_dual_point()
        tol = self._excess(tol)
        proposals = self._proposals_at(v, 0.5 * tol, deadline)
        worth = np.flatnonzero(proposals.values > self.beta * (1.0 + 0.25 * tol))
        if not self._searches[0].is_many:
            worth = worth[:_MOST_EXACT]
        return proposals.select(worth).turned(self.basis)

    def _proposals_at(self, v: FloatArray, tol: float, deadline: Deadline) -> Proposals:
        """Price a dual point, and keep what is proven of it if it is the best."""
        price = self._oracle.price(v[:, None], self.beta, tol=tol, deadline=deadline)
        self._take(DualProof.priced(v[:, None], price))
        check_interrupt()
        return price.proposals

    def _best_dual_point(self) -> FloatArray:
        """The residual of the network, made stationary where that only mends rounding."""
        left = residual(self.layer, self.y, self.neurons)
        if len(self.y) * self.neurons.directions.size > _CORRECTED_ENTRIES:
            return left
        v = dual_point(self.layer, self.y, self.beta, self.neurons, self.deadline)
        # Which rows are tight is a guess; a wrong one asks for a large correction.
        small = np.linalg.norm(v - left) <= _ROUNDING * np.linalg.norm(left)
        return v if small else left

    def _take(self, proof: DualProof) -> None:
        bound = proof.bound(self.loss, self.y, self.beta)
        if bound > self.bound:
            self.bound, self.proof = bound, proof

    def _offer(self, neurons: Neurons) -> None:
        objective = neuron_objective(self.layer, self.y, self.beta, neurons)
        if objective <= self.objective * (1.0 + AS_GOOD):
            self.neurons, self.objective = neurons, objective

    def _tidy(self, deadline: Deadline) -> None:
        """Independent activations, for the neurons of a round that was cut short."""
        try:
            merged = merge_cells(self.layer.rows, self.neurons, deadline)
            self._offer(reweigh(self.layer, self.y, self.beta, merged, deadline))
        except OutOfTimeError:
            # They are good as they are, only more than are needed.
            return

    def finish(self, tol: float, *, quick: bool) -> None:
        """Use the time that is left for a certificate, unless there is one.

        No more than the search took, as long as nobody set a limit: a proof may
        take exponential time, and `max_iter` has to end a run.
        """
        if quick or self.deadline.passed:
            self._tidy(self._last_deadline(quick=quick))
        wanted = self._certifies and not quick and not self.stationary
        if wanted and self.gap > tol and not self._end.passed:
            v = residual(self.layer, self.y, self.neurons)
            spent = max(clock() - self._begun, _LEAST_PROOF)
            deadline = Deadline(min(self._end.remaining, spent))
            tight = 0.5 * self._excess(tol)
            coarse = max(tol, _LAST_TOLERANCE)
            self._proposals_at(v, tight if self.gap <= _NEARLY * tol else coarse, deadline)
