"""Some of the blocks of one output sign in the ADMM: what is worked on by one thread."""

from __future__ import annotations

from typing import final

from cvxnn.relaxation.eigen import positive_half
from cvxnn.relaxation.moments import (
    Array,
    Moments,
    Namespace,
    adjoint,
    in_cone,
    moments,
)


@final
class Part:
    """The state of blocks in the ADMM of :class:`~cvxnn.relaxation.admm.Admm`.

    Attributes
    ----------
    where : slice
        Of the blocks.
    X : ndarray, shape (B, b, d)
    sign : float
        Of the outputs of the neurons, whose moments are looked for.
    image : Moments
        ``T F T'`` of positive semidefinite F, shape (B, 1 + d + b, 1 + d + b).
    scaled : Moments
        The multipliers over rho.
    """

    def __init__(self, where: slice, X: Array, sign: float, F: Array, xp: Namespace) -> None:
        self.where, self.X, self.sign, self._xp = where, X, sign, xp
        self._metric = _MetricRoot(X, xp)
        self.image = moments(F, X)
        self.scaled = self.image.combined(lambda part: 0.0 * part)
        self._copy = 1.0 * self.image.p
        self._slack = 0.0 * self._copy
        # Sums of squares for residuals: primal, dual, of the moments and of the multipliers.
        self.norms: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def start(self, v: Array, rho: float) -> None:
        """Begin with a dual point, in the places of all blocks."""
        self._slack = self.sign * v[self.where] / (2.0 * rho)

    def corner(self) -> Array:
        """The sum of the corners that the blocks ask for."""
        return (self.image.corner - self.scaled.corner).sum(0)

    def project(self, corner: Array) -> Array:
        """Moments in the cone next to those of F; what they say of p, for the loss."""
        H = self.image.combined(lambda a, b: a - b, self.scaled)
        H = H._replace(p=0.5 * (H.p + self._copy + self._slack))
        self._projected = in_cone(H, self._xp)._replace(
            corner=self._xp.broadcast_to(corner, H.corner.shape)
        )
        return self._projected.p - self._slack

    def advance(self, v: Array, rho: float, relax: float, *, measured: bool) -> None:
        """The copy of p that the loss wants, positive semidefinite F, and multipliers."""
        G, pull = self._projected, self.sign * v[self.where] / (2.0 * rho)
        self._copy = G.p - self._slack + pull
        self._slack = pull
        mixed = G.combined(
            lambda g, f, u: relax * g + (1.0 - relax) * f + u, self.image, self.scaled
        )
        new = moments(self._positive(adjoint(mixed, self.X, self._xp)), self.X)
        if measured:
            scaled = mixed.combined(lambda a, b: a - b, new)
            pairs = ((new, G), (new, self.image))
            self.norms = (
                *(_square(a.combined(lambda x, y: x - y, b)) for a, b in pairs),
                _square(new), _square(scaled),
            )  # fmt: skip
        self.image, self.scaled = new, mixed.combined(lambda a, b: a - b, new)

    def rescale(self, factor: float) -> None:
        """Keep the multipliers where rho is multiplied by a factor."""
        self.scaled = self.scaled.combined(lambda part: part / factor)
        self._slack = self._slack / factor

    def _positive(self, M: Array) -> Array:
        """The positive semidefinite F for which T F T' is nearest; M is overwritten."""
        half = positive_half(self._metric.between(M), self._xp)
        half = self._metric.times(half)
        return half @ half.mT


@final
class _MetricRoot:
    """``R = (T'T)^(-1/2)``, where ``T'T = blkdiag(1, I + X'X / 2, I / 2)``."""

    def __init__(self, X: Array, xp: Namespace) -> None:
        d = X.shape[2]
        values, vectors = xp.linalg.eigh(xp.eye(d, dtype=X.dtype) + X.mT @ X / 2)
        self._middle = (vectors / xp.sqrt(values)[:, None, :]) @ vectors.mT
        self._last = 2.0**0.5

    def times(self, A: Array) -> Array:
        """``R A``, in place."""
        m = 1 + self._middle.shape[1]
        A[:, 1:m] = self._middle @ A[:, 1:m]
        A[:, m:] *= self._last
        return A

    def between(self, M: Array) -> Array:
        """``R M R`` for symmetric M, in place."""
        return self.times(self.times(M).mT)


def _square(G: Moments) -> float:
    return float(sum((part * part).sum() for part in G))
