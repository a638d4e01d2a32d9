"""What the neurons of a network must not do, and what they pay beside their norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray


@final
@dataclass(frozen=True)
class Costs:
    """Cones of the directions of each sign, the signs there are, and the share of a 1-norm.

    A neuron ``s c (X u)_+`` of sign s and size c costs ``beta c N(u)`` with the norm

        N(u) = (1 - r) ||u|| + r ||u||_1,    r the `l1_ratio`,

    and directions have ``N(u) = 1``. It is monotone where ``s m_j u_j >= 0`` for each column.

    Attributes
    ----------
    monotone : tuple of int, length d
        The m_j: 1 for a function that must not fall with a column, -1 for one that must not
        rise, 0 for one that may do as it likes.
    signs : tuple of float
        Signs s that neurons may have: (1.0,) makes a convex function, (-1.0,) a concave one.
    l1_ratio : float
        r, in [0, 1].

    Notes
    -----
    Both are rows more that the neurons of a sign look at: ``v'(X u)_+ - sum_r p_r (g_r'u)_+``
    with prices p_r >= 0 is a function of the kind that every oracle bounds. Rows ``g = -s m_j
    e_j`` of any price prove a bound on the cone, where their activations are zero; and with
    rows ``+-e_j`` of the price ``beta r``, ``v'(X u)_+ - beta r ||u||_1 <= beta (1 - r) ||u||``
    is the dual constraint.

    Examples
    --------
    >>> Costs((1, 0), (1.0,)).cone(1.0)
    array([1., 0.])
    >>> Costs((0, 0), l1_ratio=0.5).norms(np.array([[3.0, 4.0]]))
    array([6.])
    """

    monotone: tuple[int, ...]
    signs: tuple[float, ...] = (1.0, -1.0)
    l1_ratio: float = 0.0

    def cone(self, sign: float) -> FloatArray:
        """The t_j of the directions ``t_j u_j >= 0`` of a sign, 0 for no constraint, shape (d,)."""
        return sign * np.array(self.monotone, dtype=np.float64) + 0.0

    def of(self, columns: Sequence[int]) -> Costs:
        """Those of neurons that see some columns only."""
        return replace(self, monotone=tuple(self.monotone[column] for column in columns))

    def projected(self, directions: FloatArray, sign: float) -> FloatArray:
        """The rows of `directions` moved into the cone of a sign, of ``N(u) = 1``.

        Entries outside of it become 0, and so does a direction of which nothing is left.
        """
        moved = np.where(self.cone(sign) * directions < 0.0, 0.0, directions)
        norms = self.norms(moved)
        return np.asarray(moved / np.where(norms > 0.0, norms, 1.0)[:, None])

    def norms(self, directions: FloatArray) -> FloatArray:
        """``N(u)`` for the rows u of `directions`, shape (k,)."""
        euclidean = np.linalg.norm(directions, axis=-1)
        if self.l1_ratio == 0.0:
            return np.asarray(euclidean)
        own = np.abs(directions).sum(axis=-1)
        return np.asarray((1.0 - self.l1_ratio) * euclidean + self.l1_ratio * own)
