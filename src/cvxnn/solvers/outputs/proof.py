"""What is proven of a dual point of several outputs without a search."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.oracle.outputs.choice import pulled
from cvxnn.oracle.outputs.spectral import spectral_outputs_bound


def spectral_outputs_proof(layer: Layer, V: FloatArray) -> DualProof:
    """What an eigenvalue proves of any V, shape (n, c).

    Examples
    --------
    >>> V = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> round(spectral_outputs_proof(Layer(np.eye(2)), V).oracle_bound, 6)
    5.0
    """
    weights, error = pulled(layer, V)
    bound = spectral_outputs_bound(layer.rows, weights) + error
    return DualProof(V, np.array([bound]), "spectral")
