"""Over-estimators of functions of kinks on cones: chords and slopes."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.cones import Cones, Splits
from cvxnn.verification.estimates import Estimates
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import gamma


@final
class KinkEstimates(Estimates):
    """Over-estimators of a function of kinks.

    Parameters
    ----------
    function : Kinked
    cones : Cones

    Notes
    -----
    Terms of a positive weight are convex and positively homogeneous, so at ``sum_j t_j w_j`` at
    most ``sum_j t_j omega_i (y_i'w_j)_+``; terms of a negative weight are at most ``omega_i s_i
    y_i'u`` for any slope s_i in [0, 1]. With ``c_j`` the sum of these at w_j the function is at
    most ``sum_j t_j c_j``. Nothing is asked of slopes.

    Every c_j is a sum of products of three numbers, whose moduli add up to ``|w_j|'(|base| +
    sum_i |omega_i| |y_i|)`` at most, and so is a mixture of several.
    """

    def __init__(self, function: Kinked, cones: Cones) -> None:
        W, r = cones.generators, function.rank
        rising = function.weights > 0.0
        share = 2.0 * gamma(len(function.rows) + 3 * r + 16)
        super().__init__(cones, share * (np.abs(W) @ function.moduli))
        self._weights = {True: function.weights[rising], False: function.weights[~rising]}
        self._rising, self._falling = (
            (W.reshape(-1, r) @ function.rows[side].T).reshape(len(W), r, -1)
            for side in (rising, ~rising)
        )
        chords = np.maximum(self._rising, 0.0) @ self._weights[True]
        self._fixed = W @ function.base + chords

    def at(self, share: FloatArray, of: BoolArray) -> tuple[FloatArray, FloatArray]:
        """The c, shape (k, r), tight at ``sum_j share_j w_j``, and their value there.

        Of some of the cones; no slopes give a smaller value there.
        """
        falling = self._falling[of]
        where = np.einsum("lj,ljn->ln", share, falling)
        slopes = np.where(where > 0.0, self._weights[False], 0.0)
        totals = self._fixed[of] + (falling @ slopes[:, :, None])[:, :, 0]
        return totals, np.einsum("lj,lj->l", share, totals)

    def splits(self, of: BoolArray) -> Splits:
        """The edge of each along which chords are farthest above the function, or the longest."""
        products, gaps = self._rising[of] / self._sizes[of][:, :, None], []
        for i, j in self._cones.edges:
            one, other = products[:, i], products[:, j]
            apart = np.minimum(np.abs(one), np.abs(other)) * (one * other < 0.0)
            gaps.append(apart @ self._weights[True])
        return self.widest(np.stack(gaps, axis=1), of)
