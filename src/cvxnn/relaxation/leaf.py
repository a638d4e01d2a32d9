"""Leaves of a tree above the relaxation: neurons for which the signs of some rows are fixed."""

from __future__ import annotations

from typing import NamedTuple, Self

from cvxnn.relaxation.moments import Array, Moments, Namespace


class Fixed(NamedTuple):
    """Which rows may be on, and which off, for the neurons of a leaf.

    A row that is on has ``q_i = (-x_i'u)_+ = 0``, and so all moments with q_i are 0; for one
    that is off the same holds with p.

    Attributes
    ----------
    p, q : ndarray, shape (B, b)
        1 where it may be other than 0, else 0.

    Examples
    --------
    >>> import numpy as np
    >>> on, off = Fixed.nothing(np.ones((1, 2))).split((0, 1))
    >>> on.q.tolist(), off.p.tolist()
    ([[1.0, 0.0]], [[1.0, 0.0]])
    """

    p: Array
    q: Array

    @classmethod
    def nothing(cls, like: Array) -> Self:
        """Every row may be either, shape (B, b)."""
        return cls(0.0 * like + 1.0, 0.0 * like + 1.0)

    @property
    def is_nothing(self) -> bool:
        """Whether no sign is fixed."""
        return bool((self.p * self.q).all())

    def take(self, where: slice) -> Fixed:
        """Some of the blocks."""
        return Fixed(self.p[where], self.q[where])

    def merged(self) -> Fixed:
        """With every two neighbours as one block."""
        half = self.p.shape[0] // 2, -1
        return Fixed(self.p.reshape(half), self.q.reshape(half))

    def split(self, place: tuple[int, int]) -> tuple[Fixed, Fixed]:
        """The same where a row is on, and where it is off."""
        on, off = 1.0 * self.q, 1.0 * self.p
        on[place] = off[place] = 0.0
        return Fixed(self.p, on), Fixed(off, self.q)

    def kept(self, G: Moments) -> Moments:
        """Without the moments that are 0."""
        p, q = self.p[:, None, :], self.q[:, None, :]
        return Moments(
            G.corner, G.p * self.p, G.q * self.q, G.up * p, G.uq * q,
            G.pp * p * p.mT, G.pq * p.mT * q, G.qq * q * q.mT,
        )  # fmt: skip


class Leaf(NamedTuple):
    """A sign of the output, and what is fixed for its neurons.

    Attributes
    ----------
    sign : float
    fixed : Fixed
    """

    sign: float
    fixed: Fixed

    def split(self, place: tuple[int, int]) -> tuple[Leaf, Leaf]:
        """Two leaves that are this one together: a row is on, or off."""
        on, off = self.fixed.split(place)
        return self._replace(fixed=on), self._replace(fixed=off)

    def torn(self, G: Moments, v: Array, xp: Namespace) -> Array:
        """How much a row with its sign open may add to the bound, at moments G; shape (B, b).

        ``|v_i| (G_p - (G_p - G_q)_+)``: neurons of which half have the row on and half have it
        off may be one for which it is neither, unless the relaxation knows better.
        """
        return xp.abs(v) * xp.minimum(G.p, G.q) * self.fixed.p * self.fixed.q
