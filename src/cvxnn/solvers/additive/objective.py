"""Objective (2) of neurons in groups of columns: its value, best sizes, merging."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import row_chunks
from cvxnn.layers.groups import GroupedLayer
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.members import Members
from cvxnn.solvers.atoms import best_weights, merge_cells
from cvxnn.solvers.lasso.gram_lasso import gram_lasso


@final
@dataclass(eq=False)
class GroupedObjective:
    """``1/2 ||sum_j s_j (X_g(j) w_j)_+ - y||^2 + beta sum_j ||w_j||``.

    Attributes
    ----------
    problem : Problem of GroupedLayer
        With the squared loss.
    """

    problem: Problem[GroupedLayer]
    _seen: dict[int, FloatArray] = field(default_factory=dict, init=False)

    @property
    def layer(self) -> GroupedLayer:
        """The rows."""
        return self.problem.rows

    def seen(self, group: int) -> FloatArray:
        """The columns of a group with as many columns as the largest has, shape (n, r)."""
        if group not in self._seen:
            columns = self.layer.seen(group)
            width = max(map(len, self.layer.groups))
            padded = np.zeros((len(columns), width))
            padded[:, : columns.shape[1]] = columns
            self._seen[group] = padded
        return self._seen[group]

    def residual(self, members: Members) -> FloatArray:
        """``y - f``, shape (n,); O(n k)."""
        left = self.problem.y.copy()
        for group in np.unique(members.groups):
            own = members.groups == group
            rays, signs, X = members.rays[own].T, members.signs[own], self.seen(int(group))
            for part in row_chunks(len(left), len(signs)):
                active = X[part] @ rays
                left[part] -= np.maximum(active, 0.0, out=active) @ signs
        return left

    def value(self, members: Members) -> float:
        """The objective."""
        left = self.residual(members)
        return 0.5 * float(left @ left) + self.problem.beta * float(members.lengths.sum())

    def reweighed(
        self, neurons: Neurons, deadline: Deadline = UNLIMITED, *, through_gram: bool
    ) -> Neurons:
        """The best sizes for these directions, without the neurons they drop.

        Through the Gram matrix it takes less time, and the answer has half of the digits.
        """
        if not len(neurons):
            return neurons
        if through_gram:
            sizes = self._gram_sizes(neurons, deadline)
        else:
            sizes = best_weights(self.problem, neurons, deadline)
        return neurons.sized(sizes).select(sizes > 0.0)

    def _gram_sizes(self, neurons: Neurons, deadline: Deadline) -> FloatArray:
        k, y = len(neurons), self.problem.y
        gram, pull = np.zeros((k, k)), np.zeros(k)
        for outputs, part in self.layer.tiles(k):
            deadline.check()
            columns = part.activations(neurons.directions) * neurons.signs
            gram += columns.T @ columns
            pull += columns.T @ (y[outputs] - columns @ neurons.sizes)
        start = neurons.sizes
        return gram_lasso(gram, pull - self.problem.beta, start, start, deadline)

    def merged(self, members: Members, deadline: Deadline = UNLIMITED) -> Members:
        """Neurons of one sign and group that share a closed cell become one."""
        parts = [members.select(np.zeros(0, dtype=np.int64))]
        for group in np.unique(members.groups):
            own = members.select(members.groups == group)
            if len(own) > 1:
                rays = Neurons.of(own.rays, own.signs[:, None])
                found = merge_cells(self.seen(int(group)), rays, deadline)
                own = Members(np.full(len(found), group), found.rays, found.signs)
            parts.append(own)
        return Members(
            np.concatenate([part.groups for part in parts]),
            np.vstack([part.rays for part in parts]),
            np.concatenate([part.signs for part in parts]),
        )


def as_members(layer: GroupedLayer, neurons: Neurons, groups: IntArray | None = None) -> Members:
    """Neurons in the coordinates of their groups."""
    return Members.of(layer, neurons, groups)
