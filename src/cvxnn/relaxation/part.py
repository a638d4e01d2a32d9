"""Some of the blocks of one leaf in the ADMM: what is worked on by one thread."""

from __future__ import annotations

from typing import final

from cvxnn.relaxation.eigen import PositiveHalf
from cvxnn.relaxation.leaf import Leaf
from cvxnn.relaxation.moments import (
    Array,
    Moments,
    Namespace,
    adjoint,
    in_cone,
    moments,
)
from cvxnn.relaxation.state import State


@final
class Part:
    """The state of blocks in the ADMM of :class:`~cvxnn.relaxation.admm.Admm`.

    Attributes
    ----------
    where : slice
        Of the blocks.
    number : int
        Of the leaf, among all.
    leaf : Leaf
        Of the neurons whose moments are looked for, for these blocks.
    state : State
    """

    def __init__(self, where: slice, number: int, leaf: Leaf, state: State, xp: Namespace) -> None:
        self.where, self.number, self.leaf = where, number, leaf
        self.state, self._xp = state, xp
        self._is_free = leaf.fixed.is_nothing
        head = state.image.corner.shape[1] - state.X.shape[2]
        self._metric, self._positive_half = _MetricRoot(state.X, head, xp), PositiveHalf()
        # Sums of squares for residuals: primal, dual, of the moments and of the multipliers.
        self.norms: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    @property
    def sign(self) -> float:
        """Of the outputs of the neurons."""
        return self.leaf.sign

    def corner(self) -> Array:
        """The sum of the corners that the blocks ask for."""
        return (self.state.image.corner - self.state.scaled.corner).sum(0)

    def project(self, corner: Array) -> Array:
        """Moments in the cone next to those of F; what they say of p, for the loss."""
        state = self.state
        H = state.image.combined(lambda a, b: a - b, state.scaled)
        H = H._replace(p=0.5 * (H.p + state.copy + state.slack))
        self._projected = in_cone(H, self._xp)._replace(
            corner=self._xp.broadcast_to(corner, H.corner.shape)
        )
        if not self._is_free:
            self._projected = self.leaf.fixed.kept(self._projected)
        return self._projected.p - state.slack

    def advance(self, weights: Array, rho: float, relax: float, *, measured: bool) -> None:
        """The copy of p that the loss wants, positive semidefinite F, and multipliers."""
        (X, image, scaled, _, slack), G = self.state, self._projected
        # The loss has no copy of what is 0.
        pull = weights[self.where] / (2.0 * rho)
        if not self._is_free:
            pull = pull * self.leaf.fixed.p
        mixed = G.combined(lambda g, f, u: relax * g + (1.0 - relax) * f + u, image, scaled)
        new = moments(self._positive(adjoint(mixed, X, self._xp)), X)
        scaled = mixed.combined(lambda a, b: a - b, new)
        if measured:
            pairs = ((new, G), (new, image))
            self.norms = (
                *(_square(a.combined(lambda x, y: x - y, b)) for a, b in pairs),
                _square(new), _square(scaled),
            )  # fmt: skip
        self.state = State(X, new, scaled, G.p - slack + pull, pull)

    def rescale(self, factor: float) -> None:
        """Keep the multipliers where rho is multiplied by a factor."""
        scaled = self.state.scaled.combined(lambda part: part / factor)
        self.state = self.state._replace(scaled=scaled, slack=self.state.slack / factor)

    def _positive(self, M: Array) -> Array:
        """The positive semidefinite F for which T F T' is nearest; M is overwritten."""
        half = self._positive_half(self._metric.between(M), self._xp)
        half = self._metric.times(half)
        return half @ half.mT


@final
class _MetricRoot:
    """``R = (T'T)^(-1/2)``, where ``T'T = blkdiag(I, I + X'X / 2, I / 2)``, the head first."""

    def __init__(self, X: Array, head: int, xp: Namespace) -> None:
        d = X.shape[2]
        unit = xp.eye(d, dtype=X.dtype, device=X.device)
        values, vectors = xp.linalg.eigh(unit + X.mT @ X / 2)
        self._middle = (vectors / xp.sqrt(values)[:, None, :]) @ vectors.mT
        self._head, self._last = head, 2.0**0.5

    def times(self, A: Array) -> Array:
        """``R A``, in place."""
        h, m = self._head, self._head + self._middle.shape[1]
        A[:, h:m] = self._middle @ A[:, h:m]
        A[:, m:] *= self._last
        return A

    def between(self, M: Array) -> Array:
        """``R M R`` for symmetric M, in place."""
        return self.times(self.times(M).mT)


def _square(G: Moments) -> float:
    return float(sum((part * part).sum() for part in G))
