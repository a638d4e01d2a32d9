"""The relaxation, solved by the alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.moments import Array, Moments, Namespace, within_ball
from cvxnn.relaxation.part import Part

SIGNS = (1.0, -1.0)
# Over-relaxation (J. Eckstein and D. Bertsekas, Math. Program. 55, 1992).
_RELAX = 1.6
# Iterations between two looks at the residuals, and their ratio from which rho changes.
_EVERY, _UNBALANCED, _MOST_CHANGE = 20, 3.0, 3.0
# rho over that of beta and the sizes of the neurons.
_PENALTY = 20.0


class WorkerMap(Protocol):
    """``map``, or that of a pool of threads."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any], /) -> Iterable[Any]:
        """The function of each item."""


@final
@dataclass(frozen=True)
class Numbers:
    """What the iteration is done with.

    Attributes
    ----------
    xp : namespace
        numpy, or a library with the same names.
    dtype : dtype
        Of the moments.
    """

    xp: Namespace = np
    dtype: Any = np.float64


@final
class Admm:
    """``min l(f) + beta sum_s G^s_00`` over moments of neurons, in blocks of rows.

    For each output sign s, F are moments of (1, u, a), ``a = |Xu|``, positive semidefinite
    in each block, and ``G = T F T'`` those of (1, u, p, q). Sums of neurons satisfy

    - ``tr G_uu <= G_00``, ``||G_up,i|| <= G_p,i``, ``||G_uq,i|| <= G_q,i``,
    - ``G_pp, G_pq, G_qq >= 0``, ``diag G_pq = 0``,
    - the corners (1, u) of all blocks are the same,

    and predict ``f = sum_s s G^s_p``: the least objective of such moments is not above that
    of any network. Products of rows of different blocks are left out; by completion of
    positive semidefinite matrices nothing else is lost by that (R. Grone, C. Johnson, E. Sa
    and H. Wolkowicz, Linear Algebra Appl. 58, 1984).

    Every step has a closed form: G is projected on its cone, the loss has its proximal step,
    and F is the positive part of a matrix. Multipliers prove a bound after any number of them.

    Parameters
    ----------
    blocks : Blocks
    beta : float
    dual : callable
        Minus the gradient of the loss at the minimum of ``l(f) + ||f - c||^2 / (2 theta)``, for
        c in the blocks and theta.
    neurons : Neurons
        Where to start, in the units of the blocks.
    v : ndarray, shape (B, b)
        The dual point to start from, in the blocks.
    size : float
        Of all neurons together, about: for the first rho.
    numbers : Numbers
    workers : callable
        ``map`` over parts.

    Attributes
    ----------
    v : ndarray, shape (B, b)
    iterations : int
    rho : float

    Notes
    -----
    O(n b^2 + n b d + (n / b) (1 + d + b)^3) for an iteration and sign. Source: S. Boyd et al.,
    Distributed optimization and statistical learning via ADMM, 2011; rho by section 3.4.1.
    """

    def __init__(
        self,
        blocks: Blocks,
        beta: float,
        dual: Callable[[Array, float], Array],
        neurons: Neurons,
        v: FloatArray,
        size: float,
        numbers: Numbers = Numbers(),
        workers: WorkerMap = map,
    ) -> None:
        self._xp, self._dtype = numbers.xp, numbers.dtype
        self._beta, self._dual, self._workers = beta, dual, workers
        self._n_blocks = len(blocks)
        X = self._xp.asarray(blocks.rows, dtype=self._dtype)
        self.parts = [
            Part(
                X,
                s,
                self._xp.asarray(_sum_of_neurons(blocks.rows, neurons, s), dtype=self._dtype),
                self._xp,
            )
            for s in SIGNS
        ]
        self.rho = _PENALTY * beta / size
        self.v = self._xp.asarray(v, dtype=self._dtype)
        self.iterations = 0
        for part in self.parts:
            part.start(self.v, self.rho)

    def step(self) -> None:
        """One iteration."""
        self.iterations += 1
        measured = self.iterations % _EVERY == 0
        corners = [self._corner(part) for part in self.parts]
        jobs = zip(self.parts, corners, strict=True)
        wanted = list(self._workers(lambda job: job[0].project(job[1]), jobs))
        centre = sum(part.sign * p for part, p in zip(self.parts, wanted, strict=True))
        # Both signs move by v / rho_e, rho_e = 2 rho: entries beside the diagonal count twice.
        self.v = self._dual(centre, len(SIGNS) / (2.0 * self.rho))
        list(
            self._workers(
                lambda part: part.advance(self.v, self.rho, _RELAX, measured=measured), self.parts
            )
        )
        if measured:
            self._balance()

    def multipliers(self) -> list[tuple[float, Moments]]:
        """For each sign the multipliers as they are, to be put into the dual cone."""
        found = []
        for part in self.parts:
            L = part.scaled.combined(lambda a: np.asarray(self.rho * a, dtype=np.float64))
            v = np.asarray(self.v, dtype=np.float64)
            found.append((part.sign, L._replace(p=L.p - part.sign * v / 2.0)))
        return found

    def _corner(self, part: Part) -> Array:
        corner = part.corner() / self._n_blocks
        corner[0, 0] -= self._beta / (self.rho * self._n_blocks)
        return within_ball(corner, self._xp)

    def _balance(self) -> None:
        """Change rho where one of the residuals is much larger than the other."""
        primal, dual, moved, pulled = np.sqrt(np.sum([part.norms for part in self.parts], axis=0))
        self.residuals = primal / moved, dual / max(pulled, 1e-300)
        a, b = self.residuals
        if a == 0.0 or b == 0.0 or 1.0 / _UNBALANCED < a / b < _UNBALANCED:
            return
        factor = float(np.clip(np.sqrt(a / b), 1.0 / _MOST_CHANGE, _MOST_CHANGE))
        self.rho *= factor
        for part in self.parts:
            part.rescale(factor)


def _sum_of_neurons(X: FloatArray, neurons: Neurons, sign: float) -> FloatArray:
    """``F = sum_j size_j z_j z_j'`` over the neurons of a sign, ``z = (1, u, |Xu|)``."""
    chosen = neurons.signs * sign > 0.0
    U = neurons.directions[chosen]
    outer = np.concatenate([np.ones((len(U), 1)), U], axis=1).T
    z = np.concatenate([np.broadcast_to(outer, (len(X), *outer.shape)), np.abs(X @ U.T)], axis=1)
    return np.asarray((z * neurons.sizes[chosen]) @ z.mT)
