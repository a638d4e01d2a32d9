"""The oracle: the largest ``|v'(Xu)_+|`` over the unit ball, bounded with proof."""

from cvxnn.oracle.cells import CellOracle, Pricing
from cvxnn.oracle.spectral import spectral_bound

__all__ = ["CellOracle", "Pricing", "spectral_bound"]
