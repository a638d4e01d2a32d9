"""What an iteration has come to, from which one for a beta nearby goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.relaxation.admm import Admm
from cvxnn.relaxation.scale import Scale
from cvxnn.relaxation.state import State


@final
@dataclass(frozen=True)
class Ending:
    """Where an iteration has ended.

    Attributes
    ----------
    scale : Scale
        Of its problem, with the blocks of its end.
    states : list of State
        Of each output sign.
    rho : float
    """

    scale: Scale
    states: list[State]
    rho: float

    def fits(self, scale: Scale) -> bool:
        """Whether the rows are the same, and their units, so that its multipliers fit."""
        rows, before = scale.problem.rows.rows, self.scale.problem.rows.rows
        return scale.factor == self.scale.factor and np.array_equal(rows, before)

    def share(self, scale: Scale) -> float:
        """By which multipliers are about in proportion to beta."""
        return scale.problem.beta / self.scale.problem.beta


@final
@dataclass
class Memory:
    """Of the last iteration, for one after the other along a path of beta.

    Any multipliers prove something: it does not matter for the bound what they are from, and those
    of the beta before take fewer iterations to the same gap.

    Attributes
    ----------
    last : Ending or None
    """

    last: Ending | None = None

    def start(self, scale: Scale) -> Ending | None:
        """The last iteration, if it was on these rows: its blocks are taken over."""
        if self.last is None or not self.last.fits(scale):
            return None
        scale.blocks = self.last.scale.blocks
        return self.last

    def keep(self, scale: Scale, admm: Admm) -> None:
        """What an iteration has come to."""
        self.last = Ending(scale, admm.states, admm.rho)
