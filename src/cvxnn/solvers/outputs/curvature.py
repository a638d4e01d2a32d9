"""The Gauss-Newton part of a Hessian in the weights of both layers, for several outputs."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray


@final
class Curvature:
    """Sums over rows of ``J'HJ``, for predictions ``sum_j z_j a_j'`` with derivatives J.

    The unknowns are D ones of which the activations are functions, with the derivatives S of
    those of their neurons, and then the output weights ``a_jl``. H is ``diag(h) - g g'`` in
    each row.

    Parameters
    ----------
    output : ndarray, shape (k, c)
        The a_j.
    owner : ndarray of int, shape (D,)
        The neuron of each unknown.

    Attributes
    ----------
    total : ndarray, shape (D + k c, D + k c)

    Notes
    -----
    O(n c (D + k)^2 + n (D + k c)^2) for n rows; without g, and with the same h for all outputs
    as squares have it, O(n (D + k)^2).

    Examples
    --------
    >>> curvature = Curvature(np.array([[1.0, 2.0]]), np.array([0]))
    >>> curvature.add(np.array([[3.0]]), np.array([[1.0]]), np.ones((1, 2)), None)
    >>> curvature.total
    array([[45.,  3.,  6.],
           [ 3.,  1.,  0.],
           [ 6.,  0.,  1.]])
    """

    def __init__(self, output: FloatArray, owner: IntArray) -> None:
        self._output, self._of_unknown = output, output[owner]
        D, (k, c) = len(owner), output.shape
        self.total = np.zeros((D + k * c, D + k * c))
        # Views: both layers, and each output by itself.
        self._inner = self.total[:D, :D]
        self._across = [self.total[:D, D + o :: c] for o in range(c)]
        self._back = [self.total[D + o :: c, :D] for o in range(c)]
        self._outer = [self.total[D + o :: c, D + o :: c] for o in range(c)]

    def add(
        self, slopes: FloatArray, active: FloatArray, h: FloatArray, g: FloatArray | None
    ) -> None:
        """The sums over some rows.

        Parameters
        ----------
        slopes : ndarray, shape (n, D)
        active : ndarray, shape (n, k)
            The z.
        h, g : ndarray, shape (n, c)
        """
        if (h == h[:, :1]).all():
            self._add_equal(slopes, active, h[:, :1])
        else:
            self._add_each(slopes, active, h)
        if g is not None:
            joint = np.hstack(
                [
                    slopes * (g @ self._of_unknown.T),
                    (active[:, :, None] * g[:, None, :]).reshape(len(g), -1),
                ]
            )
            self.total -= joint.T @ joint

    def _add_equal(self, slopes: FloatArray, active: FloatArray, h: FloatArray) -> None:
        D, of_unknown = slopes.shape[1], self._of_unknown
        table = np.sqrt(h) * np.hstack([slopes, active])
        gram = table.T @ table
        self._inner += gram[:D, :D] * (of_unknown @ of_unknown.T)
        for o in range(of_unknown.shape[1]):
            self._add_across(o, gram[:D, D:] * of_unknown[:, [o]], gram[D:, D:])

    def _add_each(self, slopes: FloatArray, active: FloatArray, h: FloatArray) -> None:
        D, of_unknown = slopes.shape[1], self._of_unknown
        for o in range(of_unknown.shape[1]):
            table = np.sqrt(h[:, [o]]) * np.hstack([slopes * of_unknown[:, o], active])
            gram = table.T @ table
            self._inner += gram[:D, :D]
            self._add_across(o, gram[:D, D:], gram[D:, D:])

    def _add_across(self, o: int, across: FloatArray, outer: FloatArray) -> None:
        self._across[o] += across
        self._back[o] += across.T
        self._outer[o] += outer
