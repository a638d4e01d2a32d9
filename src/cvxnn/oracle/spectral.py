"""An upper bound on the oracle that needs no patterns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def spectral_bound(X: FloatArray, v: FloatArray) -> float:
    """Upper bound on ``max_{||u|| <= 1} |v'(Xu)_+|`` from one eigenvalue per sign.

    With ``(t)_+ = (t + |t|) / 2`` and ``w_i = max(v_i, 0) ||x_i||``,

        v'(Xu)_+ <= 1/2 ||X'v|| + 1/2 sum_i max(v_i, 0) |x_i'u|
                 <= 1/2 ||X'v|| + 1/2 (sum_i w_i)^(1/2) lambda_max(A)^(1/2)

    where ``A = sum_i w_i x_i x_i' / ||x_i||^2``, by Cauchy and Schwarz; the same
    with -v for the other sign.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)

    Returns
    -------
    float
        Rounding included. O(n d^2 + d^3).

    Examples
    --------
    >>> import numpy as np
    >>> bool(spectral_bound(np.eye(2), np.array([3.0, -4.0])) >= 4.0)
    True
    """
    n, d = X.shape
    # Scaled by a power of two, so without rounding: squares of a small v would vanish.
    largest = float(np.abs(v).max(initial=0.0))
    if largest == 0.0:
        return 0.0
    unit = float(np.exp2(np.floor(np.log2(largest))))
    v = v / unit
    lengths = np.linalg.norm(X, axis=1)
    units = X / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    linear = float(np.linalg.norm(X.T @ v))
    worst = 0.0
    for sign in (1.0, -1.0):
        weights = np.maximum(sign * v, 0.0) * lengths
        matrix = (units * weights[:, None]).T @ units
        top = max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)
        worst = max(worst, float(np.sqrt(weights.sum() * top)))
    # The sums err by n eps of their moduli at most, the largest eigenvalue by d^3 eps of itself.
    margin = 4.0 * (n + d**3 + 8) * float(np.finfo(float).eps) * float(np.abs(v) @ lengths)
    return (0.5 * linear + 0.5 * worst + margin) * unit
