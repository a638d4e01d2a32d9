"""A free linear part beside any loss: what is left for the neurons is ``min_w l(f + S w, y)``.

A smooth convex loss of the predictions f of the neurons, a :class:`SkipLoss` whose w
are all free, for which proximal Newton finds the best neurons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, final

import numpy as np
import scipy.linalg
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

from cvxnn.array_types import EPS, FloatArray
from cvxnn.certificates import DualProof
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction, evaluate
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SkipLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.skip.column_space import ColumnSpace
from cvxnn.solvers.skip.free import evaluated

# Share of the objective below which it does not matter how far a linear part may reach.
_SMALL = 1e-9
# Lengths of the moves of the best w to slopes that bound it, in powers of this.
_BASE, _NEAREST, _FARTHEST = 8.0, -4, 4


@final
@dataclass(frozen=True)
class ProfiledProblem:
    """The problem for the neurons alone, and the way back from it: a FreeProblem.

    Attributes
    ----------
    problem : Problem of SkipLayer
    space : ColumnSpace
        Of S.
    inner : Problem of Layer
        The problem with what the best w, on the basis of the space, makes of the loss.
    """

    problem: Problem[SkipLayer]
    space: ColumnSpace
    inner: Problem[Layer]

    @classmethod
    def of(cls, problem: Problem[SkipLayer]) -> Self:
        """O(n p^2).

        Raises
        ------
        InputError
            If there is no best w.
        """
        rows, y = problem.rows, problem.y
        space = ColumnSpace.of(rows.columns, np.ones_like(y))
        loss = SkipLoss(problem.loss, space.basis, 1.0, n_free=len(space.kept))
        profiled = cls(problem, space, Problem.of(rows.layer, y, problem.beta, loss))
        profiled._check_that_there_is_a_best()
        return profiled

    def neurons(self, found: Neurons) -> Neurons:
        """The same: both problems have one unit."""
        return found

    def linear(self, neurons: Neurons) -> FloatArray:
        """The best w beside neurons, shape (p,)."""
        rows, space = self.problem.rows, self.space
        f = rows.layer.forward(neurons.rays, neurons.signs)
        w = np.zeros(rows.columns.shape[1])
        w[space.kept] = space.transform @ (space.turn @ self._coordinates(f))
        return 2.0 * w if len(neurons.signs) == 0 and self._is_nearly_right(w) else w

    def _is_nearly_right(self, w: FloatArray) -> bool:
        """Whether a linear part has a loss of rounding, and none when it is twice as long.

        Of a loss that ends at a margin its best w may be on either side of the end, and an
        objective of 1e-32 beside a bound of 0 is not optimal to any tolerance.
        """
        problem = self.problem
        if not problem.loss.has_labels:
            return False
        line = problem.rows.columns @ w
        zero = problem.loss.value(2.0 * line, problem.y) == 0.0
        nothing = Neurons.none(problem.rows.n_features)
        return zero and evaluated(problem, nothing, w).error > 0.0

    def proof(self, found: DualProof, reached: float) -> DualProof:
        """A proof for the inner problem, carried over.

        ``l(f + S w, y) >= -v'(f + S w) - l*(-v)`` for every v, and only the term ``v'Sw`` is
        new: at most what v pulls on the basis, times the length of w there, which
        :attr:`_reach` bounds for every network that is no worse than the best without
        neurons, and more closely where it matters for every one of an objective that is
        `reached`. The optimum is among them.
        """
        pull = float(np.linalg.norm(self._pull(found.v))) * (1.0 + 8.0 * EPS)
        slack = pull * self._reach if pull > 0.0 else 0.0
        scaling = self.problem.loss.dual_scaling(found.v, self.problem.y, np.inf)
        if slack * scaling > _SMALL * reached:
            slack = min(slack, pull * self._reach_below(reached))
        return replace(found, slack=found.slack + slack)

    def _check_that_there_is_a_best(self) -> None:
        """InputError if the loss of a linear part alone has no minimum.

        Of the losses of labels that have none where a linear part is on the right side of
        all of them, or of some and between the others.
        """
        problem, basis = self.problem, self.space.basis
        if problem.loss.has_log_link and _falls(basis, problem.y):
            raise InputError(
                "y has counts of 0 where a linear function of X is below 0, and others only where "
                'it is 0, so that skip="free" has no best weights with this loss; use '
                'skip="penalised".'
            )
        if not problem.loss.has_labels or np.isfinite(self._reach):
            return
        line = basis @ self._coordinates(np.zeros_like(problem.y))
        # Twice as far on the right side a loss that ends there is 0, which is its minimum.
        if problem.loss.value(2.0 * line, problem.y) == 0.0:
            return
        if (problem.y * line > 0.0).all() or _separates(basis, problem.y):
            raise InputError(
                'y has labels that a linear function of X separates, so that skip="free" has no '
                'best weights with this loss; use skip="penalised".'
            )

    def _pull(self, v: FloatArray) -> FloatArray:
        """Bounds on the moduli of ``B'v`` for the exact basis B, shape (k,)."""
        return np.abs(self.space.basis.T @ v) + self._pull_error(v)

    def _pull_error(self, v: FloatArray) -> FloatArray:
        """What rounding may make of ``B'v``, and the basis that is rounded itself."""
        space, size = self.space, np.abs(v)
        sums = (len(v) + 8) * EPS * (np.abs(space.basis).T @ size)
        return np.asarray((sums + space.error.T @ size) * (1.0 + 1e-9))

    def _coordinates(self, f: FloatArray) -> FloatArray:
        """The best w beside predictions of neurons, on the basis."""
        loss = self.inner.loss
        assert isinstance(loss, SkipLoss)
        return loss.weights(f, self.problem.y)

    @cached_property
    def _reach(self) -> float:
        """That of :meth:`_reach_below` for the network without neurons."""
        value = evaluate(self.problem.loss, self.problem.y, self._line, 0.0, 0)
        return self._reach_below(value.value + value.error)

    def _reach_below(self, reached: float) -> float:
        """Bound on the length of c, ``S w = B c``, of networks of an objective that is reached.

        Predictions f of neurons are of the modulus ``lengths reached / beta`` at most, and
        ``l(f + B c, y) >= -d'(f + B c) - l*(-d)`` for every d in the domain: half a space of
        c for each. Slopes at moves of the best w by 2 k vectors of equal lengths pull on B
        nearly along the axes: if by ``+-t e_j`` up to what is E in all, then
        ``|c_j| <= K_j / t_j + ||E_j|| ||c|| / t_j`` for what the constants K are, and
        ``||c|| <= ||K / t|| / (1 - ||E / t||)``. O(n k) for each of 2 k slopes. inf where
        nothing is shown.
        """
        if len(self.space.kept) == 0:
            return 0.0
        if self.space.least <= 0.0:
            return np.inf
        total, lengths = self._line.values, self.problem.rows.layer.lengths
        sizes = lengths * (reached / self.problem.beta)
        by_growth = self._reach_by_growth(reached, sizes)
        if np.isfinite(by_growth):
            return by_growth
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            bounds = [
                self._reach_by(self._slopes(total, moves), reached, sizes)
                for moves in self._moves(total)
            ]
        if min(bounds) == np.inf and self._axial_slopes is not None:
            return self._reach_by(self._axial_slopes, reached, sizes)
        return min(bounds)

    def _reach_by_growth(self, reached: float, sizes: FloatArray) -> float:
        """The same from ``l(f + B c) >= g ||B c||_1 - g ||y||_1 - g ||f||_1 - (constants)``."""
        y, growth = self.problem.y, self.problem.loss.growth(self.problem.y)
        slope = 0.0 if growth is None else float(growth[0].min())
        if growth is None or slope <= 0.0:
            return np.inf
        others = float(growth[0] @ (np.abs(y) + sizes)) + float(growth[1].sum())
        rounding = 1.0 + 4.0 * (len(y) + 32) * EPS
        # On an orthonormal basis, nearly, the length of c is that of B c.
        return (reached + others) / (slope * self.space.least) * rounding

    @property
    def _line(self) -> Prediction:
        """The best linear part alone, on the exact basis."""
        space, c = self.space, self._coordinates(np.zeros_like(self.problem.y))
        size = np.abs(c)
        moduli = np.abs(space.basis) @ size + (space.error @ size) / EPS
        return Prediction(space.basis @ c, moduli, len(c))

    def _moves(self, total: FloatArray) -> Iterator[FloatArray]:
        """Moves of predictions, shape (n, k), that change the pull along the axes."""
        basis, loss, y = self.space.basis, self.problem.loss, self.problem.y
        curvature = np.maximum(loss.curvature(total, y), np.sqrt(EPS) * loss.majorizer(total, y))
        triangle = np.linalg.qr(np.sqrt(curvature)[:, None] * basis, mode="r")
        inverse = np.linalg.pinv(triangle)
        steps = basis @ (inverse @ inverse.T)
        steps = steps / np.maximum(np.abs(steps).max(axis=0), 1e-300)
        for k in range(_NEAREST, _FARTHEST + 1):
            yield _BASE**k * steps

    def _slopes(self, total: FloatArray, moves: FloatArray) -> FloatArray:
        """Minus the slopes at predictions moved so, and at the opposite ones, shape (2, k, n)."""
        loss, y = self.problem.loss, self.problem.y
        return np.array(
            [
                [loss.project(-loss.gradient(total + sign * move, y), y) for move in moves.T]
                for sign in (1.0, -1.0)
            ]
        )

    @cached_property
    def _axial_slopes(self) -> FloatArray | None:
        """Slopes of a loss of labels that pull on B along the axes, (2, k, n); None without any.

        A loss that ends at a margin has no slope beyond it, so that those at moved predictions may
        pull on one side only. There are slopes for all axes where no linear part is on the right
        side of all labels.
        """
        loss, y = self.problem.loss, self.problem.y
        if not loss.has_labels:
            return None
        # Away from the end of the domain, where conjugates are large.
        longest = 0.5 * min(loss.longest(y, y), 1.0)
        basis = self.space.basis
        found = [_along(s * basis, y, j) for s in (1.0, -1.0) for j in range(basis.shape[1])]
        duals = [loss.project(longest * each, y) for each in found if each is not None]
        return np.reshape(duals, (2, -1, len(y))) if len(duals) == len(found) else None

    def _reach_by(self, duals: FloatArray, reached: float, lengths: FloatArray) -> float:
        """The bound by dual points that pull on B along the axes, and against them."""
        loss, y, count = self.problem.loss, self.problem.y, duals.shape[1]
        constants, errors = np.zeros(count), np.zeros(count)
        for j in range(count):
            for sign, dual in zip((1.0, -1.0), duals[:, j], strict=True):
                conjugate = abs(loss.conjugate(dual, y)) + loss.conjugate_error(dual, y)
                size = reached + conjugate + float(np.abs(dual) @ lengths)
                # What d pulls on c: -d'B c <= size.
                pull, error = -(self.space.basis.T @ dual), self._pull_error(dual)
                along = sign * float(pull[j]) - float(error[j])
                across = np.linalg.norm(np.delete(np.abs(pull) + error, j))
                if not along > 0.0:
                    return np.inf
                constants[j] = max(constants[j], size / along)
                errors[j] = max(errors[j], float(across) / along)
        left = 1.0 - float(np.linalg.norm(errors))
        rounding = 1.0 + 4.0 * (len(y) + 32) * EPS
        return float(np.linalg.norm(constants)) / left * rounding if left > 0.0 else np.inf


def _along(S: FloatArray, y: FloatArray, j: int) -> FloatArray | None:
    """The v with ``0 <= y v <= 1`` and ``S'v = -t e_j`` for the largest t, None if that is 0.

    By HiGHS.
    """
    signed = y[:, None] * S
    others = np.delete(signed, j, axis=1)
    found = linprog(
        signed[:, j], A_eq=others.T, b_eq=np.zeros(others.shape[1]), bounds=(0.0, 1.0),
        method="highs",
    )  # fmt: skip
    return y * np.clip(found.x, 0.0, 1.0) if found.success and found.fun < 0.0 else None


def _falls(S: FloatArray, y: FloatArray) -> bool:
    """Whether some w has ``s_i'w <= 0`` where y is 0, below 0 for one, and 0 elsewhere.

    Along it an exponential falls for ever.
    """
    is_zero = y == 0.0
    if not is_zero.any():
        return False
    kept = scipy.linalg.null_space(S[~is_zero])
    return kept.shape[1] > 0 and _separates(S[is_zero] @ kept, np.full(int(is_zero.sum()), -1.0))


def _separates(S: FloatArray, y: FloatArray) -> bool:
    """Whether ``y_i s_i'w >= 0`` for all rows, and above 0 for one, for some w: by HiGHS.

    Then the sum of what is on the right side, at most 1 for each row, is at least 1.
    """
    n, p = S.shape
    sides: Any = hstack([csr_array(-y[:, None] * S), eye_array(n)], format="csr")
    price = np.concatenate([np.zeros(p), -np.ones(n)])
    bounds = [(None, None)] * p + [(0.0, 1.0)] * n
    found = linprog(price, A_ub=sides, b_ub=np.zeros(n), bounds=bounds, method="highs")
    return bool(found.success and -found.fun > 0.5)
