"""A problem with kinks as one that is smooth, and what that says about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cvxnn.certificates import DualProof
from cvxnn.problems import Problem


@dataclass(frozen=True)
class SmoothedProblem:
    """A problem of a loss with kinks, smoothed over a width, and multiplied by it.

    Attributes
    ----------
    whole : Problem
    width : float
        A power of two, so that nothing is rounded on the way.
    """

    whole: Problem[Any]
    width: float

    @classmethod
    def over(cls, whole: Problem[Any], strip: float) -> SmoothedProblem:
        """With kinks that are smoothed over residuals of this size, or somewhat less.

        The residuals next to a kink are those below the width times a slope.
        """
        return cls(whole, power_below(strip / whole.loss.steepness))

    @property
    def strip(self) -> float:
        """The residuals next to a kink are at most this."""
        return self.width * self.whole.loss.steepness

    @cached_property
    def problem(self) -> Problem[Any]:
        """The smooth problem: of curvature 1 next to the kinks, as rows of size one are used to."""
        whole = self.whole
        loss = whole.loss.smoothed(self.width)
        return replace(whole, loss=loss, beta=whole.beta * self.width)

    def proof(self, found: DualProof) -> DualProof:
        """A proof for the smooth problem as one for the whole: of its dual point over the width.

        That is in the box of the loss, as the conjugate of the smooth one is infinite outside.
        """
        return _scaled(found, 1.0 / self.width)

    def lifted(self, proof: DualProof) -> DualProof:
        """A proof for the whole problem as one for the smooth one."""
        return _scaled(proof, self.width)


def _scaled(proof: DualProof, factor: float) -> DualProof:
    return replace(proof.in_units(1.0, factor), slack=proof.slack * factor)


def power_below(width: float) -> float:
    """The largest power of two that is not above a number.

    Examples
    --------
    >>> power_below(0.3)
    0.25
    """
    return math.ldexp(1.0, math.frexp(width)[1] - 1)
