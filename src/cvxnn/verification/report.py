"""What a check of a certificate has found."""

from __future__ import annotations

import math
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
        Of the network, rounded up; as the certificate says it where no network was given. NaN
        where the one that was given is none of those that the bound is about, and where none was
        given for data other than those of the certificate.
    is_recomputed : bool
        Whether a network was given, and its objective recomputed.
    how : str
        By what the bound was recomputed; also what was left out of a file for its size.
    elapsed : float
        Seconds.
    beta : float
    loss : str
        Its name, with its parameters.
    network : str
        The kind of networks that the bound is about.
    settings : tuple of str
        Their settings in words, such as slope, skip connection, pooling and number of gates;
        those of a plain network are left out.
    intercept : bool
        Whether they have one.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = [[1.0], [2.0]], [1.0, 1.0]
    >>> print(cvxnn.solve(X, y, beta=1.5).certificate.verify(X, y))  # doctest: +ELLIPSIS
    Confirmed: relu, squared loss, beta 1.5.
      lower bound  0.775 (claimed 0.775), by rows sorted by angle, exactly
      objective    0.775, as the certificate says; gap ...
    """

    accepted: bool
    reason: str
    bound: float
    claimed: float
    objective: float
    is_recomputed: bool
    how: str
    elapsed: float
    beta: float
    loss: str
    network: str
    settings: tuple[str, ...]
    intercept: bool

    @property
    def gap(self) -> float:
        """``(objective - bound) / |objective|``: the network is no farther from the best one.

        NaN where there is no objective.
        """
        if math.isnan(self.objective):
            return math.nan
        difference = max(self.objective - self.bound, 0.0)
        return difference / max(abs(self.objective), 1e-300) if difference > 0.0 else 0.0

    @property
    def problem(self) -> str:
        """What the bound is about, in a few words."""
        network = f"{self.network} ({', '.join(self.settings)})" if self.settings else self.network
        intercept = ", an intercept" if self.intercept else ""
        return f"{network}, {self.loss} loss, beta {self.beta:g}{intercept}"

    @property
    def origin(self) -> str:
        """Where the objective is from."""
        if math.isnan(self.objective):
            return "none that is known for this problem and these data"
        return "recomputed from the network" if self.is_recomputed else "as the certificate says"

    def __str__(self) -> str:
        head = "Confirmed" if self.accepted else f"Not confirmed ({self.reason.rstrip('.')})"
        has_gap = not math.isnan(self.objective)
        objective = f"{self.objective:.9g}, {self.origin}; gap {self.gap:.1e}"
        return (
            f"{head}: {self.problem}.\n"
            f"  lower bound  {self.bound:.9g} (claimed {self.claimed:.9g}), by {self.how}\n"
            f"  objective    {objective if has_gap else self.origin}"
        )
