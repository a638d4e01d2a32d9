"""The oracle of networks with fixed gates: a norm for each, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.layers.units import power_of_two

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_EPS = float(np.finfo(float).eps)
_CHUNK_BYTES = 1 << 26


class GateOracle:
    """``max_{||u|| <= 1} v'D_i X u = ||X'D_i v||`` for every pattern i.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    masks : ndarray of bool, shape (G, n)
        The diagonals of the ``D_i``.

    Examples
    --------
    >>> import numpy as np
    >>> oracle = GateOracle(np.eye(2), np.array([[True, False], [True, True]]))
    >>> correlations, bound = oracle.price(np.array([3.0, 4.0]))
    >>> correlations
    array([[3., 0.],
           [3., 4.]])
    >>> bool(5.0 <= bound < 5.0 + 1e-12)
    True
    """

    def __init__(self, X: FloatArray, masks: BoolArray) -> None:
        self.X, self.masks = X, masks
        self._lengths = np.linalg.norm(X, axis=1)

    def price(self, v: FloatArray, deadline: Deadline | None = None) -> tuple[FloatArray, float]:
        """``X'D_i v`` as rows, shape (G, d), and a proven bound on their norms; O(G n d).

        Rounding is included: a sum over n rows errs by n eps of its moduli, whatever its
        order, so a vector of them by ``n eps sum_k |v_k| ||x_k||`` in its norm. Raises
        OutOfTimeError if the deadline passes before the end.
        """
        deadline = Deadline() if deadline is None else deadline
        # Scaled by a power of two, so without rounding: squares of a small v would vanish.
        unit = power_of_two(v)
        v = v / unit
        products = self._correlations(v, deadline)
        norms = np.linalg.norm(products, axis=1)
        n, d = self.X.shape
        moduli = float(np.abs(v) @ self._lengths)
        rounding = 2.0 * (n + d + 8) * _EPS * moduli + n * d * 1e-300
        bound = float(norms.max(initial=0.0)) * (1.0 + (d + 8) * _EPS) + rounding
        return products * unit, bound * unit

    def _correlations(self, v: FloatArray, deadline: Deadline) -> FloatArray:
        products = np.empty((len(self.masks), self.X.shape[1]))
        step = max(1, _CHUNK_BYTES // (8 * len(self.X)))
        for start in range(0, len(self.masks), step):
            deadline.check()
            part = slice(start, start + step)
            products[part] = (self.masks[part] * v) @ self.X
        return products
