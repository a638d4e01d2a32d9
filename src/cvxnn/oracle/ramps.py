"""The oracle of three layers on one feature: the largest ramp, from one pass over the line."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.line import Line


def largest_ramp(line: Line, v: FloatArray) -> float:
    """A proven bound on ``|v'f|`` over ramps f of slope 1, for a v of the sum 0; O(n log n).

    ``max_j D_j - min_j D_j`` with the turns D of the line: a ramp between points ``t_a`` and
    ``t_b`` has ``D_a - D_b``, one with ends between points is a mixture of those, as D is linear
    between points, and 0 is ``D_m``.

    Rounding is included: a turn errs by ``16 n eps^2 (t_m - t_1) ||v||_1`` before it is rounded,
    see :func:`~cvxnn.layers.line_kernels.turns_along`.

    Parameters
    ----------
    line : Line
    v : ndarray, shape (n,)
        Of the sum 0 exactly.

    Examples
    --------
    >>> round(largest_ramp(Line(np.array([0.0, 1.0, 3.0])), np.array([1.0, -2.0, 1.0])), 9)
    2.0
    """
    turns = line.turns(v)
    high, low = float(turns.max()), float(turns.min())
    size = float(line.points[-1] - line.points[0]) * float(np.abs(v).sum())
    rounding = 4.0 * EPS * (high - low) + 40.0 * len(v) * EPS**2 * size + len(v) * 1e-300
    return (high - low) + rounding
