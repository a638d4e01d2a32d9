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
        The size of the largest column over that of the smallest.
    offset : float
        The mean of targets of the squared loss where there is no bias for it, else 0.

    Examples
    --------
    >>> Circumstances(3e-4, 1.0, 0.0).clauses
    'beta is some 0.0003 of the largest beta (largest_beta), and a larger share has closer bounds'
    >>> Circumstances(0.5, 1e6, 0.0).clauses
    'columns of X differ in size by a factor of 1e+06, standardise them'
    >>> Circumstances(0.5, 1.0, 0.0).clauses
    ''
    """

    share: float
    spread: float
    offset: float

    @classmethod
    def of(cls, problem: Problem[Any], largest: float, *, intercept: bool) -> Self | None:
        """Those of a problem whose largest beta is about so large; None where an oracle ends."""
        rows = problem.rows
        if not (isinstance(rows, Layer) and may_need_relaxation(problem)):
            return None
        if len(rows.rows) <= _FEW_ROWS:
            return None
        sizes = np.sqrt((rows.rows**2).mean(axis=0))
        sizes = sizes[sizes > 0.0]
        has_bias = intercept or bool(np.any(np.ptp(rows.rows, axis=0) == 0.0))
        is_plain = isinstance(problem.loss, SquaredLoss) and not has_bias
        return cls(
            share=problem.beta / largest if largest > 0.0 else np.inf,
            spread=float(sizes.max() / sizes.min()) if len(sizes) else 1.0,
            offset=_offset(problem.target) if is_plain else 0.0,
        )

    @property
    def clauses(self) -> str:
        """What to change, with the numbers; "" where nothing is out of the way."""
        said = []
        if self.spread > _SPREAD:
            said.append(
                f"columns of X differ in size by a factor of {self.spread:.1g}, standardise them"
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


def _offset(target: FloatArray) -> float:
    """The mean of the targets of one output that is beyond their deviation, else 0."""
    if target.ndim > 1:
        return 0.0
    mean = float(target.mean())
    return mean if abs(mean) > _OFFSET * float(target.std()) else 0.0
