"""The oracle of polynomial networks: eigenvalues and a secular equation for each sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.polynomial import Lifted, PolynomialRows
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.price import BOTH
from cvxnn.oracle.sphere import SpherePeak, peaks

# What a neuron has to be worth to be proposed, in units of beta.
_WORTH = 1.0 + 1e-9


@final
@dataclass(frozen=True)
class PolynomialPrice:
    """What dual points make of neurons.

    Attributes
    ----------
    bounds : ndarray
        On ``|v'phi(u)|`` over ``||u|| = 1``, rounding included: of one output for both signs,
        shape (2,), of several the largest, (1,).
    lifted : tuple of Lifted
        ``v'phi(u)`` as a function of u, for each output.
    """

    bounds: FloatArray
    lifted: tuple[Lifted, ...]

    @classmethod
    def of(cls, rows: PolynomialRows, V: FloatArray) -> Self:
        """At V of shape (n, c); O(c (n K h^2 + h^3)).

        Examples
        --------
        >>> rows = PolynomialRows(np.array([[[1.0, 0.0]]]), (1.0, 2.0, 3.0))
        >>> PolynomialPrice.of(rows, np.ones((1, 1))).bounds.round(9).tolist()
        [6.0, -2.0]
        """
        # Scaled by a power of two, so without rounding: products with a small v would vanish.
        unit = power_of_two(V)
        lifted, bounds = [], []
        for v in V.T / unit:
            function, error = rows.adjoint(v), rows.adjoint_error(v)
            # Of zeros nothing is rounded.
            pair = [_bound(function, sign, error) for sign in BOTH] if v.any() else [0.0, 0.0]
            bounds.append(pair)
            lifted.append(
                Lifted(function.matrix * unit, function.vector * unit, function.number * unit)
            )
        found = np.array(bounds) * unit
        kept = found[0] if V.shape[1] == 1 else np.array([found.max()])
        return cls(kept, tuple(lifted))

    def neurons(self, basis: FloatArray, beta: float, most: int) -> tuple[FloatArray, FloatArray]:
        """Neurons worth more than beta, in coordinates of orthonormal columns.

        Returns
        -------
        directions : ndarray, shape (k, r)
        outputs : ndarray, shape (k, c)
            Unit vectors of the outputs, times the signs.
        """
        c = len(self.lifted)
        directions, outputs = [np.zeros((0, basis.shape[1]))], [np.zeros((0, c))]
        for k, lifted in enumerate(self.lifted):
            function = lifted.turned(basis)
            for sign in BOTH:
                least = _WORTH * beta - sign * function.number
                found = peaks(sign * function.matrix, sign * function.vector, least, most)
                directions.append(found)
                outputs.append(np.tile(sign * np.eye(c)[k], (len(found), 1)))
        return np.vstack(directions), np.vstack(outputs)


def _bound(function: Lifted, sign: float, error: float) -> float:
    """On ``sign (u'S u + t'u + z)`` over unit u."""
    peak = SpherePeak.of(sign * function.matrix, sign * function.vector).bound
    number = sign * function.number
    return peak + number + error + 4.0 * EPS * (abs(peak) + abs(number) + error)
