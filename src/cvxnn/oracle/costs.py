"""What neurons pay beside their norm, as rows more that an oracle looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.layers.costs import Costs
from cvxnn.layers.spectral import PaidBound
from cvxnn.oracle.ascent import Paid
from cvxnn.oracle.price import BOTH, Proposals, Wanted

# An entry that adds less than this share to what a neuron sees is rounding of a zero.
_NOTHING = 1e-9
# Of a product and a sum, relative.
_ROUNDING = 1.0 + 8.0 * EPS
# Of a bound that is nearly zero: it need not be closer to what is found than this share.
_COARSE = 0.5


@final
@dataclass(frozen=True)
class PricedRows:
    """The rows X of some columns, with rows ``+-e_j`` below them that have prices.

    Attributes
    ----------
    rows : ndarray, shape (n, r)
    costs : Costs
        Of these columns.

    Notes
    -----
    For neurons of a sign s in their cone ``t_j u_j >= 0``, and a level L, what is bounded is

        phi(u) = s v'(X u)_+ - L r ||u||_1 - sum_j (M_j - L r)_+ (-t_j u_j)_+,

    a function of the augmented rows and the dual point of :meth:`dual`. On the cone it is
    ``s v'(X u)_+ - L r ||u||_1`` whatever the M_j: they prove a bound there. With ``M_j =
    sum_i (-s t_j v_i x_ij)_+`` none is lost: that is the slope by which ``s v'(X u)_+`` may fall
    with ``t_j u_j``, so that a direction outside of the cone has a better one in it. If ``phi <=
    m`` on the Euclidean unit ball, then for ``N(u) = (1 - r) ||u|| + r ||u||_1``

        s v'(X u)_+ <= L r ||u||_1 + m ||u|| <= (L + (m - L (1 - r))_+) N(u),

    because ``||u|| <= N(u)``, and ``max(m + L r, L)`` is the bound: exact where it is L.

    Examples
    --------
    >>> rows = PricedRows(np.array([[2.0, 1.0]]), Costs((-1, 0)))
    >>> rows.augmented
    array([[ 2.,  1.],
           [ 1.,  0.],
           [-1., -0.]])
    >>> rows.dual(np.array([3.0]), 1.0, 0.0)
    array([ 3., -6., -0.])
    """

    rows: FloatArray
    costs: Costs

    @cached_property
    def priced(self) -> IntArray:
        """The columns whose entries of u have a price."""
        if self.costs.l1_ratio > 0.0:
            return np.arange(self.rows.shape[1])
        return np.flatnonzero(self.costs.monotone)

    @cached_property
    def augmented(self) -> FloatArray:
        """``[X; E; -E]`` for the unit vectors E of priced columns."""
        unit = np.eye(self.rows.shape[1])[self.priced]
        return np.vstack([self.rows, unit, -unit])

    def scaled(self, scales: FloatArray) -> FloatArray:
        """Factors of the rows of X as those of the augmented ones."""
        return np.concatenate([scales, np.ones(2 * len(self.priced))])

    def dual(self, v: FloatArray, sign: float, level: float) -> FloatArray:
        """The dual point of the augmented rows whose function is phi, shape (n + 2p,)."""
        share = level * self.costs.l1_ratio
        prices = np.full((2, len(self.priced)), share)
        cone = self.costs.cone(sign)[self.priced]
        for place, (column, t) in enumerate(zip(self.priced, cone, strict=True)):
            if t != 0.0:
                slopes = sign * t * self.rows[:, column] * v
                fall = -float(np.minimum(slopes, 0.0, out=slopes).sum())
                side = 1 if t > 0.0 else 0
                prices[side, place] = max(fall, share)
        return np.concatenate([sign * v, -prices[0], -prices[1]])

    @cached_property
    def _reach(self) -> FloatArray:
        return np.abs(self.rows).max(axis=0, initial=0.0)

    def projected(self, directions: FloatArray, sign: float) -> FloatArray:
        """Directions moved into the cone of a sign, of ``N(u) = 1``; those of none are 0."""
        if self.costs.l1_ratio > 0.0:
            seen = np.abs(directions) * self._reach
            nothing = seen <= _NOTHING * seen.max(axis=1, keepdims=True, initial=0.0)
            directions = np.where(nothing, 0.0, directions)
        return self.costs.projected(directions, sign)


@final
@dataclass(frozen=True)
class Prices:
    """What the neurons of one sign pay: oracles of augmented rows answer for them.

    Attributes
    ----------
    rows : PricedRows
    sign : float
    level : float
        L, at best the bound itself; of no effect without a 1-norm.
    """

    rows: PricedRows
    sign: float
    level: float

    def at(self, level: float) -> Self:
        """The same at another level."""
        return replace(self, level=level)

    @property
    def _share(self) -> float:
        return self.level * self.rows.costs.l1_ratio

    def dual(self, v: FloatArray) -> FloatArray:
        """That of :meth:`PricedRows.dual`."""
        return self.rows.dual(v, self.sign, self.level)

    @property
    def paid(self) -> Paid:
        """The same for an ascent on the rows of X at ``s v``."""
        return Paid(self.rows.costs.cone(self.sign), self._share)

    def asked(self, wanted: Wanted) -> Wanted:
        """What is wanted of ``s v'(X u)_+`` as what is wanted of phi.

        Close to zero what is left is as close as tol of the level.
        """
        margin = wanted.tol * self._share
        least = max(wanted.threshold - self._share, 0.0) + margin
        tol = wanted.tol * wanted.threshold / least if least > 0.0 and margin > 0.0 else wanted.tol
        return replace(
            wanted, threshold=least, tol=min(tol, max(_COARSE, wanted.tol)), signs=BOTH[:1]
        )

    def bound_at_once(self, v: FloatArray) -> float:
        """A bound on phi without a search, see :class:`~cvxnn.layers.spectral.PaidBound`."""
        cone = self.rows.costs.cone(self.sign)
        return PaidBound.of(self.rows.rows, self.sign * v, cone).at(self._share)

    def bounds(self, m: float) -> FloatArray:
        """Bounds for both signs from one on phi; 0 for the other, of which nothing is said."""
        share = self._share
        bound = max((m + share) * _ROUNDING, self.level * _ROUNDING) if share > 0.0 else m
        return np.array([bound if sign == self.sign else 0.0 for sign in BOTH])

    def proposals(self, found: Proposals, v: FloatArray, threshold: float) -> Proposals:
        """Directions in the cone of ``N(u) = 1``, and what they are worth there."""
        directions = self.rows.projected(found.directions, self.sign)
        norms = self.rows.costs.norms(found.directions)
        values = found.values + self._share * np.abs(found.directions).sum(axis=1)
        values /= np.where(norms > 0.0, norms, 1.0)
        # Where that moves a direction by more than rounding, it has another value.
        away = np.abs(directions * norms[:, None] - found.directions).max(axis=1, initial=0.0)
        for k in np.flatnonzero(away > _NOTHING):
            values[k] = self.sign * float(v @ np.maximum(self.rows.rows @ directions[k], 0.0))
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > threshold]
        heads = np.full((len(order), 1), self.sign)
        return Proposals(directions[order], heads, values[order])
