"""Prices dual points of quantised networks: pairs of signs of large values, and bounds on all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.layers.rows import power_of_two
from cvxnn.oracle.quantized.kernels import wander
from cvxnn.oracle.quantized.semidefinite import multiplier_bound, multipliers_of, unit_vectors
from cvxnn.oracle.quantized.tree import widest

# Steps of a walk for each feature, the share of the features that is the shortest time for which a
# sign stays, how many times are drawn, and local maxima that are kept.
_STEPS, _TENURE, _DELAYS, _RECORDED = 100, 4, 1009, 512
# Sweeps for multipliers of a dual point that nothing is known of, and the gain that ends them.
_SWEEPS, _ENOUGH = 1000, 1e-9


@final
@dataclass(frozen=True)
class SignPairs:
    """Pairs of vectors of signs, with the sign of the output in the second.

    Attributes
    ----------
    left, right : ndarray, shape (k, d)
        u and v; those with ``u_1 = 1`` of a pair and its negative.
    values : ndarray, shape (k,)
        ``u'N v`` of some N.
    """

    left: FloatArray
    right: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, left: FloatArray, right: FloatArray, values: FloatArray) -> SignPairs:
        """Each once, those of the largest values first."""
        first = left[:, :1]
        left, right = left * first, right * first
        # (u, v) and (v, u) are one, up to a sign of both.
        swapped, signs = right * right[:, :1], right[:, :1]
        is_later = _keys(left) > _keys(swapped)
        left, right = (
            np.where(is_later[:, None], swapped, left),
            np.where(is_later[:, None], left * signs, right),
        )
        _, index = np.unique(np.packbits(np.hstack([left, right]) > 0.0, axis=1), axis=0,
                             return_index=True)  # fmt: skip
        index = index[np.argsort(-values[index], kind="stable")]
        return cls(left[index], right[index], values[index])

    def __len__(self) -> int:
        """The number of pairs k."""
        return len(self.values)

    def above(self, threshold: float) -> SignPairs:
        """Those of a larger value."""
        kept = self.values > threshold
        return SignPairs(self.left[kept], self.right[kept], self.values[kept])

    def head(self, count: int) -> SignPairs:
        """The first so many."""
        return SignPairs(self.left[:count], self.right[:count], self.values[:count])


def _keys(signs: FloatArray) -> FloatArray:
    """Byte strings in the order of the signs, shape (k,)."""
    bits = np.packbits(signs > 0.0, axis=1)
    return bits.view(f"S{bits.shape[1]}")[:, 0] if bits.shape[1] else np.zeros(len(bits), "S1")


@final
@dataclass(frozen=True)
class Bound:
    """A proven bound on ``|v'phi|`` over all pairs of signs.

    Attributes
    ----------
    value : float
        Rounding included.
    kind : str
        What has proven it, as in :class:`~cvxnn.certificates.DualProof`.
    finished : bool
        Whether it is exact, or the level below which nobody asked.
    signs : ndarray, shape (d,), optional
        Of an exact one: a u of the largest value.
    multipliers : ndarray, shape (d,), optional
        Of a semidefinite one.
    """

    value: float
    kind: str
    finished: bool = False
    signs: FloatArray | None = None
    multipliers: FloatArray | None = None


@final
class QuantizedOracle:
    """What a dual point v makes of all pairs: ``max |v'phi| = max u'N v``, ``N = X'diag(v) X``.

    Either sign of the output has the same maximum, as v may be -v.

    Parameters
    ----------
    rows : QuantizedRows
    random_state : numpy.random.Generator

    Examples
    --------
    >>> rows = QuantizedRows(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
    >>> oracle = QuantizedOracle(rows, np.random.default_rng(0))
    >>> v = np.array([0.5, -1.0, 1.5])
    >>> round(oracle.exact(v).value, 9), float(oracle.walk(v).values[0])
    (4.5, 4.5)
    >>> bool(oracle.exact(v).value <= oracle.semidefinite(v).value <= oracle.quick(v).value)
    True
    """

    def __init__(self, rows: QuantizedRows, random_state: np.random.Generator) -> None:
        self.rows, self._random_state = rows, random_state

    def walk(
        self, v: FloatArray, level: float = 0.0, count: int = 8, starts: FloatArray | None = None
    ) -> SignPairs:
        """Local maxima of ``u'N v`` above a level, the largest first.

        Parameters
        ----------
        v : ndarray, shape (n,)
        level : float
        count : int
            Walks from random signs; others begin at the signs of eigenvectors.
        starts : ndarray, shape (k, d), optional
            Further u to start from.

        Notes
        -----
        O(d) a step, and a multiple of d steps a walk, see :func:`wander`.
        """
        unit = power_of_two(v)
        N = self.rows.pull(v / unit)
        d = len(N)
        vectors = np.linalg.eigh(N)[1]
        ends = vectors[:, [0, -1]].T
        drawn = self._random_state.standard_normal((count, d))
        given = np.zeros((0, d)) if starts is None else starts
        left = signs_of(np.vstack([ends, drawn, given]))
        right = signs_of(left @ N)
        least = max(1, d // _TENURE)
        delays = self._random_state.integers(least, 2 * least + 1, _DELAYS)
        found = np.zeros((2, _RECORDED, d))
        reached = wander(N, left, right, delays, _STEPS * d, level / unit, found[0], found[1])
        kept = found[:, : min(reached, _RECORDED)]
        return self._pairs(N, kept[0], kept[1], unit)

    def best_beside(self, v: FloatArray, left: FloatArray) -> SignPairs:
        """Vectors u, shape (k, d), and the best vector beside each."""
        unit = power_of_two(v)
        N = self.rows.pull(v / unit)
        return self._pairs(N, left, signs_of(left @ N), unit)

    def _pairs(self, N: FloatArray, left: FloatArray, right: FloatArray, unit: float) -> SignPairs:
        return SignPairs.of(left, right, ((left @ N) * right).sum(axis=1) * unit)

    def exact(
        self,
        v: FloatArray,
        level: float = 0.0,
        start: FloatArray | None = None,
        deadline: Deadline = UNLIMITED,
        most_nodes: float = np.inf,
    ) -> Bound:
        """By a tree over the signs of u, see :func:`~cvxnn.oracle.quantized.tree.widest`."""
        unit = power_of_two(v)
        scaled = v / unit
        found = widest(self.rows.pull(scaled), level / unit, start, deadline, most_nodes)
        return Bound(
            self._with_rounding(found.bound, scaled, unit), "sign pairs", found.finished,
            signs=found.signs,
        )  # fmt: skip

    def semidefinite(
        self, v: FloatArray, vectors: tuple[FloatArray, FloatArray] | None = None,
        sweeps: int = _SWEEPS,
    ) -> Bound:  # fmt: skip
        """By the semidefinite relaxation, from unit vectors for u and v where some are known."""
        unit = power_of_two(v)
        scaled = v / unit
        N = self.rows.pull(scaled)
        d = len(N)
        if vectors is None:
            rank = min(d, int(np.sqrt(4.0 * d)) + 1)
            drawn = np.random.default_rng(0).standard_normal((2, d, rank))
            vectors = drawn[0], drawn[1]
        vectors = unit_vectors(N, *vectors, sweeps, _ENOUGH)
        multipliers = multipliers_of(N, *vectors)
        value = multiplier_bound(N, multipliers)
        return Bound(
            self._with_rounding(value, scaled, unit), "semidefinite",
            multipliers=multipliers * unit,
        )  # fmt: skip

    def quick(self, v: FloatArray) -> Bound:
        """``sum_ij |N_ij|``, which is loose; O(n d^2)."""
        unit = power_of_two(v)
        scaled = v / unit
        total = float(np.abs(self.rows.pull(scaled)).sum())
        total *= 1.0 + 2.0 * (self.rows.n_features**2 + 8) * EPS
        return Bound(self._with_rounding(total, scaled, unit), "entries")

    def _with_rounding(self, value: float, scaled: FloatArray, unit: float) -> float:
        return (value + self.rows.pull_error(scaled)) * unit * (1.0 + 8.0 * EPS)


def signs_of(numbers: FloatArray) -> FloatArray:
    """1 where a number is not negative, else -1."""
    return np.where(numbers >= 0.0, 1.0, -1.0)
