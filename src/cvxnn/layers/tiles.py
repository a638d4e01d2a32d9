"""Value and gradient of a network on plain rows in one pass, in the precision of the caller.

A product of all rows with all neurons is written and read many times before it has become
a gradient. Here a tile of rows goes all the way while its activations are in the cache: on a
thousand rows and more that is several times faster, and in float32 once more as fast. For
several outputs the BLAS does the same on taller tiles: on 1797 rows of 65 features, with 40 to
400 neurons and 10 outputs, at 0.6 to 0.7 of what it reaches on large matrices, and loops of a
kernel for one output at 0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.kernels import kernel

# Sums of many terms in any order, which is what lets a processor do eight at a time. No
# infinities and no NaN: the caller's numbers are of size one.
_SUMS = {"reassoc", "contract", "nsz", "nnan", "ninf", "arcp"}
# Entries of a tile and its rows, at least and at most: the tile stays in the first level of the
# cache, the activations of all neurons in the second.
_ENTRIES, _FEWEST, _MOST = 1 << 13, 128, 512
# Rows of a tile for several outputs: activations stay in the second level, and calls are few.
_SEVERAL = 512

# Value of the loss and its gradient in the predictions of some rows.
TileLoss = Callable[[slice, Array], tuple[float, Array]]


@final
class Tiles:
    """The rows X of ``f = sum_j (X u_j)_+ a_j``, features first, in tiles.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
    dtype : type
        float32 or float64.
    n_outputs : int, optional
        Outputs c of the networks.

    Attributes
    ----------
    slices : list of slice
        The rows of each tile.

    Examples
    --------
    >>> tiles = Tiles(np.array([[1.0], [2.0]]), np.float64)
    >>> y = np.array([0.0, 1.0])
    >>> def squares(rows, f):
    ...     left = f - y[rows]
    ...     return 0.5 * float(left @ left), left
    >>> tiles.value_and_gradient(np.array([[1.0]]), np.array([1.0]), squares)
    (1.0, array([[3.]]), array([3.]))
    """

    def __init__(self, rows: FloatArray, dtype: type[np.floating[Any]], n_outputs: int = 1) -> None:
        n, d = rows.shape
        # A power of two keeps the loops of the kernels free of remainders.
        height = 1 << max(_ENTRIES // max(d, 1), 1).bit_length() - 1
        one = min(max(height, _FEWEST), _MOST)
        self._dtype, self._height = dtype, one if n_outputs == 1 else _SEVERAL
        self._pass: Callable[..., _Pass] = _OneOutput if n_outputs == 1 else _SeveralOutputs
        self.slices = [slice(i, min(i + self._height, n)) for i in range(0, n, self._height)]
        self._tiles = [np.ascontiguousarray(rows[part].T, dtype=dtype) for part in self.slices]

    def value_and_gradient(
        self,
        hidden: FloatArray,
        output: FloatArray,
        loss: TileLoss,
        only: slice = slice(None),
    ) -> tuple[float, FloatArray, FloatArray]:
        """The loss, and its gradients in the weights of both layers; O(n d k).

        Parameters
        ----------
        hidden : ndarray, shape (k, d)
        output : ndarray, shape (k,), for several outputs (k, c)
        loss : callable
            Of a slice of the rows and their predictions, which it may overwrite: the value
            there, and the gradient. It may raise to stop.
        only : slice, optional
            Of the tiles, where not all count.
        """
        U, a = hidden.astype(self._dtype), output.astype(self._dtype)
        network, value = self._pass(U, a, self._height), 0.0
        for part, tile in zip(self.slices[only], self._tiles[only], strict=True):
            of_tile, gradient = loss(part, network.forward(tile))
            network.backward(tile, gradient)
            value += of_tile
        return value, network.slopes.astype(np.float64), network.output_slopes.astype(np.float64)


class _Pass(Protocol):
    """Weights of both layers, and what tiles contribute to their gradients, tile by tile.

    Attributes
    ----------
    slopes, output_slopes : ndarray
        Of the shapes of the weights.
    """

    slopes: Array
    output_slopes: Array

    def forward(self, tile: Array) -> Array:
        """Predictions of a tile, shape (rows,) or (rows, c); valid until the next one."""

    def backward(self, tile: Array, gradient: Array) -> None:
        """Add what the last tile contributes, from the gradient in its predictions."""


@final
class _OneOutput:
    """Kernels that read a tile once for each neuron."""

    def __init__(self, U: Array, a: Array, height: int) -> None:
        self._U, self._a = U, a
        self.slopes, self.output_slopes = np.zeros_like(U), np.zeros_like(a)
        self._active = np.empty((len(a), height), U.dtype)
        self._f, self._masked = np.empty((2, height), U.dtype)

    def forward(self, tile: Array) -> Array:
        _forward(tile, self._U, self._a, self._active, self._f)
        return self._f[: tile.shape[1]]

    def backward(self, tile: Array, gradient: Array) -> None:
        _backward(
            tile, self._a, self._active, gradient, self._masked, self.slopes, self.output_slopes
        )


@final
class _SeveralOutputs:
    """Products by the BLAS: what outputs share pays for the passes between them."""

    def __init__(self, U: Array, A: Array, height: int) -> None:
        self._U, self._A = U, A
        self.slopes, self.output_slopes = np.zeros_like(U), np.zeros_like(A)
        self._products, self._pulls = np.empty((2, len(A) * height), U.dtype)

    def forward(self, tile: Array) -> Array:
        active = self._of(self._products, tile)
        np.matmul(self._U, tile, out=active)
        np.maximum(active, 0.0, out=active)
        return active.T @ self._A

    def backward(self, tile: Array, gradient: Array) -> None:
        active, pulls = self._of(self._products, tile), self._of(self._pulls, tile)
        np.matmul(self._A, gradient.T, out=pulls)
        np.multiply(pulls, active > 0.0, out=pulls)
        self.slopes += pulls @ tile.T
        self.output_slopes += active @ gradient

    def _of(self, room: Array, tile: Array) -> Array:
        """So much of it as an array of shape (k, rows)."""
        shape = len(self._A), tile.shape[1]
        return room[: shape[0] * shape[1]].reshape(shape)


@kernel(fastmath=_SUMS)
def _forward(tile: Array, U: Array, a: Array, active: Array, f: Array) -> None:
    """Activations of a tile, shape (k, rows), and its predictions."""
    d, count = tile.shape
    zero = tile[0, 0] - tile[0, 0]
    for i in range(count):
        f[i] = zero
    for j in range(len(a)):
        t, u = active[j], U[j]
        for i in range(count):
            t[i] = zero
        # Four features at a time, so that t is read and written a quarter as often.
        c = 0
        while c + 4 <= d:
            w0, w1, w2, w3 = u[c], u[c + 1], u[c + 2], u[c + 3]
            x0, x1, x2, x3 = tile[c], tile[c + 1], tile[c + 2], tile[c + 3]
            for i in range(count):
                t[i] += x0[i] * w0 + x1[i] * w1 + x2[i] * w2 + x3[i] * w3
            c += 4
        while c < d:
            w, x = u[c], tile[c]
            for i in range(count):
                t[i] += x[i] * w
            c += 1
        weight = a[j]
        for i in range(count):
            r = t[i] if t[i] > zero else zero
            t[i] = r
            f[i] += weight * r


@kernel(fastmath=_SUMS)
def _backward(
    tile: Array, a: Array, active: Array, gradient: Array, masked: Array,
    slopes: Array, output_slopes: Array,
) -> None:  # fmt: skip
    """Add what a tile contributes to the gradients, from that of its predictions."""
    d, count = tile.shape
    zero = tile[0, 0] - tile[0, 0]
    for j in range(len(a)):
        t, weight, total = active[j], a[j], zero
        for i in range(count):
            total += t[i] * gradient[i]
            masked[i] = gradient[i] if t[i] > zero else zero
        output_slopes[j] += total
        out = slopes[j]
        c = 0
        while c + 4 <= d:
            s0, s1, s2, s3 = zero, zero, zero, zero
            x0, x1, x2, x3 = tile[c], tile[c + 1], tile[c + 2], tile[c + 3]
            for i in range(count):
                g = masked[i]
                s0 += x0[i] * g
                s1 += x1[i] * g
                s2 += x2[i] * g
                s3 += x3[i] * g
            out[c] += weight * s0
            out[c + 1] += weight * s1
            out[c + 2] += weight * s2
            out[c + 3] += weight * s3
            c += 4
        while c < d:
            s, x = zero, tile[c]
            for i in range(count):
                s += x[i] * masked[i]
            out[c] += weight * s
            c += 1
