"""The relaxation of sub-networks without choices, by the alternating direction method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Iteration, Numbers, WorkerMap, sum_of_neurons
from cvxnn.relaxation.leaf import Fixed, Leaf
from cvxnn.relaxation.moments import Array, within_ball
from cvxnn.relaxation.state import State

# Sums of neurons: p and q of sub-networks of output 1, then of those of output -1.
SUMS = 4
# rho over that of beta and the sizes of the neurons: with 4 a gap of 0.27 on diabetes takes as long
# as 0.244 does with 1.
_PENALTY = 1.0


@final
class SubNetworkAdmm(Iteration):
    r"""``min l(f - g) + beta sum_k G^k_00`` over moments of four sums of neurons of two layers.

    Sub-networks of output 1 have the inner value ``p - q``, where p and q are sums of neurons
    whose sizes are, together, those of the sub-networks; the sum f of their outputs is between
    ``(p - q)_+`` and p. The same for r, s and g of the output -1. So the least objective over any
    four sums of neurons, and any such f and g, is not above that of any network of three layers;
    nor is it over moments, of which those of neurons are some
    (:class:`~cvxnn.relaxation.admm.Admm`).

    Its dual problem is to find v, and ``c <= 0`` for both output signs s, with the largest
    ``-l*(-v)`` where ``M2(max(c, s v))`` and ``M2(-c)`` are at most beta, each bounded by
    multipliers: the leaves of :mod:`cvxnn.oracle.parallel.leaves` without choices, with v and c
    at their best at once.

    Parameters
    ----------
    blocks : Blocks
    beta : float
    dual : callable
        What :meth:`~cvxnn.relaxation.parallel.step.SubNetworkStep.dual` gives, in the blocks:
        shape (B, 4, b), from centres of this shape and theta.
    sums : sequence of Neurons
        Where the four start, in the units of the blocks.
    weights : ndarray, shape (B, 4, b)
        What they are weighed with at the start.
    size : float
        Of all neurons together, about: for the first rho.
    numbers : Numbers
    workers : callable
    n_workers : int

    Attributes
    ----------
    v : ndarray, shape (B, 4, b)
        The last a, z, a and z.

    Notes
    -----
    Twice the work of :class:`~cvxnn.relaxation.admm.Admm` for an iteration.
    """

    def __init__(
        self,
        blocks: Blocks,
        beta: float,
        dual: Callable[[Array, FloatArray], Array],
        sums: Sequence[Neurons],
        weights: FloatArray,
        size: float,
        numbers: Numbers,
        workers: WorkerMap = map,
        n_workers: int = 1,
    ) -> None:
        xp = numbers.xp
        self._beta = beta
        nothing = Fixed.nothing(xp.asarray(weights[:, 0], dtype=numbers.dtype))
        # Signs are those with which moments move: weights have the signs of outputs already.
        leaves = [Leaf(1.0, nothing) for _ in range(SUMS)]
        rho = _PENALTY * beta / size
        super().__init__(dual, weights, rho, leaves, numbers, workers, n_workers)
        X = xp.asarray(blocks.rows, dtype=numbers.dtype)
        states = []
        for k, neurons in enumerate(sums):
            heads = np.ones((len(neurons), 1))
            F = sum_of_neurons(blocks.rows, heads, neurons.directions, neurons.sizes)
            slack = self._weights(k) / (2.0 * self.rho)
            states.append(State.of(X, xp.asarray(F, dtype=numbers.dtype), slack))
        self._share(states)

    def _centre(self, wanted: Iterable[Array]) -> Array:
        centre = self._xp.zeros_like(self.v)
        for part, p in zip(self.parts, wanted, strict=True):
            centre[part.where, part.number] = p
        return centre

    def _weights(self, number: int) -> Array:
        return self.v[:, number]

    def _corner(self, number: int) -> Array:
        corner = self._mean_corner(number)
        corner[0, 0] -= self._beta / (self.rho * self._n_blocks)
        return within_ball(corner, self._xp)
