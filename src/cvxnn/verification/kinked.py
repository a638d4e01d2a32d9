"""What a dual point makes of a neuron: sums of kinks over the unit ball, in as few dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two, sum_up

# Singular values of rows below this share of the largest are a matter of rounding: what is lost
# by leaving them out is charged, whatever it is.
_NEGLIGIBLE = 1e-13


@final
@dataclass(frozen=True)
class Kinked:
    """``f(u) = base'u + sum_i weights_i (rows_i'u)_+`` for ``||u|| <= 1``.

    What is to be bounded, the largest ``|v'phi(u)|`` over ``||u|| <= 1``, is at most
    ``unit (stretch max |f| + error)``. Of one side it is the largest ``v'phi(u)``, with f for
    ``|f|``.

    Attributes
    ----------
    rows : ndarray, shape (N, r)
        Of size one.
    weights : ndarray, shape (N,)
        Of size one.
    base : ndarray, shape (r,)
    error, stretch, unit : float
    is_one_sided : bool
    """

    rows: FloatArray
    weights: FloatArray
    base: FloatArray
    error: float = 0.0
    stretch: float = 1.0
    unit: float = 1.0
    is_one_sided: bool = False

    @classmethod
    def of(
        cls, rows: FloatArray, weights: FloatArray, base: FloatArray, roundings: int = 0
    ) -> Kinked:
        """Scaled to size one by powers of two, and reduced to the rank of the rows.

        Parameters
        ----------
        rows : ndarray, shape (N, d)
        weights : ndarray, shape (N,)
        base : ndarray, shape (N,)
            The base as weights of the rows: ``base'rows`` is it.
        roundings : int
            By which weights and base differ from the true ones, relative.

        See :func:`in_few_dimensions`.
        """
        unit, weight_unit = power_of_two(rows), power_of_two(np.concatenate([weights, base]))
        rows, weights, base = rows / unit, weights / weight_unit, base / weight_unit
        alive = ((weights != 0.0) | (base != 0.0)) & rows.any(axis=1)
        rows, weights, base = rows[alive], weights[alive], base[alive]
        sizes = np.abs(weights) + np.abs(base)
        lengths = norms_up(rows)
        # Weights, and the sum that makes the base.
        error = gamma(roundings) * sum_up(sizes * lengths)
        if base.any():
            error += gamma(len(rows) + 2) * sum_up(np.abs(base) * lengths)
        reduced, left, stretch = in_few_dimensions(rows, sizes)
        error = (error + left) * (1.0 + 1e-12) + len(rows) * TINY
        return cls(reduced, weights, base @ reduced, error, stretch, unit * weight_unit)

    @property
    def rank(self) -> int:
        """The dimension r."""
        return int(self.rows.shape[1])

    def negative(self) -> Kinked:
        """``-f``."""
        return replace(self, weights=-self.weights, base=-self.base)

    @property
    def sides(self) -> tuple[Kinked, ...]:
        """The functions whose largest values are asked for: f, and ``-f`` unless of one side."""
        return (self,) if self.is_one_sided else (self, self.negative())

    @cached_property
    def mass(self) -> float:
        """``||base|| + sum_i |weights_i| ||rows_i||``, rounded up."""
        return float(norms_up(self.base)) + sum_up(np.abs(self.weights) * norms_up(self.rows))

    @cached_property
    def moduli(self) -> FloatArray:
        """``|base| + sum_i |weights_i| |rows_i|``, entry by entry, rounded up, shape (r,)."""
        total = np.abs(self.base) + np.abs(self.weights) @ np.abs(self.rows)
        return np.asarray(total * (1.0 + gamma(len(self.rows) + 8)) + TINY)

    def exceeds(self, level: float, directions: FloatArray) -> bool:
        """Whether f is clearly above a level at one of some unit vectors, shape (k, r)."""
        values = np.maximum(directions @ self.rows.T, 0.0) @ self.weights + directions @ self.base
        return bool((values > level + 1e-6 * abs(level)).any())

    def total(self, largest: float) -> float:
        """The bound on ``|v'phi(u)|`` from one on ``max |f|``."""
        bound = (self.stretch * largest + self.error) * (1.0 + 8.0 * U)
        return float(np.nextafter(bound * self.unit, np.inf)) if bound > 0.0 else 0.0

    def needed(self, total: float) -> float:
        """The bound on ``max |f|`` that gives one on ``|v'phi(u)|``, about."""
        return (total / self.unit - self.error) / self.stretch


def in_few_dimensions(rows: FloatArray, sizes: FloatArray) -> tuple[FloatArray, float, float]:
    """Rows of size one in as many dimensions as they have, and what that costs.

    Parameters
    ----------
    rows : ndarray, shape (N, d)
    sizes : ndarray, shape (N,)
        By how much a sum of kinks changes at most where a row changes by 1.

    Returns
    -------
    tuple
        The rows, shape (N, r), an error, and a stretch.

    Notes
    -----
    Let Q be any matrix, shape (d, r), and ``y_i`` any vectors, in the place of ``Q'x_i``. Then
    ``x_i'u = y_i'(Q'u) + e_i'u`` with ``e_i = x_i - Q y_i``, and ``||Q'u||^2 = u'QQ'u <=
    ||Q'Q|| <= 1 + ||Q'Q - I||_F``; as ``(t)_+`` moves by no more than t does,
    ``f(u)`` is at most its maximum over w in a ball of that radius, with y for x, plus
    ``sum_i sizes_i ||e_i||``. O(N d min(N, d)).
    """
    basis = _row_space(rows)
    if basis is None:
        return rows, 0.0, 1.0
    reduced = rows @ basis
    left = rows - reduced @ basis.T
    rounding = gamma(basis.shape[1] + 2) * (np.abs(reduced) @ np.abs(basis).T + np.abs(rows))
    error = sum_up(sizes * norms_up(np.abs(left) + rounding))
    gram = basis.T @ basis
    skew = np.abs(gram - np.eye(len(gram))) + gamma(rows.shape[1] + 2) * (
        np.abs(basis).T @ np.abs(basis)
    )
    return reduced, error, 1.0 + float(np.sqrt((skew * skew).sum())) * (1.0 + 1e-9)


def _row_space(rows: FloatArray) -> FloatArray | None:
    """An orthonormal basis of the row space, shape (d, r), about; None where it is everything."""
    n, d = rows.shape
    if n == 0 or d == 0:
        return np.zeros((d, 0))
    columns = np.abs(rows).max(axis=0)
    columns[columns == 0.0] = 1.0
    scaled = rows / columns
    scaled = scaled / norms_up(scaled)[:, None]
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    rank = int(np.count_nonzero(singular > _NEGLIGIBLE * max(n, d) * singular[0]))
    if rank == d:
        return None
    return np.asarray(np.linalg.qr(columns[:, None] * right[:rank].T)[0])
