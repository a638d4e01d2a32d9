"""``max u'N v`` over vectors of signs, exactly: a tree over the signs of u."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, Array, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.oracle.quantized.kernels import explore, length_of

# Nodes between two looks at the clock: some hundredths of a second.
_SLICE = 1 << 18


@final
@dataclass(frozen=True)
class Widest:
    """The largest ``||N u||_1`` over vectors u of signs.

    Attributes
    ----------
    signs : ndarray, shape (d,)
        The best u that was found.
    bound : float
        Not below any ``||N u||_1``, rounding included.
    finished : bool
        Whether the bound is the largest value, or the level below which nobody asked.
    """

    signs: FloatArray
    bound: float
    finished: bool


def widest(
    N: FloatArray,
    level: float = 0.0,
    start: FloatArray | None = None,
    deadline: Deadline = UNLIMITED,
    most_nodes: float = np.inf,
) -> Widest:
    """Maximise ``||N u||_1 = max_v u'N v`` over vectors u of signs.

    Parameters
    ----------
    N : ndarray, shape (d, d)
        Of size one.
    level : float
        Values below it need not be told apart: then it is the bound.
    start : ndarray, shape (d,), optional
        A good u.
    deadline : Deadline, optional
    most_nodes : float
        After which it ends without having finished.

    Returns
    -------
    Widest
        Unfinished, with a bound that is loose, where the deadline passes or nodes run out.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C was pressed.

    Notes
    -----
    A node has the signs of the first columns, the longest ones; ``||c||_1`` of their sum c plus the
    maximum over the columns after them bounds all below it. These maxima are computed before, from
    the last column on, each by such a tree ("Russian dolls": G. Verfaillie, M. Lemaitre and
    T. Schiex, AAAI 1996). O(d) a node, ``2^(d - 1)`` of them at most: a few thousand for d = 20,
    millions for d = 40.

    A sum c has d terms, a length d more, and the maximum over the last k columns is compared with
    sums of it: by induction over k every number here errs by ``(3 d + 8) u`` of the sum of all
    moduli ``sum_ij |N_ij|`` at most, u the rounding unit, of which ``4 (d + 8) u`` are charged.

    Examples
    --------
    >>> found = widest(np.array([[1.0, 2.0], [2.0, -1.0]]))
    >>> found.finished, round(found.bound, 12)
    (True, 4.0)
    """
    d = len(N)
    order = np.argsort(-np.abs(N).sum(axis=0), kind="stable")
    columns = np.ascontiguousarray(N.T[order])
    rest, best, nodes = np.zeros(d + 1), np.ones(d), 0
    lengths = np.abs(columns).sum(axis=1)
    error = 2.0 * (d + 8) * EPS * float(lengths.sum())
    for first in range(d - 1, -1, -1):
        _extend(columns, best, first)
        if first == 0 and start is not None:
            given = start[order]
            if length_of(columns, given, 0) > length_of(columns, best, 0):
                best = given.copy()
        reached = length_of(columns, best, first)
        tree = _Tree(columns, first, max(reached, level) if first == 0 else reached)
        while not tree.is_done and nodes < most_nodes and not deadline.passed:
            check_interrupt()
            nodes += tree.advance(rest, best)
        if not tree.is_done:
            # What the columns up to this one may add at most.
            bound = rest[first + 1] + float(lengths[: first + 1].sum())
            whole = best if first == 0 else start[order] if start is not None else best
            return Widest(_back(whole, order), bound + error, False)
        rest[first] = tree.level
    return Widest(_back(best, order), float(rest[0]) + error, True)


class _Tree:
    """The tree over the columns from one on, which can be left and gone on with."""

    def __init__(self, columns: FloatArray, first: int, level: float) -> None:
        d = len(columns)
        self._columns, self._first = columns, first
        self._sums, self._path = np.zeros((d + 1, d)), np.ones(d)
        self._sums[first + 1] = columns[first]
        self._tried = np.zeros(d + 1, dtype=np.int64)
        self._state = np.array([first + 1.0, level])

    @property
    def is_done(self) -> bool:
        return bool(self._state[0] <= self._first)

    @property
    def level(self) -> float:
        return float(self._state[1])

    def advance(self, rest: FloatArray, best: FloatArray) -> int:
        """Open some nodes; how many."""
        return explore(
            self._columns, self._first, rest, best, self._sums, self._path, self._tried,
            self._state, _SLICE,
        )  # fmt: skip


def _extend(columns: FloatArray, best: FloatArray, first: int) -> None:
    """The better sign of one more column beside the best ones of those after it."""
    with_plus = length_of(columns, best, first)
    best[first] = -1.0
    if length_of(columns, best, first) <= with_plus:
        best[first] = 1.0


def _back(signs: FloatArray, order: Array) -> FloatArray:
    found = np.empty_like(signs)
    found[order] = signs
    return found
