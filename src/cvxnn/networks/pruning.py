"""Carathéodory's theorem for neurons: fewer of them, the same output, no larger a penalty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.linalg

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.interrupts import Deadline, check_interrupt

# A column whose part outside the span of the others is below this share of its
# length is a combination of them: what is left out moves the output by that share.
DEPENDENT = 1e-12


def columns_of(activations: FloatArray, outputs: FloatArray) -> FloatArray:
    """What neurons add to predictions, all outputs of a row one after the other.

    Parameters
    ----------
    activations : ndarray, shape (n, k)
        The ``z_j``.
    outputs : ndarray, shape (k,) or (k, c)
        The ``a_j``.

    Returns
    -------
    ndarray, shape (n c, k)
        ``vec(z_j a_j')``.

    Examples
    --------
    >>> columns_of(np.array([[2.0], [3.0]]), np.array([[1.0, -1.0]])).T
    array([[ 2., -2.,  3., -3.]])
    """
    if outputs.ndim == 1:
        return activations * outputs
    columns = activations[:, None, :] * outputs.T
    return columns.reshape(columns.shape[0] * columns.shape[1], len(outputs))


def prune_scales(
    columns: FloatArray,
    sizes: FloatArray,
    dependent: float = DEPENDENT,
    deadline: Deadline | None = None,
) -> Iterator[FloatArray]:
    """Scale columns, move by move, until those that are left are linearly independent.

    Every scale starts at 1. A move follows a line on which ``sum_j scale_j
    column_j`` stays and ``sum_j scale_j size_j`` does not grow, to the first
    scale that is 0.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        Not zero.
    sizes : ndarray, shape (k,)
        Positive.
    dependent : float
        A column with less than this share of its length outside the span of the others
        depends on them.
    deadline : Deadline, optional
        Ends the moves when it passes, wherever they are.

    Yields
    ------
    ndarray, shape (k,)
        The scales after each move, none negative; at most k moves, and nothing
        if the columns are independent.

    Notes
    -----
    O(n^2) for each column. The columns are taken one by one, largest first, into
    a QR factorisation: the combination that makes a column dependent is the null
    vector of the move, and its sign is the one that does not raise the penalty.

    References
    ----------
    A. Mishkin and M. Pilanci, "Optimal Sets and Solution Paths of ReLU Networks",
    ICML 2023, where this prunes optimal networks. At an optimum any sign of the
    null vector will do; elsewhere it has to be chosen.

    Examples
    --------
    >>> columns = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    >>> list(prune_scales(columns, np.array([1.0, 1.0, 1.0])))
    [array([0. , 1.5, 1. ])]
    """
    deadline = Deadline() if deadline is None else deadline
    scales = np.ones(len(sizes))
    basis = _Basis(columns, dependent)
    for j in np.argsort(-sizes, kind="stable"):
        check_interrupt()
        if deadline.passed:
            return
        while scales[j] > 0.0 and (combination := basis.append(int(j))) is not None:
            # The column is a combination of the members: trade it for them, or them for it.
            move = np.zeros(len(sizes))
            move[basis.members], move[j] = combination, -1.0
            if float(move @ sizes) > 0.0:
                move = -move
            scales = _to_the_first_zero(scales, move)
            basis.keep(scales > 0.0)
            yield scales


def _to_the_first_zero(scales: FloatArray, move: FloatArray) -> FloatArray:
    falling = np.flatnonzero(move < 0.0)
    ratios = scales[falling] / -move[falling]
    moved = np.maximum(scales + ratios.min() * move, 0.0)
    moved[falling[np.argmin(ratios)]] = 0.0
    return moved


class _Basis:
    """Independent columns and their QR factorisation."""

    def __init__(self, columns: FloatArray, dependent: float) -> None:
        self.columns, self.dependent = columns, dependent
        self.members: list[int] = []
        self.Q, self.R = np.zeros((len(columns), 0)), np.zeros((0, 0))

    def append(self, j: int) -> FloatArray | None:
        """Take column j in; if it depends on the members, give its combination instead."""
        column = self.columns[:, j]
        rest, along = column, np.zeros(len(self.members))
        for _ in range(2):
            part = self.Q.T @ rest
            rest, along = rest - self.Q @ part, along + part
        length = float(np.linalg.norm(rest))
        if length <= self.dependent * float(np.linalg.norm(column)):
            return self._combination(column)
        m = len(self.members)
        R = np.zeros((m + 1, m + 1))
        R[:m, :m], R[:m, m], R[m, m] = self.R, along, length
        self.Q, self.R = np.column_stack([self.Q, rest / length]), R
        self.members.append(j)
        return None

    def keep(self, wanted: BoolArray) -> None:
        """Drop the members that are not wanted."""
        for position in reversed(range(len(self.members))):
            if not wanted[self.members[position]]:
                self._remove(position)

    def _remove(self, position: int) -> None:
        m = len(self.members) - 1
        if m == 0:
            self.Q, self.R = np.zeros((len(self.columns), 0)), np.zeros((0, 0))
        else:
            Q, R = scipy.linalg.qr_delete(self.Q, self.R, position, which="col")
            self.Q, self.R = Q[:, :m], R[:m]
        del self.members[position]

    def _combination(self, column: FloatArray) -> FloatArray:
        """Least squares through R, refined once."""
        inside = self.columns[:, self.members]
        combination = np.zeros(len(self.members))
        for _ in range(2):
            left = self.Q.T @ (column - inside @ combination)
            combination = combination + scipy.linalg.solve_triangular(self.R, left)
        return combination
