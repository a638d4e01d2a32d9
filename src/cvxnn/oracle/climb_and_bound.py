"""An ascent that finds neurons, and branch and bound that proves how good they are."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.oracle.ascent import AscentOracle
from cvxnn.oracle.branch_and_bound import BranchAndBound, TreePrice
from cvxnn.oracle.price import Proposals, VectorOracle, Wanted

# Random starts of the ascent.
_STARTS = 256


@final
class ClimbAndBound(VectorOracle[TreePrice]):
    """Proposes what both find; the tree starts from the directions of the ascent.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    tree : BranchAndBound
        Of the same rows.
    random_state : numpy.random.Generator
        Where the ascent starts.
    most : int
        Neurons of each sign that it proposes.

    Examples
    --------
    >>> tree = BranchAndBound(np.eye(3))
    >>> oracle = ClimbAndBound(np.eye(3), tree, np.random.default_rng(0), most=10)
    >>> price = oracle.price(np.array([[3.0], [0.0], [-4.0]]), 1.0)
    >>> round(price.bound, 5), price.signs[0]
    (4.0, np.float64(-1.0))
    """

    def __init__(
        self, X: FloatArray, tree: BranchAndBound, random_state: np.random.Generator, *, most: int
    ) -> None:
        basis = tree.reduction.basis
        self._basis, self._tree, self._most = basis, tree, most
        self._ascent = AscentOracle(X @ basis, basis.T @ tree.reduction.to_direction, random_state)

    def price_vector(self, v: FloatArray, wanted: Wanted) -> TreePrice:
        """Price v, shape (n,): the tree starts from what the ascent has found."""
        climbed = self._ascent.search(
            v[:, None], wanted.threshold, _STARTS,
            most=self._most, polish=True, deadline=wanted.deadline,
        ).turned(self._basis.T)  # fmt: skip
        given = [] if wanted.starts is None else [wanted.starts]
        starts = np.vstack([climbed.directions, *given])
        price = self._tree.price_vector(v, replace(wanted, starts=starts))
        return replace(price, found=Proposals.joined(climbed, price.found))
