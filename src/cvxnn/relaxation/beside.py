"""What stands beside the neurons: an intercept, a linear part, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, final

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers import Layer
from cvxnn.problems import Neurons, Problem


@final
@dataclass(frozen=True)
class Beside:
    """A problem, what is left of it for the neurons alone, and the way back.

    Attributes
    ----------
    whole : Problem
    inner : Problem of Layer
        Its loss is the least over what is beside the neurons: a
        :class:`~cvxnn.losses.SkipLoss`, or that of `whole`.
    objective : callable
        Of neurons, with the best beside them.
    proof : callable
        A proof for the inner problem as one for the whole problem.
    price : float
        Where it is not 0, w costs ``price ||w||``, and the ridge of the loss is a guess.
    """

    whole: Problem[Any]
    inner: Problem[Layer]
    objective: Callable[[Neurons], float]
    proof: Callable[[DualProof], DualProof]
    price: float = 0.0

    @classmethod
    def nothing(cls, problem: Problem[Layer]) -> Self:
        """Neurons alone."""
        return cls(problem, problem, lambda neurons: value(problem, neurons), lambda proof: proof)


def value(problem: Problem[Layer], neurons: Neurons) -> float:
    """The objective of neurons."""
    return problem.value(predicted(problem, neurons), float(neurons.sizes.sum()))


def predicted(problem: Problem[Layer], neurons: Neurons) -> FloatArray:
    """By neurons of one output, shape (n,)."""
    return problem.rows.forward(neurons.directions, neurons.signs * neurons.sizes)
