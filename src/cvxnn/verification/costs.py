"""Networks whose neurons must not do all, or pay another norm: cones, signs, and a 1-norm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.groups import Groups, Kinds, largest_of_parts, quick_bound
from cvxnn.verification.largest import SLACK
from cvxnn.verification.rounding import U, gamma
from cvxnn.verification.workers import on_all_cores

_SIGNS = {None: (1, -1), "convex": (1,), "concave": (-1,)}


@final
@dataclass(frozen=True)
class Costs:
    """What a certificate says of the neurons ``a (x'u)_+`` of its networks.

    Attributes
    ----------
    monotone : tuple of int
        The m_j of ``sign(a) m_j u_j >= 0``, one for each column; empty where there are none.
    shape : {None, "convex", "concave"}
        Whether output weights have one sign, and which.
    l1_ratio : float
        The r of the norm ``N(u) = (1 - r) ||u|| + r ||u||_1`` that neurons pay.
    """

    monotone: tuple[int, ...] = ()
    shape: str | None = None
    l1_ratio: float = 0.0

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """From the settings of a certificate, of which earlier ones have none of these."""
        monotone, shape = settings.get("monotonic_cst") or (), settings.get("shape")
        if not isinstance(monotone, (list, tuple)) or not all(map(_is_direction, monotone)):
            raise InputError("The certificate has monotone columns that are none.")
        if not (shape is None or (isinstance(shape, str) and shape in _SIGNS)):
            raise InputError("The certificate has a shape that is none.")
        return cls(tuple(monotone), shape, ratio_of(settings))

    def on(self, data: FloatArray) -> Self:
        """With a number for each column: 0 for a last one of ones, if there is none for it."""
        width, known = data.shape[1], len(self.monotone)
        if known in (0, width):
            return self
        if known != width - 1 or not (data[:, -1] == 1.0).all():
            raise InputError(f"The certificate has {known} monotone columns, and X has {width}.")
        return replace(self, monotone=(*self.monotone, 0))

    @property
    def signs(self) -> tuple[int, ...]:
        """Those of output weights."""
        return _SIGNS[self.shape]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(self.monotone) or self.shape is not None or self.l1_ratio > 0.0

    @property
    def words(self) -> tuple[str, ...]:
        """Each in words."""
        count = sum(map(abs, self.monotone))
        monotone = (f"{count} monotone column{'s' * (count != 1)}",) if count else ()
        shape = () if self.shape is None else (f"a {self.shape} function",)
        ratio = (f"an l1 ratio of {self.l1_ratio:g}",) if self.l1_ratio else ()
        return (*monotone, *shape, *ratio)

    def difference(self, kinds: Kinds, l1_ratio: float) -> str:
        """The sentence for a network that is none of these, by its neurons and its norm, if so."""
        if l1_ratio != self.l1_ratio:
            return (
                f"The network has an l1 ratio of {l1_ratio:g}, and the certificate is about "
                f"networks with {self.l1_ratio:g}."
            )
        if any(sign not in self.signs for sign, _ in kinds if sign):
            return (
                f"The network has output weights of both signs or of the other one, and the "
                f"certificate is about a {self.shape} function."
            )
        for sign, entries in kinds:
            for column, (m, entry) in enumerate(zip(self.monotone, entries, strict=False)):
                if sign * m * entry < 0:
                    how = "rise" if m > 0 else "fall"
                    return (
                        f"The network has a neuron that does not {how} with column {column}, and "
                        "the certificate is about networks whose neurons all do."
                    )
        return ""

    def largest(
        self, data: FloatArray, v: FloatArray, groups: Groups, level: float, deadline: Deadline
    ) -> tuple[float, str]:
        r"""A bound on ``s v'(X u)_+ / N(u)`` over the neurons that there may be, and how.

        Parameters
        ----------
        data : ndarray, shape (n, d)
        v : ndarray, shape (n,)
        groups : tuple of tuple of int
            Columns that a neuron sees.
        level : float
            A bound that is said to hold.
        deadline : Deadline

        Notes
        -----
        For a sign s and any prices ``M >= 0`` and ``p >= 0`` let m be a bound on

            s v'(X u)_+ - sum_j M_j (-s m_j u_j)_+ - p ||u||_1     over ||u|| <= 1,

        which is a function of kinks, those of X and of rows ``+-e_j`` of negative weights. On
        the cone the second term is 0, so that

            s v'(X u)_+ <= m ||u|| + p ||u||_1 = (m + p) ||u|| + p (||u||_1 - ||u||),

        which is at most ``B N(u) = B ||u|| + B r (||u||_1 - ||u||)`` for
        ``B = max(m + p, p / r)``, as ``||u|| <= ||u||_1``. Nothing else is asked of the prices.
        With ``M_j = sum_i (-m_j v_i x_ij)_+`` nothing is lost: an entry of the wrong sign that
        is set to zero costs the first term no more. With ``p = r level`` nothing is lost at a
        level that holds; without a price B is for the Euclidean norm, which is no larger.
        """
        if self.l1_ratio == 0.0 or not 0.0 < level < math.inf:
            return self._at(data, v, groups, 0.0, level, deadline)
        quick = max(on_all_cores(quick_bound, list(self._parts(data, v, groups, 0.0))))
        plain = quick, "a bound for the Euclidean norm"
        if quick <= level * (1.0 + SLACK):
            return plain
        return min(plain, self._at(data, v, groups, self.l1_ratio * level, level, deadline))

    def _at(
        self,
        data: FloatArray,
        v: FloatArray,
        groups: Groups,
        price: float,
        level: float,
        deadline: Deadline,
    ) -> tuple[float, str]:
        """The bound from a price of the 1-norm."""
        parts = list(self._parts(data, v, groups, price))
        # The slack is a share of the level, not of what the price leaves of it.
        goal = level - price / (1.0 + SLACK)
        largest, how = largest_of_parts(parts, goal, deadline)
        total = (largest + price) * (1.0 + 4.0 * U)
        if price > 0.0:
            total = max(total, price / self.l1_ratio * (1.0 + 4.0 * U))
        return float(np.nextafter(total, np.inf)) if total > 0.0 else 0.0, how

    def _parts(
        self, data: FloatArray, v: FloatArray, groups: Groups, price: float
    ) -> Iterator[Pieces]:
        """The functions of kinks, one for each group and sign."""
        slopes = np.array(self.monotone or (0,) * data.shape[1], dtype=np.float64)
        for group in groups:
            own, X = slopes[list(group)], data[:, list(group)]
            bent, units = np.flatnonzero(own), np.eye(len(group))
            prices = np.maximum(-own[bent] * X[:, bent] * v[:, None], 0.0).sum(axis=0)
            norm = np.vstack([units, -units]) if price > 0.0 else units[:0]
            for sign in self.signs:
                cone = -sign * own[bent, None] * units[bent]
                weights = np.concatenate([sign * v, -prices, np.full(len(norm), -price)])
                rows = np.vstack([X, cone, norm])
                yield Pieces(rows, weights, np.zeros_like(weights), is_one_sided=True)


NO_COSTS = Costs()


def ratio_of(settings: Mapping[str, Any]) -> float:
    """The share of a 1-norm in the settings of a certificate or a network, 0 if there is none."""
    ratio = settings.get("l1_ratio", 0.0)
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio <= 1.0:
        raise InputError("The l1 ratio of the certificate, or of the network, is none.")
    return float(ratio)


def half_of_norms(hidden: FloatArray, output: FloatArray, l1_ratio: float) -> tuple[float, float]:
    """``1/2 sum_k (N(u_k)^2 + a_k^2)``, from below and from above."""
    own = np.abs(hidden).sum(axis=1)
    norms = (1.0 - l1_ratio) * np.sqrt((hidden * hidden).sum(axis=1)) + l1_ratio * own
    total = 0.5 * (float(np.vdot(norms, norms)) + float(np.vdot(output, output)))
    rounding = gamma(2 * hidden.shape[1] + 2 * output.size + 24)
    return total * (1.0 - rounding), total * (1.0 + rounding)


def _is_direction(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in (-1, 0, 1)
