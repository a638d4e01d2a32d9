"""A tree of cones for several outputs: over-estimators along a direction of the output."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.verification.cones import Cones, Splits
from cvxnn.verification.estimates import Estimates
from cvxnn.verification.outputs.kinked import OutputsKinked
from cvxnn.verification.rounding import gamma
from cvxnn.verification.tree import Tree

# Squares of longer vectors of size one are not rounded to nothing.
_SHORTEST = 1e-120


class _Parts(NamedTuple):
    """What the c of some cones are made of, for each generator.

    Attributes
    ----------
    ahead, behind : ndarray, shape (k, r)
        Along a direction of the output, and against it.
    across : ndarray, shape (k, r, c)
        The linear part of what is orthogonal to it.
    chords : ndarray, shape (k, r)
        The rest of that.
    kinds : ndarray, shape (k, N, 3)
        Of the weights: parts along the direction and against it, norms across it.
    """

    ahead: FloatArray
    behind: FloatArray
    across: FloatArray
    chords: FloatArray
    kinds: FloatArray

    @property
    def totals(self) -> FloatArray:
        """The c, shape (k, r)."""
        height = np.maximum(np.maximum(self.ahead, self.behind), 0.0)
        return np.hypot(height, _norms(self.across) + self.chords)

    def halved(self, i: int, j: int, lower: FloatArray) -> FloatArray:
        """The c at ``w_i + w_j``, where chords are lower by numbers of shape (k, 3)."""
        ahead, behind, chords = (
            part[:, i] + part[:, j] - less
            for part, less in zip((self.ahead, self.behind, self.chords), lower.T, strict=True)
        )
        height = np.maximum(np.maximum(ahead, behind), 0.0)
        return np.hypot(height, _norms(self.across[:, i] + self.across[:, j]) + chords)

    def over(self, sizes: FloatArray) -> _Parts:
        """Of generators divided by numbers of shape (k, r)."""
        return _Parts(
            self.ahead / sizes, self.behind / sizes, self.across / sizes[:, :, None],
            self.chords / sizes, self.kinds,
        )  # fmt: skip


@final
class OutputsEstimates(Estimates):
    """Over-estimators of ``||F||`` for a function of kinks in R^c.

    Parameters
    ----------
    function : OutputsKinked
    cones : Cones

    Notes
    -----
    With ``s_i`` 0 or 1 and ``rho_i(t) = (t)_+ - s_i t``, which is ``(-t)_+`` or ``(t)_+``, so not
    negative, convex and positively homogeneous,

        F(u) = A'u + sum_i rho_i(y_i'u) omega_i,    A'u = base'u + sum_i s_i (y_i'u) omega_i.

    Let a be a unit vector, P the projection on its complement, and ``u = sum_j t_j w_j``. Then
    ``rho_i(y_i'u) <= sum_j t_j rho_i(y_i'w_j)``, so that ``a'F``, ``-a'F`` and ``||P F||`` are at
    most ``sum_j t_j`` times

        a'A'w_j + sum_i (a'omega_i)_+ rho_i(y_i'w_j),
        -a'A'w_j + sum_i (-a'omega_i)_+ rho_i(y_i'w_j),
        ||P A'w_j|| + sum_i ||P omega_i|| rho_i(y_i'w_j),

    and ||F|| is at most ``sum_j t_j c_j`` with c_j the norm of the larger of the first two, and 0,
    and of the third, by the triangle inequality in the plane. Nothing is asked of a and s: they
    are what they are at a point of the cone. Where a is not quite a unit vector ``||(I - aa') F||``
    is above ``||P F||``, and ``|a'F| / ||a||`` is off by its rounding.

    *Rounding.* Each number is made of sums of N + r products of vectors, of which those of A and
    of the weights are split in two parts, no longer than twice the whole: their moduli add up
    to ``|w_j|'m`` with ``m = ||base|| + sum_i ||omega_i|| |y_i|``; so the first two err by 2
    gamma_k of it, the third by 7 gamma_k.
    """

    def __init__(self, function: OutputsKinked, cones: Cones) -> None:
        W, (n, r) = cones.generators, function.rows.shape
        count = n + 3 * r + 2 * function.weights.shape[1] + 32
        super().__init__(cones, 12.0 * gamma(count) * (np.abs(W) @ function.moduli))
        self._function = function
        self._products = (W.reshape(-1, r) @ function.rows.T).reshape(len(W), r, n)
        self._base = W @ function.base

    def at(self, share: FloatArray, of: BoolArray) -> tuple[FloatArray, FloatArray]:
        """The c, shape (k, r), that is made at ``sum_j share_j w_j``, and their value there.

        Of some of the cones.
        """
        totals = self._parts(share, of).totals
        return totals, np.einsum("lj,lj->l", share, totals)

    def _parts(self, share: FloatArray, of: BoolArray) -> _Parts:
        weights, products, base = self._function.weights, self._products[of], self._base[of]
        where = (share[:, None, :] @ products)[:, 0]
        is_on = where > 0.0
        ahead = _units(np.maximum(where, 0.0) @ weights + np.einsum("lj,ljc->lc", share, base))
        linear = base + np.where(is_on[:, None], products, 0.0) @ weights
        rises = np.maximum(np.where(is_on[:, None], -products, products), 0.0)
        along = ahead @ weights.T
        rests = _norms(weights[None] - along[:, :, None] * ahead[:, None])
        # Of either sign along the direction, and across it.
        kinds = np.stack([np.maximum(along, 0.0), np.maximum(-along, 0.0), rests], axis=2)
        above, below, chords = np.moveaxis(rises @ kinds, 2, 0)
        forward = np.einsum("ljc,lc->lj", linear, ahead)
        across = linear - forward[:, :, None] * ahead[:, None]
        return _Parts(forward + above, below - forward, across, chords, kinds)

    def splits(self, of: BoolArray) -> Splits:
        """The edge in the middle of which c would fall most if it were halved, or the longest.

        There all but chords is taken for linear.
        """
        sizes = self._sizes[of]
        parts = self._parts(self.middles(of), of).over(sizes)
        totals, products, gaps = parts.totals, self._products[of] / sizes[:, :, None], []
        for i, j in self._cones.edges:
            one, other = products[:, i], products[:, j]
            apart = np.minimum(np.abs(one), np.abs(other)) * (one * other < 0.0)
            lower = (apart[:, None, :] @ parts.kinds)[:, 0]
            gaps.append(totals[:, i] + totals[:, j] - parts.halved(i, j, lower))
        return self.widest(np.stack(gaps, axis=1), of)


@final
class OutputsTree(Tree):
    """The largest ``||F||`` on the unit ball, by cones that cover it.

    Parameters
    ----------
    function : OutputsKinked
    target : float
        Cones with a bound of no more are not halved.

    Examples
    --------
    >>> weights = np.array([[3.0, 0.0], [0.0, -4.0], [0.0, 1.0]])
    >>> function = OutputsKinked(np.eye(3), weights, np.zeros((3, 2)))
    >>> bound, splits = OutputsTree(function, 4.00001).searched(1000)
    >>> 4.0 <= bound <= 4.00001, OutputsTree(function, 4.00001).followed(splits) == bound
    (True, True)
    """

    def _estimates(self, cones: Cones) -> Estimates:
        return OutputsEstimates(self._function, cones)


def _norms(vectors: FloatArray) -> FloatArray:
    """Along the last axis, as computed."""
    return np.sqrt(np.einsum("...c,...c->...", vectors, vectors))


def _units(vectors: FloatArray) -> FloatArray:
    """Unit vectors along some of shape (k, c); any for those whose squares are nothing."""
    lengths = _norms(vectors)[:, None]
    usual = np.zeros_like(vectors)
    usual[:, 0] = 1.0
    has_length = lengths > _SHORTEST
    return np.where(has_length, vectors / np.where(has_length, lengths, 1.0), usual)
