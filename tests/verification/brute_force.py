"""The largest value of a dual point on a unit neuron, cell by cell."""

import numpy as np
from problems import brute_force_cells
from scipy.optimize import nnls


def by_cells(X, v, sign):
    """``max sign v'(Xu)_+`` over the unit ball: of every cell the projection on it, by scipy."""
    masks, _ = brute_force_cells(X)
    lengths = []
    for mask in masks:
        signed = np.where(mask, 1.0, -1.0)[:, None] * X
        lengths.append(nnls(signed.T, -sign * (mask * v) @ X)[1])
    return max(lengths)


def largest_by_cells(X, v):
    return max(by_cells(X, v, sign) for sign in (1.0, -1.0))
