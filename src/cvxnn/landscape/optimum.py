"""The optimum to the last digits: its residual, and every neuron direction that can be optimal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError, TooManyPatternsError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.oracle import CellOracle, Pricing
from cvxnn.patterns import enumerate_patterns
from cvxnn.solvers.face_newton import dual_point, refine
from cvxnn.solvers.neurons import Neurons, atoms
from cvxnn.solvers.nonnegative_lasso import nonnegative_lasso
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]

# A pair (pattern, sign) is active when its largest value is within this share of beta.
# A polished residual decides with five digits to spare.
ACTIVE = 1e-9
# Directions of one sign closer than this are one: neighbouring cells share faces.
_SAME = 1e-7
# Directions this close to active are candidates while the optimum is being polished.
_CANDIDATE = 1e-4
# The residual prices no cell above beta by more than this share in the end.
_ACCURATE, _ACCEPTABLE = 1e-10, 1e-8
_ROUNDS = 12


@dataclass(frozen=True)
class Optimum:
    """What all optima share, in the units of the problem.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
        Unit vectors, one for each direction that a neuron of an optimal network
        can have; with its sign, no other is possible.
    signs : ndarray, shape (k,)
        1 or -1: the sign of the output weight of such neurons.
    activations : ndarray, shape (n, k)
        ``s_j (X u_j)_+``.
    weights : ndarray, shape (k,)
        Products ``||u|| |a|`` of one optimal network on these directions.
    residual : ndarray, shape (n,)
        ``y - f(X)``, the same for every optimum.
    excess : float
        Proven: no direction has ``|r'(Xu)_+|`` above ``beta (1 + excess)``.
    margin : float
        The next best direction has at most ``beta (1 - margin)``; `excess` has
        to be far below it for the list of directions to be beyond doubt.
    """

    directions: FloatArray
    signs: FloatArray
    activations: FloatArray
    weights: FloatArray
    residual: FloatArray
    excess: float
    margin: float

    @classmethod
    def of(cls, X: FloatArray, y: FloatArray, beta: float, network: TwoLayerNetwork) -> Optimum:
        """Polish a network that is nearly optimal, and price every cell at its residual.

        Raises
        ------
        TooManyPatternsError
            If the patterns of X cannot be listed.
        InputError
            If the polishing does not end at an optimum.
        """
        scaled = ScaledProblem.of(X, y, beta)
        oracle = _oracle(scaled.X)
        polished = _Polished(scaled, oracle, network)
        directions, signs = polished.active()
        lifted = directions @ oracle.basis.T
        weights = polished.weights_on(Neurons(directions, np.zeros(len(signs)), signs))
        return cls(
            directions=lifted,
            signs=signs,
            activations=np.maximum(X @ lifted.T, 0.0) * signs,
            weights=weights * scaled.weight_unit**2,
            residual=polished.v * float(np.sqrt(scaled.objective_unit)),
            excess=polished.excess,
            margin=polished.margin(),
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


class _Polished:
    """A network driven to the optimum by Newton's method and the prices of all cells."""

    def __init__(self, problem: ScaledProblem, oracle: CellOracle, network: TwoLayerNetwork):
        self.y, self.beta, self.oracle = problem.y, problem.beta, oracle
        self.X = problem.X @ oracle.basis
        products = np.abs(network.output_weights)[:, None] * network.hidden_weights
        rays = products @ oracle.basis / problem.weight_unit**2
        self.neurons = Neurons.of(rays, np.sign(network.output_weights))
        self._polish()

    def _polish(self) -> None:
        best: tuple[float, FloatArray, Pricing, Neurons] | None = None
        for _ in range(_ROUNDS):
            self.neurons = refine(self.X, self.y, self.beta, self.neurons)
            v = dual_point(self.X, self.y, self.beta, self.neurons)
            pricing = self.oracle.price(v, enough=self.beta * (1.0 - 10.0 * _CANDIDATE))
            excess = max(pricing.bound / self.beta - 1.0, 0.0)
            if best is None or excess < best[0]:
                best = excess, v, pricing, self.neurons
            if excess <= _ACCURATE:
                break
            directions, signs = self._above(pricing, _CANDIDATE)
            self.neurons = self.neurons.joined(directions, signs)
        assert best is not None
        self.excess, self.v, self.pricing, self.neurons = best
        if self.excess > _ACCEPTABLE:
            raise InputError(
                f"The optimum could not be polished: a neuron still exceeds beta by "
                f"{self.excess:.1e} of it. Pass a solution with a smaller gap, or scale X."
            )

    def _above(self, pricing: Pricing, share: float) -> tuple[FloatArray, FloatArray]:
        """Distinct directions with a value of at least ``beta (1 - share)``, and their signs."""
        values = np.linalg.norm(pricing.points, axis=2)
        half, cells = np.nonzero(values >= self.beta * (1.0 - share))
        order = np.argsort(-values[half, cells], kind="stable")
        half, cells = half[order], cells[order]
        units = pricing.points[half, cells] / values[half, cells][:, None]
        signs = np.where(half == 0, 1.0, -1.0)
        return _distinct(units, signs)

    def active(self) -> tuple[FloatArray, FloatArray]:
        """Directions whose value is beta, and their signs."""
        if len(self.neurons.weights) == 0:
            # Nothing is worth its price; at the largest beta that matters some nearly are.
            return np.zeros((0, self.X.shape[1])), np.zeros(0)
        return self._above(self.pricing, max(ACTIVE, 10.0 * self.excess))

    def margin(self) -> float:
        """How far the best inactive value stays below beta, relative; at most 1e-3 is resolved."""
        values = np.linalg.norm(self.pricing.points, axis=2) / self.beta
        below = values[values < 1.0 - max(ACTIVE, 10.0 * self.excess)]
        return float(min(1.0 - below.max(initial=0.0), 10.0 * _CANDIDATE))

    def weights_on(self, own: Neurons) -> FloatArray:
        """Weights of an optimal network on the active directions alone.

        The non-negative Lasso starts from the polished network, whose neurons are
        among them.
        """
        start = np.zeros(len(own.signs))
        for u, weight, sign in zip(
            self.neurons.directions, self.neurons.weights, self.neurons.signs, strict=True
        ):
            away = np.linalg.norm(own.directions - u, axis=1) + 2.0 * (own.signs != sign)
            start[int(np.argmin(away))] += weight
        columns = atoms(self.X, own)
        weights = nonnegative_lasso(columns, self.y, self.beta, start)
        support = weights > 0.0
        # The polished fit is more accurate than that of the Lasso, where beta is small.
        exact = np.linalg.lstsq(columns[:, support], self.y - self.v, rcond=None)[0]
        if (exact > 0.0).all():
            weights[support] = exact
        return weights


def _distinct(units: FloatArray, signs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One of every cluster of directions of one sign, the first."""
    kept: list[int] = []
    for j in range(len(signs)):
        rivals = np.array([i for i in kept if signs[i] == signs[j]], dtype=np.int64)
        if not (np.linalg.norm(units[rivals] - units[j], axis=1) <= _SAME).any():
            kept.append(j)
    return units[kept], signs[kept]
