"""The smallest optimal network: a vertex with the fewest neurons, or a good one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.landscape.polytope import Polytope
from cvxnn.networks import TwoLayerNetwork

# Nodes of a branch and bound; a count, not a time, so that every machine finds the same.
_NODES = 20_000
# Supports that the tolerances of the program let through, to be excluded one by one.
_CUTS = 20
# Linear programs of the greedy search: starts, and rounds of reweighting for each.
_STARTS, _REWEIGHTINGS = 8, 6


@dataclass(frozen=True)
class FewestWeights:
    """A vertex with few positive weights, and how many are needed at least.

    Attributes
    ----------
    weights : ndarray, shape (k,)
    lower_bound : int
        Proven: no member of the polytope has fewer positive weights.
    """

    weights: FloatArray
    lower_bound: int


@dataclass(frozen=True)
class SmallestNetwork:
    """An optimal network with few neurons, and how few they could be.

    Attributes
    ----------
    network : TwoLayerNetwork
    lower_bound : int
        Proven: no optimal network has fewer neurons.
    method : str
        ``"mixed-integer"``: the search for the smallest was exact; ``"greedy"``:
        the smallest of some vertices of the set.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import OptimalSet
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> smallest = OptimalSet(X, np.ones(4), beta=0.1).smallest_network()
    >>> smallest.network.n_neurons, smallest.lower_bound, smallest.is_proven
    (2, 2, True)
    """

    network: TwoLayerNetwork
    lower_bound: int
    method: str

    @property
    def is_proven(self) -> bool:
        """Whether no optimal network is smaller."""
        return self.network.n_neurons <= self.lower_bound


def fewest_exactly(polytope: Polytope) -> FewestWeights:
    """Minimise the number of positive weights by mixed-integer programming (HiGHS).

    ``min sum_j b_j`` over the polytope with ``w_j <= upper_j b_j`` and b binary,
    where ``upper_j`` is the largest weight on the polytope. A program solves this
    up to its tolerances only, so that the support it names is solved exactly; if
    there is no member on it, it is excluded and the program solved again.
    """
    best = fewest_greedily(polytope)
    if polytope.dimension == 0:
        return FewestWeights(best.weights, _count(best.weights))
    rows, target, upper = polytope.equations()
    inside = np.flatnonzero(polytope.support)
    excluded: list[BoolArray] = []
    bound = best.lower_bound
    for _ in range(_CUTS):
        result = _solve(rows[:, inside], target, upper[inside], excluded)
        if result.mip_dual_bound is not None and np.isfinite(result.mip_dual_bound):
            bound = max(bound, int(np.ceil(result.mip_dual_bound - 1e-6)))
        # A support that is not the smallest must not be excluded: its subsets go with it.
        if result.status != 0 or bound >= _count(best.weights):
            break
        support = np.zeros(polytope.size, dtype=bool)
        support[inside] = result.x[len(inside) :] > 0.5
        exact = polytope.on_support(support)
        if exact is not None:
            if _count(exact) < _count(best.weights):
                best = FewestWeights(exact, bound)
            break
        excluded.append(support[inside])
    return FewestWeights(best.weights, min(bound, _count(best.weights)))


def fewest_greedily(polytope: Polytope) -> FewestWeights:
    """The best of some vertices: linear programs that push small weights to zero.

    Costs are ``1 / (w_j + eps)`` at the weights of the last vertex, the usual
    surrogate for a count (Candès, Wakin and Boyd, 2008), from several starts.
    """
    rng = np.random.default_rng(0)
    best = polytope.maximise(np.zeros(polytope.size))
    for _ in range(_STARTS if polytope.dimension else 0):
        costs = rng.uniform(0.0, 1.0, polytope.size)
        for _ in range(_REWEIGHTINGS):
            vertex = polytope.maximise(-costs)
            if _count(vertex) < _count(best):
                best = vertex
            costs = 1.0 / (vertex + 1e-3 * max(float(vertex.max()), 1e-300))
    return FewestWeights(best, min(1, _count(best)))


def _count(weights: FloatArray) -> int:
    return int(np.count_nonzero(weights))


# Any: the class of the result has no public name.
def _solve(
    rows: FloatArray, target: FloatArray, upper: FloatArray, excluded: list[BoolArray]
) -> Any:
    # Shares of the upper bounds: weights differ by orders, tolerances do not.
    k = rows.shape[1]
    shares, zeros = rows * upper, np.zeros_like(rows)
    constraints = [
        LinearConstraint(np.hstack([shares, zeros]), target, target),
        LinearConstraint(np.hstack([np.eye(k), -np.eye(k)]), -np.inf, 0.0),
    ]
    for support in excluded:
        outside = np.concatenate([np.zeros(k), ~support])
        constraints.append(LinearConstraint(outside[None], 1.0, np.inf))
    return milp(
        np.concatenate([np.zeros(k), np.ones(k)]),
        integrality=np.repeat([0, 1], k),
        bounds=Bounds(0.0, 1.0),
        constraints=constraints,
        options={"node_limit": _NODES},
    )
