"""The relaxation, solved by the alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.leaf import Fixed, Leaf
from cvxnn.relaxation.moments import Array, Moments, Namespace, within_ball
from cvxnn.relaxation.part import Part
from cvxnn.relaxation.state import State
from cvxnn.verification.leaves import LEAF

SIGNS = (1.0, -1.0)
# Over-relaxation (J. Eckstein and D. Bertsekas, Math. Program. 55, 1992): a tenth fewer iterations
# than with 1.6, on all of the tables of `benchmarks/bounds.py` that were tried.
_RELAX = 1.9
# Iterations between two looks at the residuals, and their ratio from which rho changes.
_EVERY, _UNBALANCED, _MOST_CHANGE = 20, 3.0, 3.0
# What the ratio should be in a tree: multipliers, which prove the bound, then change less where
# moments are split up. On 120 x 101 images 0.225 is proven after 900 iterations, not 0.28.
_OF_TREE = 10.0
# rho over that of beta and the sizes of the neurons.
_PENALTY = 4.0
# Of the moments of a leaf that is split, each of the two has at least so much.
_LEAST_SHARE = 0.1


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


_NUMPY = Numbers()


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

    The neurons of a sign may be split up by the signs of rows (:meth:`split`): those of each
    leaf have moments of their own, among which those of what is fixed are 0, and the sum
    predicts. A sum of neurons satisfies that, too, and the bound is no lower.

    Parameters
    ----------
    blocks : Blocks
    beta : float
    dual : callable
        Minus the gradient of the loss at the minimum of ``l(f) + sum_i (f_i - c_i)^2 / (2
        theta_i)``, for c and theta in the blocks.
    neurons : Neurons
        Where to start, in the units of the blocks.
    v : ndarray, shape (B, b)
        The dual point to start from, in the blocks.
    size : float
        Of all neurons together, about: for the first rho.
    numbers : Numbers
    workers : callable
        ``map`` over parts, of which there are two at least.
    n_workers : int
        How many parts it works on at the same time.

    Attributes
    ----------
    v : ndarray, shape (B, b)
    leaves : list of Leaf
        The two output signs, or what they have been split into.
    splits : list of int
        What has been split, as :func:`~cvxnn.verification.leaves.leaves_of` reads it.
    iterations : int
    rho : float
    residuals : tuple of float
        The relative primal and dual one, when they were last measured.

    Notes
    -----
    O(n b^2 + n b d + (n / b) (1 + d + b)^3) for an iteration and leaf. Source: S. Boyd et al.,
    Distributed optimization and statistical learning via ADMM, 2011; rho by section 3.4.1.
    """

    def __init__(
        self,
        blocks: Blocks,
        beta: float,
        dual: Callable[[Array, FloatArray], Array],
        neurons: Neurons,
        v: FloatArray,
        size: float,
        numbers: Numbers = _NUMPY,
        workers: WorkerMap = map,
        n_workers: int = 1,
    ) -> None:
        xp = self._xp = numbers.xp
        self._beta, self._dual, self._workers = beta, dual, workers
        self._n_workers = n_workers
        X = xp.asarray(blocks.rows, dtype=numbers.dtype)
        self.rho = _PENALTY * beta / size
        self.v = xp.asarray(v, dtype=numbers.dtype)
        self.iterations = 0
        self.residuals = np.inf, np.inf
        states = []
        for sign in SIGNS:
            F = xp.asarray(_sum_of_neurons(blocks.rows, neurons, sign), dtype=numbers.dtype)
            states.append(State.of(X, F, sign * self.v / (2.0 * self.rho)))
        self.leaves = [Leaf(sign, Fixed.nothing(self.v)) for sign in SIGNS]
        self.splits = [LEAF for _ in SIGNS]
        self._share(states)

    @property
    def states(self) -> list[State]:
        """Of each leaf, all blocks together."""
        return [self.state(k) for k in range(len(self.leaves))]

    def go_on(self, before: list[State], rho: float) -> None:
        """From the multipliers of an iteration on the same blocks, with the moments as they are.

        Multipliers over rho stay what they are: where rho is in proportion to beta, they are.
        """
        self.rho = rho
        self._share(
            [
                old._replace(image=new.image, copy=new.copy)
                for old, new in zip(before, self.states, strict=True)
            ]
        )

    def step(self) -> None:
        """One iteration."""
        self.iterations += 1
        measured = self.iterations % _EVERY == 0
        corners = [self._corner(k) for k in range(len(self.leaves))]
        wanted = self._workers(lambda part: part.project(corners[part.number]), self.parts)
        centre = self._xp.zeros_like(self.v)
        for part, p in zip(self.parts, wanted, strict=True):
            centre[part.where] += part.sign * p
        # All leaves move by v / rho_e, rho_e = 2 rho: entries beside the diagonal count twice.
        self.v = self._dual(centre, self._copies / (2.0 * self.rho))
        advanced = self._workers(
            lambda part: part.advance(self.v, self.rho, _RELAX, measured=measured), self.parts
        )
        # A map does nothing before it is asked.
        list(advanced)
        if measured:
            self._balance()

    def merge_blocks(self) -> None:
        """Go on with half as many blocks, which is tighter; their number is even."""
        states = [state.merged(self._xp) for state in self.states]
        self.leaves = [leaf._replace(fixed=leaf.fixed.merged()) for leaf in self.leaves]
        self._share(states)
        self.v = self.v.reshape(self._n_blocks, -1)

    def split(self, number: int) -> bool:
        """Two leaves for one, by the sign of the row that is torn most; whether there is one."""
        states, leaf = self.states, self.leaves[number]
        G, torn = states[number].image, self.torn(number)
        row, column = divmod(int(torn.argmax()), torn.shape[1])
        if not torn[row, column] > 0.0:
            return False
        place = row, column
        share = float(G.p[place] / (G.p[place] + G.q[place]))
        share = min(max(share, _LEAST_SHARE), 1.0 - _LEAST_SHARE)
        on, off = leaf.split(place)
        states[number : number + 1] = [
            states[number].divided(share, on.fixed),
            states[number].divided(1.0 - share, off.fixed),
        ]
        self.leaves[number : number + 1] = [on, off]
        # Merging blocks does not move places.
        at = [k for k, split in enumerate(self.splits) if split == LEAF][number]
        self.splits[at : at + 1] = [row * torn.shape[1] + column, LEAF, LEAF]
        self._share(states)
        return True

    def torn(self, number: int) -> FloatArray:
        """How much each row of a leaf may add to its bound, see :meth:`Leaf.torn`."""
        torn = self.leaves[number].torn(self.state(number).image, self.v, self._xp)
        return self._in_float64(torn)

    def multipliers(self, number: int) -> Moments:
        """Of a leaf, as they are: to be put into the dual cone."""
        L = self.state(number).scaled.combined(lambda a: self._in_float64(self.rho * a))
        return L._replace(p=L.p - self.leaves[number].sign * self._in_float64(self.v) / 2.0)

    def dual_point(self) -> FloatArray:
        """The v of the last iteration, shape (B, b)."""
        return self._in_float64(self.v)

    def state(self, number: int) -> State:
        """Of a leaf, all blocks together."""
        states = [part.state for part in self.parts if part.number == number]
        return states[0] if len(states) == 1 else State.joined(states, self._xp)

    def _share(self, states: list[State]) -> None:
        """Give blocks to the workers."""
        self._n_blocks = states[0].X.shape[0]
        shares = _shares(self._n_blocks, -(-self._n_workers // len(states)))
        self.parts = [
            Part(where, k, leaf._replace(fixed=leaf.fixed.take(where)), state.take(where), self._xp)
            for k, (leaf, state) in enumerate(zip(self.leaves, states, strict=True))
            for where in shares
        ]
        # Of each row, how many the loss has: one for each leaf where it may be on.
        self._copies = np.sum([self._in_float64(leaf.fixed.p) for leaf in self.leaves], axis=0)

    @staticmethod
    def _in_float64(array: Array) -> FloatArray:
        return np.asarray(array, dtype=np.float64)

    def _corner(self, number: int) -> Array:
        total = sum(part.corner() for part in self.parts if part.number == number)
        corner = total / self._n_blocks
        corner[0, 0] -= self._beta / (self.rho * self._n_blocks)
        return within_ball(corner, self._xp)

    def _balance(self) -> None:
        """Change rho where one of the residuals is much larger than the other."""
        norms = np.sqrt(np.sum([part.norms for part in self.parts], axis=0))
        primal, dual = norms[:2] / np.maximum(norms[2:], 1e-300)
        self.residuals = float(primal), float(dual)
        primal, dual = self.residuals
        if len(self.leaves) > len(SIGNS):
            primal /= _OF_TREE
        if min(primal, dual) == 0.0 or 1.0 / _UNBALANCED < primal / dual < _UNBALANCED:
            return
        factor = float(np.clip(np.sqrt(primal / dual), 1.0 / _MOST_CHANGE, _MOST_CHANGE))
        self.rho *= factor
        for part in self.parts:
            part.rescale(factor)


def _shares(count: int, n_shares: int) -> list[slice]:
    """Blocks in shares of nearly equal size."""
    ends = np.linspace(0, count, min(n_shares, count) + 1).round().astype(int)
    return [slice(a, b) for a, b in pairwise(ends.tolist())]


def _sum_of_neurons(X: FloatArray, neurons: Neurons, sign: float) -> FloatArray:
    """``F = sum_j size_j z_j z_j'`` over the neurons of a sign, ``z = (1, u, |Xu|)``."""
    chosen = neurons.signs * sign > 0.0
    U = neurons.directions[chosen]
    outer = np.concatenate([np.ones((len(U), 1)), U], axis=1).T
    z = np.concatenate([np.broadcast_to(outer, (len(X), *outer.shape)), np.abs(X @ U.T)], axis=1)
    return np.asarray((z * neurons.sizes[chosen]) @ z.mT)
