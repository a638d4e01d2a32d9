"""What an exact oracle proves of a dual point before a search, in some seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.oracle.choice import Effort, oracle_for

FloatArray = NDArray[np.float64]

# Accuracy, and the nodes times rows it may take: some seconds. A clock would give another
# bound on another day.
_TOLERANCE, _WORK = 1e-6, 100_000_000
_MOST_NODES = 100_000


def sharp_proof(layer: Layer, v: FloatArray) -> DualProof:
    """The largest ``|v'phi(u)|`` over ``||u|| <= 1`` to 1e-6, or an upper bound.

    An upper bound where the oracle does not finish within its nodes, or the rank of the
    rows is above 9.

    Examples
    --------
    >>> round(sharp_proof(Layer(np.array([[1.0], [2.0]])), np.ones(2)).oracle_bound, 6)
    3.0
    """
    nodes = min(_MOST_NODES, max(1, _WORK // len(layer.rows)))
    oracle = oracle_for(layer, Effort(max_nodes=nodes))
    return DualProof.priced(v[:, None], oracle.price(v[:, None], tol=_TOLERANCE))
