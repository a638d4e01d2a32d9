"""The exact oracle that suits the data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.oracle.branch_and_bound import BranchAndBound
from cvxnn.oracle.rank_two import RankTwoOracle
from cvxnn.patterns.reduction import reduce_rows

FloatArray = NDArray[np.float64]


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
    if X.shape[1] <= 2:
        return RankTwoOracle(X)
    reduction = reduce_rows(X)
    return BranchAndBound(X, reduction) if reduction.rank > 2 else RankTwoOracle(X)
