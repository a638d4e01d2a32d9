"""What neurons look at: rows, and how activations become predictions."""

from cvxnn.layers.mixture import Mixture
from cvxnn.layers.relu import Layer, Readout
from cvxnn.layers.rows import Rows, row_chunks
from cvxnn.layers.spectral import spectral_bound

__all__ = ["Layer", "Mixture", "Readout", "Rows", "row_chunks", "spectral_bound"]
