"""Which oracle suits which rows for several outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.layers.rows import Rows
from cvxnn.oracle.choice import Effort, RowGeometry
from cvxnn.oracle.outputs.ascent import OutputsAscent
from cvxnn.oracle.outputs.branch_and_bound import OutputsTree, OutputsTreePrice
from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.oracle.price import Oracle, Price, Proposals

# Up to it the tree usually ends.
OUTPUTS_SURE_RANK = 5
# Random starts of an ascent before a tree.
_STARTS = 256


@final
class OutputsClimbAndBound:
    """Proposes what ascent and tree find; the tree starts from the directions of the ascent.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    tree : OutputsTree
        Of the same rows.
    random_state : numpy.random.Generator
        Where the ascent starts.
    most : int
        Neurons that it proposes.

    Examples
    --------
    >>> oracle = OutputsClimbAndBound(
    ...     np.eye(3), OutputsTree(np.eye(3)), np.random.default_rng(0), most=10
    ... )
    >>> price = oracle.price(np.array([[3.0, 0.0], [0.0, 0.0], [0.0, -4.0]]), 1.0)
    >>> round(price.bound, 5), price.outputs[0].round(5)
    (4.0, array([ 0., -1.]))
    """

    def __init__(
        self, X: FloatArray, tree: OutputsTree, random_state: np.random.Generator, *, most: int
    ) -> None:
        basis = tree.reduction.basis
        self._basis, self._tree, self._most = basis, tree, most
        self._ascent = OutputsAscent(X @ basis, basis.T @ tree.reduction.to_direction, random_state)

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> OutputsTreePrice:
        """Price V, shape (n, c), see :class:`~cvxnn.oracle.price.Oracle`."""
        given = None if starts is None else starts @ self._basis
        climbed = self._ascent.search(
            V,
            threshold,
            _STARTS,
            starts=given,
            most=self._most,
            polish=True,
            deadline=deadline,
        ).turned(self._basis.T)
        known = [climbed.directions, *([] if starts is None else [starts])]
        price = self._tree.price(V, threshold, tol=tol, starts=np.vstack(known), deadline=deadline)
        return replace(price, found=Proposals.joined(climbed, price.found))


@final
class OutputsLayerOracle:
    """Prices dual points of the predictions, shape (n, c), by an oracle for the rows.

    Parameters
    ----------
    layer : Rows
    oracle : Oracle
        Of what the predictions are read from.

    Examples
    --------
    >>> modulus = Layer(np.array([[2.0]])).with_slope(-1.0)
    >>> oracle = OutputsLayerOracle(modulus, RankTwoOutputsOracle(modulus.rows))
    >>> round(oracle.price(np.array([[3.0, 4.0]])).bound, 9)
    10.0
    """

    def __init__(self, layer: Rows, oracle: Oracle[Price]) -> None:
        self.layer, self.oracle = layer, oracle

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> Price:
        """Price V, see :class:`~cvxnn.oracle.price.Oracle`."""
        weights, error = pulled(self.layer, V)
        price = self.oracle.price(weights, threshold, tol=tol, starts=starts, deadline=deadline)
        return price.raised(error)


def pulled(layer: Rows, V: FloatArray) -> tuple[FloatArray, float]:
    """A dual point of the predictions as one of the rows, and by how much the norm may err.

    Each column may err by what :meth:`~cvxnn.layers.Rows.pull` rounds, and the norm of
    ``V'phi(u)`` for ``||u|| <= 1`` by the norm of these errors.
    """
    errors = np.array([layer.pull_error(v) for v in V.T])
    error = float(np.hypot.reduce(errors)) * (1.0 + (len(errors) + 4) * EPS)
    return np.column_stack([layer.pull(v) for v in V.T]), error


def outputs_oracle_for(layer: Layer, effort: Effort) -> OutputsLayerOracle:
    """An oracle for c outputs of the predictions of a layer.

    Exact in rank two; a search over cones up to rank 9, with an ascent before it where the
    effort has a random state; above that a bound from an eigenvalue, with the same ascent.

    Examples
    --------
    >>> oracle = outputs_oracle_for(Layer(np.eye(2)), Effort())
    >>> oracle.price(np.array([[3.0, 0.0], [0.0, -4.0]])).kind
    'rank two'
    """
    geometry = RowGeometry(layer.rows, lists_cells=False)
    if geometry.circle is not None:
        rank_two = RankTwoOutputsOracle(geometry.circle, most=effort.most, depth=effort.depth)
        return OutputsLayerOracle(layer, rank_two)
    tree = OutputsTree(layer.rows, geometry.reduction, max_nodes=effort.max_nodes)
    if effort.random_state is None:
        return OutputsLayerOracle(layer, tree)
    climbing = OutputsClimbAndBound(layer.rows, tree, effort.random_state, most=effort.most)
    return OutputsLayerOracle(layer, climbing)
