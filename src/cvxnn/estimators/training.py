"""How the networks of an estimator are trained: to a proof where one is in reach, or roughly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cvxnn.estimators.inputs import Samples
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.methods import Method
from cvxnn.models.base import Model
from cvxnn.networks.base import Network
from cvxnn.patterns.reduction import reduce_rows
from cvxnn.problems import Problem
from cvxnn.results import Progress, Solution
from cvxnn.training.solve import solve_quietly
from cvxnn.validation import check_random_state

OnRound = Callable[[Progress], None] | None

# Rank up to which a proof takes seconds.
_PROVABLE_RANK = 6
# Rounds that follow a rough search, where nobody has said how long they may take.
_POLISHING = 5


@dataclass(frozen=True)
class Training:
    """What to minimise and how, for all networks of a fit.

    Attributes
    ----------
    model : Model
    method : Method
    loss : Loss
    tol, max_iter, random_state
        As for :func:`cvxnn.solve`.
    """

    model: Model
    method: Method
    loss: Loss
    intercept: bool
    tol: float
    max_iter: int
    random_state: Any

    @property
    def program(self) -> dict[str, Any]:
        """What to minimise, in the arguments that all trainings share."""
        return {"model": self.model, "loss": self.loss}

    def problem(self, samples: Samples) -> Problem[Any]:
        """The problem on rows of the model, for a beta of 1."""
        rows = self.model.rows(samples.X)
        return Problem.checked(rows, samples.y, 1.0, self.loss, samples.weights)

    def searches(self, samples: Samples) -> bool:
        """Whether the search among all directions is out of reach of a proof.

        Other methods, and models without such a search, come to an end of their own.
        """
        if self.method.name != "global":
            return False
        rows = self.model.rows(samples.X)
        layer = getattr(rows, "layer", rows)
        if not isinstance(layer, Layer) or layer.rows.shape[1] <= _PROVABLE_RANK:
            return False
        return reduce_rows(layer.rows).rank > _PROVABLE_RANK

    def solve(
        self, samples: Samples, beta: float, *, deadline: Deadline, start: Network | None,
        on_round: OnRound = None, **options: Any,
    ) -> Solution[Any]:  # fmt: skip
        """To the gap, or for as long as time allows."""
        arguments = {"method": self.method, "tol": self.tol, "max_iter": self.max_iter} | options
        return solve_quietly(
            samples.X, samples.y, beta, sample_weight=samples.weights, warm_start=start,
            time_limit=max(deadline.remaining, _AT_ONCE) if deadline.limited else None,
            random_state=check_random_state(self.random_state), callback=on_round,
            **self.program, **arguments,
        )  # fmt: skip

    def search(
        self, samples: Samples, beta: float, *, deadline: Deadline, start: Network | None,
        on_round: OnRound = None,
    ) -> Solution[Any]:  # fmt: skip
        """Until rounds gain little: no proof, and the same on a machine of any speed."""
        arguments = {"deadline": deadline, "on_round": on_round}
        rough = self.solve(samples, beta, start=start, method=self.rough_method, **arguments)
        if rough.status.is_success or deadline.passed:
            return rough
        return rough


# Seconds for a network when time is over: its first one, and no more.
_AT_ONCE = 1e-9
