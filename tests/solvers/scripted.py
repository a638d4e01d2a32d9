"""A search whose rounds are written down: what a search that steps another one makes of them."""

from dataclasses import dataclass

import numpy as np

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline, OutOfTimeError
from cvxnn.problems import Neurons
from cvxnn.solvers.search import Search


@dataclass(frozen=True)
class Round:
    """State after a round."""

    objective: float
    bound: float
    stalled: float = 0.0
    stationary: bool = False


class Scripted(Search):
    """Goes from state to state, and stays at the last."""

    def __init__(
        self,
        *rounds: Round,
        sharp: tuple[bool, ...] = (),
        out_of_time: bool = False,
        deadline: Deadline | None = None,
        rank: int = 2,
    ) -> None:
        self.rounds, self.sharp, self.out_of_time = list(rounds), list(sharp), out_of_time
        self.steps, self.sharpened, self.finished = 0, 0, 0
        self.basis, self.neurons = np.eye(rank), Neurons.none(rank)
        self.deadline, self.rank = deadline or Deadline(), rank
        self._enter(self.rounds[0])

    def _enter(self, state: Round) -> None:
        self.objective, self.bound = state.objective, state.bound
        self.stalled, self.stationary = state.stalled, state.stationary
        self.proof = DualProof.of(np.zeros(2), state.bound, "cells")
        self.n_blocks = self.steps

    def step(self, tol: float) -> None:
        self.steps += 1
        self._enter(self.rounds[min(self.steps, len(self.rounds) - 1)])

    def sharpen(self, tol: float) -> bool:
        if self.out_of_time:
            raise OutOfTimeError
        self.sharpened += 1
        return self.sharp.pop(0) if self.sharp else False

    def finish(self, tol: float, *, quick: bool) -> None:
        self.finished += 1
