"""Evidence about sub-networks of three layers: choices of signs of rows, each with coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import FOREVER, Deadline
from cvxnn.verification.evidence import Evidence, Pieces
from cvxnn.verification.largest import largest_of_kinks

# Pairs of leaves of two dual points, up to which their choices are put together.
_MOST_PAIRS = 100_000


class SubNetworkEvidence(Evidence):
    """Whatever bounds ``v'((X W)_+ b)_+`` over ``||W||_F ||b|| <= 1``."""


@final
@dataclass(frozen=True, eq=False)
class SignChoices(SubNetworkEvidence):
    """Leaves that bound ``s v'(g)_+`` over sub-networks ``g = (X W)_+ b`` of size one.

    With ``g = p - q``, p and q sums of neurons of two layers with weights that sum to one, row i
    of a leaf has ``w_i (g_i)_+ <= a_i p_i - c_i q_i`` for ``w = s v``, ``a = max(c, w)`` and
    any ``c_i <= 0``; for any c where ``g_i >= 0`` is assumed, and with ``a = c <= 0`` where
    ``g_i <= 0`` is. So the largest value is at most the larger of those of a and of ``-c`` on
    neurons of two layers.

    Attributes
    ----------
    signs : ndarray, shape (L,)
        The s of each leaf, 1 or -1.
    choices : ndarray of int8, shape (L, n)
        1 where ``g_i >= 0`` is assumed, -1 where ``g_i <= 0``, else 0.
    coefficients : ndarray, shape (L, n)
        The c.
    """

    kind: ClassVar[str] = "choices"
    words: ClassVar[str] = "choices of signs of rows, each bounded by neurons of two layers"

    signs: FloatArray
    choices: Array
    coefficients: FloatArray

    def bound(self, pieces: Pieces, level: float, deadline: Deadline = FOREVER) -> float:
        """For sub-networks on the rows of the pieces; every leaf is bounded anew."""
        largest = 0.0
        for over, under in self.vectors(pieces):
            for weights in (over, under):
                one = Pieces(pieces.rows, weights, np.zeros_like(weights), is_one_sided=True)
                largest = max(largest, largest_of_kinks(one, level, None, deadline)[0])
        return largest

    def vectors(self, pieces: Pieces) -> list[tuple[FloatArray, FloatArray]]:
        """The a and ``-c`` of each leaf, where c is as it may be.

        Raises
        ------
        InputError
            If leaves are for other rows, or do not cover all signs.
        """
        if self.choices.shape[1] != len(pieces.rows) or pieces.base.any():
            raise InputError("The certificate has choices of signs for other rows.")
        for sign in (1.0, -1.0):
            if not covers(self.choices[self.signs == sign]):
                raise InputError("The certificate has choices of signs that leave some out.")
        found = []
        for sign, choice, given in zip(self.signs, self.choices, self.coefficients, strict=True):
            c = np.where(choice == 1, given, np.minimum(given, 0.0))
            over = np.maximum(c, sign * pieces.weights)
            found.append((np.where(choice == -1, c, over), -c))
        return found

    @classmethod
    def without_choices(cls, v: FloatArray) -> Self:
        """What any v proves at once: nothing is assumed of any row."""
        signs = np.array([1.0, -1.0])
        return cls.of_no_signs(np.minimum(signs[:, None] * v, 0.0))

    @classmethod
    def of_no_signs(cls, coefficients: FloatArray) -> Self:
        """The same with other coefficients, for the signs 1 and -1, shape (2, n)."""
        return cls(np.array([1.0, -1.0]), np.zeros(coefficients.shape, np.int8), coefficients)

    @property
    def arrays(self) -> dict[str, Array]:
        return {"signs": self.signs, "choices": self.choices, "coefficients": self.coefficients}

    @classmethod
    def read(cls, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> Self:
        signs, choices, coefficients = (
            arrays[name] for name in ("signs", "choices", "coefficients")
        )
        shapes = choices.ndim == 2 and choices.shape == coefficients.shape
        if not (shapes and signs.shape == choices.shape[:1] and choices.dtype == np.int8):
            raise ValueError("choices that are none")
        numbers_ = (signs, coefficients)
        if not all(part.dtype == np.float64 and np.isfinite(part).all() for part in numbers_):
            raise ValueError("numbers that are none")
        if not (np.isin(signs, (1.0, -1.0)).all() and np.isin(choices, (1, 0, -1)).all()):
            raise ValueError("signs that are none")
        return cls(signs, choices, coefficients)

    def in_units(self, rows: float, weights: float) -> SignChoices:
        return replace(self, coefficients=self.coefficients * weights)

    def mixed(self, other: Evidence | None, share: float) -> SignChoices | None:
        """Choices of both: what they prove is convex in v and c.

        Each pair of leaves that agree is one, unless there are too many.
        """
        if not isinstance(other, SignChoices) or len(self.signs) * len(other.signs) > _MOST_PAIRS:
            return None
        products = np.abs(self.choices[:, None].astype(np.int16) - other.choices[None])
        agree = (products < 2).all(axis=2) & (self.signs[:, None] == other.signs[None])
        first, second = np.nonzero(agree)
        choices = self.choices[first]
        choices = np.where(choices == 0, other.choices[second], choices)
        coefficients = share * self.coefficients[first] + (1.0 - share) * other.coefficients[second]
        return SignChoices(self.signs[first], choices, coefficients)


def covers(choices: Array) -> bool:
    """Whether every sign vector agrees with exactly one of the choices, shape (L, n).

    They are disjoint, each two by a row on which they differ, and their shares ``2^-k`` for k
    chosen signs sum to one, in whole numbers. O(L^2 n).

    Examples
    --------
    >>> covers(np.array([[1, 0], [-1, 1], [-1, -1]])), covers(np.array([[1, 0], [-1, 1]]))
    (True, False)
    >>> covers(np.array([[1, 0], [0, 1], [-1, -1]]))
    False
    """
    n = choices.shape[1]
    for k, choice in enumerate(choices):
        others = choices[k + 1 :]
        if not (others * choice == -1).any(axis=1).all():
            return False
    return sum(1 << (n - int(np.count_nonzero(choice))) for choice in choices) == 1 << n


def largest_of_sub_networks(
    X: FloatArray,
    v: FloatArray,
    level: float,
    evidence: Evidence | None,
    deadline: Deadline = FOREVER,
) -> tuple[float, str]:
    """An upper bound on ``|v'((X W)_+ b)_+|`` over ``||W||_F ||b|| <= 1``, and what proved it.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    v : ndarray, shape (n,)
    level : float
        A bound that is said to hold: what is not above it need not be any closer.
    evidence : Evidence, optional
        Choices of signs; without them none is made, which is a bound as well.
    deadline : Deadline

    Examples
    --------
    >>> bound, how = largest_of_sub_networks(np.eye(2), np.array([3.0, -4.0]), 4.0, None)
    >>> round(bound, 6)
    4.0
    """
    if evidence is None:
        evidence = SignChoices.without_choices(v)
    if not isinstance(evidence, SubNetworkEvidence):
        raise InputError("The certificate has evidence that is none for sub-networks.")
    pieces = Pieces(X, v, np.zeros_like(v))
    return evidence.bound(pieces, level, deadline), evidence.words
