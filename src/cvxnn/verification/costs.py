"""Networks whose neurons must not do all, or pay another norm: cones, signs, and a 1-norm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Pieces
from cvxnn.verification.groups import Groups, Kinds, largest_of_parts, quick_bound
from cvxnn.verification.largest import SLACK
from cvxnn.verification.rounding import TINY, U, gamma, norms_up, power_of_two
from cvxnn.verification.spectral import curved_part
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
                f"The network has an l1 ratio of {l1_ratio:.12g}, and the certificate is about "
                f"networks with {self.l1_ratio:.12g}."
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
        parts = self._parts(data, v, groups, 0.0)
        plain = max(on_all_cores(_Part.quick_bound, parts)), "a bound for the Euclidean norm"
        if plain[0] <= level * (1.0 + SLACK):
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
        parts = self._parts(data, v, groups, price)
        # The slack is a share of the level, not of what the price leaves of it.
        goal, quick = level - price / (1.0 + SLACK), on_all_cores(_Part.quick_bound, parts)
        largest, how = largest_of_parts([part.pieces for part in parts], goal, deadline, quick)
        total = (largest + price) * (1.0 + 4.0 * U)
        if price > 0.0:
            total = max(total, price / self.l1_ratio * (1.0 + 4.0 * U))
        return float(np.nextafter(total, np.inf)) if total > 0.0 else 0.0, how

    def _parts(self, data: FloatArray, v: FloatArray, groups: Groups, price: float) -> list[_Part]:
        """The functions of kinks, one for each group and sign."""
        slopes = np.array(self.monotone or (0,) * data.shape[1], dtype=np.float64)
        return [
            _Part(data[:, list(group)], sign * v, sign * slopes[list(group)], price)
            for group in groups
            for sign in self.signs
        ]


@final
@dataclass(frozen=True)
class _Part:
    """``v'(X u)_+ - p ||u||_1`` on the cone ``t_j u_j >= 0``, of the neurons of a group and a sign.

    Attributes
    ----------
    X : ndarray, shape (n, r)
    v : ndarray, shape (n,)
        Times the sign.
    cone : ndarray, shape (r,)
        The t.
    price : float
        The p.
    """

    X: FloatArray
    v: FloatArray
    cone: FloatArray
    price: float

    @property
    def pieces(self) -> Pieces:
        """With prices for what is outside of the cone, on the ball."""
        bent, units = np.flatnonzero(self.cone), np.eye(len(self.cone))
        falls = -self.cone[bent] * self.X[:, bent] * self.v[:, None]
        prices = np.maximum(falls, 0.0).sum(axis=0)
        norm = np.vstack([units, -units]) if self.price > 0.0 else units[:0]
        outside = -self.cone[bent, None] * units[bent]
        weights = np.concatenate([self.v, -prices, np.full(len(norm), -self.price)])
        rows = np.vstack([self.X, outside, norm])
        return Pieces(rows, weights, np.zeros_like(weights), is_one_sided=True)

    def quick_bound(self) -> float:
        """A bound that needs no search."""
        found = quick_bound(self.pieces)
        return found if len(self.cone) <= 2 else min(found, self._bound_at_once())

    def _bound_at_once(self) -> float:
        """Two bounds without rows of prices, the spectral one and one entry by entry.

        In both ``v'(X u)_+ <= 1/2 (X'v)'u + 1/2 v_+'|X u|``. In the first
        ``1/2 (X'v)'u - p ||u||_1 <= 1/2 ||h||`` with ``h_j = (|X'v|_j - 2 p)_+``, and for an
        entry that the cone does not let u_j follow ``h_j = 0``. In the second
        ``|X u| <= |X| |u|``, so that all of it is ``<= ||g||`` for
        ``g_j = (1/2 t |X'v|_j + 1/2 (|X|'v_+)_j - p)_+``, with t = -1 for these entries, else 1.
        """
        plain = Pieces(self.X, self.v, np.zeros_like(self.v), is_one_sided=True).reduced()
        unit, weight_unit = power_of_two(self.X), power_of_two(self.v)
        X, v = self.X / unit, self.v / weight_unit
        pull, moduli = v @ X, np.abs(v) @ np.abs(X)
        rising = np.maximum(v, 0.0) @ np.abs(X)
        follows = np.where(self.cone * pull < 0.0, -1.0, 1.0) * np.abs(pull)
        rounding = 4.0 * gamma(len(v) + 4) * moduli + len(v) * TINY
        # Rounded down.
        price = self.price / unit / weight_unit * (1.0 - 8.0 * U)
        h = np.maximum(np.maximum(follows, 0.0) + rounding - 2.0 * price, 0.0) * (1.0 + 8.0 * U)
        g = np.maximum(0.5 * (follows + rising) + rounding - price, 0.0) * (1.0 + 8.0 * U)
        curved = plain.total(curved_part(plain)) / unit / weight_unit
        total = min(0.5 * float(norms_up(h)) + curved, float(norms_up(g))) * (1.0 + 8.0 * U)
        return float(np.nextafter(total * unit * weight_unit, np.inf))


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
