"""Neurons that have become one: nearly the same direction, and nearly the same outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.row_ascent import unit


def merged(neurons: Neurons, same: float) -> Neurons:
    """Each neuron with all that are nearly parallel to it, in both layers, as one.

    Neurons with one pattern and parallel outputs are one neuron, that costs no more; such as are
    nearly so differ by little, which a descent makes good.

    Parameters
    ----------
    neurons : Neurons
    same : float
        The cosine in both layers above which two are one.

    Notes
    -----
    O(k^2 (d + c)). The largest neurons come first, and take those near to them.
    """
    near = neurons.directions @ neurons.directions.T > same
    near &= neurons.outputs @ neurons.outputs.T > same
    np.fill_diagonal(near, True)
    owner = np.full(len(neurons), -1)
    for i in np.argsort(-neurons.sizes, kind="stable"):
        if owner[i] < 0:
            owner[near[i] & (owner < 0)] = i
    first, group = np.unique(owner, return_inverse=True)
    if len(first) == len(neurons):
        return neurons
    # In units of the largest, whose square might leave the range of float64.
    largest = neurons.sizes.max()
    shares = (neurons.sizes / largest)[:, None]
    rays, outputs, sizes = (
        _summed(part, group, len(first))
        for part in (neurons.directions * shares, neurons.outputs * shares, shares[:, 0])
    )
    # The best size for the means is shorter by the cosines with them.
    kept = np.linalg.norm(rays, axis=1) * np.linalg.norm(outputs, axis=1) / sizes
    return replace(neurons, directions=unit(rays), outputs=unit(outputs), sizes=kept * largest)


def _summed(rows: FloatArray, group: IntArray, count: int) -> FloatArray:
    total = np.zeros((count, *rows.shape[1:]))
    np.add.at(total, group, rows)
    return total
