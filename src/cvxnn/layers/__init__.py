"""What neurons look at: rows, and how activations become predictions."""

from cvxnn.layers.relu import Layer, Readout, row_chunks

__all__ = ["Layer", "Readout", "row_chunks"]
