"""Non-negative Lasso on given neuron directions: the weights that are best for them."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray
from cvxnn.compensated import residual
from cvxnn.interrupts import UNLIMITED, Deadline

# A column whose part outside the span of the active ones is below this share
# of its length counts as dependent.
_DEPENDENT = 1e-11
# Entering columns that may fail to lower the objective before the rest is taken
# for rounding: near interpolation slopes carry the error of sums that cancel.
_PATIENCE = 5
# The same where residuals are computed in twice the precision; what is a slope and what
# is rounding, relative to the columns and y.
_PRECISE_DEPENDENT, _PRECISE_PATIENCE = 1e-13, 20
_FLOOR, _PRECISE_FLOOR = 1e-13, 1e-17
# Solutions of the triangular system on the way to all digits of the weights.
_REFINEMENTS = 2


def nonnegative_lasso(
    atoms: FloatArray,
    y: FloatArray,
    beta: float,
    start: FloatArray | None = None,
    deadline: Deadline = UNLIMITED,
    *,
    precise: bool = False,
) -> FloatArray:
    """Minimise ``1/2 ||A c - y||^2 + beta sum(c)`` over ``c >= 0`` by an active set.

    The support of the answer has linearly independent columns, so that a
    network built from it has at most n neurons (a vertex of the optimal set).

    Parameters
    ----------
    atoms : ndarray, shape (n, k)
        Columns ``s_j (X u_j)_+`` for unit directions ``u_j``.
    y : ndarray, shape (n,)
    beta : float
    start : ndarray, shape (k,), optional
        A guess; its support, heaviest first, starts the active set.
    deadline : Deadline, optional
    precise : bool
        Compute residuals in twice the precision, and refine weights with them: for
        targets that are fitted up to a share near the rounding of float64.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the end.

    Notes
    -----
    Lawson and Hanson's method with a shift in the right-hand side. The active
    columns are kept in a QR factorisation that grows and shrinks by one column
    at a time, O(n k) each: columns of neighbouring cells are nearly parallel,
    and a Gram matrix would lose half of the digits. A column that depends on
    the active ones enters by exchange.

    Examples
    --------
    >>> import numpy as np
    >>> nonnegative_lasso(np.eye(2), np.array([3.0, 0.5]), 1.0)
    array([2., 0.])
    """
    k = atoms.shape[1]
    lengths = np.linalg.norm(atoms, axis=0)
    active = _ActiveSet(atoms, y, beta, lengths, precise)
    if start is not None:
        for j in np.argsort(-start, kind="stable"):
            if start[j] > 0.0 and lengths[j] > 0.0:
                deadline.check()
                active.append(int(j), float(start[j]))
        active.descend(deadline)
    barred = lengths == 0.0
    floor = (_PRECISE_FLOOR if precise else _FLOOR) * np.maximum(
        beta, lengths * float(np.linalg.norm(y))
    )
    best, stale = np.inf, 0
    for _ in range(10 * k + 10):
        deadline.check()
        value = active.objective()
        stale = 0 if value < best * (1.0 - 1e-14) else stale + 1
        best = min(best, value)
        if stale > (_PRECISE_PATIENCE if precise else _PATIENCE):
            break
        slope = atoms.T @ active.residual() - beta - floor
        slope[barred] = -np.inf
        slope[active.members] = -np.inf
        entering = int(np.argmax(slope)) if k else 0
        if k == 0 or slope[entering] <= 0.0:
            break
        if active.enter(entering, deadline):
            barred = lengths == 0.0
        else:
            barred[entering] = True
    weights = np.zeros(k)
    weights[active.members] = active.weights
    return weights


class _ActiveSet:
    """Columns with positive weight, their QR factorisation, and moves between vertices."""

    def __init__(
        self, atoms: FloatArray, y: FloatArray, beta: float, lengths: FloatArray, precise: bool
    ) -> None:
        self.atoms, self.y, self.beta, self.lengths = atoms, y, beta, lengths
        self.precise = precise
        self.dependent = _PRECISE_DEPENDENT if precise else _DEPENDENT
        self.members: list[int] = []
        self.weights = np.zeros(0)
        self.Q = np.zeros((len(y), 0))
        self.R = np.zeros((0, 0))

    def residual(self) -> FloatArray:
        if self.precise:
            members = np.array(self.members, dtype=np.int64)
            return np.asarray(residual(self.atoms, members, self.weights, self.y))
        return self.y - self.atoms[:, self.members] @ self.weights

    def objective(self) -> float:
        residual = self.residual()
        return 0.5 * float(residual @ residual) + self.beta * float(self.weights.sum())

    def append(self, j: int, weight: float) -> FloatArray | None:
        """Take column j in; if it depends on the others, give its combination instead."""
        column = self.atoms[:, j]
        along = self.Q.T @ column
        rest = column - self.Q @ along
        again = self.Q.T @ rest
        rest, along = rest - self.Q @ again, along + again
        length = float(np.linalg.norm(rest))
        if length <= self.dependent * self.lengths[j]:
            return np.asarray(scipy.linalg.solve_triangular(self.R, along))
        m = len(self.members)
        R = np.zeros((m + 1, m + 1))
        R[:m, :m], R[:m, m], R[m, m] = self.R, along, length
        self.R = R
        self.Q = np.column_stack([self.Q, rest / length])
        self.members.append(j)
        self.weights = np.append(self.weights, weight)
        return None

    def remove(self, position: int) -> None:
        m = len(self.members)
        if m == 1:
            self.Q, self.R = np.zeros((len(self.y), 0)), np.zeros((0, 0))
        else:
            Q, R = scipy.linalg.qr_delete(self.Q, self.R, position, which="col")
            self.Q, self.R = Q[:, : m - 1], R[: m - 1]
        del self.members[position]
        self.weights = np.delete(self.weights, position)

    def enter(self, j: int, deadline: Deadline) -> bool:
        """Bring column j in and move to the next vertex; False if rounding forbids it."""
        combination = self.append(j, 0.0)
        if combination is not None:
            # Exchange: c_j grows while the output stays, until a weight is used up.
            falling = combination > 0.0
            if not falling.any():
                return False
            ratios = np.where(falling, self.weights / np.where(falling, combination, 1.0), np.inf)
            leaving = int(np.argmin(ratios))
            step = float(ratios[leaving])
            self.weights = np.maximum(self.weights - step * combination, 0.0)
            self.remove(leaving)
            if self.append(j, step) is not None:
                return False
        self.descend(deadline)
        return j in self.members

    def descend(self, deadline: Deadline) -> None:
        """Move to the minimiser on the members, dropping those that reach zero."""
        while self.members:
            deadline.check()
            target = self._stationary()
            falling = target <= 0.0
            if not falling.any():
                self.weights = target
                return
            drop = self.weights[falling] - target[falling]
            ratios = np.where(drop > 0.0, self.weights[falling] / np.where(drop > 0, drop, 1), 0.0)
            step = float(ratios.min())
            leaving = int(np.flatnonzero(falling)[np.argmin(ratios)])
            self.weights = np.maximum(self.weights + step * (target - self.weights), 0.0)
            self.remove(leaving)

    def _stationary(self) -> FloatArray:
        """Solve ``A'A c = A'y - beta`` on the members through R."""
        shift = scipy.linalg.solve_triangular(
            self.R, np.full(len(self.members), self.beta), trans="T"
        )
        if not self.precise:
            return np.asarray(scipy.linalg.solve_triangular(self.R, self.Q.T @ self.y - shift))
        before, weights = self.weights, self.weights
        for _ in range(_REFINEMENTS):
            self.weights = weights
            along = self.Q.T @ self.residual()
            weights = weights + scipy.linalg.solve_triangular(self.R, along - shift)
        self.weights = before
        return np.asarray(weights)
