"""A problem of sub-networks in the units of the iteration, and its bounds in those of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.certificates import DualProof
from cvxnn.layers.parallel import ParallelRows
from cvxnn.losses.balance import balanced
from cvxnn.problems import Problem
from cvxnn.relaxation.blocks import Blocks
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.moments import Array, Moments
from cvxnn.relaxation.parallel.admm import SUMS, SubNetworkAdmm
from cvxnn.relaxation.parallel.step import SubNetworkStep
from cvxnn.relaxation.safe_bound import safe_bound
from cvxnn.relaxation.scale import KIND, in_blocks
from cvxnn.verification.choice_multipliers import ChoiceMultipliers
from cvxnn.verification.sign_choices import SignChoices


@dataclass(frozen=True)
class _Leaf:
    """Coefficients of an output sign, multipliers for a and for -c, and the bounds they prove."""

    under: FloatArray
    multipliers: tuple[Moments, ...]
    levels: tuple[float, float]


@final
@dataclass
class SubNetworkScale:
    """The problem as it is iterated on, see :class:`~cvxnn.relaxation.scale.Scale`.

    Attributes
    ----------
    problem : Problem of ParallelRows
        In units of size one.
    units : Units
    blocks : Blocks
        Of the rows times c.
    factor : float
        The c, a power of two.
    loss_step : SubNetworkStep
    intercept : bool
        Whether there is one beside the sub-networks.
    """

    problem: Problem[ParallelRows]
    units: Any
    blocks: Blocks
    factor: float
    loss_step: SubNetworkStep
    intercept: bool

    @classmethod
    def of(cls, problem: Problem[ParallelRows], block: int, *, intercept: bool) -> Self:
        """Blocks of so many rows at most."""
        scaled, units = problem.in_units()
        X = scaled.rows.X
        blocks, factor = in_blocks(X, block)
        reached = np.asarray(X.any(axis=1))
        step = SubNetworkStep(scaled.loss, scaled.y, reached, intercept=intercept)
        return cls(scaled, units, blocks, factor, step, intercept)

    def scattered(self, weights: FloatArray) -> FloatArray:
        """Weights of shape (4, n) in the blocks, shape (B, 4, b)."""
        return np.stack([self.blocks.scattered(self.factor * row) for row in weights], axis=1)

    def start(self, v: FloatArray) -> FloatArray:
        """Weights of the four sums at a dual point, with half of what coefficients may be."""
        return self.scattered(np.concatenate([_vectors(s * v, _half(s * v)) for s in (1.0, -1.0)]))

    def step(self, numbers: Numbers) -> Any:
        """The proximal step of the loss, in the blocks."""

        def dual(centre: Array, theta: FloatArray) -> Array:
            given = np.asarray(centre, dtype=np.float64)
            rows = np.stack([self.blocks.gathered(given[:, k]) for k in range(SUMS)])
            # Every sum has a square of its own.
            weights = self.loss_step.dual(rows / self.factor, float(theta.flat[0]) / SUMS)
            return numbers.xp.asarray(self.scattered(weights), dtype=numbers.dtype)

        return dual

    def proof(self, admm: SubNetworkAdmm) -> DualProof:
        r"""What the multipliers prove of the dual point of the last step, in the units of data.

        Notes
        -----
        Let v be any dual point, ``c <= 0`` any coefficients for each output sign s, ``w = s v``
        and ``a = max(c, w)``. A sub-network of size one has the activations ``(p - q)_+`` with
        ``p = sum_j l_j (X w_j)_+``, ``q = sum_j m_j (X w_j)_+`` for ``||w_j|| <= 1``,
        ``l, m >= 0``, ``sum_j (l_j + m_j) <= 1``. In a row

            w (p - q)_+  <=  a p - c q,

        because ``c (p - q)_+ <= c (p - q)`` for ``c <= 0``, and ``(w - c) (p - q)_+ <= (w - c)_+
        p`` for ``p, q >= 0``. Hence ``w'(p - q)_+ <= a'p - c'q <= max(M2(a), M2(-c))``, of which
        :func:`~cvxnn.relaxation.safe_bound.safe_bound` bounds either from any multipliers.

        *Rounding.* a and -c are maxima and negatives of what is there, which rounds nothing. All
        units are powers of two: v is one that stays the same in the units of the data. What is
        rounded is in the safe bounds, and they are rounded up.
        """
        v = self._dual_point()
        leaves = [self._leaf(sign * v, k, admm) for k, sign in enumerate((1.0, -1.0))]
        found = np.array([max(leaf.levels) for leaf in leaves]) / self.factor**2
        found = found * self.units.targets * self.units.rows
        # Up, where the numbers leave the range of float64 below.
        return DualProof(
            v[:, None] * self.units.targets, np.nextafter(found, np.inf), KIND,
            evidence=self._evidence(v, leaves),
        )  # fmt: skip

    def _leaf(self, w: FloatArray, k: int, admm: SubNetworkAdmm) -> _Leaf:
        """What is proven of ``w'(p - q)_+``, by the coefficients of the last step or nearly these.

        Multiples of -c have that multiple as a bound, by the same multiple of its multipliers: the
        two bounds come to lie closer to each other.
        """
        multipliers = admm.multipliers(2 * k), admm.multipliers(2 * k + 1)
        first = self._priced(w, np.maximum(self.loss_step.under[k], 0.0), *multipliers)
        over, under = first.levels
        if not (0.0 < over < np.inf and 0.0 < under < np.inf):
            return first
        share = float(np.sqrt(over / under))
        moved = multipliers[1].combined(lambda part: share * part)
        second = self._priced(w, share * first.under, multipliers[0], moved)
        return min(first, second, key=lambda leaf: max(leaf.levels))

    def _priced(self, w: FloatArray, under: FloatArray, *multipliers: Moments) -> _Leaf:
        pair = self.scattered(_vectors(w, under))
        over, below = (
            safe_bound(self.blocks.rows, pair[:, side], given)
            for side, given in enumerate(multipliers)
        )
        return _Leaf(under, multipliers, (over, below))

    def _evidence(self, v: FloatArray, leaves: Sequence[_Leaf]) -> ChoiceMultipliers:
        """Coefficients and multipliers as they are kept for a check, in the units of the data."""
        units = self.units.rows / self.factor, self.units.targets / self.factor
        under = np.stack([leaf.under for leaf in leaves])
        choices = SignChoices.of_no_signs(-under).in_units(1.0, self.units.targets)
        multipliers = [given for leaf in leaves for given in leaf.multipliers]
        return ChoiceMultipliers.of(choices, self.blocks.places, multipliers, *units)

    def _dual_point(self) -> FloatArray:
        """A point of the domain of the conjugate that stays as it is in the units of the data."""
        v = self.problem.loss.project(self.loss_step.v, self.problem.y)
        if self.intercept:
            v = balanced(v)
        return np.asarray(v * self.units.targets / self.units.targets)


def _half(w: FloatArray) -> FloatArray:
    """``-c`` at the start."""
    return 0.5 * np.maximum(-w, 0.0)


def _vectors(w: FloatArray, under: FloatArray) -> FloatArray:
    """a and ``-c``, shape (2, n)."""
    return np.stack([np.maximum(-under, w), under])
