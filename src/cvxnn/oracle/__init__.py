"""The oracle: the largest ``||V'phi(u)||`` over the unit ball, bounded with proof."""

from cvxnn.oracle.ascent import AscentOracle
from cvxnn.oracle.branch_and_bound import BranchAndBound
from cvxnn.oracle.cells import CellOracle
from cvxnn.oracle.gates import GateOracle
from cvxnn.oracle.max_cells import MaxCellOracle
from cvxnn.oracle.price import LayerOracle, Oracle, Price, Proposals, VectorOracle
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.signs import SignTree

__all__ = [
    "AscentOracle",
    "BranchAndBound",
    "CellOracle",
    "GateOracle",
    "LayerOracle",
    "MaxCellOracle",
    "Oracle",
    "Price",
    "Proposals",
    "RankTwoOracle",
    "SignTree",
    "VectorOracle",
]
