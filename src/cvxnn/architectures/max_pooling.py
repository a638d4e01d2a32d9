"""Max pooling as a method: its cells in place of the patterns of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.interrupts import Deadline
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.losses import SquaredLoss
from cvxnn.losses.roots import Root
from cvxnn.oracle import MaxCellOracle
from cvxnn.patterns import PatternSet
from cvxnn.patterns.max_pooling import MaxPatterns
from cvxnn.problems import Neurons
from cvxnn.solvers.columns.max_pooling import MaxSearch
from cvxnn.solvers.proximal_newton import ProximalNewton
from cvxnn.solvers.search import Search
from cvxnn.training.methods import Method
from cvxnn.training.units import ScaledProblem

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MaxPoolingMethod(Method):
    """``"exact"`` or ``"sampled"`` for a :class:`MaxLayer`.

    Attributes
    ----------
    n_patches : int
        Of an image.
    """

    n_patches: int = 1

    @classmethod
    def of(cls, method: Method, n_patches: int) -> MaxPoolingMethod:
        """The method of this name; InputError for ``"global"``."""
        if method.name == "global":
            raise InputError(
                "pooling=\"max\" is trained by method='exact' or method='sampled', not 'global': "
                "a maximum of several products is no sum of ReLU, and no oracle is known for it."
            )
        return cls(**vars(method), n_patches=n_patches)

    def list_patterns(self, X: FloatArray, deadline: Deadline) -> PatternSet:
        """The cells of the program."""
        if self.name == "exact":
            return MaxPatterns.enumerated(X, self.n_patches, deadline)
        return MaxPatterns.sampled(
            X, self.n_patches, self.n_samples, self.random_state, self.scheme, deadline
        )

    def second_search(self, problem: ScaledProblem, first: Search, deadline: Deadline) -> None:
        """None: no other search knows a maximum."""

    def search(
        self, problem: ScaledProblem, patterns: PatternSet | None, deadline: Deadline
    ) -> Search:
        """The search for the optimum over these cells."""
        cells, patches = cast(MaxPatterns, patterns), problem.layer.patches
        oracle = MaxCellOracle(patches, cells.winners(), cells.reach)

        def open_search(
            root: Root[MaxLayer] | None,
            y: FloatArray,
            beta: float,
            start: Neurons | None,
            certifies: bool,
        ) -> Search:
            layer = problem.layer if root is None else root.applied(problem.layer)
            return MaxSearch(cast(MaxLayer, layer), y, beta, cells, oracle, deadline, start)

        if isinstance(problem.loss, SquaredLoss):
            return open_search(None, problem.y, problem.beta, None, True)
        return ProximalNewton(
            problem.layer, problem.y, problem.beta, problem.loss, open_search, deadline
        )
