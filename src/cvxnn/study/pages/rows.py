"""What a page says of a problem: the best network, its bound, and where gradients end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.results import Solution, relative_gap
from cvxnn.study.outcomes import check_bound

SUMMARY = ("data", "beta", "objective", "lower bound", "gap", "best of L-BFGS", "time (s)")


@dataclass(frozen=True, eq=False)
class Compared:
    """A problem, solved, and the objectives at which gradients end from random starts.

    Attributes
    ----------
    data : str
    beta : float
    solution : Solution
    ends : ndarray, shape (T,)
    """

    data: str
    beta: float
    solution: Solution[Any]
    ends: FloatArray

    def __post_init__(self) -> None:
        """StudyError if any of them is below the bound."""
        solution = self.solution
        check_bound(solution.objective, solution.dual_bound, self.data)
        for trial, end in enumerate(self.ends):
            check_bound(float(end), solution.dual_bound, f"{self.data}, trial {trial}")

    @property
    def n_checked(self) -> int:
        """Networks that were compared with the bound."""
        return 1 + len(self.ends)

    @property
    def record(self) -> Mapping[str, Any]:
        """The row of a table."""
        solution = self.solution
        return {
            "data": self.data,
            "beta": self.beta,
            "neurons": solution.n_neurons,
            "objective": solution.objective,
            "lower bound": solution.dual_bound,
            "gap": solution.gap,
            "best of L-BFGS": float(self.ends.min()),
            "median": float(np.median(self.ends)),
            "status": solution.status.name,
            "time (s)": solution.elapsed,
        }

    @property
    def sentence(self) -> str:
        """What the numbers say."""
        objective, best = self.solution.objective, float(self.ends.min())
        near = int(np.count_nonzero(self.ends <= objective * (1.0 + 1e-3)))
        excess = relative_gap(best, self.solution.dual_bound)
        return (
            f"On {self.data} at beta = {self.beta:.3g}, {near} of {len(self.ends)} starts of "
            f"L-BFGS end within a per mille of the objective of the convex training, "
            f"{objective:.6g}; the best of them is proven to be within {100.0 * excess:.1g} % of "
            "the optimum."
        )
