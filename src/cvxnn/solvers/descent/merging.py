"""Neurons that have become one: nearly the same direction, and nearly the same outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.row_ascent import unit
from cvxnn.solvers.descent.settings import SETTINGS


def merged(neurons: Neurons) -> Neurons:
    """Each neuron with all that are nearly parallel to it, in both layers, as one.

    Neurons with one pattern and parallel outputs are one neuron, that costs no more; such as are
    nearly so differ by little, which a descent makes good.

    Parameters
    ----------
    neurons : Neurons

    Notes
    -----
    O(k^2 (d + c)). The largest neurons come first, and take those near to them.
    """
    near = neurons.directions @ neurons.directions.T > SETTINGS.one
    near &= neurons.outputs @ neurons.outputs.T > SETTINGS.one
    np.fill_diagonal(near, True)
    owner = np.full(len(neurons), -1)
    for i in np.argsort(-neurons.sizes, kind="stable"):
        if owner[i] < 0:
            owner[near[i] & (owner < 0)] = i
    first, group = np.unique(owner, return_inverse=True)
    if len(first) == len(neurons):
        return neurons
    rays, outputs, sizes = (
        _summed(part, group, len(first))
        for part in (neurons.rays, neurons.outputs * neurons.sizes[:, None], neurons.sizes)
    )
    # The best size for the means is shorter by the cosines with them.
    kept = np.linalg.norm(rays, axis=1) * np.linalg.norm(outputs, axis=1) / sizes
    return replace(neurons, directions=unit(rays), outputs=unit(outputs), sizes=kept)


def _summed(rows: FloatArray, group: IntArray, count: int) -> FloatArray:
    total = np.zeros((count, *rows.shape[1:]))
    np.add.at(total, group, rows)
    return total
