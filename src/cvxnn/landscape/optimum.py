"""The optimum to the last digits: its residual, and every neuron direction that can be optimal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.errors import TooManyPatternsError
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
from cvxnn.landscape.rays import RowsOnRays
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.models.relu import ReLU
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle
from cvxnn.patterns import enumerate_patterns
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.atoms import atoms, prune, residual, sides_of
from cvxnn.solvers.newton.faces import dual_point, face_slope, refine, settle

# Directions of one sign closer than this are one.
_SAME = 1e-7
_ROUNDS = 12
# With a larger defect the next network is tried: it can hide a direction, or invent one.
_DECIDED = ACTIVE
# A correction of the residual is one of rounding up to this share of the residual, or
# this share of the terms that it sums.
_CORRECTION, _ROUNDING = 1e-10, 1e-14


@dataclass(frozen=True)
class Optimum:
    """What all optima share, in the units of the problem.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
        Unit vectors, one for each direction that a neuron of an optimal network
        can have; with its output weight, no other is possible.
    heads : ndarray, shape (k,), or (k, c) for c outputs
        The output weights of such neurons, of length 1: signs of one output.
    activations : ndarray, shape (n, k), or (n c, k)
        ``s_j (X u_j)_+``, without their part along the constant where there is one; of c
        outputs ``vec((X u_j)_+ a_j')``.
    weights : ndarray, shape (k,)
        Products ``||u|| |a|`` of one optimal network on these directions.
    residual : ndarray, shape (n,) or (n, c)
        ``y - f(X)``, the same for every optimum; beside an intercept its sum is 0.
    excess : float
        Proven: no direction has ``|r'(Xu)_+|`` above ``beta (1 + excess)``.
    tolerance : float
        The directions have at least ``beta (1 - tolerance)``.
    margin : float
        The next best direction has at most ``beta (1 - margin)``; `excess` has
        to be far below it for the list of directions to be beyond doubt.
    """

    directions: FloatArray
    heads: FloatArray
    activations: FloatArray
    weights: FloatArray
    residual: FloatArray
    excess: float
    tolerance: float
    margin: float

    @classmethod
    def of(cls, rays: RowsOnRays, beta: float, networks: Iterable[TwoLayerNetwork]) -> Optimum:
        """Polish a network that is nearly optimal, and price every cell at its residual.

        The networks are tried one after the other until one will do.

        Raises
        ------
        TooManyPatternsError
            If the patterns of X cannot be listed.
        InputError
            If the polishing does not end at an optimum.
        """
        layer, target = without_constant(rays)
        problem, units = Problem.of(layer, target, beta, SquaredLoss()).in_units()
        oracle = _oracle(problem.rows.rows)
        starts = (units.reduced(ReLU().neurons(network)) for network in networks)
        polished = _best_of(problem, oracle, starts)
        directions, signs = polished.active()
        lifted = directions @ oracle.basis.T
        weights = polished.weights_on(Neurons(directions, np.zeros(len(signs)), signs[:, None]))
        return cls(
            directions=lifted,
            heads=signs,
            activations=layer.activations(lifted) * signs,
            weights=weights * units.sizes,
            residual=polished.priced.v * units.targets,
            excess=polished.priced.proven_excess,
            tolerance=polished.active_share,
            margin=polished.margin,
        )


def _oracle(X: FloatArray) -> CellOracle:
    try:
        return CellOracle(X, enumerate_patterns(X))
    except TooManyPatternsError as error:
        n, rank = len(X), int(np.linalg.matrix_rank(X))
        raise TooManyPatternsError(
            "The set of all optima needs every activation pattern of X, and these are too many "
            f"to list ({n} rows of rank {rank}): use fewer rows, or fewer or projected features."
        ) from error


@dataclass(frozen=True)
class _Priced:
    """A residual with the prices of all cells: ``values`` in shares of beta, shape (2, M)."""

    v: FloatArray
    points: FloatArray
    values: FloatArray
    proven_excess: float

    @property
    def excess(self) -> float:
        """Largest value found above 1, without the rounding that a proof has to allow for."""
        return float(max(self.values.max(initial=0.0) - 1.0, 0.0))

    def above(self, X: FloatArray, share: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Directions with a value of at least ``1 - share``, their signs and their values.

        On a closed cell only one direction attains the maximum for a sign. So of two
        in one closed cell, such as the maximum of a cell on its boundary and a larger
        one of the next cell, the better one is the only candidate.
        """
        half, cells = np.nonzero(self.values >= 1.0 - share)
        order = np.argsort(-self.values[half, cells], kind="stable")
        half, cells = half[order], cells[order]
        points = self.points[half, cells]
        units = points / np.linalg.norm(points, axis=1, keepdims=True)
        signs = np.where(half == 0, 1.0, -1.0)
        kept = _one_in_each_cell(units, sides_of(X, units), signs)
        return units[kept], signs[kept], self.values[half[kept], cells[kept]]


def _one_in_each_cell(units: FloatArray, sides: NDArray[np.int8], signs: FloatArray) -> IntArray:
    """The first of those that share a closed cell and a sign; sides of shape (k, n)."""
    kept = np.zeros(0, dtype=np.int64)
    for j in range(len(signs)):
        rivals = kept[signs[kept] == signs[j]]
        shares = ~(sides[rivals] * sides[j] < 0).any(axis=1)
        # Where hyperplanes almost coincide, rounding puts one direction on many sides.
        shares |= np.linalg.norm(units[rivals] - units[j], axis=1) <= _SAME
        if not shares.any():
            kept = np.append(kept, j)
    return kept


class _Polished:
    """A network driven to the optimum by Newton's method and the prices of all cells."""

    def __init__(self, problem: Problem[Layer], oracle: CellOracle, start: Neurons):
        self.y, self.beta, self.oracle = problem.y, problem.beta, oracle
        self.layer = problem.rows.turned(oracle.basis)
        self.problem = problem.on(self.layer)
        self.X = self.layer.rows
        self.neurons = Neurons.of(start.rays @ oracle.basis, start.outputs)
        self.priced, self.defect = self._price(self.y), np.inf
        self._move_neurons()

    def _price(self, v: FloatArray) -> _Priced:
        weights = self.layer.pull(v)
        price = self.oracle.price(weights[:, None], self.beta * (1.0 - RESOLVED))
        values = np.linalg.norm(price.points, axis=2) / self.beta
        return _Priced(v, price.points, values, max(price.bound / self.beta - 1.0, 0.0))

    def _move_neurons(self) -> None:
        """Newton's method with the directions that are missing, until there are none."""
        candidates = self.neurons
        for _ in range(_ROUNDS):
            before = self.defect
            refined = refine(self.problem, candidates)
            self._settle(refined)
            # Where there are many optima, neurons that are independent only through
            # their errors leave Newton's method without a direction.
            self._settle(prune(self.layer, refined, dependent=NEARLY_DEPENDENT))
            # Without progress the next round would be the same as this.
            if self.defect <= ACCURATE or self.defect >= before:
                break
            candidates = self._candidates()

    def _settle(self, neurons: Neurons) -> None:
        neurons = settle(self.problem, neurons)
        plain = residual(self.problem, neurons)
        self._offer(plain, neurons)
        # Beside a small beta the rounding of f(X) is no longer small; where hyperplanes
        # almost coincide the faces can be misread, and the correction is none.
        corrected = dual_point(self.problem, neurons)
        if np.linalg.norm(corrected - plain) <= self._rounding(neurons, plain):
            self._offer(corrected, neurons)

    def _rounding(self, neurons: Neurons, plain: FloatArray) -> float:
        """What the residual of a network may err by."""
        terms = np.abs(atoms(self.layer, neurons)) @ neurons.sizes
        return _CORRECTION * float(np.linalg.norm(plain)) + _ROUNDING * float(np.linalg.norm(terms))

    def _offer(self, v: FloatArray, neurons: Neurons) -> None:
        """Keep neurons and prices if they are the best so far."""
        priced = self._price(v)
        slope = face_slope(self.problem, neurons, v) / self.beta
        defect = max(priced.excess, slope)
        if defect <= self.defect:
            self.priced, self.neurons, self.defect = priced, neurons, defect

    def _candidates(self) -> Neurons:
        """Turn every neuron to the best direction of its closed cell, and add the others.

        A neuron may be stuck on a kink that it should have left, for less than the
        rounding of the objective: the prices see that.
        """
        directions, signs, _ = self.priced.above(self.X, CANDIDATE)
        own, theirs = sides_of(self.X, self.neurons.directions), sides_of(self.X, directions)
        turned = self.neurons.directions.copy()
        for j, sign in enumerate(self.neurons.signs):
            shares = (signs == sign) & ~(theirs * own[j] < 0).any(axis=1)
            if shares.any():
                turned[j] = directions[np.argmax(shares)]
        neurons = replace(self.neurons, directions=turned)
        return neurons.joined(directions, signs[:, None])

    @property
    def active_share(self) -> float:
        """How far below 1 a value counts as 1: a neuron that is in use has to count."""
        values = self.priced.v @ atoms(self.layer, self.neurons) / self.beta
        return active_share(self.neurons.sizes, values, self.priced.excess)

    def active(self) -> tuple[FloatArray, FloatArray]:
        """Directions that are worth beta, and their signs."""
        if len(self.neurons.sizes) == 0:
            # At the smallest beta for which the empty network is optimal some are.
            return np.zeros((0, self.X.shape[1])), np.zeros(0)
        return self.priced.above(self.X, self.active_share)[:2]

    @property
    def margin(self) -> float:
        """How far the best inactive value stays below beta; more than 1e-3 is not resolved."""
        return margin(self.priced.above(self.X, RESOLVED)[2], self.active_share)

    def weights_on(self, own: Neurons) -> FloatArray:
        """Weights of an optimal network on the active directions alone.

        The non-negative Lasso starts from the polished network, whose neurons are
        among them.
        """
        start = np.zeros(len(own.signs))
        for u, weight, sign in zip(
            self.neurons.directions, self.neurons.sizes, self.neurons.signs, strict=True
        ):
            away = np.linalg.norm(own.directions - u, axis=1) + 2.0 * (own.signs != sign)
            start[int(np.argmin(away))] += weight
        columns, fit = atoms(self.layer, own), self.y - self.priced.v
        return exact_weights(columns, self.y, fit, self.beta, start)


def _best_of(problem: Problem[Layer], oracle: CellOracle, starts: Iterable[Neurons]) -> _Polished:
    """The first network that can be polished until the directions are decided, or the best.

    Raises
    ------
    InputError
        If none can be polished.
    """
    tried: list[_Polished] = []
    for start in starts:
        tried.append(_Polished(problem, oracle, start))
        if tried[-1].defect <= _DECIDED:
            break
    best = min(tried, key=lambda polished: polished.defect)
    check_excess(best.priced.proven_excess)
    return best
