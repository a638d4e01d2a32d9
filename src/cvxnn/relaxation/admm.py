"""The relaxation, solved by the alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Iteration, Numbers, WorkerMap, sum_of_neurons
from cvxnn.relaxation.leaf import Fixed, Leaf
from cvxnn.relaxation.moments import Array, within_ball
from cvxnn.relaxation.state import State
from cvxnn.verification.leaves import LEAF

SIGNS = (1.0, -1.0)
# What the ratio of residuals should be in a tree: multipliers, which prove the bound, then change
# less where moments are split up. On 120 x 101 images 0.225 is proven after 900 iterations, not
# 0.28.
_OF_TREE = 10.0
# rho over that of beta and the sizes of the neurons: with 1.2 a gap of 0.2 on friedman1 takes a
# tenth to a third fewer iterations, but one of 0.05 on breast cancer three quarters more.
_PENALTY = 4.0
# Of the moments of a leaf that is split, each of the two has at least so much.
_LEAST_SHARE = 0.1
_NUMPY = Numbers()


@final
class Admm(Iteration):
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
        self._beta = beta
        leaves = [Leaf(sign, Fixed.nothing(numbers.placed(v))) for sign in SIGNS]
        super().__init__(dual, v, _PENALTY * beta / size, leaves, numbers, workers, n_workers)
        X = numbers.placed(blocks.rows)
        states = []
        for sign in SIGNS:
            F = numbers.placed(_of_sign(blocks.rows, neurons, sign))
            states.append(State.of(X, F, sign * self.v / (2.0 * self.rho)))
        self.splits = [LEAF for _ in SIGNS]
        self._share(states)

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

    def _corner(self, number: int) -> Array:
        corner = self._mean_corner(number)
        corner[0, 0] -= self._beta / (self.rho * self._n_blocks)
        return within_ball(corner, self._xp)

    @property
    def _wanted_ratio(self) -> float:
        return _OF_TREE if len(self.leaves) > len(SIGNS) else 1.0


def _of_sign(X: FloatArray, neurons: Neurons, sign: float) -> FloatArray:
    """The moments of the neurons of a sign over (1, u, a)."""
    chosen = neurons.signs * sign > 0.0
    U = neurons.directions[chosen]
    return sum_of_neurons(X, np.ones((len(U), 1)), U, neurons.sizes[chosen])
