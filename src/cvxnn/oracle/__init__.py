"""The oracle: the largest ``|v'(Xu)_+|`` over the unit ball, bounded with proof."""

from cvxnn.oracle.ascent import AscentOracle, Proposals
from cvxnn.oracle.branch_and_bound import BranchAndBound, TreeResult
from cvxnn.oracle.cells import CellOracle, Pricing
from cvxnn.oracle.exact import exact_oracle
from cvxnn.oracle.gates import GateOracle
from cvxnn.oracle.max_cells import MaxCellOracle
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.oracle.spectral import spectral_bound

__all__ = [
    "AscentOracle",
    "BranchAndBound",
    "CellOracle",
    "GateOracle",
    "MaxCellOracle",
    "Pricing",
    "Proposals",
    "RankTwoOracle",
    "TreeResult",
    "exact_oracle",
    "spectral_bound",
]
