"""What the residual of a network proves: by one eigenvalue, and exactly in rank two."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses.balance import balanced
from cvxnn.patterns.reduction import row_space
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.outputs.intercept import dual_point
from cvxnn.solvers.outputs.neurons import prediction_of
from cvxnn.solvers.outputs.proof import spectral_outputs_proof
from cvxnn.solvers.outputs.strategy import sharp_outputs_proof
from cvxnn.solvers.relaxed import beside_intercept
from cvxnn.solvers.search import Pursuit
from cvxnn.solvers.strategy import Strategy, sharp_proof

# Rank up to which an exact oracle takes no longer than an eigenvalue.
_EXACT_RANK = 2
# Rounds of a search for the optimum.
_ROUNDS = 200


def residual_proof(problem: Problem[Layer], neurons: Neurons, *, intercept: bool) -> DualProof:
    """What the residual of a network proves in the time of a few passes over the rows.

    Exactly what it does in rank two, and otherwise what one eigenvalue says of it; where that is
    less than nothing, that no loss is below 0.

    Parameters
    ----------
    problem : Problem of Layer
        With a smooth loss.
    neurons : Neurons
        Any; the better the network, the better the bound.
    intercept : bool
        Whether the bound is for networks with any intercept, one for each output.

    Notes
    -----
    O(n d^2), in rank two O(n log n).

    Examples
    --------
    >>> from cvxnn.losses import SquaredLoss
    >>> problem = Problem.of(Layer(np.array([[1.0], [2.0]])), np.ones(2), 2.0, SquaredLoss())
    >>> proof = residual_proof(problem, Neurons.none(1), intercept=False)
    >>> round(proof.bound(problem), 6)  # 1 - 1/9
    0.888889
    """
    nothing = DualProof(np.zeros_like(problem.Y), np.zeros(1), "spectral")
    proofs = [nothing, _of_dual_point(problem, neurons, intercept=intercept)]
    return max(proofs, key=lambda proof: proof.bound(problem))


def _of_dual_point(problem: Problem[Layer], neurons: Neurons, *, intercept: bool) -> DualProof:
    rows = problem.rows
    is_flat = row_space(rows.rows)[0].shape[1] <= _EXACT_RANK
    if problem.n_outputs > 1:
        V = problem.residual(prediction_of(rows, neurons))
        V = dual_point(problem, V, intercept=intercept)
        return sharp_outputs_proof(rows, V) if is_flat else spectral_outputs_proof(rows, V)
    f = rows.forward(neurons.directions, neurons.signs * neurons.sizes)
    v = problem.residual(f + neurons.intercept)
    v = balanced(v) if intercept else v
    proof = sharp_proof(rows, v) if is_flat else spectral_proof(rows, v)
    return beside_intercept(problem).proof(proof) if intercept else proof


def searched_proof(
    problem: Problem[Layer], strategy: Strategy, tol: float, deadline: Deadline
) -> tuple[DualProof, bool] | None:
    """The proof that a search for the optimum ends with, and whether it has reached `tol`.

    None where the deadline passes before there is one.
    """
    try:
        search = strategy.open(deadline)
        pursuit = Pursuit(search)
        with suppress(OutOfTimeError):
            for _ in range(_ROUNDS):
                if not pursuit.advance(tol):
                    break
        search.finish(tol, quick=False)
    except OutOfTimeError:
        return None
    return search.final_proofs(quick=False)[1], search.reaches(tol)
