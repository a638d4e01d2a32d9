"""A linear part with a price beside neurons: its best weights for them, and proofs beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SkipLoss
from cvxnn.problems import Problem
from cvxnn.solvers.intercept.proof import beside_any_offset, intercept_reach

# Steps to the norm of w beside a given network, where only its size matters, and at most.
_GUESSES, _MOST = 5, 100
_DIGITS = 1e-9


@final
class PricedLine:
    """``S w`` at the price ``beta ||w||``, and a constant b without one where rows have it.

    The price is the least of ``beta/2 (||w||^2 / eta + eta)`` over eta, and the best w
    beside an eta a ridge regression inside the loss.

    Parameters
    ----------
    problem : Problem of SkipLayer
    """

    def __init__(self, problem: Problem[SkipLayer]) -> None:
        self._problem, self._columns = problem, problem.rows.columns
        self._n_free = int(problem.rows.has_constant)

    @cached_property
    def alone(self) -> Problem[Layer]:
        """The problem for the neurons where w is 0, and b the best."""
        problem, layer = self._problem, self._problem.rows.layer
        if not self._n_free:
            return problem.on(layer)
        loss = SkipLoss(problem.loss, self._columns[:, -1:], 1.0, self._n_free)
        return Problem.of(layer, problem.y, problem.beta, loss)

    def around(self, eta: float) -> Problem[Layer]:
        """The problem for the neurons beside the best w for an eta, which is 0 for 0."""
        if eta == 0.0:
            return self.alone
        problem = self._problem
        return Problem.of(problem.rows.layer, problem.y, problem.beta, self._loss(eta))

    def weights(self, f: FloatArray, eta: float) -> FloatArray:
        """The best w and b for an eta, beside predictions f of neurons."""
        if eta == 0.0:
            return self.flat(f)
        return self._loss(eta).weights(f, self._problem.y)

    def flat(self, f: FloatArray) -> FloatArray:
        """w = 0 and the best b."""
        loss, w = self.alone.loss, np.zeros(self._columns.shape[1])
        if self._n_free:
            assert isinstance(loss, SkipLoss)
            w[-1:] = loss.weights(f, self._problem.y)
        return w

    def best(self, f: FloatArray) -> FloatArray:
        """The best w and b beside predictions f of neurons."""
        eta = self._start
        for _ in range(_MOST):
            w = self.weights(f, eta)
            before, eta = eta, self.norm(w)
            if eta <= _DIGITS * self._start or abs(eta - before) <= _DIGITS * before:
                break
        return min((self.flat(f), w), key=lambda w: self.objective(f, 0.0, w))

    def guess(self, f: FloatArray) -> float:
        """``||w||`` of the best w, roughly."""
        eta = self._start
        for _ in range(_GUESSES):
            eta = max(self.norm(self.weights(f, eta)), 1e-3 * eta)
        return eta

    def norm(self, w: FloatArray) -> float:
        """``||w||``, without b."""
        return float(np.linalg.norm(w[: len(w) - self._n_free]))

    def objective(self, f: FloatArray, total_size: float, w: FloatArray) -> float:
        """Of neurons with predictions f and so large in all, and w and b."""
        return self._problem.value(f + self._columns @ w, total_size + self.norm(w))

    def proof(self, found: DualProof) -> DualProof:
        """A proof for neurons alone as one for those beside w and b."""
        if self._n_free:
            found = beside_any_offset(found, self._problem, self._reach)
        return with_linear_neuron(found, self._problem.rows.linear)

    @cached_property
    def _reach(self) -> float:
        """Bound on the b of every network that is better than the best constant."""
        w = self.flat(np.zeros_like(self._problem.y))
        constant = float(w[-1])
        return intercept_reach(
            self._problem, constant, self._problem.value(np.full_like(self._problem.y, constant))
        )

    @property
    def _start(self) -> float:
        """An eta of the size of w."""
        y, S = self._problem.y, self._problem.rows.linear
        moves = self._problem.loss.moves(np.zeros_like(y), y)
        return float(np.linalg.norm(moves)) / max(float(np.linalg.norm(S)), 1e-300)

    def _loss(self, eta: float) -> SkipLoss:
        problem = self._problem
        return SkipLoss(problem.loss, self._columns, problem.beta / eta, self._n_free)


def with_linear_neuron(proof: DualProof, S: FloatArray) -> DualProof:
    """The proof with a linear neuron as one more that may not exceed beta: ``||S'v|| <= beta``."""
    v = proof.v
    rounding = 2.0 * (sum(S.shape) + 8) * EPS * float(np.abs(v) @ np.linalg.norm(S, axis=1))
    pull = float(np.linalg.norm(S.T @ v)) + rounding
    return replace(proof, bounds=np.maximum(proof.bounds, pull))
