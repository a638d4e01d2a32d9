"""Least squares over ReLU neurons in rank two, as a sparse chain of slopes.

The Gram matrix of ReLU features of one variable has the square of a condition
number that is large already. With the slopes ``G_m`` of the network on the
pieces of the circle as variables beside the neurons, the data term is block
diagonal and everything else is the chain

    G_m - G_{m-1} = sum over the neurons that turn on or off between them:

a sparse system that keeps the digits, and O(k) work for k neurons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from cvxnn.array_types import BoolArray, FloatArray, IntArray
from cvxnn.solvers.planar.moments import Moments, Pieces


@dataclass(frozen=True)
class SlopeChain:
    """The pieces of a network, and what its neurons may do without leaving them.

    Attributes
    ----------
    pieces : Pieces
    turning : ndarray, shape (m, k)
        Signed: which neurons turn on or off at the start of each piece; for the
        first piece, which are on.
    bases : ndarray, shape (k, 2, 2)
        Columns that span the moves of each neuron: everything, or its own
        direction (and a zero column) if it lies on a hyperplane.
    squares : ndarray, shape (m, 2, 2)
        ``sum x x'`` over each piece.
    """

    pieces: Pieces
    turning: FloatArray
    bases: FloatArray
    squares: FloatArray

    @classmethod
    def of(
        cls, moments: Moments, rays: FloatArray, signs: FloatArray, tolerance: float
    ) -> SlopeChain:
        """The chain of neurons ``s_j (X w_j)_+``; those within `tolerance` of a hyperplane
        stay on it."""
        pieces = moments.pieces(rays, tolerance)
        on = pieces.on.astype(np.float64)
        turning = np.diff(on, axis=0, prepend=0.0) * signs
        bases = np.tile(np.eye(2), (len(rays), 1, 1))
        tight = pieces.tight >= 0
        bases[tight] = 0.0
        bases[tight, :, 0] = rays[tight] / np.linalg.norm(rays[tight], axis=1, keepdims=True)
        return cls(pieces, turning, bases, moments.squares(pieces))

    def solve(
        self, penalty: FloatArray, linear: FloatArray, slopes: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Minimise ``1/2 ||X D||^2 - r'D + sum_j (1/2 m_j'P_j m_j - b_j'm_j)`` over moves m.

        Parameters
        ----------
        penalty : ndarray, shape (k, 2, 2)
            P_j, positive definite, however little: neurons may depend on each other.
        linear : ndarray, shape (k, 2)
            b_j.
        slopes : ndarray, shape (m, 2)
            r, for the change D of the slopes on each piece.

        Returns
        -------
        moves : ndarray, shape (k, 2)
        changes : ndarray, shape (m, 2)
            D.
        """
        k, m = len(linear), len(slopes)
        used: BoolArray = np.asarray(self.bases.any(axis=1))
        place = np.cumsum(used.reshape(-1)).reshape(k, 2) - 1
        n_moves = int(used.sum())
        inside = np.swapaxes(self.bases, 1, 2)
        penalty = inside @ penalty @ self.bases
        system = self._system(penalty, used, place, n_moves)
        right = np.zeros(n_moves + 4 * m)
        right[place[used]] = (inside @ linear[:, :, None])[:, :, 0][used]
        right[n_moves : n_moves + 2 * m] = slopes.reshape(-1)
        try:
            x = scipy.sparse.linalg.splu(system).solve(right)
        except RuntimeError:
            # Singular after all: whoever asks for a step gets none.
            x = np.zeros(len(right))
        z = np.zeros((k, 2))
        z[used] = x[place[used]]
        changes = x[n_moves : n_moves + 2 * m].reshape(m, 2)
        return (self.bases @ z[:, :, None])[:, :, 0], changes

    def sizes(self) -> FloatArray:
        """About ``sum x'x`` over the active rows of each neuron, shape (k,); never zero."""
        traces = self.squares[:, 0, 0] + self.squares[:, 1, 1]
        return np.maximum(traces @ self.pieces.on, 1e-3 * float(traces.sum()))

    def _system(
        self, penalty: FloatArray, used: BoolArray, place: IntArray, n_moves: int
    ) -> scipy.sparse.csc_matrix:
        """Optimality conditions in moves, slopes and multipliers of the chain."""
        m = len(self.squares)
        both = used[:, :, None] & used[:, None, :]
        rows_p = np.broadcast_to(place[:, :, None], both.shape)[both]
        cols_p = np.broadcast_to(place[:, None, :], both.shape)[both]
        slope = n_moves + np.arange(2 * m).reshape(m, 2)
        rows_q = np.repeat(slope, 2, axis=1).reshape(-1)
        cols_q = np.tile(slope, (1, 2)).reshape(-1)
        # Chain: multiplier rows hold G_m - G_{m-1} - sum of turning neurons.
        chain = slope + 2 * m
        at, j = np.nonzero(self.turning)
        jumps = -self.turning[at, j][:, None, None] * self.bases[j]
        moving = np.broadcast_to(used[j][:, None, :], jumps.shape)
        rows_j = np.broadcast_to(chain[at][:, :, None], jumps.shape)[moving]
        cols_j = np.broadcast_to(place[j][:, None, :], jumps.shape)[moving]
        rows_c = np.concatenate([chain.reshape(-1), chain[1:].reshape(-1), rows_j])
        cols_c = np.concatenate([slope.reshape(-1), slope[:-1].reshape(-1), cols_j])
        values_c = np.concatenate([np.ones(2 * m), -np.ones(2 * m - 2), jumps[moving]])
        values = np.concatenate([penalty[both], self.squares.reshape(-1), values_c, values_c])
        rows = np.concatenate([rows_p, rows_q, rows_c, cols_c])
        columns = np.concatenate([cols_p, cols_q, cols_c, rows_c])
        size = n_moves + 4 * m
        return scipy.sparse.csc_matrix((values, (rows, columns)), shape=(size, size))
