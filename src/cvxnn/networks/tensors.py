"""Values of two-layer networks where the data are: on a device, by the library of the data."""

from __future__ import annotations

from typing import Any

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.devices import Device
from cvxnn.backends.tiling import Tiling


def values_there(
    X: Any, hidden: FloatArray, output: FloatArray, slope: float, linear: FloatArray | None
) -> Array | None:
    """``sum_j s(X u_j) a_j + X w``, shape (n,) or (n, c), in the precision of X; O(n m d).

    Parameters
    ----------
    X : array, shape (n, d)
        Of a library that follows the array API standard.
    hidden : ndarray, shape (m, d)
    output : ndarray, shape (m,) or (m, c)
    slope : float
        Of the activation below zero.
    linear : ndarray, shape (d,) or (d, c), optional
        w.

    Returns
    -------
    array or None
        None where X is none of n > 0 rows of d finite real numbers.
    """
    device = Device.of(X)
    xp = device.xp
    is_real = xp.isdtype(X.dtype, "real floating")
    if not is_real or X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != hidden.shape[1]:
        return None
    if not bool(xp.all(xp.isfinite(X))):
        return None
    dtype = "float32" if X.dtype == xp.float32 else "float64"
    rows = device.placed(X, dtype)
    U, A = xp.matrix_transpose(device.placed(hidden, dtype)), device.placed(output, dtype)
    A = A if output.ndim == 2 else A[:, None]

    def values(part: slice) -> Array:
        sums = rows[part, ...] @ U
        active = xp.maximum(sums, 0.0)
        if slope != 0.0:
            active = active + slope * xp.minimum(sums, 0.0)
        return active @ A

    with device.in_full_precision():
        # Any rows may be a tile, as nothing is summed over them.
        tiles = Tiling(device, X.shape[0], leaf=1).done(values, max(*hidden.shape, 1))
        found = xp.reshape(xp.concat(list(tiles)), (X.shape[0], *output.shape[1:]))
        if linear is not None:
            found = found + rows @ device.placed(linear, dtype)
    return xp.astype(found, X.dtype, copy=False)
