"""Patterns and Gram matrix of neurons whose activations are read out together."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer, Readout, row_chunks
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.solvers.newton.face_gram import ON_KINK


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
        gains: Readout = layer.readout @ self._to_planes.T
        squares = gains.multiply(gains) if scipy.sparse.issparse(gains) else gains**2
        self._stiffness = np.asarray(squares.sum(axis=0)).ravel()
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
        J = np.empty((self._layer.n_outputs, k * r))
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
