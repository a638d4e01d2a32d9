"""An upper bound for several outputs that needs no patterns."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.rows import power_of_two
from cvxnn.layers.spectral import largest_eigenvalue


def spectral_outputs_bound(X: FloatArray, V: FloatArray) -> float:
    """Upper bound on ``max_{||u|| <= 1} ||V'(Xu)_+||`` from eigenvalues.

    With ``(t)_+ = (t + |t|) / 2``, unit vectors a and weights ``w_i = ||v_i|| ||x_i||``,

        a'V'(Xu)_+ <= 1/2 ||V'X|| + 1/2 sum_i |v_i'a| |x_i'u|
                   <= 1/2 ||V'X|| + 1/2 lambda_max(A)^(1/2) lambda_max(B)^(1/2)

    where ``A = sum_i w_i v_i v_i' / ||v_i||^2``, ``B = sum_i w_i x_i x_i' / ||x_i||^2``, by
    Cauchy and Schwarz.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    V : ndarray, shape (n, c)

    Returns
    -------
    float
        Rounding included; 0 only where it is. O(n (c^2 + d m)) with m = min(n, d).

    Examples
    --------
    >>> bound = spectral_outputs_bound(np.eye(2), np.array([[3.0, 0.0], [0.0, -4.0]]))
    >>> bool(4.0 <= bound <= 4.0 + 1e-12)
    True
    """
    if V.size == 0 or not V.any():
        return 0.0
    # Scaled by powers of two, so without rounding: squares of small numbers would vanish.
    unit, scale = power_of_two(V), power_of_two(X)
    V, X = V / unit, X / scale
    sizes, lengths = np.linalg.norm(V, axis=1), np.linalg.norm(X, axis=1)
    mass = float(sizes @ lengths)
    linear = float(np.linalg.norm(V.T @ X, 2))
    values = [largest_eigenvalue(_units(part, size), sizes * lengths) for part, size in ((V, sizes), (X, lengths))]
    # The sums err by n + d + c eps of their moduli at most, an eigenvalue by m^3 eps of itself,
    # m the order of the matrix; it is at least a share 1 / m of the trace, which is the mass.
    order = max(min(X.shape), V.shape[1])
    share = (sum(X.shape) + V.shape[1]) * (order + 1.0) + order**3 + 8.0
    bound = 0.5 * linear + 0.5 * float(np.sqrt(values[0] * values[1]))
    bound += 4.0 * share * EPS * mass + len(X) * 1e-150
    return bound * unit * scale


def _units(rows: FloatArray, lengths: FloatArray) -> FloatArray:
    return rows / np.where(lengths > 0.0, lengths, 1.0)[:, None]
