"""The ascent for several outputs: many local maxima of ``||V'(Xu)_+||``, without a proof."""

from __future__ import annotations

from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.blas import suitable_threads
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.ascent import SETTINGS, AscentOracle, distinct
from cvxnn.oracle.outputs.ascent_kernels import climb
from cvxnn.oracle.outputs.batch_ascent import climb_together
from cvxnn.oracle.outputs.norm_function import NormFunction
from cvxnn.oracle.outputs.proposals import proposals_at
from cvxnn.oracle.price import Proposals
from cvxnn.oracle.tree_search import worker_map

# Evaluations of a long climb: with the output it converges linearly.
_CLIMB_STEPS = 120
# Columns from which on products of matrices are quicker than loops over the rows, by a factor
# of three; and entries of such a product.
_WIDE, _TOGETHER = 12, 1 << 19
# Products of one conic projection, of which a direction takes dozens, for it to be polished.
_POLISH_WORK = 1 << 21


@final
class OutputsAscent:
    """Climbs from random directions in the geometry of the data, the output beside them.

    For one neuron ``a'V'(Xu)_+`` is raised in its output a, which is then along ``V'(Xu)_+``,
    and in its direction u, by a step towards the gradient.

    Parameters
    ----------
    X : ndarray, shape (n, r)
    to_direction : ndarray, shape (r, r)
        Maps evenly spread directions to those of the data, see
        :class:`~cvxnn.oracle.ascent.AscentOracle`.
    random_state : numpy.random.Generator
        The only source of randomness: the same state gives the same proposals, on every number
        of cores.

    Notes
    -----
    A lower bound on the oracle refutes optimality, it cannot certify it. O(n (r + c)) for
    every evaluation of a start, and memory of O(n) for each core.

    Examples
    --------
    >>> import numpy as np
    >>> ascent = OutputsAscent(np.eye(2), np.eye(2), np.random.default_rng(0))
    >>> found = ascent.search(np.array([[3.0, 0.0], [0.0, -4.0]]), 1.0, n_starts=20)
    >>> found.values.round(6).tolist(), found.outputs.round(6).tolist()
    ([4.0, 3.0], [[0.0, -1.0], [1.0, 0.0]])
    """

    def __init__(
        self, X: FloatArray, to_direction: FloatArray, random_state: np.random.Generator
    ) -> None:
        self._geometry = AscentOracle(X, to_direction, random_state)
        self._columns = np.ascontiguousarray(X.T)

    def search(
        self,
        V: FloatArray,
        threshold: float,
        n_starts: int,
        *,
        starts: FloatArray | None = None,
        most: int = 100,
        polish: bool = False,
        deadline: Deadline = UNLIMITED,
    ) -> Proposals:
        """Distinct local maxima above a threshold, best first.

        Parameters
        ----------
        V : ndarray, shape (n, c)
            Dual point.
        threshold : float
            Usually beta: only neurons above it can lower the objective.
        n_starts : int
            Random starts.
        starts : ndarray, shape (k, r), optional
            Further starts, such as the directions of a network.
        most : int
            Neurons that are returned at most.
        polish : bool
            Whether to end at local maxima to all digits, also on kinks, where a projection on
            a cell takes a fraction of a second.
        deadline : Deadline, optional
            Climbs end where they are when it passes.
        """
        X, directions = self._geometry.X, self._geometry.draw(n_starts)
        if starts is not None:
            directions = np.vstack([directions, _units(starts)])
        unit = power_of_two(V)
        units = V / unit
        values = self._climb(units, directions, SETTINGS.short_steps, deadline)
        good = values > SETTINGS.promising * threshold / unit
        directions, _ = distinct(directions[good], values[good], 4 * most, SETTINGS.same_short)
        values = self._climb(units, directions, _CLIMB_STEPS, deadline)
        directions, _ = distinct(directions, values, most, SETTINGS.same)
        if polish and X.size * X.shape[1] <= _POLISH_WORK:
            directions = self._polish(units, directions, deadline)
        return proposals_at(X, V, directions, threshold)

    def _polish(self, V: FloatArray, directions: FloatArray, deadline: Deadline) -> FloatArray:
        X = self._geometry.X
        lengths = np.linalg.norm(X, axis=1)
        normals = X[lengths > 0.0] / lengths[lengths > 0.0, None]
        omega = (V * lengths[:, None])[lengths > 0.0]
        function = NormFunction(normals, omega, np.zeros((X.shape[1], V.shape[1])))
        with worker_map() as workers:
            peaks = list(workers(lambda u: function.polish(u, deadline), directions))
        check_interrupt()
        points = np.array([peak.point for peak in peaks]).reshape(directions.shape)
        values = np.array([peak.value for peak in peaks])
        return distinct(points, values, len(points), SETTINGS.same)[0]

    def _climb(
        self, V: FloatArray, directions: FloatArray, n_steps: int, deadline: Deadline
    ) -> FloatArray:
        """Climb from `directions`, in place, in pieces that an interrupt gets between."""
        X, columns, weights = self._geometry.X, self._columns, np.ascontiguousarray(V.T)
        base = np.zeros((len(columns), len(weights)))
        steps, values = np.ones(len(directions)), np.full(len(directions), -np.inf)
        is_wide = len(columns) >= _WIDE
        work = X.size + V.size
        size = max(1, SETTINGS.chunk_work // max(work * n_steps, 1))
        size = max(1, _TOGETHER // len(X)) if is_wide else size

        def run(begin: int) -> None:
            if deadline.passed:
                return
            part = slice(begin, begin + size)
            if is_wide:
                values[part] = climb_together(X, V, directions[part], steps[part], n_steps)
                return
            climb(columns, weights, base, directions[part], steps[part], values[part], n_steps)

        with suitable_threads(len(X)), worker_map() as workers:
            for _ in workers(run, range(0, len(directions), size)):
                check_interrupt()
        return values


def _units(directions: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(directions, axis=1)
    return np.asarray(directions[lengths > 0.0] / lengths[lengths > 0.0, None])
