"""Second moments of the active rows: what the squared loss knows of data of rank two.

With the rows sorted by angle a neuron is active on a contiguous part of the
circle, and so are two neurons together. All that Newton's method needs of n
rows are sums of ``x x'`` and ``x y`` over such parts: differences of prefix sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import Array, BoolArray, FloatArray, IntArray
from cvxnn.compensated import add, residual, sums_over_parts
from cvxnn.interrupts import check_interrupt
from cvxnn.kernels import kernel
from cvxnn.oracle.circle import CircularRows

# Rows between two stored prefix sums.
_BLOCK = 64
# Five sums (xx, xz, zz, xy, zy for rows (x, z)), each with what rounding took from it.
_SUMS = 10


@dataclass(frozen=True)
class Settings:
    """The numbers that sums over the circle go by.

    Attributes
    ----------
    chunk_rows : int
        Of one kernel call, for interrupts between them; a multiple of the block.
    few_rows : int
        Up to so many, sums over residuals keep digits that moments lose.
    mostly_linear : float
        A linear function that leaves no more than this share of the squares of y is nearly
        all of it: moments of what is left keep the digits.
    """

    chunk_rows: int = 1 << 20
    few_rows: int = 2000
    mostly_linear: float = 1e-2


SETTINGS = Settings()


@kernel(inner=True)
def _accumulate(rows: Array, y: Array, begin: int, end: int, sums: Array) -> None:
    """Add the five products of the rows begin:end to `sums`."""
    for i in range(begin, end):
        x, z, t = rows[i, 0], rows[i, 1], y[i]
        sums[0], sums[1] = add(sums[0], sums[1], x * x)
        sums[2], sums[3] = add(sums[2], sums[3], x * z)
        sums[4], sums[5] = add(sums[4], sums[5], z * z)
        sums[6], sums[7] = add(sums[6], sums[7], x * t)
        sums[8], sums[9] = add(sums[8], sums[9], z * t)


@kernel
def _fill_prefix(rows: Array, y: Array, begin: int, end: int, prefix: Array) -> None:
    """Prefix sums at the ends of the blocks begin:end."""
    for block in range(begin, end):
        prefix[block + 1] = prefix[block]
        last = min((block + 1) * _BLOCK, len(rows))
        _accumulate(rows, y, block * _BLOCK, last, prefix[block + 1])


@kernel
def _prefix_at(rows: Array, y: Array, prefix: Array, at: Array) -> Array:
    """Prefix sums at places `at` of the circle, gone around twice."""
    n = len(rows)
    out = np.empty((len(at), _SUMS))
    for m in range(len(at)):
        row = at[m] % n
        out[m] = prefix[row // _BLOCK]
        _accumulate(rows, y, row // _BLOCK * _BLOCK, row, out[m])
        for k in range(0, _SUMS, 2):
            for _ in range(at[m] // n):
                out[m, k], low = add(out[m, k], out[m, k + 1], prefix[-1, k])
                out[m, k + 1] = low + prefix[-1, k + 1]
    return out


@kernel
def _locate(normals: Array, w: Array, tolerance: float, arcs: Array, tight: Array) -> None:
    """The arc of each neuron, and the class that it lies on, or -1.

    Arc a has the rows of the positions ``a, ..., a + p - 1``. Signs change once
    along the normals, so a binary search finds the arc.
    """
    p = len(normals)
    for j in range(len(w)):
        x, z = w[j, 0], w[j, 1]
        first = normals[0, 0] * x + normals[0, 1] * z > 0.0
        low, high = 0, p
        while high - low > 1:
            middle = (low + high) // 2
            if (normals[middle, 0] * x + normals[middle, 1] * z > 0.0) == first:
                low = middle
            else:
                high = middle
        arc = (high + p) % (2 * p) if first else high
        arcs[j] = arc
        tight[j] = -1
        for k in ((arc + p - 1) % p, arc % p):
            at_x, at_z = normals[k, 0] * x, normals[k, 1] * z
            if abs(at_x + at_z) <= tolerance * (abs(at_x) + abs(at_z)):
                tight[j] = k


@kernel
def _gram(n: int, low: Array, high: Array, at_low: Array, at_high: Array, total: Array,
          signs: Array) -> Array:  # fmt: skip
    """``s_i s_j sum x x'`` over the rows that i and j share, as a (2 k, 2 k) matrix."""
    k = len(low)
    gram = np.zeros((2 * k, 2 * k))
    sums = np.empty(3)
    for i in range(k):
        for j in range(i, k):
            for c in range(3):
                sums[c] = 0.0
            for turn in range(-1, 2):
                # The part of j, moved by a whole turn.
                begin_j, end_j = low[j] + turn * n, high[j] + turn * n
                if min(high[i], end_j) <= max(low[i], begin_j):
                    continue
                for c in range(3):
                    d = 2 * c
                    if end_j < high[i]:
                        upper = at_high[j, d] + turn * total[d]
                        rest = at_high[j, d + 1] + turn * total[d + 1]
                    else:
                        upper, rest = at_high[i, d], at_high[i, d + 1]
                    if begin_j > low[i]:
                        lower = at_low[j, d] + turn * total[d]
                        rest -= at_low[j, d + 1] + turn * total[d + 1]
                    else:
                        lower = at_low[i, d]
                        rest -= at_low[i, d + 1]
                    sums[c] += (upper - lower) + rest
            s = signs[i] * signs[j]
            gram[2 * i, 2 * j] = gram[2 * j, 2 * i] = s * sums[0]
            gram[2 * i, 2 * j + 1] = gram[2 * j + 1, 2 * i] = s * sums[1]
            gram[2 * i + 1, 2 * j] = gram[2 * j, 2 * i + 1] = s * sums[1]
            gram[2 * i + 1, 2 * j + 1] = gram[2 * j + 1, 2 * i + 1] = s * sums[2]
    return gram


@kernel
def _piecewise(rows: Array, ends: Array, slopes: Array, begin: int, end: int, out: Array) -> None:
    """``out_i = x_i'slopes_m`` for the rows i of piece m, the rows begin:end only."""
    m = 0
    for i in range(begin, end):
        while i >= ends[m]:
            m += 1
        out[i] = rows[i, 0] * slopes[m, 0] + rows[i, 1] * slopes[m, 1]


@dataclass(frozen=True)
class Pieces:
    """Parts of the sorted rows on each of which a network is linear.

    Attributes
    ----------
    tight : ndarray of int, shape (k,)
        The hyperplane a neuron lies on, or -1.
    ends : ndarray of int, shape (m + 1,)
        Piece m has the rows ``ends[m]:ends[m + 1]``.
    on : ndarray of bool, shape (m, k)
        Which neurons are active on it.
    """

    tight: IntArray
    ends: IntArray
    on: BoolArray

    def slopes(self, w: FloatArray, signs: FloatArray) -> FloatArray:
        """The slope of the network on each piece, shape (m, 2)."""
        return self.on.astype(np.float64) @ (signs[:, None] * w)


class Moments:
    """Prefix sums of second moments over the rows in circular order.

    Parameters
    ----------
    circle : CircularRows
        With one row at least.
    y : ndarray, shape (m,)
        Targets of its rows, in their order.

    Attributes
    ----------
    few_rows : bool
        Whether they are so few that work of O(n) costs nothing.
    frame : ndarray, shape (2, 2), or None
        Rows and neurons are in its coordinates: ``z = frame' x``, so that the weights
        of a neuron are ``u = frame w``, and the penalty is ``||u||``.

    Notes
    -----
    O(n) once; then O(k log n + k^2) for k neurons. Sums are kept in twice the
    working precision: the moments of a few rows are differences of large sums. Where a
    linear function is nearly all of y, the sums are those of what it leaves.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.oracle.circle import CircularRows
    >>> circle = CircularRows.of(np.array([[1.0, 1.0], [2.0, 1.0]]))
    >>> moments = Moments(circle, np.ones(2)[circle.order])
    >>> moments.gram(np.array([[1.0, 0.0]]), np.ones(1))[0]
    array([[5., 3.],
           [3., 2.]])
    """

    def __init__(self, circle: CircularRows, y: FloatArray) -> None:
        self.circle, self.y, self.frame = circle.framed(), y, circle.frame
        circle = self.circle
        self.few_rows = len(y) <= SETTINGS.few_rows
        self._base, left = _linear_part(circle.rows, y)
        self._left = left
        self._half_squares = 0.5 * float(left @ left)
        n_blocks = -(-len(y) // _BLOCK)
        self._prefix = np.zeros((n_blocks + 1, _SUMS))
        step = SETTINGS.chunk_rows // _BLOCK
        for begin in range(0, n_blocks, step):
            _fill_prefix(circle.rows, left, begin, min(begin + step, n_blocks), self._prefix)
            check_interrupt()

    def weights(self, w: FloatArray) -> FloatArray:
        """The weights of neurons, whose lengths are penalised, shape (k, 2)."""
        return w if self.frame is None else w @ self.frame.T

    def pull(self, units: FloatArray) -> FloatArray:
        """The gradient of the length where the weights have the direction `units`."""
        return units if self.frame is None else units @ self.frame

    def locate(self, w: FloatArray, tolerance: float) -> tuple[IntArray, IntArray]:
        """The arc of each neuron, and the hyperplane that it lies on or -1; shapes (k,)."""
        arcs, tight = np.empty(len(w), dtype=np.int64), np.empty(len(w), dtype=np.int64)
        _locate(self.circle.normals, w, tolerance, arcs, tight)
        return arcs, tight

    def ranges(self, arcs: IntArray) -> tuple[IntArray, IntArray]:
        """First and last-plus-one active row of each arc, counted on around the circle."""
        p, starts = self.circle.n_classes, self.circle.starts
        last = arcs + p
        turns = last >= 2 * p
        return starts[arcs], starts[last - 2 * p * turns] + len(self.y) * turns

    def gram(self, w: FloatArray, signs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """J'J and J'y for the columns ``s_j D_j X`` of neurons that stay in their arcs.

        Shapes (2 k, 2 k) and (2 k,); O(k^2 + k log n).
        """
        low, high = self.ranges(self.locate(w, 0.0)[0])
        at = self._prefix_at(np.concatenate([low, high]))
        at_low, at_high = at[: len(w)], at[len(w) :]
        gram = _gram(len(self.y), low, high, at_low, at_high, self._prefix[-1], signs)
        parts = at_high - at_low
        sums = parts[:, ::2] + parts[:, 1::2]
        products = signs[:, None] * (sums[:, 3:] + _squares(sums) @ self._base)
        return gram, products.reshape(-1)

    def pieces(self, w: FloatArray, tolerance: float = 0.0) -> Pieces:
        """The parts of the circle where no neuron turns on or off; O(k^2 + k log n)."""
        n = len(self.y)
        arcs, tight = self.locate(w, tolerance)
        low, high = self.ranges(arcs)
        ends = np.unique(np.concatenate([low, np.where(high > n, high - n, high), [0, n]]))
        begins = ends[:-1, None]
        on = ((begins >= low) & (begins < high)) | (begins + n < high)
        return Pieces(tight, ends, on)

    def prediction(self, w: FloatArray, signs: FloatArray) -> FloatArray:
        """``f_i = sum_j s_j (x_i'w_j)_+`` for the rows in circular order; O(n + k^2)."""
        pieces = self.pieces(w)
        return self.add_slopes(pieces, pieces.slopes(w, signs))

    def squares(self, pieces: Pieces) -> FloatArray:
        """``sum x x'`` over each piece, shape (m, 2, 2)."""
        return _squares(self._sums(pieces))

    def slopes_of(self, pieces: Pieces, v: FloatArray) -> FloatArray:
        """``sum x_i v_i`` over each piece for any v, shape (m, 2); O(n)."""
        if self.frame is not None:
            return sums_over_parts(self.circle.rows, v, pieces.ends)
        return np.add.reduceat(self.circle.rows * v[:, None], pieces.ends[:-1], axis=0)

    def gradient(self, pieces: Pieces, w: FloatArray, signs: FloatArray) -> FloatArray:
        """``sum x_i (y_i - f_i)`` over each piece, shape (m, 2)."""
        if self.few_rows:
            return self.slopes_of(pieces, self.y - self.prediction(w, signs))
        sums, slopes = self._sums(pieces), pieces.slopes(w, signs) - self._base
        return sums[:, 3:] - np.einsum("mab,mb->ma", _squares(sums), slopes)

    def loss(self, w: FloatArray, signs: FloatArray) -> float:
        """``1/2 ||f - y||^2``, from the rows themselves where they are few."""
        if self.few_rows:
            residual = self.y - self.prediction(w, signs)
            return 0.5 * float(residual @ residual)
        pieces = self.pieces(w)
        sums, slopes = self._sums(pieces), pieces.slopes(w, signs) - self._base
        fitted = np.einsum("mab,mb->ma", _squares(sums), slopes)
        return self._half_squares + float((slopes * (0.5 * fitted - sums[:, 3:])).sum())

    def add_slopes(self, pieces: Pieces, slopes: FloatArray) -> FloatArray:
        """``x_i'slopes_m`` for all rows i and their pieces m, shape (n,); O(n)."""
        n = len(self.y)
        out = np.empty(n)
        for begin in range(0, n, SETTINGS.chunk_rows):
            end = min(begin + SETTINGS.chunk_rows, n)
            _piecewise(self.circle.rows, pieces.ends[1:], slopes, begin, end, out)
            check_interrupt()
        return out

    def _sums(self, pieces: Pieces) -> FloatArray:
        """The five sums over each piece, shape (m, 5)."""
        at = self._prefix_at(pieces.ends)
        return np.diff(at[:, ::2], axis=0) + np.diff(at[:, 1::2], axis=0)

    def _prefix_at(self, places: IntArray) -> FloatArray:
        return np.asarray(_prefix_at(self.circle.rows, self._left, self._prefix, places))


def _squares(sums: FloatArray) -> FloatArray:
    """``sum x x'`` as matrices, shape (m, 2, 2)."""
    return sums[:, [0, 1, 1, 2]].reshape(-1, 2, 2)


def _linear_part(rows: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The slope of a linear function that is nearly all of y, else zero; and what it leaves.

    The moments of small numbers keep the digits that those of y would lose.
    """
    slope = np.linalg.lstsq(rows.T @ rows, rows.T @ y, rcond=None)[0]
    fitted = rows @ slope
    if float((y - fitted) @ (y - fitted)) > SETTINGS.mostly_linear * float(y @ y):
        return np.zeros(2), y
    return np.asarray(slope), residual(np.ascontiguousarray(rows), np.arange(2), slope, y)
