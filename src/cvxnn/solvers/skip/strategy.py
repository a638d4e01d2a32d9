"""How the optimum with a linear skip connection is looked for: by searches without one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.losses import SquaredLoss, WeightedLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.opening import opening
from cvxnn.solvers.search import Search
from cvxnn.solvers.skip.free import FreeProblem, FreeSkipSearch, evaluated, with_linear
from cvxnn.solvers.skip.penalised import PenalisedSkipSearch
from cvxnn.solvers.skip.priced_line import PricedLine
from cvxnn.solvers.skip.profile import ProfiledProblem
from cvxnn.solvers.skip.projection import ProjectedProblem
from cvxnn.solvers.strategy import Strategy, sharp_proof


@final
class SkipStrategy(Strategy):
    """Opens the search for neurons and a linear part beside them.

    Parameters
    ----------
    problem : Problem of SkipLayer
    inner : Strategy
        For the neurons alone.

    Raises
    ------
    InputError
        If a free linear part has no best weights.
    """

    def __init__(self, problem: Problem[SkipLayer], inner: Strategy) -> None:
        self._problem, self._rows, self._inner = problem, problem.rows, inner
        self._free = free_problem(problem) if problem.rows.is_free else None
        self._line = PricedLine(problem)

    @property
    def n_patterns(self) -> int:  # type: ignore[override]
        """Patterns of the neurons."""
        return self._inner.n_patterns

    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""

        return self.open_for(self._problem, None, deadline)

    def open_for(
        self,
        problem: Problem[SkipLayer],
        start: Neurons | None,
        deadline: Deadline,
        *,
        certifies: bool = True,
    ) -> Search:
        """The same for another problem on the same rows.

        They are those of the strategy: whether a constant is among the columns is nothing that
        a problem of other losses has to know.
        """
        problem = self._problem if problem is self._problem else problem.on(self._rows)

        def open_search(problem: Problem[Layer], start: Neurons | None) -> Search:
            return self._inner.open_for(problem, start, deadline, certifies=certifies)

        if self._free is None:
            return PenalisedSkipSearch(problem, open_search)
        free = self._free if problem is self._problem else free_problem(problem)
        return FreeSkipSearch(free, open_search)

    def opening(self) -> Neurons:
        """A first network, and the best linear part beside it."""
        if self._free is not None:
            neurons = self._free.neurons(opening(self._free.inner))
            return with_linear(self._rows, neurons, self._free.linear(neurons))
        eta = self._line.guess(np.zeros_like(self._problem.y))
        neurons = opening(self._line.around(eta))
        f = self._rows.layer.forward(neurons.rays, neurons.signs)
        return with_linear(self._rows, neurons, self._line.best(f))

    def nothing(self) -> Neurons:
        """No neurons, and the linear part alone where it is free."""
        none = Neurons.none(self._rows.n_features)
        if self._free is not None:
            return with_linear(self._rows, none, self._free.linear(none))
        return with_linear(self._rows, none, self._line.flat(np.zeros_like(self._problem.y)))

    def first_proof(self) -> DualProof:
        """What the residual of the network without neurons proves, in the same time."""
        return self._proof_by(partial(spectral_proof, quick=True))

    def sharp_proof(self, deadline: Deadline = UNLIMITED) -> DualProof:
        """The same by the exact oracle of the layer."""
        return self._proof_by(partial(sharp_proof, deadline=deadline))

    def _proof_by(self, prove: Callable[[Layer, FloatArray], DualProof]) -> DualProof:
        if self._free is None:
            alone = self._line.alone
            return self._line.proof(prove(alone.rows, alone.residual_at_zero))
        free, nothing = self._free, Neurons.none(self._rows.n_features)
        evaluation = evaluated(self._problem, nothing, free.linear(nothing))
        proof = prove(free.inner.rows, free.inner.residual_at_zero)
        return free.proof(proof, evaluation.value + evaluation.error)


def free_problem(problem: Problem[SkipLayer]) -> FreeProblem:
    """What a free linear part leaves for the neurons alone.

    A projection with the squared loss, whatever the weights of rows; else another loss.
    """
    loss = problem.loss
    of_rows = loss.loss if isinstance(loss, WeightedLoss) else loss
    if isinstance(of_rows, SquaredLoss):
        return ProjectedProblem.of(problem)
    return ProfiledProblem.of(problem)
