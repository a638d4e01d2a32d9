"""Networks with fixed gates: Newton steps on a working set of gates, all of them priced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.networks.pruning import prune_scales
from cvxnn.oracle.gates import GateOracle, GatePrice
from cvxnn.problems import Neurons, Problem
from cvxnn.results import relative_gap
from cvxnn.solvers.columns.blocks import MaskedBlocks
from cvxnn.solvers.columns.group_lasso import GroupLasso, SmoothedPoint
from cvxnn.solvers.search import IncumbentSearch


@dataclass(frozen=True)
class Settings:
    """The numbers that the search over gates goes by.

    Attributes
    ----------
    first : int
        Gates in the first working set; it doubles at most when gates are missing in it.
    kept_correlation, kept_length : float
        A gate stays if its correlation is this share of beta, or its block of the longest.
    first_share, path_factor : float
        The path to a small beta: its first one in shares of the largest, and the factor to
        the next, near enough for one solution to lead to it.
    visible : float
        Share of tol from which on the cost of smoothing counts.
    idle : float
        What a round without progress counts: a Newton step is a small part of a program.
    room : float
        Of all sizes that new blocks have to grow, at most.
    """

    first: int = 40
    kept_correlation: float = 0.9
    kept_length: float = 1e-3
    first_share: float = 0.1
    path_factor: float = 0.1
    visible: float = 1e-3
    idle: float = 0.25
    room: float = 0.1


SETTINGS = Settings()


@final
@dataclass(frozen=True)
class GatedNeurons(Neurons):
    """Neurons that see the rows on which a gate is open.

    Attributes
    ----------
    gates : ndarray, shape (k, d)
        In the coordinates of the rows, also where directions are reduced.
    """

    gates: FloatArray = field(kw_only=True)

    @classmethod
    def on(cls, gates: FloatArray, blocks: FloatArray) -> GatedNeurons:
        """From blocks ``size_j u_j a_j`` that are not zero, shape (k, d)."""
        sizes = np.linalg.norm(blocks, axis=1)
        return cls(blocks / sizes[:, None], sizes, np.ones((len(sizes), 1)), gates=gates)


@final
class GateSearch(IncumbentSearch):
    """The program ``min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||`` on given gates.

    Parameters
    ----------
    problem : Problem of GatedRows
    deadline : Deadline

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the network without neurons is priced.

    Notes
    -----
    Gates come into the working set that violate ``||X'D_i v|| <= beta``. A round is one step
    of :class:`~cvxnn.solvers.columns.group_lasso.GroupLasso`: O(n^2 k d) for k gates in
    it, or O(n (k d)^2) where that is less, and O(n G d) to price all; d is n where rows are
    fewer. A small beta is reached by falling ones.
    """

    neurons: GatedNeurons
    _point: SmoothedPoint

    def __init__(self, problem: Problem[GatedRows], deadline: Deadline) -> None:
        self._rows = rows = problem.rows
        self._oracle = GateOracle(rows)
        # Blocks of an optimum are combinations of rows; few rows span less than R^d.
        n, d = rows.X.shape
        self.basis = np.linalg.qr(rows.X.T)[0] if d > n else np.eye(d)
        self._reduced = rows.X @ self.basis
        self._gates: IntArray = np.zeros(0, dtype=np.intp)
        none = np.zeros((0, self.basis.shape[1]))
        nothing = GatedNeurons.on(rows.gates[self._gates], none)
        super().__init__(problem, nothing, "gates", deadline)
        self._begin(self._certify(np.zeros_like(problem.y)).norms)

    def _begin(self, norms: FloatArray) -> None:
        """The gates of the largest correlations, on the first problem of the path."""
        self._path_beta = max(self.problem.beta, SETTINGS.first_share * float(norms.max()))
        first = np.argsort(-norms, kind="stable")[: SETTINGS.first]
        # Blocks of this size would reach y together.
        squares = (self._rows.X**2).sum(axis=1)
        reach = np.sqrt(float((self._rows.masks[first] @ squares).sum()))
        moves = self.problem.loss.moves(np.zeros_like(self.problem.y), self.problem.y)
        mu = max(float(np.linalg.norm(moves)), 1e-300) / max(reach, 1e-300)
        nothing = np.zeros((len(first), self.basis.shape[1]))
        self._work_on(first, SmoothedPoint(nothing, nothing, mu))

    def step(self, tol: float) -> None:
        """One Newton step, and the gates that it shows to be missing."""
        before = self.objective, self.bound
        try:
            self._point = self._lasso.step(self._point)
        except np.linalg.LinAlgError:
            # Rounding has left the system without a solution, and would every time again.
            self.stalled = np.inf
            return
        self._note(tol)
        price = self._certify(self._lasso.blocks.predict(self._point.z))
        if self._lasso.is_solved(self._point) and not self._exchange(price):
            self._lower_beta()
        improved = (self.objective, self.bound) != before or self._is_ahead(tol)
        self.stalled = 0.0 if improved else self.stalled + SETTINGS.idle

    def finish(self, tol: float, *, quick: bool) -> None:
        """Leave independent outputs, at most n, if that costs nothing; in the order of gates."""
        neurons, masks = self.neurons, self._rows.masks[self._gates]
        columns = masks.T * (self._reduced @ neurons.rays.T)
        scales = np.ones(len(neurons))
        last = self._last_deadline(quick=quick)
        for moved in prune_scales(columns, neurons.sizes, deadline=last):
            scales = moved
        value = self.problem.value(columns @ scales, float(scales @ neurons.sizes))
        if relative_gap(value, self.bound) > max(self.gap, tol):
            value, scales = self.objective, np.ones(len(neurons))
        order = np.argsort(self._gates)
        kept = order[scales[order] > 0.0]
        self.objective, self._gates = value, self._gates[kept]
        self.neurons = neurons.sized(scales * neurons.sizes).select(kept)

    def _work_on(self, gates: IntArray, point: SmoothedPoint) -> None:
        activity = np.ascontiguousarray(self._rows.masks[gates].T, dtype=np.float64)
        no_cones = np.zeros((len(gates), 0, self.basis.shape[1]))
        blocks = MaskedBlocks(no_cones, self._reduced, activity)
        easier = replace(self.problem, beta=self._path_beta)
        self._lasso = GroupLasso(blocks, easier, self.deadline)
        self._working, self._point, self.n_blocks = gates, point, len(gates)

    def _is_ahead(self, tol: float) -> bool:
        """Whether smoothing still costs something, so that there is progress that shows later."""
        beta = self.problem.beta
        visible = SETTINGS.visible * tol * self.objective
        return self._path_beta > beta or beta * self._point.slack > visible

    def _note(self, tol: float) -> None:
        """Keep the blocks if they are the best so far, without those about to vanish if it can."""
        norms = np.linalg.norm(self._point.z, axis=1)
        # A block that vanishes is of the size of mu.
        for kept in (norms > np.sqrt(self._point.mu * norms.max()), norms > 0.0):
            self._offer_blocks(kept)
            if self.gap <= tol:
                return

    def _offer_blocks(self, kept: BoolArray) -> None:
        z = self._point.z * kept[:, None]
        sizes = np.linalg.norm(z, axis=1)
        value = self.problem.value(self._lasso.blocks.predict(z), float(sizes.sum()))
        if value < self.objective:
            self.objective, self._gates = value, self._working[kept]
            self.neurons = GatedNeurons.on(self._rows.gates[self._gates], z[kept])

    def _certify(self, prediction: FloatArray) -> GatePrice:
        """Raise the bound by the dual point of a prediction; what it makes of all gates."""
        V = self.problem.residual(prediction)[:, None]
        price = self._oracle.price(V, deadline=self.deadline)
        self._take(DualProof.priced(V, price))
        return price

    def _lower_beta(self) -> None:
        """The next problem of the path: the optimum for a small beta is far from zero."""
        if self._path_beta > self.problem.beta:
            self._path_beta = max(self.problem.beta, SETTINGS.path_factor * self._path_beta)
            self._work_on(self._working, replace(self._point, decrease=np.inf))

    def _exchange(self, price: GatePrice) -> bool:
        """Take in the gates that are missing most, for those that are not needed."""
        beta, point, working = self._path_beta, self._point, self._working
        pulls = price.norms / beta
        outside = np.where(np.isin(np.arange(len(pulls)), working), 0.0, pulls)
        norms = np.linalg.norm(point.z, axis=1)
        worst = float(outside.max())
        if worst <= pulls[working].max() or (worst - 1.0) * norms.sum() <= point.slack:
            return False
        missing = np.argsort(-outside, kind="stable")[: max(SETTINGS.first // 2, len(working))]
        missing = missing[outside[missing] > 1.0]
        kept = pulls[working] > SETTINGS.kept_correlation
        kept |= norms > SETTINGS.kept_length * norms.max()
        gates = np.concatenate([working[kept], missing])
        z = np.concatenate([point.z[kept], np.zeros((len(missing), point.z.shape[1]))])
        # Where the block is 0 its correlation over beta is the gradient of its norm.
        slopes = (price.correlations[missing] @ self.basis) / (beta * pulls[missing, None])
        u = np.concatenate([point.u[kept], slopes])
        # The new blocks have room to grow: smoothing may cost what their absence does.
        room = min((worst - 1.0) / len(gates), SETTINGS.room) * float(norms.sum())
        mu = max(point.mu, room)
        self._work_on(gates, replace(point, z=z, u=u, mu=mu, decrease=np.inf))
        return True
