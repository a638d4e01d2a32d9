"""The exact oracle that suits the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.interrupts import Deadline
from cvxnn.oracle.branch_and_bound import BranchAndBound
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.patterns.reduction import Reduction, reduce_rows

FloatArray = NDArray[np.float64]


def reduction_above_rank_two(X: FloatArray, deadline: Deadline | None = None) -> Reduction | None:
    """``reduce_rows(X)``; None where the rank is two at most, and rows sorted by angle do.

    Examples
    --------
    >>> reduction_above_rank_two(np.ones((4, 3))) is None
    True
    """
    if X.shape[1] <= 2:
        return None
    reduction = reduce_rows(X, deadline)
    return reduction if reduction.rank > 2 else None


def exact_oracle(X: FloatArray) -> RankTwoOracle | BranchAndBound:
    """The quickest oracle with a proof that needs no list of patterns.

    Parameters
    ----------
    X : ndarray, shape (n, d)

    Returns
    -------
    RankTwoOracle or BranchAndBound
        By the rank of X. Only the first is sure to end soon.

    Examples
    --------
    >>> type(exact_oracle(np.eye(2))).__name__, type(exact_oracle(np.eye(3))).__name__
    ('RankTwoOracle', 'BranchAndBound')
    """
    reduction = reduction_above_rank_two(X)
    return RankTwoOracle(X) if reduction is None else BranchAndBound(X, reduction)
