"""The whole set of global optima, and paths to it."""

from cvxnn.landscape.descent import DescentPath, descent_path
from cvxnn.landscape.optimal_set import OptimalSet
from cvxnn.landscape.smallest import SmallestNetwork

__all__ = ["DescentPath", "OptimalSet", "SmallestNetwork", "descent_path"]
