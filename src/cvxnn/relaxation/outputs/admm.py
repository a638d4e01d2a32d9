"""The relaxation for several outputs, solved by the alternating direction method."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Iteration, Numbers, WorkerMap, sum_of_neurons
from cvxnn.relaxation.leaf import Fixed, Leaf
from cvxnn.relaxation.moments import Array
from cvxnn.relaxation.state import State

# rho over that of beta and the sizes of the neurons.
_PENALTY = 4.0
_NUMPY = Numbers()


@final
class OutputsAdmm(Iteration):
    """``min l(f) + beta/2 (tr F_aa + tr F_uu)`` over moments of neurons, in blocks of rows.

    F are moments of (a, u, s), ``s = |Xu|``, of neurons with ``||a|| = ||u||``, positive
    semidefinite in each block, and ``G = T F T'`` those of (a, u, p, q). Sums of neurons satisfy

    - ``G_pp, G_pq, G_qq >= 0``, ``diag G_pq = 0``,
    - the corners (a, u) of all blocks are the same,

    and predict ``f_i = G_ap,i``: the least objective of such moments is not above that of any
    network. Products of rows of different blocks are left out, as for one output. The head 1
    of :class:`~cvxnn.relaxation.admm.Admm`, and cones of products with it, changed no digit of
    the bound on five problems on which both came to rest.

    Parameters
    ----------
    blocks : Blocks
    beta : float
    dual : callable
        Minus the gradient of the loss at the minimum of ``l(f) + sum_i ||f_i - c_i||^2 / (2
        theta_i)``, for c, shape (B, c, b), and theta, shape (B, b).
    neurons : Neurons
        Where to start, in the units of the blocks.
    V : ndarray, shape (B, c, b)
        The dual point to start from, in the blocks.
    size : float
        Of all neurons together, about: for the first rho.
    numbers : Numbers
    workers : callable
        ``map`` over parts, of which there are two at least.
    n_workers : int
        How many parts it works on at the same time.

    Notes
    -----
    O(n b^2 + n b d + (n / b) (c + d + b)^3) for an iteration.
    """

    def __init__(
        self,
        blocks: Blocks,
        beta: float,
        dual: Callable[[Array, FloatArray], Array],
        neurons: Neurons,
        V: FloatArray,
        size: float,
        numbers: Numbers = _NUMPY,
        workers: WorkerMap = map,
        n_workers: int = 1,
    ) -> None:
        self._beta = beta
        X = numbers.placed(blocks.rows)
        # All neurons together, and any of their rows on or off.
        leaves = [Leaf(1.0, Fixed.nothing(X[:, :, 0]))]
        super().__init__(dual, V, _PENALTY * beta / size, leaves, numbers, workers, n_workers)
        F = sum_of_neurons(blocks.rows, neurons.outputs, neurons.directions, neurons.sizes)
        pull = self.v / (2.0 * self.rho)
        self._share([State.of(X, numbers.placed(F), pull)])

    def _corner(self, number: int) -> Array:
        corner = self._mean_corner(number)
        price = self._beta / (2.0 * self.rho * self._n_blocks)
        return corner - price * self._xp.eye(len(corner), dtype=corner.dtype, device=corner.device)
