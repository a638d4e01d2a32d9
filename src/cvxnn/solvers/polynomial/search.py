"""The search for an optimal polynomial network: neurons of an oracle, Newton's method on all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.optimize import nnls

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, check_interrupt
from cvxnn.layers.polynomial import PolynomialRows
from cvxnn.losses.balance import balanced
from cvxnn.oracle.polynomial import PolynomialPrice
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.descent.levenberg import levenberg_minimise
from cvxnn.solvers.descent.newton_cg import Rest, newton_minimise
from cvxnn.solvers.intercept.proof import beside_any_offset
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.outputs.intercept import dual_point
from cvxnn.solvers.polynomial.decomposition import reduced
from cvxnn.solvers.polynomial.factors import FactorObjective, FactorPoint, Factors
from cvxnn.solvers.search import IncumbentSearch

# Of the sums behind an objective: the share that making neurons fewer may cost.
_ROUNDING = 64.0 * EPS


@dataclass(frozen=True)
class SearchSettings:
    """How a round works.

    Attributes
    ----------
    most : int
        Neurons of each sign and output that join in a round.
    steps, products : int
        Of Newton's method in a round, and with the Hessian in a step, at most.
    dense_steps : int
        In a round where the Hessian is a matrix, at most: they are cheap.
    rest : float
        Gradients in shares of beta and the length of the factors, at which a round ends, times
        the root of the gap before it.
    last : float
        The least of these shares.
    variables, entries : int
        Of factors, and of the Jacobian of the predictions, up to which the Hessian is a matrix.
    spare, worth : float
        Neurons of sizes below this share of the largest one are dropped, if what they are worth
        is below that share of beta.
    """

    most: int = 16
    steps: int = 30
    products: int = 200
    dense_steps: int = 200
    rest: float = 0.03
    last: float = 1e-15
    variables: int = 200
    entries: int = 1 << 20
    spare: float = 1e-2
    worth: float = 1.0 - 1e-3


SETTINGS = SearchSettings()


@dataclass(frozen=True)
class SearchedProblem:
    """A problem, and what its search needs of the rows.

    Attributes
    ----------
    problem : Problem of PolynomialRows
    turned : PolynomialRows
        In coordinates of the basis; beside an intercept, which makes up for it, without the
        constant of the activation. Neurons that are nearly that constant are well conditioned.
    basis : ndarray, shape (h, r)
    reach : float or None
        Of one output: bound on the modulus of an intercept, where there is one.
    intercept : bool
    """

    problem: Problem[PolynomialRows]
    turned: PolynomialRows
    basis: FloatArray
    reach: float | None
    intercept: bool

    @property
    def constant(self) -> float:
        """What the searched activation lacks."""
        return self.problem.rows.coefficients[2] - self.turned.coefficients[2]

    def price(self, V: FloatArray) -> tuple[PolynomialPrice, DualProof]:
        """Of a dual point next to V, and what that proves, beside any intercept if there is one."""
        problem, V = self.problem, V.reshape(len(self.problem.Y), -1)
        if problem.n_outputs > 1:
            V = dual_point(problem, V, intercept=self.intercept)
        elif self.reach is not None:
            V = balanced(V.ravel())[:, None]
        price = PolynomialPrice.of(problem.rows, V)
        proof = DualProof(V, price.bounds, "sphere")
        if self.reach is not None:
            proof = beside_any_offset(proof, problem, self.reach)
        return price, proof


@final
class PolynomialSearch(IncumbentSearch):
    """Column generation with joint descent.

    Each round adds the neurons that the oracle finds at the residual, moves all neurons and the
    intercepts by Newton's method, drops those that are worth nothing, and makes as few of the
    rest as their ranks allow.

    Parameters
    ----------
    searched : SearchedProblem
    start : Neurons
        Where to start from, with the intercepts beside them.
    nothing : Neurons
    deadline : Deadline
    """

    def __init__(
        self, searched: SearchedProblem, start: Neurons | None, nothing: Neurons, deadline: Deadline
    ) -> None:
        problem, basis = searched.problem, searched.basis
        super().__init__(problem, nothing.turned(basis), "sphere", deadline)
        self.basis, self._searched = basis, searched
        self._turned = problem.on(searched.turned)
        self._factors = Factors.of(self.neurons, searched.constant)
        self.objective = self._value(self._factors)
        if start is not None and len(start):
            self._offer(Factors.of(start.turned(basis), searched.constant))
        self._price = self._priced()

    def begin(self) -> None:
        """The neurons of the first round at their best sizes, in a few passes over the data."""
        self._offer(self._with_proposals(self._factors))

    def step(self, tol: float) -> None:
        """One round; one that is cut short leaves the best so far."""
        check_interrupt()
        before = self.objective, self.bound
        grown = self._with_proposals(self._factors)
        moved = self._descended(grown, tol)
        self._offer(moved)
        allowed = self._rounding()
        coefficients = self._turned.rows.coefficients
        for factors in (moved, self._without_spare(moved)):
            self._offer(reduced(factors, coefficients), allowed)
        self._price = self._priced()
        self.n_blocks = len(grown.W)
        advanced = (self.objective, self.bound) != before
        self.stalled = 0.0 if advanced else self.stalled + 1.0

    def finish(self, tol: float, *, quick: bool) -> None:
        """Nothing is left to do: neurons are as few as their ranks allow."""

    def _value(self, factors: Factors) -> float:
        return self._at(factors).value

    def _rounding(self) -> float:
        """What rounding may change the objective by, about."""
        prediction = self._prediction(self._factors)
        moduli = float(np.abs(self.problem.residual(prediction) * prediction).sum())
        return _ROUNDING * (abs(self.objective) + moduli)

    def _offer(self, factors: Factors, allowed: float = 0.0) -> None:
        """Keep factors if they are the best, but for an amount that is allowed."""
        value = self._value(factors)
        if value <= self.objective + allowed:
            self._factors, self.objective = factors, value
            self.neurons = factors.shifted(-self._searched.constant).neurons

    def _priced(self) -> PolynomialPrice:
        """The oracle at the residual of the best factors, its bound kept if it is the best."""
        prediction = self._prediction(self._factors)
        price, proof = self._searched.price(self.problem.residual(prediction))
        self._take(proof)
        return price

    def _prediction(self, factors: Factors) -> FloatArray:
        return self._at(factors).prediction.reshape(self.problem.target.shape)

    def _at(self, factors: Factors) -> FactorPoint:
        return FactorObjective(self._turned, factors).at(factors.vector(intercept=False))

    def _with_proposals(self, factors: Factors) -> Factors:
        """With the neurons that the oracle finds, at sizes that are best for them alone."""
        beta = self.problem.beta
        directions, outputs = self._price.neurons(self.basis, beta, SETTINGS.most)
        if not len(directions):
            return factors
        sizes = self._sizes(self._prediction(factors), directions, outputs)
        kept = sizes > 0.0
        W = np.sqrt(sizes[kept])[:, None] * directions[kept]
        return Factors(
            np.vstack([factors.W, W]),
            np.vstack([factors.outputs, outputs[kept]]),
            factors.intercept,
        )

    def _sizes(
        self, prediction: FloatArray, directions: FloatArray, outputs: FloatArray
    ) -> FloatArray:
        """The best sizes for the quadratic model, times the best factor for the loss itself."""
        problem = self.problem
        activations = self._turned.rows.activations(directions)
        shape = (len(problem.Y), problem.n_outputs)
        slopes = problem.residual(prediction).reshape(shape)
        bends = problem.loss.majorizer(prediction, problem.target).reshape(shape)
        gains = np.einsum("ij,ij->j", activations, slopes @ outputs.T) - problem.beta
        gram = np.zeros((len(gains),) * 2)
        for bend, head in zip(bends.T, outputs.T, strict=True):
            signed = activations * head
            gram += signed.T @ (bend[:, None] * signed)
        values, vectors = np.linalg.eigh(gram)
        roots = np.sqrt(np.maximum(values, 1e-12 * values[-1]))
        sizes, _ = nnls(roots[:, None] * vectors.T, (vectors.T @ gains) / roots)
        move = (activations @ (sizes[:, None] * outputs)).reshape(prediction.shape)
        # Beta is the price of a size of one.
        total = float(sizes.sum())
        if total == 0.0:
            return sizes
        return np.asarray(sizes / total * best_size(problem, prediction, move / total))

    def _descended(self, factors: Factors, tol: float) -> Factors:
        """After Newton's method on all factors, and the intercepts."""
        if not len(factors.W) and not self._searched.intercept:
            return factors
        intercept = self._searched.intercept
        objective = FactorObjective(self._turned, factors, self.deadline, intercept=intercept)
        share = max(SETTINGS.rest * min(self.gap, 1.0), SETTINGS.last)
        length = float(np.linalg.norm(factors.W)) + 1e-300
        start = factors.vector(intercept=intercept)
        entries = len(start) * self._prediction(factors).size
        is_small = len(start) <= SETTINGS.variables and entries <= SETTINGS.entries
        steps = SETTINGS.dense_steps if is_small else SETTINGS.steps
        rest = Rest(share * self.problem.beta * length, steps, SETTINGS.products)
        minimise = levenberg_minimise if is_small else newton_minimise
        return factors.moved(minimise(objective, start, rest))

    def _without_spare(self, factors: Factors) -> Factors:
        """Without small neurons that are worth less than they cost."""
        sizes = factors.lengths**2
        V = self.problem.residual(self._prediction(factors)).reshape(len(self.problem.Y), -1)
        worth = np.zeros(len(sizes))
        for v, signs in zip(V.T, factors.outputs.T, strict=True):
            lifted = self._turned.rows.adjoint(v)
            worth += signs * lifted.values(factors.units)
        is_spare = (sizes <= SETTINGS.spare * sizes.max(initial=0.0)) & (
            worth < SETTINGS.worth * self.problem.beta
        )
        kept = ~(is_spare | (sizes == 0.0))
        return Factors(factors.W[kept], factors.outputs[kept], factors.intercept)
