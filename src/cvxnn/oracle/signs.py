"""The certified oracle for few rows at any rank: signs of rows are fixed, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers import spectral_bound
from cvxnn.oracle.peaks import SearchPrice, proposals_of, starting_points
from cvxnn.oracle.price import VectorOracle, Wanted
from cvxnn.oracle.sign_search import SignSearch
from cvxnn.patterns.reduction import HyperplaneWeights, Reduction, reduce_rows


@final
@dataclass(frozen=True)
class SignPrice(SearchPrice):
    """One bound for both signs of the output, valid also when not finished."""

    kind: ClassVar[str] = "signs"
    is_exact: ClassVar[bool] = False


@final
class SignTree(VectorOracle[SignPrice]):
    """Bounds the oracle by fixing signs of rows, where a relaxation leaves them open.

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
    In the reduced coordinates the function is ``base'u + sum_k omega_k (n_k'u)_+``, where all
    rows on one line are one term. Terms with ``omega_k < 0`` are concave: only the signs of
    ``z_k = n_k'u`` with ``omega_k > 0`` have to be fixed. Once they are, the maximum over the
    ball is, by duality, a least distance, ``min |c - sum_k t_k n_k|`` over the box ``0 <= t_k
    <= -omega_k``, where c sums the rows that are on: dropping a convex term only lowers the
    function, so that no cone has to be respected.

    *Bound of a node.* Each term is replaced by a quadratic with a multiplier, exact where the
    multiplier fits (table in ``sign_kernels``): ``z_+ <= z/2 + q/4 + z^2/(4q)`` for a row
    that is open; ``z >= z^2`` on the ball for one that is fixed; and for one that is concave,
    with a slope t, ``-w z_+ <= -t z - t (1 - t/w) z^2``. What is left is the maximum of a
    quadratic over the ball, concave after lam has been added to its curvature:

        f(u) <= kappa + lam + b'u - u'A u <= kappa + lam + b'A^{-1}b / 4,   A > 0.

    All multipliers and lam are chosen together: this is a semidefinite program, the joint
    Shor relaxation with products of a row and the ball, and Newton's method with a barrier
    for A takes one to six steps from the multipliers of the parent. A node is given up to its
    two children as soon as the duality gap of the central path says that it will not be
    closed. The row that is fixed is the one whose modulus is overestimated most.
    Nodes are looked at best first, and depth first where memory ends. O(p^2 r + p^3) for a
    step with p hyperplanes in rank r; the number of nodes grows with the number of convex
    rows and how many peaks come near the maximum, hardly with the rank.

    *Rounding.* Multipliers are what they are, numbers inside their intervals: what has to be
    bounded is how far the computed value is from the bound that they prove. With the computed
    b and A, and b*, A* those of exact arithmetic,

        |b - b*| <= e_b = eps (p + 8) (|base| + sum_k |f_k|),
        |A - A*| <= e_A = eps (p + 8) (lam + sum_k x_k),

    for slopes f_k and multipliers x_k: sums of p + 1 terms, which are products of three
    numbers; a hair (1e-12) taken off the curvatures covers normals that are a rounding longer
    than 1. If Cholesky's factorisation of A runs through, ``A + e I`` is positive
    semidefinite for ``e = eps (2 r + 4) tr A`` (Demmel; Rump 2006), so that for any vector
    y, computed as ``A^{-1}b / 2``, and ``rho = b - 2 A y``

        b'u - u'A u <= (b - 2 A y)'u + y'A y + e |u - y|^2
                    <= b'y / 2 + |rho| (1 + |y| / 2) + e (1 + |y|)^2,   |u| <= 1,

    where rho is computed up to ``eps (r + 4) (|b| + 2 |A| |y|)`` and ``b'y`` up to
    ``eps r |b| |y|``. A bound of a node is ``kappa + lam`` plus all of these, and of one whose
    signs are all fixed ``|b| + e_b``. base and omega are sums of their own, which err by
    ``eps (log2 n + 2)`` of their moduli; :class:`HyperplaneWeights` adds the rest.

    References
    ----------
    S. Poljak, F. Rendl and H. Wolkowicz, A recipe for semidefinite relaxation for (0,1)-quadratic
    programming, Journal of Global Optimization 7 (1995), 51-73. S. M. Rump, Verification of
    positive definiteness, BIT 46 (2006), 433-452.

    Examples
    --------
    >>> import numpy as np
    >>> price = SignTree(np.eye(12)).price(np.array([[3.0], [-4.0], *[[0.0]] * 10]))
    >>> round(price.bound, 5), price.signs.tolist()
    (4.0, [-1.0, 1.0])
    """

    def __init__(
        self, X: FloatArray, reduction: Reduction | None = None, *, max_nodes: int | None = None
    ) -> None:
        self._X, self._max_nodes = X, max_nodes
        self.reduction = reduce_rows(X) if reduction is None else reduction

    def price_vector(self, v: FloatArray, wanted: Wanted) -> SignPrice:
        """Price v, shape (n,).

        Returns
        -------
        SignPrice
            Once finished, ``bound <= max(threshold, best value) (1 + tol)`` up to rounding.
            The same for every number of cores, unless a deadline passes. A Ctrl-C
            that is deferred ends the search like a deadline; it is raised by the
            caller's next :func:`~cvxnn.interrupts.check_interrupt`.
        """
        weights = HyperplaneWeights.of(self.reduction, v)
        rank = self.reduction.rank
        search = SignSearch(
            self.reduction.normals, weights, max(wanted.threshold, 0.0) / weights.unit,
            wanted.tol, wanted.deadline, self._max_nodes, wanted.signs,
        )  # fmt: skip
        if search.mass > 0.0:
            search.seed(starting_points(self._X, self.reduction, v, wanted.starts))
            search.run()
        error = weights.error + 64.0 * EPS * search.mass
        bound = (search.bound + error) * weights.unit * (1.0 + 8.0 * (rank + 4) * EPS)
        if not search.finished:
            bound = min(bound, spectral_bound(self._X, v))
        found = proposals_of(self._X, self.reduction, v, wanted.threshold, search.found)
        return SignPrice(wanted.bounds(bound), search.finished, found, search.n_nodes)
