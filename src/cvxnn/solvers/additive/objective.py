"""Objective (2) of neurons in groups of columns: its value, best sizes, merging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import row_chunks
from cvxnn.layers.groups import GroupedLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.atoms import atoms, best_weights, merge_cells
from cvxnn.solvers.lasso.gram_lasso import gram_lasso
from cvxnn.solvers.lasso.nonnegative_lasso import nonnegative_lasso

# Up to so many rows are few.
_FEW_ROWS = 3000


@final
@dataclass(eq=False)
class GroupedObjective:
    """``1/2 ||sum_j s_j c_j (X_g(j) u_j)_+ - y||^2 + beta sum_j c_j``.

    Attributes
    ----------
    problem : Problem of GroupedLayer
        With the squared loss.
    """

    problem: Problem[GroupedLayer]
    _seen: dict[int, FloatArray] = field(default_factory=dict, init=False)

    @property
    def has_few_rows(self) -> bool:
        """Whether explicit columns, which keep all digits, cost little."""
        return self.layer.n_predictions <= _FEW_ROWS

    @property
    def layer(self) -> GroupedLayer:
        """The rows."""
        return self.problem.rows

    def seen(self, group: int) -> FloatArray:
        """The columns of a group one below the other, shape (r, n).

        As many as the largest group has: others have columns of zeros.
        """
        if group not in self._seen:
            columns = np.zeros((self.layer.width, self.layer.n_predictions))
            columns[: len(self.layer.groups[group])] = self.layer.seen(group).T
            self._seen[group] = columns
        return self._seen[group]

    def residual(self, members: Members) -> FloatArray:
        """``y - f``, shape (n,); O(n k)."""
        left, rays = self.problem.y.copy(), members.rays
        for group, ray, sign in zip(members.groups, rays, members.signs, strict=True):
            active = ray @ self.seen(int(group))
            np.maximum(active, 0.0, out=active)
            left -= np.multiply(active, sign, out=active)
        return left

    def value_of(self, left: FloatArray, members: Members) -> float:
        """The objective of neurons with this residual."""
        return 0.5 * float(left @ left) + self.problem.beta * members.total

    def value(self, members: Members) -> float:
        """The objective."""
        return self.value_of(self.residual(members), members)

    def reweighed(
        self, members: Members, deadline: Deadline = UNLIMITED, *, precise: bool = False
    ) -> Members:
        """The best sizes for these directions, without the neurons they drop.

        Of many rows through their Gram matrix, with half of the digits; of few rows with all, and
        some more if `precise`.
        """
        if not len(members):
            return members
        if not self.has_few_rows:
            return members.sized(self._gram_sizes(members, deadline))
        neurons = members.neurons(self.layer)
        if not precise:
            return members.sized(best_weights(self.problem, neurons, deadline))
        columns, problem = atoms(self.layer, neurons), self.problem
        sizes = nonnegative_lasso(
            columns, problem.y, problem.beta, members.sizes, deadline, precise=True
        )
        return members.sized(sizes)

    def _gram_sizes(self, members: Members, deadline: Deadline) -> FloatArray:
        k, left = len(members), self.residual(members.select(members.sizes > 0.0))
        gram, pull = np.zeros((k, k)), np.zeros(k)
        for rows in row_chunks(len(left), k):
            deadline.check()
            columns = np.empty((k, len(left[rows])))
            for own, group, unit, sign in zip(
                columns, members.groups, members.units, members.signs, strict=True
            ):
                np.matmul(sign * unit, self.seen(int(group))[:, rows], out=own)
                (np.maximum if sign > 0.0 else np.minimum)(own, 0.0, out=own)
            gram += columns @ columns.T
            pull += columns @ left[rows]
        return gram_lasso(gram, pull - self.problem.beta, members.sizes, members.sizes, deadline)

    def merged(self, members: Members, deadline: Deadline = UNLIMITED) -> Members:
        """Neurons of one sign and group that share a closed cell become one."""
        parts = members.select(np.zeros(0, dtype=np.int64))
        for group in np.unique(members.groups):
            own = members.select(members.groups == group)
            if len(own) > 1:
                neurons = Neurons(own.units, own.sizes, own.signs[:, None])
                found = merge_cells(self.seen(int(group)).T, neurons, deadline)
                groups = np.full(len(found), group)
                merged = Members(groups, found.directions, found.sizes, found.signs, own.costs)
                own = merged if own.costs is None else merged.moved(merged.rays)
            parts = parts.joined(own)
        return parts
