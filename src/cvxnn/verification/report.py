"""What a check of a certificate has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verification:
    """What :meth:`cvxnn.BoundCertificate.verify` returns.

    Attributes
    ----------
    accepted : bool
        Whether the certificate proves what it says, on these data.
    reason : str
        Why not, in a sentence; empty where it does.
    bound : float
        The lower bound on the optimum as recomputed here: a theorem about these data, with
        the beta and the loss of the certificate, whether it was accepted or not.
    claimed : float
        The bound that the certificate says.
    objective : float
        Of the network, rounded up; as the certificate says it where no network was given.
    is_recomputed : bool
        Whether a network was given, and its objective recomputed.
    how : str
        By what the bound was recomputed.
    elapsed : float
        Seconds.
    """

    accepted: bool
    reason: str
    bound: float
    claimed: float
    objective: float
    is_recomputed: bool
    how: str
    elapsed: float

    @property
    def gap(self) -> float:
        """``(objective - bound) / |objective|``: the network is no farther from the best one."""
        difference = max(self.objective - self.bound, 0.0)
        return difference / max(abs(self.objective), 1e-300) if difference > 0.0 else 0.0
