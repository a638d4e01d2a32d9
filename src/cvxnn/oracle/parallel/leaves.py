"""A bound on sub-networks of three layers from one on neurons of two.

With ``G = conv{ +-(Xw)_+ : ||w|| <= 1 }`` the activations of a sub-network are ``(g)_+`` for a
``g = p - q`` of G, where p and q are sums of activations ``(Xw)_+ >= 0`` with weights that sum to
one. A *leaf* says of some rows that ``g_i >= 0`` and of others that ``g_i <= 0``. For any
coefficients c that are ``<= 0`` on all rows that are not said to be active, each row has

    w_i (g_i)_+  <=  c_i g_i + (w_i - c_i)_+ p_i        not said to be inactive,
    w_i (g_i)_+  =   0  <=  c_i g_i                     said to be inactive,

so that ``w'(g)_+ <= a'p - c'q <= max(M2(a), M2(-c))`` with ``a = max(c, w)``, or c on inactive
rows, and ``M2(z) = max z'(Xu)_+`` over ``||u|| <= 1``. Leaves of which one applies to every g
bound ``max w'(g)_+``. Nothing is rounded but by the oracle of two layers: maxima and changes of
sign are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.oracle.choice import Effort, RowGeometry
from cvxnn.oracle.price import BOTH, Price, VectorOracle, Wanted

# Nodes of a tree, and nodes times rows.
_MOST_NODES, _WORK = 100_000, 100_000_000
# What is said of a row of a leaf.
ACTIVE, INACTIVE, OPEN = 1, -1, 0


@final
@dataclass(frozen=True)
class Leaves:
    """Choices of signs for both output signs, with a coefficient for each row.

    Attributes
    ----------
    signs : ndarray, shape (L,)
        Of the output: 1 or -1.
    choices : ndarray of int8, shape (L, n)
        1 for ``g_i >= 0``, -1 for ``g_i <= 0``, 0 where nothing is said.
    coefficients : ndarray, shape (L, n)
        The c, ``<= 0`` where the choice is not 1.

    Examples
    --------
    >>> leaves = Leaves.roots(2).split([(0, 1)])
    >>> leaves.choices.tolist(), leaves.signs.tolist()
    ([[0, 0], [0, 1], [0, -1]], [-1.0, 1.0, 1.0])
    """

    signs: FloatArray
    choices: Array
    coefficients: FloatArray

    @classmethod
    def roots(cls, n: int) -> Leaves:
        """Nothing is said of any of n rows."""
        return cls(np.array(BOTH), np.zeros((2, n), dtype=np.int8), np.zeros((2, n)))

    def __len__(self) -> int:
        """The number of leaves L."""
        return len(self.signs)

    def over(self, v: FloatArray) -> FloatArray:
        """The a of each leaf for a dual point v, shape (L, n); ``-c`` is the other vector."""
        larger = np.maximum(self.coefficients, self.signs[:, None] * v)
        return np.where(self.choices == INACTIVE, self.coefficients, larger)

    def with_coefficients(self, coefficients: FloatArray) -> Leaves:
        """Other coefficients, those that would not do set to 0."""
        kept = np.where(self.choices == ACTIVE, coefficients, np.minimum(coefficients, 0.0))
        return Leaves(self.signs, self.choices, kept)

    def split(self, places: Sequence[tuple[int, int]]) -> Leaves:
        """With two leaves at the end for each of the leaf and row (k, i) in `places`.

        Coefficients are those of the parent, which are as good in both.
        """
        kept = np.setdiff1d(np.arange(len(self)), [k for k, _ in places])
        order = np.concatenate([kept, np.repeat([k for k, _ in places], 2)]).astype(np.intp)
        choices = self.choices[order]
        for place, (_, i) in enumerate(places):
            at = len(kept) + 2 * place
            choices[at : at + 2, i] = ACTIVE, INACTIVE
        return Leaves(self.signs[order], choices, self.coefficients[order])

    @staticmethod
    def parents(count: int, places: Sequence[tuple[int, int]]) -> list[int]:
        """Which of so many leaves those of :meth:`split` come from."""
        gone = {k for k, _ in places}
        kept = [k for k in range(count) if k not in gone]
        return kept + [k for k, _ in places for _ in range(2)]


@final
@dataclass(frozen=True)
class LeafPrice:
    """What is proven of a dual point by leaves, and the neurons that the proof came across.

    Attributes
    ----------
    bounds : ndarray, shape (L, 2)
        Of ``M2(a)`` and ``M2(-c)`` for each leaf.
    found : list of tuple of ndarray, shapes (k, d)
        Directions of neurons above the threshold for each leaf, largest first.
    finished : bool
        Whether the oracle came to its end for all of them.
    """

    bounds: FloatArray
    found: list[tuple[FloatArray, FloatArray]]
    finished: bool

    @property
    def largest(self) -> float:
        """The largest of the bounds."""
        return float(self.bounds.max())

    def of_signs(self, leaves: Leaves) -> FloatArray:
        """A bound for each sign of the output, shape (2,), in the order of ``BOTH``."""
        return np.array([self.bounds[leaves.signs == sign].max() for sign in BOTH])


@final
class LeafOracle:
    """Prices leaves by an oracle of two layers.

    Parameters
    ----------
    oracle : VectorOracle
        On the rows X.

    Examples
    --------
    >>> from cvxnn.oracle.rank_two import RankTwoOracle
    >>> oracle, leaves = LeafOracle(RankTwoOracle(np.eye(2))), Leaves.roots(2)
    >>> price = oracle.price(leaves, np.array([3.0, -4.0]))
    >>> price.of_signs(leaves).round(6).tolist()
    [3.0, 4.0]
    """

    def __init__(self, oracle: VectorOracle[Any]) -> None:
        self._oracle = oracle

    def price(
        self,
        leaves: Leaves,
        v: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-7,
        deadline: Deadline = UNLIMITED,
    ) -> LeafPrice:
        """Bounds of all leaves; 2 L prices.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before all are priced.
        """
        wanted = Wanted(threshold, tol, None, deadline, (1.0,))
        bounds, found, finished = np.empty((len(leaves), 2)), [], True
        for k, pair in enumerate(zip(leaves.over(v), -leaves.coefficients, strict=True)):
            sides = []
            for side, weights in enumerate(pair):
                deadline.check()
                price = self._oracle.price_vector(weights, wanted)
                bounds[k, side] = price.bounds[0]
                finished &= price.finished
                sides.append(_upwards(price))
            found.append((sides[0], sides[1]))
        return LeafPrice(bounds, found, finished)


def two_layer_oracle(X: FloatArray, deadline: Deadline = UNLIMITED) -> VectorOracle[Any]:
    """The oracle of two layers that suits X, whose trees end after some seconds.

    Raises
    ------
    OutOfTimeError
        If the deadline passes while cells are listed.
    """
    nodes = min(_MOST_NODES, max(1, _WORK // max(len(X), 1)))
    oracle = RowGeometry(X, deadline).oracle(Effort(max_nodes=nodes))
    assert isinstance(oracle, VectorOracle)
    return oracle


def _upwards(price: Price) -> FloatArray:
    """The directions of positive output."""
    proposals = price.proposals
    return proposals.directions[proposals.signs > 0.0] if len(proposals) else proposals.directions
