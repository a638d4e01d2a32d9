"""The oracle of networks with fixed gates: a norm for each, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.price import Price, Proposals, VectorOracle, Wanted

_CHUNK_BYTES = 1 << 26


@final
@dataclass(frozen=True)
class GatePrice(Price):
    """What a dual point v makes of every gate.

    Attributes
    ----------
    correlations : ndarray, shape (G, d)
        ``X'D_i v``.
    norms : ndarray, shape (G,)
        Theirs: the largest ``v'D_i X u`` over ``||u|| <= 1``.
    threshold : float
        Of the proposals.
    """

    kind: ClassVar[str] = "gates"
    is_exact: ClassVar[bool] = True

    correlations: FloatArray
    norms: FloatArray
    threshold: float

    @property
    def proposals(self) -> Proposals:
        """The best neuron of each gate, where its value is above the threshold."""
        best = np.argsort(-self.norms, kind="stable")
        best = best[self.norms[best] > self.threshold]
        norms = self.norms[best]
        return Proposals(self.correlations[best] / norms[:, None], np.ones((len(best), 1)), norms)


@final
class GateOracle(VectorOracle[GatePrice]):
    """``max_{||u|| <= 1} v'D_i X u = ||X'D_i v||`` for every gate i.

    Parameters
    ----------
    rows : GatedRows

    Examples
    --------
    >>> import numpy as np
    >>> oracle = GateOracle(GatedRows.of(np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]])))
    >>> price = oracle.price(np.array([[3.0], [4.0]]))
    >>> price.correlations
    array([[3., 0.],
           [3., 4.]])
    >>> bool(5.0 <= price.bound < 5.0 + 1e-12)
    True
    """

    def __init__(self, rows: GatedRows) -> None:
        self.rows = rows

    def price_vector(self, v: FloatArray, wanted: Wanted) -> GatePrice:
        """``X'D_i v`` for all gates, and a proven bound on their norms; O(G n d).

        Rounding is included: a sum over n rows errs by n eps of its moduli, whatever its
        order, so a vector of them by ``n eps sum_k |v_k| ||x_k||`` in its norm. Norms are
        exact, so that `tol` and `starts` change nothing. Raises OutOfTimeError if the
        deadline passes before the end.
        """
        # Scaled by a power of two, so without rounding: squares of a small v would vanish.
        unit = power_of_two(v)
        v = v / unit
        products = self._correlations(v, wanted.deadline)
        norms = np.linalg.norm(products, axis=1)
        n, d = self.rows.X.shape
        moduli = float(np.abs(v) @ self.rows.lengths)
        rounding = 2.0 * (n + d + 8) * EPS * moduli + n * d * 1e-300
        bound = float(norms.max(initial=0.0)) * (1.0 + (d + 8) * EPS) + rounding
        bounds = np.full(2, bound * unit)
        return GatePrice(bounds, True, products * unit, norms * unit, wanted.threshold)

    def _correlations(self, v: FloatArray, deadline: Deadline) -> FloatArray:
        X, masks = self.rows.X, self.rows.masks
        products = np.empty((len(masks), X.shape[1]))
        for part in deadline.chunks(len(masks), _CHUNK_BYTES // (8 * len(X))):
            products[part] = (masks[part] * v) @ X
        return products
