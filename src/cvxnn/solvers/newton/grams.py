"""Patterns and Gram matrix of all neurons, kept up to date as neurons move."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from cvxnn.array_types import Array, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.kernels import kernel
from cvxnn.layers import Layer, Mixture, Readout, row_chunks
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.solvers.newton.newton_settings import SETTINGS

# A neuron counts as on a hyperplane, and the row as off, within this angle.
ON_KINK = 1e-12


class FaceGram:
    """``G_jl = X'D_j D_l X`` for the patterns D_j of the neurons.

    A Newton step moves neurons over a few hyperplanes only. Each row that
    changes sides changes one row and column of blocks by a rank-one term:
    O(k r^2) instead of the O(n k^2 r^2) of a new matrix.

    Parameters
    ----------
    X : ndarray, shape (n, r)
    most_near : int
        Nearest hyperplanes to list for each neuron.

    Attributes
    ----------
    on : ndarray of uint8, shape (n, k)
        Patterns, row by row.
    blocks : ndarray, shape (k, r, k, r)
    near : ndarray of int, shape (k, most_near)
        Rows of the hyperplanes at the smallest angles to each neuron; -1 where
        there are fewer.
    """

    def __init__(self, X: FloatArray, most_near: int) -> None:
        self.X = np.ascontiguousarray(X)
        self._lengths = np.linalg.norm(X, axis=1)
        self._most_near = most_near
        self._directions = np.zeros((0, X.shape[1]))
        self.on = np.zeros((len(X), 0), dtype=np.uint8)
        self.blocks = np.zeros((0, X.shape[1], 0, X.shape[1]))
        self.near = np.zeros((0, most_near), dtype=np.int64)
        self._updates = 0

    def pull(self, weights: FloatArray) -> FloatArray:
        """``X'D_j w`` for every neuron, shape (k, r), for weights w of the rows."""
        columns = [(weights * self.X[:, a]) @ self.on for a in range(self.X.shape[1])]
        return np.stack(columns, axis=1)

    def strengths(self, weights: FloatArray) -> FloatArray:
        """Slope that ``w'(Xu)_+`` gains across each hyperplane, shape (n,)."""
        return weights * self._lengths

    def normals(self, planes: IntArray) -> FloatArray:
        """Unit normals of hyperplanes."""
        return np.asarray(self.X[planes] / self._lengths[planes, None])

    def stiffness(self, planes: IntArray) -> FloatArray:
        """Square of what the predictions gain per unit of distance behind the hyperplanes."""
        return np.asarray(self._lengths[planes] ** 2)

    def update(self, directions: FloatArray, deadline: Deadline = UNLIMITED) -> None:
        """Follow the neurons to these unit directions, shape (k, r).

        Left by an interrupt or OutOfTimeError the matrix starts anew the next time.
        """
        k, r = directions.shape
        known, self._directions = self._directions, np.zeros((0, r))
        on = self._survey(directions, deadline)
        if len(known) == 0 or self._updates >= SETTINGS.refresh:
            before = np.zeros((len(self.X), k), dtype=np.uint8)
            blocks = np.zeros((k, r, k, r))
            self._updates = 0
        else:
            # Any old column can stand for a new one; the most similar has the fewest flips.
            source = (directions @ known.T).argmax(axis=1)
            before = np.ascontiguousarray(self.on[:, source])
            blocks = np.ascontiguousarray(self.blocks[source][:, :, source])
        owner, rows = np.nonzero((on != before).T)
        counts = np.bincount(owner, minlength=k)
        fresh = counts > SETTINGS.many_flips * len(self.X)
        kept = ~fresh[owner]
        _flip(self.X, before, blocks, owner[kept], rows[kept], fresh)
        self.on, self.blocks = on, blocks
        if fresh.any():
            self._form(np.flatnonzero(fresh), deadline)
        self._directions = directions
        self._updates += 1

    def _survey(self, directions: FloatArray, deadline: Deadline) -> NDArray[np.uint8]:
        """Patterns of the directions, and the hyperplanes next to each."""
        k, r = directions.shape
        on = np.empty((len(self.X), k), dtype=np.uint8)
        self.near = np.full((k, self._most_near), -1, dtype=np.int64)
        sines = np.full((k, self._most_near), np.inf)
        columns = np.ascontiguousarray(directions.T)
        for part in deadline.chunks(len(self.X), SETTINGS.chunk_work // max(k * r, 1)):
            _survey_rows(
                self.X, self._lengths, columns, part.start, part.stop, on, self.near, sines
            )
        return on

    def _form(self, fresh: IntArray, deadline: Deadline) -> None:
        """The blocks of the columns `fresh` with all columns, from the data."""
        n, r = self.X.shape
        k = self.on.shape[1]
        tall = np.zeros((len(fresh) * r, k * r))
        for part in deadline.chunks(n, SETTINGS.chunk_work // (4 * k * r)):
            J = (self.on[part, :, None] * self.X[part, None, :]).reshape(-1, k * r)
            own = J.reshape(-1, k, r)[:, fresh].reshape(-1, len(fresh) * r)
            tall += own.T @ J
        formed = tall.reshape(len(fresh), r, k, r)
        self.blocks[fresh] = formed
        self.blocks[:, :, fresh] = formed.transpose(2, 3, 0, 1)


@kernel
def _survey_rows(
    X: Array, lengths: Array, columns: Array, start: int, stop: int, on: Array, near: Array,
    sines: Array,
) -> None:  # fmt: skip
    """Write patterns of rows start..stop, and keep the smallest sines for each neuron."""
    r, k = columns.shape
    most = near.shape[1]
    products, worst = np.empty(k), sines[:, most - 1].copy()
    for i in range(start, stop):
        for j in range(k):
            products[j] = 0.0
        for c in range(r):
            for j in range(k):
                products[j] += X[i, c] * columns[c, j]
        kink = ON_KINK * lengths[i]
        for j in range(k):
            on[i, j] = 1 if products[j] > kink else 0
        if lengths[i] == 0.0:
            continue
        for j in range(k):
            sine = abs(products[j])
            if sine < worst[j] * lengths[i]:
                # Insertion into a short sorted list.
                sine /= lengths[i]
                place = most - 1
                while place > 0 and sines[j, place - 1] > sine:
                    sines[j, place] = sines[j, place - 1]
                    near[j, place] = near[j, place - 1]
                    place -= 1
                sines[j, place] = sine
                near[j, place] = i
                worst[j] = sines[j, most - 1]


@kernel
def _flip(X: Array, on: Array, blocks: Array, owner: Array, rows: Array, skipped: Array) -> None:
    """Let row rows[f] change sides for neuron owner[f], one after the other."""
    r = X.shape[1]
    k = on.shape[1]
    for f in range(len(owner)):
        j, i = owner[f], rows[f]
        sign = -1.0 if on[i, j] == 1 else 1.0
        on[i, j] = 1 - on[i, j]
        for m in range(k):
            if skipped[m] or (m != j and on[i, m] == 0):
                continue
            for a in range(r):
                for b in range(r):
                    change = sign * X[i, a] * X[i, b]
                    blocks[j, a, m, b] += change
                    if m != j:
                        blocks[m, b, j, a] += change


class ReadGram:
    """``G_jl = A_j'A_l`` with ``A_j = R D_j M``: what :class:`FaceGram` is without a readout.

    A row that changes sides changes a prediction that other rows share, so there is
    no cheap update; but the predictions are fewer than the rows. Rows of one hyperplane
    count as one kink: those of a leaky activation come in opposite pairs whose slopes
    partly cancel, and patches of images repeat.

    Parameters
    ----------
    layer : Layer
        With a readout.
    most_near : int
        Nearest hyperplanes to list for each neuron.

    Attributes
    ----------
    blocks : ndarray, shape (k, r, k, r)
    near : ndarray of int, shape (k, most_near)
        The hyperplanes at the smallest angles to each neuron.

    Notes
    -----
    O(N k r + n (k r)^2) for an update.
    """

    def __init__(self, layer: Layer, most_near: int) -> None:
        self._layer = layer
        self._lengths = np.linalg.norm(layer.rows, axis=1)
        reduction = reduce_rows(layer.rows)
        rows = np.flatnonzero(reduction.class_of_row >= 0)
        self._planes = reduction.normals @ reduction.basis.T
        self._to_planes = scipy.sparse.csr_array(
            (np.abs(reduction.scale[rows]), (reduction.class_of_row[rows], rows)),
            shape=(len(self._planes), len(layer.rows)),
        )
        self._stiffness = _column_squares(layer.readout, self._to_planes.T)
        self._most_near = min(most_near, len(self._planes))
        self._on = np.zeros((len(layer.rows), 0), dtype=bool)
        self.blocks = np.zeros((0, layer.n_features, 0, layer.n_features))
        self.near = np.zeros((0, self._most_near), dtype=np.int64)

    def pull(self, weights: FloatArray) -> FloatArray:
        """``M'D_j w`` for every neuron, shape (k, r), for weights w of the rows."""
        return np.asarray((self._on * weights[:, None]).T @ self._layer.rows)

    def strengths(self, weights: FloatArray) -> FloatArray:
        """Slope that ``w'(Mu)_+`` gains across each hyperplane."""
        return np.asarray(self._to_planes @ weights)

    def normals(self, planes: IntArray) -> FloatArray:
        """Unit normals of hyperplanes."""
        return self._planes[planes]

    def stiffness(self, planes: IntArray) -> FloatArray:
        """Square of what the predictions gain per unit of distance behind the hyperplanes."""
        return self._stiffness[planes]

    def update(self, directions: FloatArray, deadline: Deadline = UNLIMITED) -> None:
        """Follow the neurons to these unit directions, shape (k, r)."""
        rows = self._layer.rows
        k, r = directions.shape
        self._on = rows @ directions.T > ON_KINK * self._lengths[:, None]
        J = np.empty((self._layer.n_predictions, k * r))
        for part in row_chunks(k, len(rows) * r):
            deadline.check()
            masked = self._on[:, part, None] * rows[:, None, :]
            columns = masked.reshape(len(rows), -1)
            J[:, part.start * r : part.stop * r] = self._layer.read(columns)
        self.blocks = (J.T @ J).reshape(k, r, k, r)
        sines = np.abs(directions @ self._planes.T)
        if self._most_near < sines.shape[1]:
            self.near = np.argpartition(sines, self._most_near, axis=1)[:, : self._most_near]
        else:
            self.near = np.tile(np.arange(sines.shape[1]), (k, 1))


def _column_squares(readout: Readout, to_rows: Readout) -> FloatArray:
    """Squares of the lengths of the columns of ``R P'``, for sparse P, shape (N, planes)."""
    if isinstance(readout, Mixture):
        return readout.after(to_rows).column_squares()
    gains = readout @ to_rows
    squares = gains.multiply(gains) if scipy.sparse.issparse(gains) else gains**2
    return np.asarray(squares.sum(axis=0)).ravel()
