"""What the neurons of a network must not do, and what they pay beside their norm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import BoolArray, FloatArray
from cvxnn.errors import InputError
from cvxnn.validation import check_number

# Signs of the output weights of a function of one curvature.
SHAPES: dict[str, tuple[float, ...]] = {"convex": (1.0,), "concave": (-1.0,)}


def check_monotone(value: object) -> tuple[int, ...]:
    """Return how a function may change with each column, or raise `InputError`.

    Examples
    --------
    >>> check_monotone(np.array([1, 0, -1.0]))
    (1, 0, -1)
    """
    is_list = isinstance(value, Iterable) and not isinstance(value, (str, Mapping))
    entries: list[Any] = list(value) if is_list else []  # type: ignore[call-overload]
    if not entries or any(not _is_direction(entry) for entry in entries):
        raise InputError(
            "monotonic_cst must be None or 1-D with -1, 0 or 1 for each column of X, got "
            f"{value!r}."
        )
    return tuple(map(int, entries))


def check_l1_ratio(value: object) -> float:
    """Return the share of a 1-norm as a float, or raise `InputError` unless it is in [0, 1].

    Examples
    --------
    >>> check_l1_ratio(1)
    1.0
    """
    ratio = check_number(value, "l1_ratio")
    if not 0.0 <= ratio <= 1.0:
        raise InputError(f"l1_ratio must be between 0 and 1, got {value!r}.")
    return ratio


def _is_direction(entry: object) -> bool:
    is_number = isinstance(entry, (int, float, np.number)) and not isinstance(entry, bool)
    return is_number and entry in (-1, 0, 1)


@final
@dataclass(frozen=True)
class Costs:
    """Cones of the directions of each sign, the signs there are, and the share of a 1-norm.

    A neuron ``s c (X u)_+`` of sign s and size c costs ``beta c N(u)`` with the norm

        N(u) = (1 - r) ||u|| + r ||u||_1,    r the `l1_ratio`,

    and directions have ``N(u) = 1``. It is monotone where ``s m_j u_j >= 0`` for each column.

    Attributes
    ----------
    monotone : tuple of int, length d
        The m_j: 1 for a function that must not fall with a column, -1 for one that must not
        rise, 0 for one that may do as it likes.
    signs : tuple of float
        Signs s that neurons may have: (1.0,) makes a convex function, (-1.0,) a concave one.
    l1_ratio : float
        r, in [0, 1].

    Notes
    -----
    Both are rows more that the neurons of a sign look at: ``v'(X u)_+ - sum_r p_r (g_r'u)_+``
    with prices p_r >= 0 is a function of the kind that every oracle bounds. Rows ``g = -s m_j
    e_j`` of any price prove a bound on the cone, where their activations are zero; and with
    rows ``+-e_j`` of the price ``beta r``, ``v'(X u)_+ - beta r ||u||_1 <= beta (1 - r) ||u||``
    is the dual constraint.

    Examples
    --------
    >>> Costs((1, 0), (1.0,)).cone(1.0)
    array([1., 0.])
    >>> Costs((0, 0), l1_ratio=0.5).norms(np.array([[3.0, 4.0]]))
    array([6.])
    """

    monotone: tuple[int, ...]
    signs: tuple[float, ...] = (1.0, -1.0)
    l1_ratio: float = 0.0

    @classmethod
    def for_data(
        cls, X: FloatArray, monotone: Sequence[int] | None, shape: str | None, l1_ratio: float
    ) -> Self:
        """From the settings of a model, for data X of shape (n, d).

        Raises
        ------
        InputError
            Unless there is a number for each column, but for a last one of ones.
        """
        d = X.shape[1]
        own = (0,) * d if monotone is None else tuple(monotone)
        if len(own) == d - 1 and bool((X[:, -1] == 1.0).all()):
            own = (*own, 0)
        if len(own) != d:
            raise InputError(
                f"monotonic_cst must have a number for each of the {d} columns of X, which a last "
                f"one of ones may be without, got {len(own)}."
            )
        return cls(own, (1.0, -1.0) if shape is None else SHAPES[shape], l1_ratio)

    def fit(self, directions: FloatArray, signs: FloatArray) -> BoolArray:
        """Whether neurons of these directions, (k, d), and signs, (k,), are in the cones, (k,)."""
        inside = signs[:, None] * np.array(self.monotone) * directions >= 0.0
        return np.asarray(inside.all(axis=1) & np.isin(signs, self.signs))

    def cone(self, sign: float) -> FloatArray:
        """The t_j of the directions ``t_j u_j >= 0`` of a sign, 0 for no constraint, shape (d,)."""
        return sign * np.array(self.monotone, dtype=np.float64) + 0.0

    def of(self, columns: Sequence[int]) -> Costs:
        """Those of neurons that see some columns only."""
        return replace(self, monotone=tuple(self.monotone[column] for column in columns))

    def projected(self, directions: FloatArray, sign: float) -> FloatArray:
        """The rows of `directions` moved into the cone of a sign, of ``N(u) = 1``.

        Entries outside of it become 0, and so does a direction of which nothing is left.
        """
        moved = np.where(self.cone(sign) * directions < 0.0, 0.0, directions)
        norms = self.norms(moved)
        return np.asarray(moved / np.where(norms > 0.0, norms, 1.0)[:, None])

    def norms(self, directions: FloatArray) -> FloatArray:
        """``N(u)`` for the rows u of `directions`, shape (k,)."""
        return mixed_norms(directions, self.l1_ratio)


def mixed_norms(vectors: FloatArray, l1_ratio: float) -> FloatArray:
    """``(1 - r) ||u|| + r ||u||_1`` of the vectors along the last axis, shape (k,).

    Examples
    --------
    >>> mixed_norms(np.array([[3.0, 4.0]]), 0.5)
    array([6.])
    """
    euclidean = np.linalg.norm(vectors, axis=-1)
    if l1_ratio == 0.0:
        return np.asarray(euclidean)
    return np.asarray((1.0 - l1_ratio) * euclidean + l1_ratio * np.abs(vectors).sum(axis=-1))
