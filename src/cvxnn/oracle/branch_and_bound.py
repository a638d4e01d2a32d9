"""The certified oracle without patterns: branch and bound, and an ascent that feeds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers import spectral_bound
from cvxnn.oracle.ascent import AscentOracle, Paid
from cvxnn.oracle.peaks import SearchPrice, proposals_of, starting_points
from cvxnn.oracle.price import Proposals, VectorOracle, Wanted
from cvxnn.oracle.signs import SignTree
from cvxnn.oracle.tree_search import TreeSearch
from cvxnn.patterns.reduction import HyperplaneWeights, Reduction, reduce_rows

# Beyond it there are too many orthants to start from.
MAX_RANK = 9
# Random starts of the ascent.
_STARTS = 256


@final
@dataclass(frozen=True)
class TreePrice(SearchPrice):
    """One bound for both signs of the output, valid also when not finished."""

    kind: ClassVar[str] = "tree"
    is_exact: ClassVar[bool] = False


@final
class BranchAndBound(VectorOracle[TreePrice]):
    """Bounds the oracle by covering the sphere with cones, finer where it matters.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    reduction : Reduction, optional
        ``reduce_rows(X)``, where it is known already.
    max_nodes : int, optional
        Nodes to visit for one price, approximately.

    Attributes
    ----------
    reduction : Reduction

    Notes
    -----
    *Bound of a node.* In the reduced coordinates the function is ``base'u +
    sum_k omega_k (n_k'u)_+``. A node is the cone of r generators ``w_j``, at
    first those of the orthants. A hyperplane that does not cut it is linear
    there. The others get a linear over-estimator: for ``omega_k > 0`` the chord,
    exact at the generators; for ``omega_k < 0`` any slope in [0, 1], best chosen
    for the whole node. With c_j the total over-estimator at ``w_j``, any z with
    ``w_j'z >= c_j`` proves the bound ``||z||``: a point ``u = sum_j lambda_j w_j``
    of node and ball has ``f(u) <= c'lambda <= z'u``. The shortest z over all
    slopes is the nearest point to zero of a polyhedron, found by Wolfe's algorithm:
    slopes that are tight at a trial point give the next vertex. Without convex
    kinks its bound is attained.
    Nodes that remain are halved at the edge where the chords are farthest from
    the function. Children inherit the products ``n_k'w_j`` of the undecided
    rows, so that a node costs O(r) for each of these.

    *Rounding.* Generators are defined by the recursion ``w = (w_a + w_b) t`` with
    the computed t, so that the cones cover space exactly; what is rounded are
    their stored coordinates, products and sums. A step errs by eps relative to
    unit size. Errors of ancestors enter a generator as its representation by
    these ancestors does, with weights ``>= 0`` that sum to ``sqrt(r)`` at most,
    because all lie in one orthant. At depth D with m undecided rows, ``mass =
    sum_k |omega_k|`` (and that of the base), and S the sum of the largest
    ``|omega_k n_k'w_j|`` of the undecided rows,

        |error of c_j| <= E = eps ((2 sqrt(r) D + 3 r + 74) mass + (m + r + 4) S)

    (sums of settled rows are compensated, in blocks of 64; over-estimators are averaged
    with r + 2 weights that are divided by their sum), and z, which violates
    ``w_j'z >= c_j`` by at most ``delta`` as computed, proves

        f <= ||z|| + sqrt(r) (delta + E + eps (sqrt(r) D + r + 4) ||z||)

    since ``sum_j lambda_j <= sqrt(r)``. :class:`HyperplaneWeights` adds the rest.

    References
    ----------
    R. Horst and H. Tuy, Global Optimization, 3rd ed., Springer 1996, section
    IV.3 (bisection of simplices). P. Wolfe, Finding the nearest point in a
    polytope, Mathematical Programming 11 (1976), 128-149.

    Examples
    --------
    >>> import numpy as np
    >>> price = BranchAndBound(np.eye(2)).price(np.array([[3.0], [-4.0]]))
    >>> round(price.bound, 5), price.directions.tolist(), price.signs.tolist()
    (4.0, [[0.0, 1.0], [1.0, 0.0]], [-1.0, 1.0])
    """

    def __init__(
        self, X: FloatArray, reduction: Reduction | None = None, *, max_nodes: int | None = None
    ) -> None:
        self._X, self._max_nodes = X, max_nodes
        self.reduction = reduce_rows(X) if reduction is None else reduction

    def price_vector(self, v: FloatArray, wanted: Wanted) -> TreePrice:
        """Price v, shape (n,).

        Returns
        -------
        TreePrice
            Once finished, ``bound <= max(threshold, best value) (1 + tol)`` up to rounding.
            The same for every number of cores, unless a deadline passes. A Ctrl-C
            that is deferred ends the search like a deadline; it is raised by the
            caller's next :func:`~cvxnn.interrupts.check_interrupt`.
        """
        weights = HyperplaneWeights.of(self.reduction, v)
        rank = self.reduction.rank
        if rank > MAX_RANK:
            bounds = wanted.bounds(spectral_bound(self._X, v))
            return TreePrice(bounds, not v.any(), Proposals.none(self._X.shape[1]), 0)
        search = TreeSearch(
            self.reduction.normals, weights, max(wanted.threshold, 0.0) / weights.unit,
            wanted.tol, wanted.deadline, self._max_nodes, wanted.signs,
        )  # fmt: skip
        if rank > 0 and search.mass > 0.0:
            search.seed(starting_points(self._X, self.reduction, v, wanted.starts))
            search.run()
        finished = search.finished or rank == 0
        bound = (search.bound + weights.error) * weights.unit * (1.0 + 8.0 * (rank + 4) * EPS)
        if not finished:
            bound = min(bound, spectral_bound(self._X, v))
        found = proposals_of(self._X, self.reduction, v, wanted.threshold, search.found)
        return TreePrice(wanted.bounds(bound), finished, found, search.n_nodes)


@final
class ClimbAndBound(VectorOracle[SearchPrice]):
    """Proposes what both find; the tree starts from the directions of the ascent.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    tree : BranchAndBound or SignTree
        Of the same rows.
    random_state : numpy.random.Generator
        Where the ascent starts.
    most : int
        Neurons of each sign that it proposes.
    n_starts : int
        Of the ascent.
    ascent : AscentOracle, optional
        On other rows than those of the tree, in the same coordinates of directions.

    Examples
    --------
    >>> tree = BranchAndBound(np.eye(3))
    >>> oracle = ClimbAndBound(np.eye(3), tree, np.random.default_rng(0), most=10)
    >>> price = oracle.price(np.array([[3.0], [0.0], [-4.0]]), 1.0)
    >>> round(price.bound, 5), price.signs[0]
    (4.0, np.float64(-1.0))
    """

    def __init__(
        self,
        X: FloatArray,
        tree: BranchAndBound | SignTree,
        random_state: np.random.Generator,
        *,
        most: int,
        n_starts: int = _STARTS,
        ascent: AscentOracle | None = None,
    ) -> None:
        self._tree, self._most, self._n_starts = tree, most, n_starts
        self.reduction = tree.reduction
        self._basis = basis = self.reduction.basis if ascent is None else np.eye(X.shape[1])
        if ascent is None:
            ascent = AscentOracle(X @ basis, basis.T @ self.reduction.to_direction, random_state)
        self._ascent = ascent

    def price_vector(self, v: FloatArray, wanted: Wanted) -> SearchPrice:
        """Price v, shape (n,): the tree starts from what the ascent has found."""
        return self.bounded(v, wanted, self.climbed(v, wanted))

    def climbed(self, v: FloatArray, wanted: Wanted, paid: Paid | None = None) -> Proposals:
        """What the ascent finds for a dual point of its rows, perhaps of directions that pay."""
        return self._ascent.search(
            v[:, None], wanted.threshold, self._n_starts,
            most=self._most, polish=True, deadline=wanted.deadline, signs=wanted.signs,
            paid=paid,
        ).turned(self._basis.T)  # fmt: skip

    def bounded(self, v: FloatArray, wanted: Wanted, climbed: Proposals) -> SearchPrice:
        """The price by the tree, from what the ascent has found and beside it."""
        given = [] if wanted.starts is None else [wanted.starts]
        starts = np.vstack([climbed.directions, *given])
        price = self._tree.price_vector(v, replace(wanted, starts=starts))
        return replace(price, found=Proposals.joined(climbed, price.found))
