"""A loss beside a linear part of its own: ridge regressions and free ones inside it."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers import Layer, Mixture
from cvxnn.losses.base import Loss, Root
from cvxnn.losses.offset import beside, best_offset

_EPS = float(np.finfo(float).eps)
_NEWTON_STEPS, _HALVINGS = 100, 10
# Where some rows have no curvature and w no ridge: the share of the majorizing one that all
# get, and the diagonal, relative to the largest, of a system that leaves w undetermined.
_SHARE, _SINGULAR = 1e-2, 1e-12
# Share of the loss without w that is rounding.
_NOTHING = 1e-20
# Share of its terms that is left of a dual point on S where it vanishes there, and shares by
# which one is moved towards the one of no neurons until that is found.
_VANISHING, _SHARES_WITHIN = 1e-9, (0.0, 1e-6, 1e-3, 1.0)


class SkipLoss(Loss):
    """``min_w l(f + S w, y) + t/2 ||w||^2``: predictions f with a linear part beside them.

    Convex in f. Its gradient is that of l at the best w, and its conjugate at -v is
    ``l*(-v) + ||S'v||^2 / (2 t)``. With ``t = beta / eta`` it bounds the penalty of a
    linear skip connection: ``beta ||w|| = min over eta of beta/2 (||w||^2 / eta + eta)``.
    Not a sum over the rows, so there are no single values of rows.

    Some of the w may be free. Dual points have to vanish on their columns, where the
    conjugate is that of the others: what rounding leaves there of one is the business of
    who proves something by it.

    Parameters
    ----------
    loss : Loss
    skip : ndarray, shape (n, p)
        S; with independent columns where w is free.
    ridge : float
        t > 0.
    n_free : int
        So many of the last columns have no ridge. There must be a best w.

    Attributes
    ----------
    last : ndarray, shape (p,)
        The w that was found last, 0 before.

    Notes
    -----
    w by Newton's method, O(n p^2) a step; for a quadratic loss one step.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> loss = SkipLoss(SquaredLoss(), np.ones((2, 1)), ridge=2.0)
    >>> y = np.array([2.0, 2.0])
    >>> loss.weights(np.zeros(2), y), loss.value(np.zeros(2), y)
    (array([1.]), 2.0)
    """

    def __init__(self, loss: Loss, skip: FloatArray, ridge: float, n_free: int = 0) -> None:
        self.loss, self.skip, self.ridge, self.n_free = loss, skip, ridge, n_free
        self._ridges = _ridges(skip.shape[1], ridge, n_free)
        self.is_quadratic, self.has_labels = loss.is_quadratic, loss.has_labels
        self.has_log_link, self.has_majorizer = loss.has_log_link, loss.has_majorizer
        self.last, self._near = np.zeros(skip.shape[1]), 0.0
        self._factor: tuple[FloatArray, bool] | None = None
        is_constant = n_free == skip.shape[1] == 1 and (skip == skip[0]).all()
        self._constant = float(skip[0, 0]) if is_constant and len(skip) else None

    def weights(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """The best w, shape (p,)."""
        if self.is_quadratic:
            self.last = self._solved(prediction, y)
        else:
            # Predictions follow each other closely: the last w is nearly the next.
            self.last = self._searched(prediction, y, self.last)
        return self.last

    def of(self, loss: Loss, ridge: float | None = None, near: float = 0.0) -> SkipLoss:
        """The same linear part beside another loss; its search for w starts from the last one.

        It ends where of the sums in the slope no more than the share `near` is left.
        """
        other = SkipLoss(loss, self.skip, self.ridge if ridge is None else ridge, self.n_free)
        other.last, other._near = self.last, near
        return other

    def beside_line(self, y: FloatArray) -> tuple[Loss, FloatArray]:
        """The loss beside the w that is best without neurons, and its targets.

        A plain sum over the rows, and nowhere below this loss without its ridge.
        """
        return beside(self.loss, y, self.skip @ self.weights(np.zeros_like(y), y))

    def _solved(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """For a quadratic loss: one system, of the same matrix every time."""
        if self._factor is None:
            self._factor = self._factored(self.loss.curvature(y, y))
        w = np.zeros(self.skip.shape[1])
        for _ in range(2):
            slope = self._values(prediction, y, w)[1]
            w = w - scipy.linalg.cho_solve(self._factor, slope)
        return w

    def _searched(self, prediction: FloatArray, y: FloatArray, start: FloatArray) -> FloatArray:
        """For any other loss: Newton's method, in one variable for a constant alone."""
        if self._constant is not None:
            b = best_offset(self.loss, prediction, y, float(start[0]) * self._constant)
            w = np.array([b / self._constant])
            return self._ended(prediction, y, w, self._values(prediction, y, w)[0])
        point = (start, *self._values(prediction, y, start))
        for _ in range(_NEWTON_STEPS):
            # Beyond the range of float64 there is no way on.
            if not np.isfinite(point[2]).all() or self._is_near(prediction, y, point):
                break
            for curvature in self._curvatures(prediction + self.skip @ point[0], y):
                moved = self._step(prediction, y, point, curvature)
                if moved is not None:
                    break
            if moved is None:
                break
            point = moved
        return self._ended(prediction, y, point[0], point[1])

    def _is_near(
        self, prediction: FloatArray, y: FloatArray, point: tuple[FloatArray, float, FloatArray]
    ) -> bool:
        if self._near == 0.0:
            return False
        pulls = np.abs(self.loss.gradient(prediction + self.skip @ point[0], y))
        terms = np.abs(self.skip).T @ pulls + self._ridges * np.abs(point[0])
        return bool((np.abs(point[2]) <= self._near * terms).all())

    def _ended(
        self, prediction: FloatArray, y: FloatArray, w: FloatArray, value: float
    ) -> FloatArray:
        """w, or twice as much where rounding is all that is left of a loss that can be 0."""
        is_free = self.n_free == len(w)
        if is_free and 0.0 < value <= _NOTHING * self.loss.value(prediction, y):
            further = 2.0 * w
            return further if self.loss.value(prediction + self.skip @ further, y) == 0.0 else w
        return w

    def _curvatures(self, total: FloatArray, y: FloatArray) -> list[FloatArray]:
        """Curvatures to try at a prediction.

        Where rows have none of their own, Newton's step is too long; parabolas above the
        loss give one that cannot fail.
        """
        own, above = self.loss.curvature(total, y), self.loss.majorizer(total, y)
        between = [np.maximum(own, _SHARE * above)] if self.n_free else []
        return [own, *between, above]

    def _step(
        self,
        prediction: FloatArray,
        y: FloatArray,
        point: tuple[FloatArray, float, FloatArray],
        curvature: FloatArray,
    ) -> tuple[FloatArray, float, FloatArray] | None:
        """w, objective and slope after a step, halved until it helps; None if it does not."""
        w, value, slope = point
        factor = self._factored(curvature)
        pivots = np.abs(np.diag(factor[0]))
        if self.n_free and pivots.min() <= _SINGULAR * pivots.max():
            return None
        step = scipy.linalg.cho_solve(factor, -slope)
        for _ in range(_HALVINGS):
            reached, left = self._values(prediction, y, w + step)
            # Near the end the slope still sees what the value does not.
            if reached < value or np.linalg.norm(left) < 0.5 * np.linalg.norm(slope):
                return w + step, reached, left
            step = 0.5 * step
        return None

    def _factored(self, curvature: FloatArray) -> tuple[FloatArray, bool]:
        """The Cholesky factor of ``S'diag(h) S + t I``, as scipy takes it; O((n + p) p^2).

        By QR of its root: the sum itself is singular in float64 beside a small t.
        """
        stacked = np.vstack(
            [np.sqrt(curvature)[:, None] * self.skip, np.diag(np.sqrt(self._ridges))]
        )
        return scipy.linalg.qr(stacked, mode="r")[0][: len(self._ridges)], False

    def _values(
        self, prediction: FloatArray, y: FloatArray, w: FloatArray
    ) -> tuple[float, FloatArray]:
        """The objective of the regression and its slope in w."""
        total = prediction + self.skip @ w
        slope = self.skip.T @ self.loss.gradient(total, y) + self._ridges * w
        priced = w[: len(w) - self.n_free]
        return self.loss.value(total, y) + 0.5 * self.ridge * float(priced @ priced), slope

    def _total(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(prediction + self.skip @ self.weights(prediction, y))

    def take(self, rows: slice | NDArray[np.intp]) -> Loss:
        raise TypeError("a SkipLoss is no sum over the rows: there is none of some of them")

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray | None:
        return self.loss.moved(y, offset)

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        raise TypeError("a SkipLoss is no sum over the rows: it has a value, but no values")

    def value(self, prediction: FloatArray, y: FloatArray) -> float:
        return self._values(prediction, y, self.weights(prediction, y))[0]

    def value_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> float:
        """In float64: the best w is found in it, too."""
        return self.value(high, y)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.gradient(self._total(prediction, y), y)

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """Of the loss at the best w; what w takes away from it is in :meth:`root`."""
        return self.loss.curvature(self._total(prediction, y), y)

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.majorizer(self._total(prediction, y), y)

    def root(self, curvature: FloatArray) -> Root[Layer]:
        return SkipRoot(curvature, self.skip, self.ridge, self.n_free)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        raise TypeError("a SkipLoss is no sum over the rows: it has a conjugate, but no conjugates")

    def conjugate(self, dual: FloatArray, y: FloatArray) -> float:
        pull = self._priced.T @ dual
        return self.loss.conjugate(dual, y) + float(pull @ pull) / (2.0 * self.ridge)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        return self.loss.conjugate_moduli(dual, y)

    def conjugate_error(self, dual: FloatArray, y: FloatArray) -> float:
        sizes = np.abs(self._priced).T @ np.abs(dual)
        squares = float(sizes @ sizes) / self.ridge
        return (
            self.loss.conjugate_error(dual, y) + 2.0 * (sum(self.skip.shape) + 8) * _EPS * squares
        )

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        S = self._priced
        return self.loss.prediction(dual, y) - S @ (S.T @ dual) / self.ridge

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        inside = self.loss.project(dual, y)
        if self.n_free == 0:
            return inside
        free = SkipLoss(
            self.loss, self.skip[:, len(self._ridges) - self.n_free :], 1.0, self.n_free
        )
        inner = -free.gradient(np.zeros_like(y), y)
        for share in _SHARES_WITHIN:
            # At the ends of the domain the best w may be out of reach.
            moved = free._vanishing((1.0 - share) * inside + share * inner, y)
            if moved is not None:
                return moved
        return self.loss.project(np.zeros_like(dual), y)

    @property
    def _priced(self) -> FloatArray:
        """The columns with a ridge."""
        return self.skip[:, : len(self._ridges) - self.n_free]

    def _vanishing(self, dual: FloatArray, y: FloatArray) -> FloatArray | None:
        """A dual point in the domain as one that vanishes on S without a ridge, or None.

        Minus the gradient at a prediction: at that with the best w beside it.
        """
        total = self.loss.prediction(dual, y)
        w = self._searched(total, y, np.zeros(self.skip.shape[1]))
        moved = -self.loss.gradient(total + self.skip @ w, y)
        terms = np.abs(self.skip).T @ np.abs(moved)
        vanishes = (np.abs(self.skip.T @ moved) <= _VANISHING * terms).all()
        return moved if vanishes else None

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        return self.loss.longest(direction, y)

    def unit(self, y: FloatArray) -> float:
        return self.loss.unit(y)

    def in_units(self, unit: float) -> SkipLoss:
        # The best w is scaled with f, and both terms by the square.
        return SkipLoss(self.loss.in_units(unit), self.skip, self.ridge, self.n_free)


class SkipRoot(Root[Layer]):
    """The curvature that is left of h when a ridge regression on S follows the predictions.

    ``min_w 1/2 ||r + B w||^2 + t/2 ||w||^2 = 1/2 r'(I - C)r`` with
    ``B = diag(sqrt(h)) S`` and ``C = B (B'B + t I)^-1 B'``, whose root is
    ``I - U diag(1 - sqrt(t / (s^2 + t))) U'`` for the singular value decomposition of
    B. O(n p^2), and O(n p) for a product.

    Parameters
    ----------
    curvature : ndarray, shape (n,)
    skip : ndarray, shape (n, p)
        S.
    ridge : float
        t > 0.
    n_free : int
        So many of the last columns have no ridge. The root is singular then, and
        :meth:`solved` is for gradients that vanish on them.
    """

    def __init__(
        self, curvature: FloatArray, skip: FloatArray, ridge: float, n_free: int = 0
    ) -> None:
        self.root = np.sqrt(curvature)
        columns, n_priced = self.root[:, None] * skip, skip.shape[1] - n_free
        free, _, _ = np.linalg.svd(columns[:, n_priced:], full_matrices=False)
        priced = columns[:, :n_priced]
        if n_free:
            priced = priced - free @ (free.T @ priced)
        U, singular, _ = np.linalg.svd(priced, full_matrices=False)
        kept, none = np.sqrt(ridge / (singular**2 + ridge)), np.zeros(n_free)
        self._U = np.hstack([U, free])
        # By how much more than itself its part along U is to be taken, to undo the root.
        self._more = np.concatenate([1.0 / kept - 1.0, none - 1.0])
        kept = np.concatenate([kept, none])
        self.matrix = Mixture.diagonal(
            self.root, self._U * (1.0 - kept), self._U * self.root[:, None]
        )

    def times(self, prediction: FloatArray) -> FloatArray:
        return self.matrix @ prediction

    def transposed(self, dual: FloatArray) -> FloatArray:
        return self.matrix.T @ dual

    def solved(self, gradient: FloatArray) -> FloatArray:
        inner = gradient / self.root
        return np.asarray(inner + (self._U * self._more) @ (self._U.T @ inner))

    def applied(self, rows: Layer) -> Layer:
        return rows.mixed(self.matrix)

    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        return mixing_error(self.matrix, dual, lengths)


def _ridges(count: int, ridge: float, n_free: int) -> FloatArray:
    return np.concatenate([np.full(count - n_free, ridge), np.zeros(n_free)])


def mixing_error(matrix: Mixture, dual: FloatArray, lengths: FloatArray) -> float:
    """Rounding of ``(A'v)'f - v'(A f)`` over ``|f| <= lengths``, with ``A R`` formed before.

    For ``A = B - L C'`` of p columns in L. Sums of n terms nested in sums of p in ``A'v``,
    and a sum of n terms in every entry of ``R'C``: all relative to the same sums over the
    moduli of B, L and C, whose own rounding is relative to them, too.
    """
    terms = abs(matrix).T @ np.abs(dual)
    return 4.0 * (sum(matrix.left.shape) + 16) * _EPS * float(terms @ lengths)
