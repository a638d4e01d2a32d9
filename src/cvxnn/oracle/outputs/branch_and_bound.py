"""The certified oracle for several outputs on rows of small rank: branch and bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.oracle.branch_and_bound import MAX_RANK
from cvxnn.oracle.outputs.proposals import proposals_at
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound
from cvxnn.oracle.outputs.tree_search import OutputsSearch
from cvxnn.oracle.outputs.weights import OutputWeights
from cvxnn.oracle.peaks import Peak, SearchPrice
from cvxnn.oracle.price import Proposals
from cvxnn.patterns.reduction import Reduction, reduce_rows


@final
@dataclass(frozen=True)
class OutputsTreePrice(SearchPrice):
    """A bound on the norm, valid also when not finished."""

    kind: ClassVar[str] = "tree"
    is_exact: ClassVar[bool] = False


@final
class OutputsTree:
    """Bounds the norm of several outputs by covering the sphere with cones.

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
    The tree is that of :class:`~cvxnn.oracle.branch_and_bound.BranchAndBound`, for ``F(u) =
    base'u + sum_k omega_k (n_k'u)_+`` in R^c.

    *Bound of a node.* Let a be the direction of F at the centre of the cone, ``s_k =
    a'omega_k`` and P the projection on the complement of a. With T the undecided rows and the
    linear function G of the others, at a generator w

    - ``a'F`` is at most linear with ``L = a'G(w) + sum_{T, s > 0} s_k (n_k'w)_+ + sum_{T, s <
      0} s_k t_k n_k'w``, chords and tangents with any slopes t in [0, 1], here 1 where ``n_k``
      is positive at the centre, else 0;
    - ``-a'F`` is at most linear with N, the same for -a;
    - ``||P F||`` is at most convex with ``Q = ||P (G(w) + sum_T t_k omega_k n_k'w)|| + sum_T
      ||P omega_k|| ((1 - t_k) (n_k'w)_+ + t_k (-n_k'w)_+)``, because ``(x)_+ = t x + (1 - t)
      (x)_+ + t (-x)_+``, with the same slopes.

    So ``||F||`` is at most ``(max(L, N, 0)^2 + Q^2)^(1/2)``, which is convex and positively
    homogeneous: for its values c_j at the generators, ``||F(sum_j l_j w_j)|| <= c'l`` if
    ``l >= 0``. As for one output any z with ``w_j'z >= c_j`` proves the bound ``||z||``.

    *Rounding.* Products and settled sums err as for one output: with ``mass = sum_k
    ||omega_k||`` (and that of the base) and S the sum of the largest ``||omega_k|| |n_k'w_j|``
    of the m undecided rows, by ``E_0 = eps ((2 sqrt(r) D + 3 r + 74) mass + (m + r + 4) S)``
    at depth D. The vector a has the length 1 up to ``(c + 3) eps/2``, and products with it err
    by ``(c + 1) eps/2``, so that L and N err by ``E_0 + (2 c + 8) eps (mass + S)``. In Q the
    products of an undecided row count twice, which makes it twice that at most, and c_j errs by
    ``sqrt(5)`` times that and 6 eps mass, less than

        E = 2.3 eps ((2 sqrt(r) D + 3 r + 2 c + 94) mass + (m + r + 2 c + 12) S)

    which takes the place of E there. :class:`OutputWeights` adds the rest.

    Examples
    --------
    >>> import numpy as np
    >>> price = OutputsTree(np.eye(2)).price(np.array([[3.0, 0.0], [0.0, -4.0]]))
    >>> round(price.bound, 5), price.directions[0], price.outputs[0]
    (4.0, array([0., 1.]), array([ 0., -1.]))
    """

    def __init__(
        self, X: FloatArray, reduction: Reduction | None = None, *, max_nodes: int | None = None
    ) -> None:
        self._X, self._max_nodes = X, max_nodes
        self.reduction = reduce_rows(X) if reduction is None else reduction

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> OutputsTreePrice:
        """Price V, shape (n, c), see :class:`~cvxnn.oracle.price.Oracle`.

        Returns
        -------
        OutputsTreePrice
            Once finished, ``bound <= max(threshold, best value) (1 + tol)`` up to rounding.
            The same for every number of cores, unless a deadline passes. A Ctrl-C that is
            deferred ends the search like a deadline.
        """
        rank = self.reduction.rank
        if rank > MAX_RANK:
            bounds = np.array([spectral_outputs_bound(self._X, V)])
            none = self._proposals(V, threshold, [])
            return OutputsTreePrice(bounds, not V.any(), none, 0)
        weights = OutputWeights.of(self.reduction, V)
        search = OutputsSearch(
            self.reduction.normals, weights, max(threshold, 0.0) / weights.unit, tol, deadline,
            self._max_nodes,
        )  # fmt: skip
        if rank > 0 and search.mass > 0.0:
            search.seed(self._starting_points(V, starts))
            search.run()
        finished = search.finished or rank == 0
        bound = (search.bound + weights.error) * weights.unit * (1.0 + 8.0 * (rank + 4) * EPS)
        if not finished:
            bound = min(bound, spectral_outputs_bound(self._X, V))
        found = self._proposals(V, threshold, search.found)
        return OutputsTreePrice(np.array([bound]), finished, found, search.n_nodes)

    def _starting_points(self, V: FloatArray, starts: FloatArray | None) -> FloatArray:
        """Directions to begin with, in reduced coordinates."""
        basis, rank = self.reduction.basis, self.reduction.rank
        scale = float(np.abs(V).max(initial=0.0)) or 1.0
        pulls = (self._X.T @ (V / scale)).T @ basis
        rows = [np.eye(rank), pulls, *([] if starts is None else [starts @ basis])]
        points = np.vstack(rows)
        points = np.vstack([points, -points[: rank + len(pulls)]])
        lengths = np.linalg.norm(points, axis=1)
        return np.asarray(points[lengths > 0.0] / lengths[lengths > 0.0, None])

    def _proposals(self, V: FloatArray, threshold: float, found: list[Peak]) -> Proposals:
        """The peaks that were found, their values recomputed from X."""
        points = (
            np.array([peak.point for peak in found])
            if found
            else np.zeros((0, self.reduction.rank))
        )
        directions = points @ self.reduction.basis.T
        return proposals_at(self._X, V, directions, threshold)
