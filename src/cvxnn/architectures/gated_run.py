"""A run for gated networks: Newton steps on a working set of gates, all of them priced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.architectures.rounds import Rounds, Settings
from cvxnn.certificates import dual_bound
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks.pruning import prune_scales
from cvxnn.oracle.gates import GateOracle
from cvxnn.results import relative_gap
from cvxnn.solvers.columns.blocks import MaskedBlocks
from cvxnn.solvers.columns.group_lasso import GroupLasso, SmoothedPoint
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

# Gates in the first working set; it doubles at most when gates are missing in it.
_FIRST = 40
# A gate stays if its correlation is this share of beta, or its block of the longest.
_KEPT_CORRELATION, _KEPT_LENGTH = 0.9, 1e-3
# The path to a small beta: its first one in shares of the largest, the factor to the next.
_FIRST_SHARE, _PATH_FACTOR = 0.1, 0.1
# Share of tol from which on the cost of smoothing counts.
_VISIBLE = 1e-3


class GatedRun(Rounds):
    """The program ``min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||`` on given patterns.

    Attributes
    ----------
    gates : ndarray of int, shape (k,)
        The patterns whose blocks are not zero.
    blocks : ndarray, shape (k, d)
        Their ``w_i``, in the units of the data.
    """

    _patience = 12

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        masks: BoolArray,
        beta: float,
        loss: Loss,
        settings: Settings,
    ) -> None:
        super().__init__(settings)
        self._scaled = ScaledProblem.of(Layer(X), y, beta, loss)
        rows = self._scaled.layer.rows
        self._oracle = GateOracle(rows, masks)
        # Blocks of an optimum are combinations of rows; few rows span less than R^d.
        n, d = rows.shape
        self._basis = np.linalg.qr(rows.T)[0] if d > n else np.eye(d)
        self.gates: IntArray = np.zeros(0, dtype=np.intp)
        self.blocks = np.zeros((0, X.shape[1]))

    @property
    def n_patterns(self) -> int:
        """Patterns of the gates."""
        return len(self._oracle.masks)

    @property
    def _sizes(self) -> tuple[int, int]:
        return len(self._working), len(self.gates)

    def _begin(self) -> None:
        scaled = self._scaled
        start = np.zeros_like(scaled.y)
        correlations = self._certify(start)
        self.objective = scaled.loss.value(start, scaled.y) * scaled.objective_unit
        norms = np.linalg.norm(correlations, axis=1)
        self._beta = max(scaled.beta, _FIRST_SHARE * float(norms.max()))
        first = np.argsort(-norms, kind="stable")[:_FIRST]
        # Blocks of this size would reach y together.
        reach = np.sqrt(
            float((self._oracle.masks[first] @ (scaled.layer.rows**2).sum(axis=1)).sum())
        )
        mu = max(float(np.linalg.norm(scaled.y)), 1e-300) / max(reach, 1e-300)
        nothing = np.zeros((len(first), self._basis.shape[1]))
        self._work_on(first, SmoothedPoint(nothing, nothing, mu))

    def _open(self) -> None:
        """The gate of the largest pull alone, with the best block along it."""
        if len(self.gates):
            return
        scaled = self._scaled
        start = np.zeros_like(scaled.y)
        self.objective = scaled.loss.value(start, scaled.y) * scaled.objective_unit
        correlations, _ = self._oracle.price(-scaled.loss.gradient(start, scaled.y))
        norms = np.linalg.norm(correlations, axis=1)
        gate = int(np.argmax(norms))
        if norms[gate] <= scaled.beta:
            return
        block = correlations[gate] / norms[gate]
        output = self._oracle.masks[gate] * (scaled.layer.rows @ block)
        size = _best_size(scaled.loss, scaled.y, scaled.beta, output)
        value = scaled.loss.value(size * output, scaled.y) + scaled.beta * size
        if value * scaled.objective_unit < self.objective:
            self.objective = value * scaled.objective_unit
            self.gates = np.array([gate])
            self.blocks = (size * block)[None] * scaled.weight_unit**2

    def _work_on(self, gates: IntArray, point: SmoothedPoint) -> None:
        scaled = self._scaled
        activity = np.ascontiguousarray(self._oracle.masks[gates].T, dtype=np.float64)
        no_cones = np.zeros((len(gates), 0, self._basis.shape[1]))
        blocks = MaskedBlocks(no_cones, scaled.layer.rows @ self._basis, activity)
        self._lasso = GroupLasso(blocks, scaled.y, self._beta, scaled.loss, self._deadline)
        self._working, self._point = gates, point

    def _round(self) -> bool:
        try:
            self._point = self._lasso.step(self._point)
        except np.linalg.LinAlgError:
            self._idle = self._patience
            return False
        self._note()
        correlations = self._certify(self._lasso.blocks.predict(self._point.z))
        if self._lasso.is_solved(self._point) and not self._exchange(correlations):
            self._lower_beta()
        # Until smoothing costs next to nothing there is progress that shows later.
        cost = self._scaled.beta * self._point.slack * self._scaled.objective_unit
        return (
            self._beta > self._scaled.beta or cost > _VISIBLE * self._settings.tol * self.objective
        )

    def _note(self) -> None:
        """Keep the blocks if they are the best so far, without those about to vanish if it can."""
        norms = np.linalg.norm(self._point.z, axis=1)
        # A block that vanishes is of the size of mu.
        for kept in (norms > np.sqrt(self._point.mu * norms.max()), norms > 0.0):
            self._offer(kept)
            if self.gap <= self._settings.tol:
                return

    def _offer(self, kept: BoolArray) -> None:
        scaled, z = self._scaled, self._point.z * kept[:, None]
        value = scaled.loss.value(self._lasso.blocks.predict(z), scaled.y)
        value += scaled.beta * float(np.linalg.norm(z, axis=1).sum())
        if value * scaled.objective_unit < self.objective:
            self.objective = value * scaled.objective_unit
            self.gates = self._working[kept]
            self.blocks = (z[kept] @ self._basis.T) * scaled.weight_unit**2

    def _certify(self, prediction: FloatArray) -> FloatArray:
        """Raise the bound by the dual point of a prediction; its ``X'D_i v`` for all gates."""
        scaled = self._scaled
        v = -scaled.loss.gradient(prediction, scaled.y)
        correlations, largest = self._oracle.price(v, self._deadline)
        bound = dual_bound(scaled.loss, scaled.y, v, scaled.beta, largest)
        self.dual_bound = max(self.dual_bound, bound * scaled.objective_unit)
        return correlations

    def _lower_beta(self) -> None:
        """The next problem of the path: the optimum for a small beta is far from zero."""
        if self._beta > self._scaled.beta:
            self._beta = max(self._scaled.beta, _PATH_FACTOR * self._beta)
            self._work_on(self._working, replace(self._point, decrease=np.inf))

    def _exchange(self, correlations: FloatArray) -> bool:
        """Take in the gates that are missing most, for those that are not needed."""
        beta, point, working = self._beta, self._point, self._working
        pulls = np.linalg.norm(correlations, axis=1) / beta
        outside = np.where(np.isin(np.arange(len(pulls)), working), 0.0, pulls)
        norms = np.linalg.norm(point.z, axis=1)
        worst = float(outside.max())
        if worst <= pulls[working].max() or (worst - 1.0) * norms.sum() <= point.slack:
            return False
        missing = np.argsort(-outside, kind="stable")[: max(_FIRST // 2, len(working))]
        missing = missing[outside[missing] > 1.0]
        kept = (pulls[working] > _KEPT_CORRELATION) | (norms > _KEPT_LENGTH * norms.max())
        gates = np.concatenate([working[kept], missing])
        z = np.concatenate([point.z[kept], np.zeros((len(missing), point.z.shape[1]))])
        # Where the block is 0 its correlation over beta is the gradient of its norm.
        slopes = (correlations[missing] @ self._basis) / (beta * pulls[missing, None])
        u = np.concatenate([point.u[kept], slopes])
        # The new blocks have room to grow: smoothing may cost what their absence does.
        room = min((worst - 1.0) / len(gates), 0.1) * float(norms.sum())
        mu = max(point.mu, room)
        self._work_on(gates, replace(point, z=z, u=u, mu=mu, decrease=np.inf))
        return True

    def _finish(self) -> None:
        """Leave blocks with independent outputs, at most n, if that costs nothing; in order."""
        scaled, beta = self._scaled, self._scaled.beta
        z = self.blocks / scaled.weight_unit**2
        columns = self._oracle.masks[self.gates].T * (scaled.layer.rows @ z.T)
        sizes = np.linalg.norm(z, axis=1)
        scales = np.ones(len(z))
        for moved in prune_scales(columns, sizes):
            scales = moved
        value = scaled.loss.value(columns @ scales, scaled.y) + beta * float(scales @ sizes)
        objective = value * scaled.objective_unit
        if relative_gap(objective, self.dual_bound) > max(self.gap, self._settings.tol):
            scales = np.ones(len(z))
        order = np.argsort(self.gates)
        kept = order[scales[order] > 0.0]
        self.gates, self.blocks = self.gates[kept], self.blocks[kept] * scales[kept, None]


def _best_size(loss: Loss, y: FloatArray, beta: float, output: FloatArray) -> float:
    """The t >= 0 that minimises ``l(t f, y) + beta t``."""

    def slope(t: float) -> float:
        return float(loss.gradient(t * output, y) @ output) + beta

    if slope(0.0) >= 0.0:
        return 0.0
    end = 1.0
    while slope(end) < 0.0:
        end *= 2.0
    return float(brentq(slope, 0.0, end))
