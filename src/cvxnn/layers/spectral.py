"""An upper bound on the oracle that needs no patterns."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray


def spectral_bound(X: FloatArray, v: FloatArray, *, quick: bool = False) -> float:
    """Upper bound on ``max_{||u|| <= 1} |v'(Xu)_+|`` from one eigenvalue per sign.

    With ``(t)_+ = (t + |t|) / 2`` and ``w_i = max(v_i, 0) ||x_i||``,

        v'(Xu)_+ <= 1/2 ||X'v|| + 1/2 sum_i max(v_i, 0) |x_i'u|
                 <= 1/2 ||X'v|| + 1/2 (sum_i w_i)^(1/2) lambda_max(A)^(1/2)

    where ``A = sum_i w_i x_i x_i' / ||x_i||^2``, by Cauchy and Schwarz; the same
    with -v for the other sign. With fewer rows than columns the eigenvalue is that of
    the n x n matrix ``(w_i w_k)^(1/2) x_i'x_k / (||x_i|| ||x_k||)``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)
    quick : bool
        Take the trace ``sum_i w_i`` for the largest eigenvalue, O(n d) in all: a looser
        bound, for when there is no time.

    Returns
    -------
    float
        Rounding included. O(n d m) with m = min(n, d).

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
        top = float(weights.sum()) if quick else largest_eigenvalue(units, weights)
        worst = max(worst, float(np.sqrt(weights.sum() * top)))
    # The sums err by n + d eps of their moduli at most, the largest eigenvalue by m^3 eps of
    # itself, m the order of the matrix; it is at least a share 1 / m of the trace, so that
    # its root errs by m^(1/2) times as much as the entries.
    order = min(n, d)
    share = (n + d) * (order + 1.0) ** 0.5 + order**3 + 8
    margin = 4.0 * share * float(np.finfo(float).eps) * float(np.abs(v) @ lengths)
    return (0.5 * linear + 0.5 * worst + margin) * unit


def largest_eigenvalue(units: FloatArray, weights: FloatArray) -> float:
    """Of ``sum_i w_i u_i u_i'``, from the smaller of the two matrices that have it."""
    n, d = units.shape
    if n < d:
        scaled = units * np.sqrt(weights)[:, None]
        matrix = scaled @ scaled.T
    else:
        matrix = (units * weights[:, None]).T @ units
    return max(float(np.linalg.eigvalsh(matrix)[-1]), 0.0)
