"""Lower bounds and gaps: computed here from proofs, never by a solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Rows
from cvxnn.losses import Loss
from cvxnn.oracle.price import Price
from cvxnn.problems import Problem
from cvxnn.verification.evidence import Evidence


def dual_bound(loss: Loss, y: FloatArray, v: FloatArray, beta: float, oracle_bound: float) -> float:
    """Lower bound on the optimal value of (2) from any dual point v.

    The point ``t v`` is feasible for (11) as soon as ``t M(v) <= beta``, and the
    bound is ``-l*(-t v)`` at the best such t.

    Parameters
    ----------
    loss : Loss
    y : ndarray, shape (n,), or (n, c) for several outputs
    v : ndarray, of the same shape
        Any one; the better the closer to minus the gradient at the optimum.
    beta : float
    oracle_bound : float
        Proven upper bound on ``M(v) = max_{||u|| <= 1} |v'(Xu)_+|``, for several outputs on
        ``||V'(Xu)_+||``.

    Returns
    -------
    float
        Not above the optimal value, rounding included.

    Notes
    -----
    Source: seed paper, (8) and (11). O(n).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> y = np.array([2.0])
    >>> round(dual_bound(SquaredLoss(), y, y, 0.5, 2.0), 6)  # 1/2 y^2 - 1/2 (y - beta)^2
    0.875
    """
    largest = beta / oracle_bound * (1.0 - 8.0 * EPS) if oracle_bound != 0.0 else np.inf
    dual = loss.dual_scaling(v, y, largest) * v
    return -loss.conjugate(dual, y) - loss.conjugate_error(dual, y)


@dataclass(frozen=True)
class DualProof:
    """A dual point V, and what is proven of it: ``||V'phi(u)|| <= bounds`` for ``||u|| <= 1``.

    Attributes
    ----------
    V : ndarray, shape (n, c)
    bounds : ndarray
        For one output a bound for each sign of it, shape (2,); else one of the norm, (1,).
    kind : str
        What has proven it: "cells", "rank two", "tree", "signs", "spectral", "gates",
        "gauge", "ramps", "sphere", "relaxation", "parts" of the rows, "groups" of columns,
        "choices" of signs; of quantised networks "sign pairs", "semidefinite", or "entries" of a
        matrix.
    slack : float
        By how much ``V'f`` may be above what the bounds say, for any network that is better
        than the best one known: where a free linear part has to vanish on V, what rounding
        leaves of it. inf where nothing is proven.
    evidence : Evidence, optional
        What a check of the bounds cannot find by itself: multipliers. It was made for this V, and
        proves of any other what it proves.
    """

    V: FloatArray
    bounds: FloatArray
    kind: str
    slack: float = 0.0
    evidence: Evidence | None = None

    @classmethod
    def of(cls, v: FloatArray, bound: float, kind: str) -> DualProof:
        """For one output, v of shape (n,), a bound that holds for both signs."""
        return cls(v[:, None], np.full(2, bound), kind)

    @classmethod
    def priced(cls, V: FloatArray, price: Price) -> DualProof:
        """What an oracle has proven of V, shape (n, c)."""
        return cls(V, price.bounds, price.kind)

    @property
    def v(self) -> FloatArray:
        """Of one output: the dual point, shape (n,)."""
        (v,) = self.V.T
        return v

    @property
    def oracle_bound(self) -> float:
        """The largest of the bounds."""
        return float(self.bounds.max())

    def in_units(self, rows: float, targets: float) -> DualProof:
        """The same where rows and targets are multiplied by powers of two."""
        return DualProof(
            self.V * targets,
            self.bounds * (rows * targets),
            self.kind,
            self.slack * targets**2,
            None if self.evidence is None else self.evidence.in_units(rows, targets),
        )

    def bound(self, problem: Problem[Any]) -> float:
        """The lower bound on the optimal value of a problem that it gives: :func:`dual_bound`."""
        loss, y = problem.loss, problem.target
        v = self.V.reshape(y.shape)
        lower = dual_bound(loss, y, v, problem.beta, self.oracle_bound)
        if self.slack == 0.0:
            return lower
        if self.slack == np.inf:
            return -np.inf
        return lower - self.slack * loss.dual_scaling(v, y, np.inf)


def spectral_proof(layer: Rows, v: FloatArray, *, quick: bool = False) -> DualProof:
    """What is proven of any v without patterns or a search, see :meth:`Rows.bound`."""
    return DualProof.of(v, layer.bound(v, quick=quick), "spectral")


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
