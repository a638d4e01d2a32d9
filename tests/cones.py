"""Projection on a cone by scipy: what the kernels and the oracle are compared with."""

import numpy as np
from scipy.optimize import nnls


def project_on_cone(rows, g):
    """Distance of -g from the cone of `rows`: the maximum of g'u with ``rows u >= 0``; and z."""
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows[lengths > 0.0] / lengths[lengths > 0.0, None]
    size = float(np.linalg.norm(g))
    if size == 0.0 or len(rows) == 0:
        return size, g
    rho, distance = nnls(rows.T, -g / size)
    return size * float(distance), size * (g / size + rows.T @ rho)
