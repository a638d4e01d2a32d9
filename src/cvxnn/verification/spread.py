"""A certificate that stays where the data are: a sum over parts, each with one of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from time import perf_counter
from typing import Any, NoReturn, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.report import Verification
from cvxnn.verification.rounding import TINY, sum_down

# By how much the recomputed sum may be below the one that is claimed, relative to its terms.
_SLACK = 1e-6


class Keeper(Protocol):
    """Where the certificates of the parts are."""

    def verified(self, X: Any, y: Any, sample_weight: Any | None) -> Sequence[Verification]:
        """What a check of each part finds, next to its rows."""


@final
@dataclass(frozen=True, eq=False)
class SpreadCertificate:
    """A lower bound on the optimum that is a sum over parts of the rows.

    One network serves all parts: where the betas of the parts sum to beta, so do lower bounds on
    their optima to one on that of all rows. The certificate of a part is a
    :class:`~cvxnn.verification.certificate.BoundCertificate`, of the size of its rows, and stays on
    the cluster, as long as the client that it was made with.

    Attributes
    ----------
    bounds : ndarray, shape (K,)
        Of each part, of 4096 consecutive rows.
    dual_bound : float
        Their sum, rounded down.
    objective : float
        Of the network that was found, its rounding included.
    beta : float

    Examples
    --------
    >>> import numpy as np
    >>> bounds = np.array([3.0, 4.0])
    >>> SpreadCertificate(bounds, 7.0, objective=8.0, beta=0.1, keeper=None)
    SpreadCertificate(bounds=array([3., 4.]), dual_bound=7.0, objective=8.0, beta=0.1)
    """

    bounds: FloatArray
    dual_bound: float
    objective: float
    beta: float
    keeper: Keeper = field(repr=False)

    def verify(self, X: Any, y: Any, sample_weight: Any | None = None) -> Verification:
        """Recompute the bounds of all parts where they are, and hold their sum against the claim.

        Parameters
        ----------
        X, y, sample_weight : collections of dask
            As they were given to :func:`cvxnn.solve`, in any chunks.

        Returns
        -------
        Verification
            Its bound is a theorem about these data.
        """
        start = perf_counter()
        reports = self.keeper.verified(X, y, sample_weight)
        bounds = np.array([report.bound for report in reports])
        bound, beta = sum_down(bounds), sum(Fraction(report.beta) for report in reports)
        failed = [k for k, report in enumerate(reports) if not report.accepted]
        reason, first = "", reports[0]
        if failed:
            reason = f"Part {failed[0]}: {reports[failed[0]].reason}"
        elif beta > self.beta:
            reason = (
                f"The betas of its parts sum to {float(beta):.9g}, above its own of "
                f"{self.beta:.9g}."
            )
        elif not self.dual_bound <= bound + _SLACK * float(np.abs(bounds).sum()) + TINY:
            reason = (
                f"The certificate claims a bound of {self.dual_bound:.9g}, and its parts prove "
                f"{bound:.9g} only."
            )
        return Verification(
            not reason, reason, bound, self.dual_bound, self.objective, False,
            f"a sum over {len(reports)} parts of the rows", perf_counter() - start, self.beta,
            first.loss, first.network, first.settings, first.intercept,
        )  # fmt: skip

    def save(self, path: str | os.PathLike[str]) -> NoReturn:
        """InputError: it has the size of the data, and stays on the cluster."""
        raise InputError(
            "A certificate over a cluster has the size of the data and stays there, so that it "
            "cannot be saved: verify it while the client lives, or keep its bounds."
        )
