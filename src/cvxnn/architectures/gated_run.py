"""A run for gated networks: Newton steps on a working set of gates, all of them priced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxnn.architectures.rounds import Rounds, Settings
from cvxnn.certificates import dual_bound
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.oracle.gates import GateOracle
from cvxnn.pruning import prune_scales
from cvxnn.results import relative_gap
from cvxnn.solvers.blocks import MaskedBlocks
from cvxnn.solvers.group_lasso import GroupLasso, SmoothedPoint
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

# Gates in the first working set; it doubles at most when gates are missing in it.
_FIRST = 40
# A gate stays if its correlation is this share of beta, or its block of the longest.
_KEPT_CORRELATION, _KEPT_LENGTH = 0.9, 1e-3


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
        self._oracle = GateOracle(self._scaled.layer.rows, masks)
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
        first = np.argsort(-norms, kind="stable")[:_FIRST]
        # Blocks of this size would reach y together.
        reach = np.sqrt(
            float((self._oracle.masks[first] @ (scaled.layer.rows**2).sum(axis=1)).sum())
        )
        mu = max(float(np.linalg.norm(scaled.y)), 1e-300) / max(reach, 1e-300)
        nothing = np.zeros((len(first), scaled.layer.rows.shape[1]))
        self._work_on(first, SmoothedPoint(nothing, nothing, mu))

    def _work_on(self, gates: IntArray, point: SmoothedPoint) -> None:
        scaled = self._scaled
        activity = np.ascontiguousarray(self._oracle.masks[gates].T, dtype=np.float64)
        no_cones = np.zeros((len(gates), 0, scaled.layer.rows.shape[1]))
        blocks = MaskedBlocks(no_cones, scaled.layer.rows, activity)
        self._lasso = GroupLasso(blocks, scaled.y, scaled.beta, scaled.loss)
        self._working, self._point = gates, point

    def _round(self) -> None:
        try:
            self._point = self._lasso.step(self._point)
        except np.linalg.LinAlgError:
            self._idle = self._patience
            return
        self._note()
        correlations = self._certify(self._lasso.blocks.predict(self._point.z))
        if self._lasso.is_solved(self._point):
            self._exchange(correlations)

    def _note(self) -> None:
        """Keep the blocks that are not about to vanish, if they are the best so far."""
        scaled, point = self._scaled, self._point
        norms = np.linalg.norm(point.z, axis=1)
        # A block that vanishes is of the size of mu.
        alive = norms > np.sqrt(point.mu * norms.max())
        prediction = self._lasso.blocks.predict(point.z * alive[:, None])
        objective = scaled.loss.value(prediction, scaled.y) + scaled.beta * norms[alive].sum()
        if objective * scaled.objective_unit < self.objective:
            self.objective = float(objective * scaled.objective_unit)
            self.gates = self._working[alive]
            self.blocks = point.z[alive] * scaled.weight_unit**2

    def _certify(self, prediction: FloatArray) -> FloatArray:
        """Raise the bound by the dual point of a prediction; its ``X'D_i v`` for all gates."""
        scaled = self._scaled
        v = -scaled.loss.gradient(prediction, scaled.y)
        correlations, largest = self._oracle.price(v)
        bound = dual_bound(scaled.loss, scaled.y, v, scaled.beta, largest)
        self.dual_bound = max(self.dual_bound, bound * scaled.objective_unit)
        return correlations

    def _exchange(self, correlations: FloatArray) -> None:
        """Take in the gates that are missing most, for those that are not needed."""
        beta, point, working = self._scaled.beta, self._point, self._working
        pulls = np.linalg.norm(correlations, axis=1) / beta
        outside = np.where(np.isin(np.arange(len(pulls)), working), 0.0, pulls)
        if outside.max() <= max(float(pulls[working].max()), 1.0):
            return
        missing = np.argsort(-outside, kind="stable")[: max(_FIRST // 2, len(working))]
        missing = missing[outside[missing] > 1.0]
        norms = np.linalg.norm(point.z, axis=1)
        kept = (pulls[working] > _KEPT_CORRELATION) | (norms > _KEPT_LENGTH * norms.max())
        gates = np.concatenate([working[kept], missing])
        z = np.concatenate([point.z[kept], np.zeros((len(missing), point.z.shape[1]))])
        # Where the block is 0 its correlation over beta is the gradient of its norm.
        u = np.concatenate([point.u[kept], correlations[missing] / beta / pulls[missing, None]])
        # The new blocks have room to grow: smoothing may cost what the gap is.
        gap = min(self.gap, 0.1) * self.objective / self._scaled.objective_unit
        mu = max(point.mu, gap / (beta * len(gates)))
        self._work_on(gates, replace(point, z=z, u=u, mu=mu, decrease=np.inf))

    def prune(self) -> None:
        """Leave blocks with linearly independent outputs, at most n, where that costs nothing."""
        scaled, beta = self._scaled, self._scaled.beta
        z = self.blocks / scaled.weight_unit**2
        columns = self._oracle.masks[self.gates].T * (scaled.layer.rows @ z.T)
        sizes = np.linalg.norm(z, axis=1)
        scales = np.ones(len(z))
        for moved in prune_scales(columns, sizes):
            scales = moved
        value = scaled.loss.value(columns @ scales, scaled.y) + beta * float(scales @ sizes)
        objective = value * scaled.objective_unit
        if relative_gap(objective, self.dual_bound) <= max(self.gap, self._settings.tol):
            kept = scales > 0.0
            self.gates = self.gates[kept]
            self.blocks = self.blocks[kept] * scales[kept, None]
