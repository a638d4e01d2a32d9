"""The oracle of networks with fixed gates and several outputs: a singular value for each gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray, IntArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.gated import GatedRows
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.price import Price, Proposals

_CHUNK_BYTES = 1 << 26


@final
@dataclass(frozen=True)
class OutputsGatePrice(Price):
    """What a dual point V makes of every gate.

    Attributes
    ----------
    gates : ndarray of int, shape (m,)
        Of the proposals, whose values are singular values of ``X'D_i V`` above the threshold, and
        their directions and outputs the singular vectors.
    norms : ndarray, shape (G,)
        The largest of each gate.
    """

    kind: ClassVar[str] = "gates"
    is_exact: ClassVar[bool] = True

    found: Proposals
    gates: IntArray
    norms: FloatArray

    @property
    def proposals(self) -> Proposals:
        """The best neurons, as many as the oracle proposes."""
        return self.found


@final
class OutputsGateOracle:
    """``max_{||u|| <= 1} ||V'D_i X u||`` for every gate i: singular values of ``X'D_i V``.

    Parameters
    ----------
    rows : GatedRows
    most : int
        Neurons that it proposes.

    Notes
    -----
    O(G n d c + G d c min(d, c)) for G gates.

    Examples
    --------
    >>> import numpy as np
    >>> oracle = OutputsGateOracle(GatedRows.of(np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]])))
    >>> price = oracle.price(np.array([[3.0, 0.0], [0.0, -4.0]]), 1.0)
    >>> price.norms, price.gates, np.abs(price.outputs)
    (array([3., 4.]), array([1, 0, 1]), array([[0., 1.],
           [1., 0.],
           [1., 0.]]))
    >>> bool(4.0 <= price.bound < 4.0 + 1e-12)
    True
    """

    def __init__(self, rows: GatedRows, *, most: int = 100) -> None:
        self.rows, self._most = rows, most

    def price(
        self,
        V: FloatArray,
        threshold: float = 0.0,
        *,
        tol: float = 1e-6,
        starts: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
    ) -> OutputsGatePrice:
        """Singular values for all gates, and a proven bound on them; exact, whatever `tol`.

        Rounding is included: a sum over n rows errs by n eps of its moduli, whatever its order, so
        a matrix of them by ``n eps sum_k ||v_k|| ||x_k||`` in its norm; singular values of a matrix
        of order m err by ``m^3 eps`` of the largest.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end.
        """
        # Scaled by a power of two, so without rounding: squares of a small V would vanish.
        unit = power_of_two(V)
        V = V / unit
        (n, d), c = self.rows.X.shape, V.shape[1]
        values = np.empty((self.rows.n_gates, min(d, c)))
        for part in deadline.chunks(self.rows.n_gates, _CHUNK_BYTES // (8 * d * c)):
            products = self._products(V, part, deadline)
            values[part] = np.linalg.svd(products, compute_uv=False)
        bound = float(values.max(initial=0.0)) * (1.0 + (d + c + min(d, c) ** 3 + 8) * EPS)
        moduli = float(np.linalg.norm(V, axis=1) @ self.rows.lengths)
        bound += 2.0 * (n + d + c + 8) * EPS * moduli + n * d * c * 1e-300
        found, gates = self._best(V, values, threshold / unit, deadline)
        return OutputsGatePrice(
            np.array([bound * unit]), True,
            Proposals(found.directions, found.outputs, found.values * unit),
            gates, values.max(axis=1, initial=0.0) * unit,
        )  # fmt: skip

    def _best(
        self, V: FloatArray, values: FloatArray, threshold: float, deadline: Deadline
    ) -> tuple[Proposals, IntArray]:
        """The neurons of the largest singular values above a threshold, and their gates."""
        (d, c), m = (self.rows.X.shape[1], V.shape[1]), values.shape[1]
        order = np.argsort(-values, axis=None, kind="stable")[: self._most]
        order = order[values.ravel()[order] > max(threshold, 0.0)]
        gates, places = np.divmod(order, m)
        directions, outputs = np.empty((len(order), d)), np.empty((len(order), c))
        for gate in np.unique(gates):
            deadline.check()
            mask = self.rows.masks[gate]
            product = self.rows.X[mask].T @ V[mask]
            left, _, right = np.linalg.svd(product, full_matrices=False)
            of_gate = np.flatnonzero(gates == gate)
            directions[of_gate] = left[:, places[of_gate]].T
            outputs[of_gate] = right[places[of_gate]]
        return Proposals(directions, outputs, values.ravel()[order]), gates

    def _products(self, V: FloatArray, gates: slice, deadline: Deadline) -> FloatArray:
        """``X'D_i V`` of some gates, shape (g, d, c): a product with all ``x_k v_k'`` at once."""
        X, masks = self.rows.X, self.rows.masks[gates]
        (n, d), c = X.shape, V.shape[1]
        total = np.zeros((len(masks), d * c))
        for part in deadline.chunks(n, _CHUNK_BYTES // (8 * max(d * c, len(masks)))):
            terms = X[part, :, None] * V[part, None, :]
            total += masks[:, part].astype(np.float64) @ terms.reshape(-1, d * c)
        return total.reshape(-1, d, c)
