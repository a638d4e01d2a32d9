"""The whole set of global optima, and paths to it."""

from cvxnn.landscape.optimal_set import OptimalSet, SmallestNetwork

__all__ = ["OptimalSet", "SmallestNetwork"]
