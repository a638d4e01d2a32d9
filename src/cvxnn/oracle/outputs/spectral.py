"""An upper bound for several outputs that needs no patterns."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.rows import power_of_two
from cvxnn.layers.spectral import largest_eigenvalue

# Squares of shorter rows vanish; what those contribute is less than this.
_LEAST = 1e-150


def spectral_outputs_bound(X: FloatArray, V: FloatArray) -> float:
    """Upper bound on ``max_{||u|| <= 1} ||V'(Xu)_+||`` from one eigenvalue.

    With unit vectors ``p_i`` along ``v_i``, ``q_i`` along ``x_i``, weights ``w_i = ||v_i||
    ||x_i||``, and because ``s (t)_+ <= (s + t)^2 / 4``, for unit vectors a, u and any k > 0

        a'V'(Xu)_+ = sum_i w_i (p_i'a) (q_i'u)_+
                   <= 1/4 sum_i w_i (k p_i'a + q_i'u / k)^2
                   <= 1/2 lambda_max(sum_i w_i z_i z_i'),   z_i = (k p_i, q_i / k).

    Here k makes both diagonal blocks equally large, so that the bound is not above
    ``1/2 ||V'X|| + 1/2 (lambda_max(sum_i w_i p_i p_i') lambda_max(sum_i w_i q_i q_i'))^(1/2)``.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    V : ndarray, shape (n, c)

    Returns
    -------
    float
        Rounding included; 0 where V is. O(n (c + d) m) with m = min(n, c + d).

    Examples
    --------
    >>> bound = spectral_outputs_bound(np.eye(2), np.array([[3.0, 0.0], [0.0, -4.0]]))
    >>> bool(4.0 <= bound <= 4.0 + 1e-12)
    True
    """
    if not V.any():
        return 0.0
    # Scaled by powers of two, so without rounding.
    unit, scale = power_of_two(V), power_of_two(X)
    (outputs, sizes), (normals, lengths) = _units(V / unit), _units(X / scale)
    weights = sizes * lengths
    mass, n = float(weights.sum()), len(weights)
    squares = [largest_eigenvalue(units, weights) for units in (outputs, normals)]
    if min(squares) <= 0.0:
        return (mass * (1.0 + (n + 8) * EPS) + n * _LEAST) * unit * scale
    share = (squares[1] / squares[0]) ** 0.25
    both = np.hstack([share * outputs, normals / share])
    bound = 0.5 * largest_eigenvalue(both, weights)
    # The sums err by n + c + d eps of their moduli, which are below the trace, and the
    # eigenvalue by m^3 eps of itself, m the order of the matrix.
    order = min(both.shape)
    trace = (share**2 + share**-2) * mass
    bound += 4.0 * (sum(both.shape) + order**3 + 8.0) * EPS * trace + n * _LEAST
    return bound * unit * scale


def _units(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along rows, zeros for zeros, and their lengths."""
    lengths = np.linalg.norm(rows, axis=1)
    return rows / np.where(lengths > 0.0, lengths, 1.0)[:, None], lengths
