"""The joint dual on the neurons known so far: a quadratic program over all leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import clarabel
import numpy as np
import scipy.sparse

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.oracle.parallel.leaves import ACTIVE, OPEN, Leaves

# Relative and absolute, in units in which beta is 1: far from the end, and near it.
_COARSE, _FINE = 1e-9, 1e-11


@final
@dataclass(frozen=True)
class Aim:
    """What is maximised: ``linear'x - 1/2 x'diag(quadratic) x`` at the dual point ``v = span x``.

    Attributes
    ----------
    span : ndarray, shape (n, k)
    linear, quadratic : ndarray, shape (k,)
    """

    span: FloatArray
    linear: FloatArray
    quadratic: FloatArray


@final
@dataclass(frozen=True)
class Cuts:
    """Which neurons bound the two vectors of a leaf: indices into those that are known."""

    over: IntArray
    under: IntArray

    def joined(self, over: IntArray, under: IntArray) -> Cuts:
        """With further ones."""
        return Cuts(np.union1d(self.over, over), np.union1d(self.under, under))


@final
@dataclass(frozen=True)
class MasterPoint:
    """A solution of the program.

    Attributes
    ----------
    v : ndarray, shape (n,)
    coefficients : ndarray, shape (L, n)
    over, under : list of ndarray
        Multipliers of the cuts of each leaf, in their order.
    value : float
        At least that of the joint dual, up to the tolerance of the solver.
    """

    v: FloatArray
    coefficients: FloatArray
    over: list[FloatArray]
    under: list[FloatArray]
    value: float


@dataclass
class _Rows:
    """Rows of a sparse matrix as they come, and right-hand sides."""

    width: int = 0
    count: int = 0
    row: list[Array] = field(default_factory=list)
    column: list[Array] = field(default_factory=list)
    value: list[FloatArray] = field(default_factory=list)
    right: list[FloatArray] = field(default_factory=list)

    def add(self, block: FloatArray, columns: IntArray, right: float) -> slice:
        """``block x[columns] <= right``."""
        first, k = self.count, len(block)
        i, j = np.nonzero(block)
        self.row.append(first + i)
        self.column.append(columns[j])
        self.value.append(block[i, j])
        self.right.append(np.full(k, right))
        self.count += k
        return slice(first, first + k)

    def matrix(self) -> scipy.sparse.csc_matrix:
        entries = np.concatenate(self.value)
        places = np.concatenate(self.row), np.concatenate(self.column)
        return scipy.sparse.csc_matrix((entries, places), shape=(self.count, self.width))


@final
class Master:
    """The program over ``v = span x`` and the coefficients of the leaves, in units of beta.

        max  linear'x - 1/2 x'diag(quadratic) x    with  a_l'h <= beta, -c_l'h <= beta

    for the activations h of the cuts of each leaf l, with a and c as in
    :mod:`cvxnn.oracle.parallel.leaves`. On a row of which nothing is said the best c depends
    on the sign of v; where that is assumed there is one variable less.

    Parameters
    ----------
    aim : Aim
    beta : float
    leaves : Leaves
    assumed : ndarray, shape (n,)
        Assumed signs of v: 1, -1, or 0 where none is assumed.
    """

    def __init__(self, aim: Aim, beta: float, leaves: Leaves, assumed: FloatArray) -> None:
        self._aim, self._beta, self._leaves, self._assumed = aim, beta, leaves, assumed
        self._rows = _Rows(width=aim.span.shape[1])

    def solve(
        self,
        activations: FloatArray,
        cuts: Sequence[Cuts],
        *,
        finely: bool,
        deadline: Deadline = UNLIMITED,
    ) -> MasterPoint:
        """The solution for neurons of these activations, shape (N, n).

        Raises
        ------
        OutOfTimeError
            If the deadline passes before.
        """
        rows, aim = self._rows, self._aim
        n, k = aim.span.shape
        signed = np.flatnonzero(self._assumed)
        rows.add(-(aim.span * self._assumed[:, None])[signed], np.arange(k), 0.0)
        pieces = []
        for index, cut in enumerate(cuts):
            deadline.check()
            pieces.append(self._add_leaf(index, activations, cut))
        curvature = np.zeros(rows.width)
        curvature[:k] = aim.quadratic * self._beta
        linear = np.concatenate([-aim.linear, np.zeros(rows.width - k)])
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.max_threads = False, 1
        settings.time_limit = deadline.remaining
        tolerance = _FINE if finely else _COARSE
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
        solution = clarabel.DefaultSolver(
            scipy.sparse.diags(curvature, format="csc"), linear, rows.matrix(),
            np.concatenate(rows.right), [clarabel.NonnegativeConeT(rows.count)], settings,
        ).solve()  # fmt: skip
        deadline.check()
        x, z = np.array(solution.x), np.maximum(np.array(solution.z), 0.0)
        coefficients = np.zeros((len(self._leaves), n))
        for index, (columns, under_map, _, _) in enumerate(pieces):
            coefficients[index] = under_map @ x[columns]
        return MasterPoint(
            self._beta * (aim.span @ x[:k]), self._beta * coefficients,
            [z[over] for _, _, over, _ in pieces], [z[under] for _, _, _, under in pieces],
            -self._beta * float(solution.obj_val),
        )  # fmt: skip

    def _add_leaf(
        self, index: int, activations: FloatArray, cuts: Cuts
    ) -> tuple[IntArray, FloatArray, slice, slice]:
        """The columns of a leaf, its c as a map of them, and the rows of its cuts.

        Of a row that is said to be active ``a = c = w + t``, inactive ``a = c = -t``; else
        ``a = w`` and c = 0 for w >= 0, ``a = c = -t >= w`` for w <= 0, and without a sign
        ``c = -t`` and ``a = t' - t >= w``, with t, t' >= 0.
        """
        rows, sign, span = self._rows, self._leaves.signs[index], self._aim.span
        choice, assumed = self._leaves.choices[index], sign * self._assumed
        n, k = span.shape
        is_open = choice == OPEN
        below, unknown = is_open & (assumed < 0.0), is_open & (assumed == 0.0)
        first = np.flatnonzero(~is_open | below | unknown)
        second = np.flatnonzero(unknown)
        own = rows.width + np.arange(len(first) + len(second))
        rows.width += len(own)
        columns = np.concatenate([np.arange(k), own])
        identity, w = np.eye(n), sign * span
        moved = identity[:, first] * np.where(choice == ACTIVE, 1.0, -1.0)[first]
        extra = identity[:, second]
        active = (choice == ACTIVE)[:, None]
        under_map = np.hstack([w * active, moved, 0.0 * extra])
        takes = active | (is_open & (assumed > 0.0))[:, None]
        over_map = np.hstack([w * takes, moved, extra])
        over = rows.add(activations[cuts.over] @ over_map, columns, 1.0)
        under = rows.add(-(activations[cuts.under] @ under_map), columns, 1.0)
        rows.add(-np.eye(len(own)), own, 0.0)
        bounded = np.flatnonzero(below)
        step = -np.hstack([0.0 * w, moved, 0.0 * extra])
        rows.add((np.hstack([w, 0.0 * moved, 0.0 * extra]) + step)[bounded], columns, 0.0)
        free = np.hstack([w, 0.0 * moved, -extra]) + step
        rows.add(free[second], columns, 0.0)
        return columns, under_map, over, under
