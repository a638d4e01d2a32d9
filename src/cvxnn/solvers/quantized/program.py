"""The semidefinite program of quantised networks, solved on its factors."""

from __future__ import annotations

from typing import final

import numpy as np
from scipy.optimize import minimize

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, interrupt_pending
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.oracle.quantized.oracle import QuantizedOracle
from cvxnn.oracle.quantized.semidefinite import unit_vectors
from cvxnn.problems import Problem
from cvxnn.solvers.line_search import best_size
from cvxnn.solvers.quantized.proofs import proof_of

# Sweeps for a start, and the noise that takes it off a point of low rank, where it might stay.
_SWEEPS, _NOISE = 10, 0.1
# Of L-BFGS: corrections that it keeps, and the gradient at which it ends, relative to beta.
_MEMORY, _TOLERANCE = 30, 1e-10
# Sweeps for the multipliers at the end.
_LAST_SWEEPS = 200


@final
class SemidefiniteProgram:
    """A relaxation of quantised networks, whose optimum is a lower bound on theirs.

        min  l(f, y) + beta rho,   f_i = x_i'Z x_i,   Z = P - Q,
             P, Q positive semidefinite,   P_kk + Q_kk = rho for all k

    It is that of Bartan and Pilanci, in two matrices of size d in the place of one of 2 d: Z may
    be symmetric, and so may the two diagonal blocks be the same, P + Q.

    Parameters
    ----------
    problem : Problem of QuantizedRows
        With a smooth loss.
    random_state : numpy.random.Generator
    constant : float, optional
        A first intercept, where a number is added to all predictions.

    Attributes
    ----------
    value : float
        Its objective at the present point: above its optimum, which is a bound.
    is_done : bool
        Whether there is nothing left to gain.

    Notes
    -----
    ``P = A A'`` and ``Q = B B'`` with rows ``(a_k, b_k)`` of length ``sqrt(rho)``, so that the
    constraints hold by themselves (S. Burer and R. Monteiro, Math. Prog. 95, 2003). L-BFGS on
    them, O(n d r) a step; A and B have about ``sqrt(2 (n + d))`` columns, from which on points
    that are no optimum are saddles as a rule. Nothing of that is trusted: what is proven is what
    the residual proves, by multipliers of its own.

    References
    ----------
    B. Bartan and M. Pilanci, Training quantized neural networks to global optimality via
    semidefinite programming, ICML 2021.
    """

    def __init__(
        self,
        problem: Problem[QuantizedRows],
        random_state: np.random.Generator,
        constant: float | None = None,
    ) -> None:
        self._problem, self._random_state = problem, random_state
        self._X = problem.rows.X
        n, d = self._X.shape
        self._rank = min(d, int(np.sqrt(2.0 * (n + d))) + 1)
        self._oracle = QuantizedOracle(problem.rows, random_state)
        self._has_intercept, self._intercept = constant is not None, constant or 0.0
        self._root, self._factors = self._start()
        self.value, self.is_done = self._objective(self._packed())[0], False

    @property
    def rho(self) -> float:
        """The diagonal of ``P + Q``."""
        return self._root**2

    @property
    def vectors(self) -> tuple[FloatArray, FloatArray]:
        """Unit vectors for u and v with ``Z_ij = rho left_i'right_j``, shape (d, 2 r) each."""
        A, B = self._split(self._factors)
        return np.hstack([A, B]), np.hstack([A, -B])

    @property
    def prediction(self) -> FloatArray:
        """``x_i'Z x_i``, and the intercept, shape (n,)."""
        A, B = self._split(self._factors)
        squares = ((self._X @ part) ** 2 for part in (A, B))
        plus, minus = (part.sum(axis=1) for part in squares)
        return np.asarray(self.rho * (plus - minus) + self._intercept)

    def advance(self, steps: int, deadline: Deadline) -> None:
        """So many steps of L-BFGS; fewer when time is up or Ctrl-C was pressed."""
        reached = self._packed()

        def keep(point: FloatArray) -> None:
            nonlocal reached
            reached = point.copy()
            if deadline.passed or interrupt_pending():
                raise StopIteration

        options = {
            "maxiter": steps, "maxfun": 2 * steps, "maxcor": _MEMORY, "ftol": 0.0,
            "gtol": _TOLERANCE * self._problem.beta,
        }  # fmt: skip
        found = minimize(
            self._objective, reached, jac=True, method="L-BFGS-B", callback=keep, options=options
        )
        before = self.value
        self._unpack(found.x)
        self.value = min(before, float(found.fun))
        self.is_done = found.nit < steps or before - self.value <= 1e-9 * abs(self.value)

    def proof(self) -> DualProof:
        """What the residual of the present point proves."""
        v = self._problem.residual(self.prediction)
        return proof_of(v, self._oracle.semidefinite(v, self.vectors, _LAST_SWEEPS))

    def _start(self) -> tuple[float, FloatArray]:
        """What the residual without neurons wants, with noise."""
        problem, d = self._problem, self._X.shape[1]
        alone = np.full_like(problem.y, self._intercept)
        N = problem.rows.pull(problem.residual(alone))
        drawn = self._random_state.standard_normal((3, d, self._rank))
        left, right = unit_vectors(N, drawn[0], drawn[1], _SWEEPS)
        factors = np.hstack([left + right, left - right]) / 2.0
        factors += _NOISE * self._random_state.standard_normal(factors.shape) / np.sqrt(self._rank)
        factors /= np.linalg.norm(factors, axis=1)[:, None]
        self._root, self._factors = 1.0, factors
        size = best_size(problem, alone, self.prediction - alone)
        return float(np.sqrt(size)) or 1e-3, factors

    def _split(self, factors: FloatArray) -> tuple[FloatArray, FloatArray]:
        return factors[:, : self._rank], factors[:, self._rank :]

    def _packed(self) -> FloatArray:
        return np.concatenate([[self._root, self._intercept], self._factors.ravel()])

    def _unpack(self, point: FloatArray) -> None:
        factors = point[2:].reshape(self._factors.shape)
        self._root, self._intercept = float(point[0]), float(point[1])
        self._factors = factors / np.linalg.norm(factors, axis=1)[:, None]

    def _objective(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Of a root of rho and rows that need not be of length one, and its gradient in them."""
        problem, root = self._problem, float(point[0])
        factors = point[2:].reshape(self._factors.shape)
        lengths = np.linalg.norm(factors, axis=1)[:, None]
        units = factors / lengths
        A, B = self._split(units)
        XA, XB = self._X @ A, self._X @ B
        shape = (XA**2).sum(axis=1) - (XB**2).sum(axis=1)
        prediction = root**2 * shape + float(point[1])
        slope = problem.loss.gradient(prediction, problem.y)
        pulled = np.hstack(
            [self._X.T @ (slope[:, None] * XA), -(self._X.T @ (slope[:, None] * XB))]
        )
        pulled *= 2.0 * root**2
        # Along a row nothing changes.
        pulled = (pulled - (pulled * units).sum(axis=1)[:, None] * units) / lengths
        of_root = 2.0 * root * (float(slope @ shape) + problem.beta)
        of_intercept = float(slope.sum()) if self._has_intercept else 0.0
        gradient = np.concatenate([[of_root, of_intercept], pulled.ravel()])
        return problem.value(prediction, root**2), gradient
