"""How the optimum of a problem is looked for: what a model and a method come down to."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.problems import Neurons
from cvxnn.solvers.search import Search


class Strategy(ABC):
    """Opens the search of a run, and says what there is as long as there is none.

    Everything is in the units of the problem that it was made for.

    Attributes
    ----------
    n_patterns : int
        Patterns in the program, once the search is open; 0 where none are listed.
    """

    n_patterns: int = 0

    @abstractmethod
    def open(self, deadline: Deadline) -> Search:
        """The search; OutOfTimeError if the deadline passes before it is ready."""

    @abstractmethod
    def opening(self) -> Neurons:
        """A first network in the time of a few passes over the data, for a run cut short."""

    @abstractmethod
    def first_proof(self) -> DualProof:
        """What the residual of the network without neurons proves, in the same time."""

    def sharp_proof(self) -> DualProof:
        """The same by an exact oracle, where that takes longer: some seconds at most."""
        return self.first_proof()

    @abstractmethod
    def nothing(self) -> Neurons:
        """The network without neurons."""
