"""A bound on functions of kinks from one eigenvalue: for every dimension, and usually loose."""

from __future__ import annotations

import numpy as np

from cvxnn.verification.eigenvalues import largest_eigenvalue
from cvxnn.verification.kinked import Kinked
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, sum_up


def spectral_bound(function: Kinked) -> float:
    r"""An upper bound on ``max f`` over the unit ball.

    Notes
    -----
    With ``(t)_+ = (t + |t|) / 2`` and ``w_i = max(weights_i, 0)``, for any lengths ``l_i > 0``,

        f(u) <= (base + 1/2 sum_i weights_i y_i)'u + 1/2 sum_i w_i |y_i'u|
             <= ||base + 1/2 sum_i weights_i y_i||
                + 1/2 (sum_i w_i l_i)^(1/2) lambda_max(sum_i w_i y_i y_i' / l_i)^(1/2)

    by Cauchy and Schwarz. The nonzero eigenvalues of ``BB'`` and ``B'B`` are the same, so that
    the smaller matrix is taken; what a rounded entry changes one of them by is at most the
    Frobenius norm of the moduli. O(N r min(N, r)).

    Examples
    --------
    >>> function = Kinked(np.eye(2), np.array([3.0, -4.0]), np.zeros(2))
    >>> bool(3.0 <= spectral_bound(function) < 4.1)
    True
    """
    rows, weights = function.rows, function.weights
    if len(rows) == 0:
        return float(norms_up(function.base))
    linear = function.base + 0.5 * (weights @ rows)
    straight = float(norms_up(linear)) + gamma(len(rows) + 4) * function.mass
    return float((straight + curved_part(function)) * (1.0 + 16.0 * U)) + TINY


def curved_part(function: Kinked) -> float:
    """An upper bound on ``1/2 sum_i weights_i |y_i'u|`` over the unit ball, see above."""
    rows, weights = function.rows, function.weights
    if len(rows) == 0:
        return 0.0
    lengths = norms_up(rows)
    rising = np.maximum(weights, 0.0)
    roots = np.sqrt(rising / lengths)[:, None] * rows
    if len(rows) < rows.shape[1]:
        roots = roots.T
    # Of ``w_i / l_i``, its root twice, and products: some roundings more than the sum has.
    share = gamma(len(roots) + 12)
    moduli = np.abs(roots).T @ np.abs(roots)
    rounding = share * float(np.sqrt((moduli * moduli).sum())) * 1.001
    top = largest_eigenvalue(roots.T @ roots) + rounding
    return float(0.5 * np.sqrt(sum_up(rising * lengths) * top) * (1.0 + 8.0 * U)) + TINY
