"""The oracle of max pooling: max over ||u|| <= 1 of |v'f(u)|, f_i(u) = max_k (x_ik'u)_+."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.cells import CellPrice
from cvxnn.oracle.price import VectorOracle, Wanted
from cvxnn.patterns.cone_kernels import project_all

# Entries of cone rows that exist at a time.
_CHUNK = 1 << 22


@final
class MaxCellOracle(VectorOracle[CellPrice]):
    """Prices cells in which each image has a fixed winner among its patches.

    In the closed cone ``K_c = {u : G_c u >= 0}`` of a cell ``f(u) = A_c u``, where row i of
    ``A_c`` is the patch that wins in image i, or 0, and for any ``rho >= 0``

        max_{u in K_c, ||u|| <= 1} s v'A_c u  <=  ||s A_c'v + G_c'rho||,

    with equality at the best rho, which conic projection finds. If u violates rows of
    length 1 of ``G_c`` by a reach t at most, then ``rho'G_c u >= -t sum rho``; and as
    0 <= f_i(u) - (A_c u)_i <= t l_i, where ``l_i`` is the longest row of image i, twice its
    longest patch at most,

        s v'f(u)  <=  ||s A_c'v + G_c'rho|| + t (sum rho + sum_i max(s v_i, 0) l_i).

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    winners : ndarray of int, shape (M, n)
        -1 where no patch is active.
    reach : ndarray, shape (M,)
        The t of each cell: 0 for a bound over the cells, and for one over all of space
        such that cells reach everywhere.

    Notes
    -----
    O(M n K h) time for each row that becomes active in a projection, at most some 4 h.

    Examples
    --------
    >>> import numpy as np
    >>> patches = np.array([[[3.0, 0.0], [0.0, 4.0]]])
    >>> oracle = MaxCellOracle(patches, np.array([[0], [1], [-1]]), np.zeros(3))
    >>> round(oracle.price(np.array([[2.0]])).bound, 9)
    8.0
    """

    def __init__(self, patches: FloatArray, winners: IntArray, reach: FloatArray) -> None:
        self.patches, self.winners, self.reach = patches, winners, reach
        self._lengths = np.linalg.norm(patches, axis=2).max(axis=1)

    @property
    def n_cells(self) -> int:
        """Number of cells M."""
        return len(self.winners)

    def maps(self, cells: IntArray | slice) -> FloatArray:
        """The ``A_c``, shape (k, n, h)."""
        winners = self.winners[cells]
        images = np.arange(winners.shape[1])
        # For an image without a winner the index is any, and the row is 0.
        return self.patches[images, winners] * (winners >= 0)[:, :, None]

    def cones(self, cells: IntArray | slice) -> FloatArray:
        """The rows of ``G_c``, each of length 1 or 0, shape (k, n K, h)."""
        winners, patches = self.winners[cells], self.patches
        won = self.maps(cells)
        rows = won[:, :, None] - patches
        k, i = np.nonzero(winners >= 0)
        rows[k, i, winners[k, i]] = won[k, i]
        rows = rows.reshape(len(winners), -1, patches.shape[2])
        lengths = np.linalg.norm(rows, axis=2, keepdims=True)
        # Equal patches leave rows of 0, which are no constraint; as good as 0 is no other.
        return np.asarray(rows / np.where(lengths > 1e-300, lengths, np.inf))

    def price_vector(self, v: FloatArray, wanted: Wanted) -> CellPrice:
        """Price v, shape (n,).

        Cells proven to stay below the threshold are not refined. OutOfTimeError is raised
        when the deadline passes before all are priced.
        """
        # Scaled by a power of two, so without rounding: squares of a small v would vanish.
        unit = power_of_two(v)
        v, enough = v / unit, wanted.threshold / unit
        n, _, h = self.patches.shape
        bounds, points = np.empty((2, self.n_cells)), np.zeros((2, self.n_cells, h))
        mass = float(np.abs(v) @ self._lengths)
        # Any sum of N products errs by N eps of their moduli at most: n terms make up A_c'v,
        # h + 1 multipliers join, of rows that have h terms and a length that is rounded;
        # v may be rounded itself.
        share = 4.0 * EPS * (n + 4 * h + 16)
        for part in wanted.deadline.chunks(self.n_cells, _CHUNK // max(self.patches.size, 1)):
            pulled = v @ self.maps(part)
            reach = self.reach[part]
            beyond = np.array(
                [reach * float(np.maximum(s * v, 0.0) @ (2.0 * self._lengths)) for s in (1, -1)]
            )
            targets = np.stack([pulled, -pulled])
            cones = self.cones(part)
            every = np.ones(cones.shape[:2])
            least = enough - beyond - share * mass
            norms, totals, found = project_all(targets, cones, every, least)
            refined = norms > least
            bounds[:, part] = (norms + beyond + reach * totals) * (1.0 + share)
            bounds[:, part] += share * (mass + totals) + n * h * 1e-300
            points[:, part] = found * refined[:, :, None]
        return CellPrice.of(bounds * unit, points * unit, wanted.threshold, np.eye(h))
