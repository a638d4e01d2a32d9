"""What an iteration of the ADMM starts from, and how blocks are merged on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cvxnn.relaxation.leaf import Fixed
from cvxnn.relaxation.moments import Array, Moments, Namespace, as_rows, moments

# Eigenvalues of a corner that are nothing, relative to the largest.
_NOTHING = 1e-5


class State(NamedTuple):
    """Blocks of rows of one output sign in the ADMM.

    Attributes
    ----------
    X : ndarray, shape (B, b, d)
    image : Moments
        ``T F T'`` of positive semidefinite F.
    scaled : Moments
        The multipliers over rho.
    copy : ndarray, shape (B, b), or (B, c, b) for several outputs
        Of the moments of the head and p, the one that the loss wants.
    slack : ndarray, of the same shape
        The multipliers of this copy, over 2 rho.
    """

    X: Array
    image: Moments
    scaled: Moments
    copy: Array
    slack: Array

    @classmethod
    def of(cls, X: Array, F: Array, slack: Array) -> State:
        """Without multipliers but for those of the loss."""
        image = moments(F, X)
        return cls(X, image, image.combined(lambda part: 0.0 * part), 1.0 * image.p, slack)

    @classmethod
    def joined(cls, states: Sequence[State], xp: Namespace) -> State:
        """The blocks of several."""

        def together(*parts: Array) -> Array:
            return xp.concat(parts)

        first, others = states[0], states[1:]
        return cls(
            together(*(state.X for state in states)),
            first.image.combined(together, *(state.image for state in others)),
            first.scaled.combined(together, *(state.scaled for state in others)),
            together(*(state.copy for state in states)),
            together(*(state.slack for state in states)),
        )

    def take(self, where: slice) -> State:
        """Some of the blocks."""
        return State(
            self.X[where],
            self.image.combined(lambda part: part[where]),
            self.scaled.combined(lambda part: part[where]),
            self.copy[where],
            self.slack[where],
        )

    def divided(self, share: float, fixed: Fixed) -> State:
        """A share of the moments, for a leaf below; the multipliers prove what they did before."""
        return State(
            self.X,
            self.image.combined(lambda part: share * part),
            self.scaled,
            share * self.copy * fixed.p,
            self.slack * fixed.p,
        )

    def merged(self, xp: Namespace) -> State:
        """With every two neighbours as one block; the number of blocks is even.

        The multipliers of new pairs are zero, so that they prove what they did before. The
        moments of new pairs are those of the positive semidefinite completion of largest
        determinant, ``F_12 = F_1c F_cc^-1 F_c2`` for the corner c in common (Grone et al. 1984).
        """
        F, m = _with_moduli(self.image, xp), self.image.corner.shape[1]
        corner = 0.5 * (F[::2, :m, :m] + F[1::2, :m, :m])
        first, second = F[::2, m:, :m], F[1::2, m:, :m]
        across = first @ _inverse(corner, xp) @ second.mT
        new = _paired(F[::2, m:, m:], F[1::2, m:, m:], across, xp)
        beside = xp.concat([first, second], axis=1)
        whole = xp.concat(
            [xp.concat([corner, beside.mT], axis=2), xp.concat([beside, new], axis=2)], axis=1
        )
        X = _long(self.X)
        return State(
            X, moments(whole, X), _merged(self.scaled, xp),
            merged_heads(self.copy, xp), merged_heads(self.slack, xp),
        )  # fmt: skip


def _with_moduli(G: Moments, xp: Namespace) -> Array:
    """The F over (h, u, s) from its moments of (h, u, p, q): ``s = p + q``."""
    s_s = G.pp + G.pq + G.pq.mT + G.qq
    beside = xp.concat([as_rows(G.p + G.q), G.up + G.uq], axis=1)
    top = xp.concat([G.corner, beside], axis=2)
    return xp.concat([top, xp.concat([beside.mT, s_s], axis=2)], axis=1)


def merged_heads(part: Array, xp: Namespace) -> Array:
    """Numbers of rows, shape (B, b) or (B, c, b), with every two blocks as one."""
    return _long(part) if part.ndim == 2 else _wide(part, xp)


def _merged(G: Moments, xp: Namespace) -> Moments:
    """Multipliers of blocks as those of pairs of blocks: a corner stands for two."""

    def pairs(part: Array) -> Array:
        return _paired(part[::2], part[1::2], 0.0 * part[::2], xp)

    corner = G.corner[::2] + G.corner[1::2]
    return Moments(
        corner,
        merged_heads(G.p, xp),
        merged_heads(G.q, xp),
        _wide(G.up, xp),
        _wide(G.uq, xp),
        pairs(G.pp),
        pairs(G.pq),
        pairs(G.qq),
    )


def _wide(part: Array, xp: Namespace) -> Array:
    """Columns for rows, shape (B, d, b), with two blocks as one."""
    return xp.concat([part[::2], part[1::2]], axis=2)


def _long(part: Array) -> Array:
    """Numbers of rows, shape (B, b, ...), with two blocks as one."""
    return part.reshape(part.shape[0] // 2, 2 * part.shape[1], *part.shape[2:])


def _paired(first: Array, second: Array, across: Array, xp: Namespace) -> Array:
    """``[first, across; across', second]``."""
    top = xp.concat([first, across], axis=2)
    return xp.concat([top, xp.concat([across.mT, second], axis=2)], axis=1)


def _inverse(corner: Array, xp: Namespace) -> Array:
    """The inverse of each positive semidefinite matrix on what is not nothing."""
    values, vectors = xp.linalg.eigh(corner)
    alive = values > _NOTHING * values[:, -1:]
    inverse = xp.where(alive, 1.0 / xp.where(alive, values, 1.0 + 0.0 * values), 0.0 * values)
    return (vectors * inverse[:, None, :]) @ vectors.mT
