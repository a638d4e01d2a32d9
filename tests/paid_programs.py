"""The program of networks with cones and a 1-norm, written out anew in cvxpy."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from programs import Grouped, in_cvxpy
from scipy.sparse import block_diag, csr_array

from cvxnn.layers.costs import Costs


@dataclass(frozen=True)
class Paid(Grouped):
    """Neurons in groups of columns with costs: blocks of both signs in cones of their own."""

    costs: Costs = field(default_factory=lambda: Costs(()))

    def optimum(self, cp, loss, y, beta, weights=1.0, *, intercept=False, accuracy=1e-9):
        """Of the program on all cells, by Clarabel."""
        columns, inequalities = zip(*self.cells, strict=True)
        size = (len(columns), self.patches.shape[2])
        cones = block_diag([csr_array(each) for each in inequalities], format="csr")
        r = self.costs.l1_ratio
        prediction, penalty = cp.Variable() if intercept else np.zeros(len(y)), 0.0
        constraints = []
        for sign in self.costs.signs:
            part = cp.Variable(size)
            flat = cp.vec(part, order="C")
            prediction = prediction + sign * np.concatenate(columns, axis=1) @ flat
            penalty = penalty + (1.0 - r) * cp.sum(cp.norm(part, axis=1)) + r * cp.sum(cp.abs(part))
            constraints.append(cones @ flat >= 0.0)
            for j, m in enumerate(self.costs.monotone):
                if m:
                    constraints.append(sign * m * part[:, j] >= 0.0)
        objective = in_cvxpy(cp, loss, prediction, y, weights) + beta * penalty
        program = cp.Problem(cp.Minimize(objective), constraints)
        goals = {"tol_gap_rel": accuracy, "tol_gap_abs": accuracy, "tol_feas": 1e-9}
        return float(program.solve(solver="CLARABEL", **goals))
