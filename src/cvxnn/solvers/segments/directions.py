"""How hyperplanes of rows in segments are spread."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.solvers.segments.rows import SegmentedRows


def spread_directions(rows: SegmentedRows) -> FloatArray:
    """Maps points to directions that meet the hyperplanes of the rows evenly, shape (d, r).

    What :func:`~cvxnn.patterns.reduction.row_space` finds for rows in one memory, for an
    accuracy of some roundings. O(n d^2).

    Examples
    --------
    >>> from cvxnn.layers import Layer
    >>> from cvxnn.losses import SquaredLoss
    >>> from cvxnn.problems import Problem
    >>> from cvxnn.solvers.segments.rows import LocalRows
    >>> X = np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]])
    >>> problem = Problem.of(Layer(X), np.ones(3), 1.0, SquaredLoss())
    >>> spread_directions(LocalRows(problem)).shape
    (2, 1)
    """
    (moduli,) = rows.total("moduli", ())
    scale = np.where(moduli.values > 0.0, moduli.values, 1.0)
    (triangle,) = rows.total("triangle", (), scale)
    _, singular, right = np.linalg.svd(triangle.R, full_matrices=False)
    tolerance = 64 * max(rows.n_rows, rows.n_features) * EPS
    rank = int(np.count_nonzero(singular > tolerance * singular.max(initial=0.0)))
    return np.asarray(right[:rank].T / singular[:rank] / scale[:, None])
