"""Why a gap stays wide whatever the time, as the data and beta tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Problem
from cvxnn.solvers.relaxed import may_need_relaxation

# Below this share of the largest beta relaxations are far from the optimum.
_SMALL = 0.05
# Columns whose sizes are farther apart are in units of their own.
_SPREAD = 1e3
# Up to so many rows an exact search over signs may end, given time.
_FEW_ROWS = 80
# Means of targets, in their deviations, that are worth a bias.
_OFFSET = 1.0


@final
@dataclass(frozen=True)
class Circumstances:
    """What more time does not change about a gap.

    Attributes
    ----------
    share : float
        Beta over the largest beta, about.
    spread : float
        The size of the largest column over the least deviation of one.
    offset : float
        The mean of targets of the squared loss where there is no bias for it, else 0.
    ends : bool
        Whether an exact proof ends, given time: then they are what makes it slow.

    Examples
    --------
    >>> Circumstances(3e-4, 1.0, 0.0).clauses
    'beta is some 0.0003 of the largest beta (largest_beta), and a larger share has closer bounds'
    >>> Circumstances(0.5, 1e6, 0.0).clauses
    'columns of X have units or means a factor of 1e+06 apart, standardise them'
    >>> Circumstances(0.5, 1.0, 0.0).clauses
    ''
    """

    share: float
    spread: float
    offset: float
    ends: bool = False

    @classmethod
    def of(cls, problem: Problem[Any], largest: float, *, intercept: bool) -> Self | None:
        """Those of a problem whose largest beta is about so large; None where there are none."""
        rows = problem.rows
        if not isinstance(rows, Layer) or len(rows.rows) <= _FEW_ROWS:
            return None
        ends = not may_need_relaxation(problem)
        if ends and not (type(rows) is Layer and rows.readout is None):
            return None
        has_bias = intercept or bool(np.any(np.ptp(rows.rows, axis=0) == 0.0))
        is_plain = isinstance(problem.loss, SquaredLoss) and not has_bias
        return cls(
            share=problem.beta / largest if largest > 0.0 else np.inf,
            spread=_spread(rows.rows),
            offset=_offset(problem.target) if is_plain else 0.0,
            ends=ends,
        )

    @property
    def clauses(self) -> str:
        """What to change, with the numbers; "" where nothing is out of the way."""
        said = []
        if self.spread > _SPREAD:
            said.append(
                f"columns of X have units or means a factor of {self.spread:.1g} apart, "
                "standardise them"
            )
        if self.offset != 0.0:
            said.append(
                f"the mean of y is {self.offset:.3g} and there is no bias, append a column of ones "
                "to X or take intercept=True"
            )
        if self.share < _SMALL:
            said.append(
                f"beta is some {self.share:.1g} of the largest beta (largest_beta), and a larger "
                "share has closer bounds"
            )
        return "; ".join(said)


def _spread(X: FloatArray) -> float:
    """The size of the largest column over the least deviation of one that is not constant."""
    varying = X[:, np.ptp(X, axis=0) > 0.0]
    if varying.size == 0:
        return 1.0
    # Squares of what is scaled do not overflow.
    largest = float(np.abs(X).max())
    size = np.sqrt(((X / largest) ** 2).mean(axis=0)).max()
    least = (varying / largest).std(axis=0).min()
    return float(size / least) if least > 0.0 else np.inf


def _offset(target: FloatArray) -> float:
    """The mean of the targets of one output that is beyond their deviation, else 0."""
    if target.ndim > 1 or not target.any():
        return 0.0
    unit = float(np.abs(target).max())
    mean = float((target / unit).mean())
    return mean * unit if abs(mean) > _OFFSET * float((target / unit).std()) else 0.0
