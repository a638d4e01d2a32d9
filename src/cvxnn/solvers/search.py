"""What the methods have in common: a search for the optimum, driven round by round."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import relative_gap
from cvxnn.solvers.neurons import Neurons

FloatArray = NDArray[np.float64]


class Search(ABC):
    """A search for the optimum of (2) that can be stopped after every round.

    Attributes
    ----------
    basis : ndarray, shape (d, r)
        Reduced coordinates: ``w = basis' u``.
    neurons : Neurons
        Best network so far, in reduced coordinates.
    objective : float
        Its objective (2).
    bound : float
        Best lower bound so far on the problem that is searched.
    proof : DualProof
        What is behind it.
    n_blocks : int
        Size of the last round: blocks, or neurons proposed.
    stalled : float
        Rounds without progress, since the last that made some.
    stationary : bool
        Whether no neuron is known that would help, but none excluded either.
    is_cheap : bool
        Whether a round costs so little that some more do not matter.
    deadline : Deadline
        When no further round should start.
    """

    basis: FloatArray
    neurons: Neurons
    objective: float
    bound: float
    proof: DualProof
    n_blocks: int
    stalled: float
    stationary: bool = False
    is_cheap: bool = False
    deadline: Deadline

    @abstractmethod
    def step(self, tol: float) -> None:
        """One round."""

    def sharpen(self, tol: float) -> bool:
        """One more round for the digits beyond the goal; False where there is nothing to gain."""
        if not self.is_cheap or self.stalled or self.gap <= tol:
            return False
        self.step(tol)
        return True

    @abstractmethod
    def finish(self, tol: float, *, hurry: bool) -> None:
        """Make the network presentable, and certify it if that is still to do.

        In a `hurry` - somebody has pressed Ctrl-C - nothing is done that takes long.
        """

    def final_proofs(self, *, hurry: bool) -> tuple[DualProof, DualProof]:
        """The best on the problem that was searched, and on (2) over all networks."""
        return self.proof, self.proof

    @property
    def dual_point(self) -> FloatArray:
        """The v behind `bound`, shape (n,)."""
        return self.proof.v

    @property
    def gap(self) -> float:
        """Relative gap of the problem that is searched."""
        return relative_gap(self.objective, self.bound)

    def network(self) -> TwoLayerNetwork:
        """The best network so far, balanced, in the coordinates of X."""
        root = np.sqrt(self.neurons.weights)
        hidden = (self.neurons.directions * root[:, None]) @ self.basis.T
        return TwoLayerNetwork(hidden, self.neurons.signs * root)
