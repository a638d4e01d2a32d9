"""The optimum of several outputs to the last digits, on data of rank two at most.

On an arc of the circle between two hyperplanes the norm ``||V'(X u)_+||`` is ``(A + R cos 2 (t -
top))^(1/2)`` at the angle t: unless R = 0 it is largest at one angle inside, or at one or both of
the ends. So the neurons that optimal networks can have are finitely many, and an exact oracle finds
all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.landscape.activity import (
    ACCURATE,
    ACTIVE,
    CANDIDATE,
    NEARLY_DEPENDENT,
    RESOLVED,
    active_share,
    check_excess,
    exact_weights,
    margin,
    without_constant,
)
from cvxnn.landscape.optimum import Optimum
from cvxnn.landscape.planar_newton import PlanarNetwork, left_of
from cvxnn.landscape.rays import RowsOnRays
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.pruning import columns_of, prune_scales
from cvxnn.oracle.outputs.rank_two import RankTwoOutputsOracle
from cvxnn.oracle.price import Proposals
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import sides_of
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

_ROUNDS = 12
# A norm that changes by less than this share along an arc is constant.
_FLAT = 1e-7
# Maxima closer than this are one: the oracle has a maximum at a kink for the arcs on both sides.
_SAME = 1e-7
# The share of the fit that active neurons may miss by rounding.
_MISSED = 1e-6


def planar_optimum(rays: RowsOnRays, beta: float, networks: Iterable[TwoLayerNetwork]) -> Optimum:
    """What :meth:`Optimum.of` is for several outputs.

    Raises
    ------
    InputError
        If X has a larger rank, the polishing does not end at an optimum, or all directions of
        an arc are optimal.
    """
    layer, target = without_constant(rays)
    problem, units = Problem(layer, target, beta, SquaredLoss()).in_units()
    reduction = reduce_rows(problem.rows.rows)
    if reduction.rank > 2:
        raise InputError(
            f"OptimalSet of {problem.n_outputs} outputs is for data of rank 2 at most, got rank "
            f"{reduction.rank}: the best direction of a cell is that of a problem which is not "
            "convex; solve trains such a network, and descent_path leads to it."
        )
    basis = reduction.basis
    planar = problem.on(problem.rows.turned(basis))
    starts = (units.reduced(ReLU().neurons(network)).turned(basis) for network in networks)
    polished = _best_of(planar, starts)
    own = polished.active()
    every = np.vstack([own.directions, polished.neurons.directions])
    _check_arcs(planar.rows, polished.V, every)
    weights = polished.weights_on(own)
    lifted = own.directions @ basis.T
    return Optimum(
        directions=lifted,
        heads=own.outputs,
        activations=_columns(layer, lifted, own.outputs),
        weights=weights * units.sizes,
        residual=polished.V * units.targets,
        excess=polished.maxima.excess,
        tolerance=polished.active_share,
        margin=margin(polished.maxima.values, polished.active_share),
    )


@dataclass(frozen=True)
class _Maxima:
    """Local maxima of ``||V'(X u)_+|| / beta`` on the circle, the largest first.

    Attributes
    ----------
    directions, outputs : ndarray, shapes (k, r) and (k, c)
    values : ndarray, shape (k,)
    excess : float
        Proven: no direction has more than ``1 + excess``.
    """

    directions: FloatArray
    outputs: FloatArray
    values: FloatArray
    excess: float

    @classmethod
    def of(cls, oracle: RankTwoOutputsOracle, V: FloatArray, beta: float) -> _Maxima:
        """Those that are nearly worth beta."""
        price = oracle.price(V, beta * (1.0 - RESOLVED))
        found, bound = _different(price.proposals), price.bound / beta - 1.0
        return cls(found.directions, found.outputs, found.values / beta, max(bound, 0.0))

    def above(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Directions and unit outputs of those with at least ``1 - share``."""
        chosen = self.values >= 1.0 - share
        return self.directions[chosen], self.outputs[chosen]


def _different(found: Proposals) -> Proposals:
    """Those that are not next to a larger one in direction and output; O(k^2)."""
    both = np.hstack([found.directions, found.outputs])
    kept: list[int] = []
    for j in np.argsort(-found.values, kind="stable").tolist():
        if (np.linalg.norm(both[kept] - both[j], axis=1) > _SAME).all():
            kept.append(j)
    return found.select(np.array(kept, dtype=np.intp))


class _Polished:
    """Neurons driven to the optimum by Newton's method and the maxima of all arcs.

    Parameters
    ----------
    problem : Problem of Layer
        With the squared loss and c outputs, and rows of shape (n, r), r <= 2; a readout takes
        off the part along a constant.
    start : Neurons
        Of a network that is nearly optimal.

    Attributes
    ----------
    V : ndarray, shape (n, c)
        The residual of the best network so far.
    maxima : _Maxima
        Beside V.
    neurons : Neurons
    defect : float
        How far V is from an optimum, relative to beta.
    """

    def __init__(self, problem: Problem[Layer], start: Neurons) -> None:
        self.problem, self.layer, self.beta = problem, problem.rows, problem.beta
        most = 4 * len(problem.Y) + 4
        self._oracle = RankTwoOutputsOracle(self.layer.rows, most=most)
        self.neurons, self.defect = start, np.inf
        self._offer(PlanarNetwork.of(problem, start))
        candidates = start
        for _ in range(_ROUNDS):
            before = self.defect
            for neurons in (candidates, self._candidates()):
                weighted = self._weighted(neurons)
                self._offer(PlanarNetwork.of(problem, weighted).settled())
            if self.defect <= ACCURATE or self.defect >= before:
                break
            candidates = self.neurons

    def columns(self, neurons: Neurons) -> FloatArray:
        """``vec(phi(u_j) a_j')`` of unit neurons, shape (n c, k)."""
        return _columns(self.layer, neurons.directions, neurons.outputs)

    def _candidates(self) -> Neurons:
        directions, outputs = self.maxima.above(CANDIDATE)
        return Neurons(directions, np.zeros(len(outputs)), outputs)

    def _weighted(self, neurons: Neurons) -> Neurons:
        """The best sizes of given neurons, without those that depend on others."""
        if len(neurons) == 0:
            return neurons
        columns = self.columns(neurons)
        sizes = nonnegative_lasso(columns, self.problem.Y.ravel(), self.beta, neurons.sizes)
        used = np.flatnonzero(sizes > 0.0)
        neurons, columns = neurons.sized(sizes).select(used), columns[:, used] * sizes[used]
        scales = np.ones(len(used))
        for moved in prune_scales(columns, neurons.sizes, NEARLY_DEPENDENT):
            scales = moved
        return neurons.sized(scales * neurons.sizes).select(np.flatnonzero(scales > 0.0))

    def _offer(self, point: PlanarNetwork) -> None:
        maxima = _Maxima.of(self._oracle, self.layer.pull(point.residual), self.beta)
        excess = max(float(maxima.values.max(initial=0.0)) - 1.0, 0.0)
        defect = max(excess, point.slope / self.beta)
        if defect <= self.defect:
            self.V, self.maxima, self.defect = point.residual, maxima, defect
            self.neurons = point.neurons

    @property
    def active_share(self) -> float:
        """See :func:`~cvxnn.landscape.activity.active_share`."""
        values = self.V.ravel() @ self.columns(self.neurons) / self.beta
        found = max(float(self.maxima.values.max(initial=0.0)) - 1.0, 0.0)
        return active_share(self.neurons.sizes, values, found)

    def active(self) -> Neurons:
        """Those that are worth beta."""
        if len(self.neurons) == 0:
            return self.neurons
        directions, outputs = self.maxima.above(self.active_share)
        return Neurons(directions, np.zeros(len(outputs)), outputs)

    def weights_on(self, own: Neurons) -> FloatArray:
        """Weights of an optimal network on the active neurons alone, shape (k,)."""
        if len(own) == 0:
            return np.zeros(0)
        Y, columns = self.problem.Y, self.columns(own)
        fit = (Y - self.V).ravel()
        weights = exact_weights(columns, Y.ravel(), fit, self.beta, own.sizes)
        missed = float(np.linalg.norm(columns @ weights - fit) / np.linalg.norm(fit))
        if missed > _MISSED:
            raise InputError(
                "The optimum could not be polished: the neurons that are worth beta miss its fit "
                f"by {missed:.1e} of it. Scale the columns of X, take rows that almost coincide "
                "as one, or raise beta."
            )
        return weights


def _best_of(problem: Problem[Layer], starts: Iterable[Neurons]) -> _Polished:
    """The first network that can be polished until the directions are decided, or the best."""
    tried: list[_Polished] = []
    for start in starts:
        tried.append(_Polished(problem, start))
        if tried[-1].defect <= ACTIVE:
            break
    best = min(tried, key=lambda polished: polished.defect)
    check_excess(best.maxima.excess)
    return best


def _columns(layer: Layer, directions: FloatArray, outputs: FloatArray) -> FloatArray:
    """``vec(phi(u_j) a_j')``, shape (n c, k)."""
    return columns_of(layer.activations(directions), outputs)


def _check_arcs(layer: Layer, V: FloatArray, directions: FloatArray) -> None:
    """InputError if the norm is constant on an arc that one of the directions is in, or ends."""
    if layer.n_features < 2:
        return
    sides, pulled = sides_of(layer.rows, directions), layer.pull(V)
    turning = left_of(directions) @ layer.rows.T
    for turned in (turning > 0.0, turning < 0.0):
        for side in (sides > 0) | ((sides == 0) & turned):
            values = np.linalg.svd((layer.rows * side[:, None]).T @ pulled, compute_uv=False)
            if values[0] - values[1] <= _FLAT * values[0]:
                raise InputError(
                    "The optimal set is no polytope here, as all directions between two "
                    "hyperplanes are optimal: solve finds an optimum, and descent_path leads to it."
                )
