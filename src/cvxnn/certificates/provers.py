"""Who improves a proof."""

from __future__ import annotations

from typing import Protocol, TypeVar

from cvxnn.certificates.proofs import DualProof
from cvxnn.interrupts import Deadline

Incumbent = TypeVar("Incumbent", contravariant=True)


class Prover(Protocol[Incumbent]):
    """Looks for a dual point of its own with a better bound, by whatever means it has."""

    def improve(
        self, incumbent: Incumbent, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and what is found.

        Parameters
        ----------
        incumbent : Network or Neurons
            The best that is known.
        proof : DualProof
            What is proven so far.
        tol : float
            Relative gap between the two at which there is no more to do.
        deadline : Deadline
            When to hand over what there is.
        """
