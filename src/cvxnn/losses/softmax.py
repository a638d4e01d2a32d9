"""The loss of probabilities of several classes."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from cvxnn.array_types import EPS, BoolArray, FloatArray
from cvxnn.backends.functions import log_sum_exp, softmax
from cvxnn.backends.namespaces import namespace_of
from cvxnn.errors import InputError
from cvxnn.losses.balance import shared_out
from cvxnn.losses.base import Loss

# Entries of a dual point have so many bits behind the leading one of their row: sums of some
# thousand of them are not rounded.
_BITS = 40
_TINY = 1e-300
_SMALLEST = 5e-324
# Scalings of rows and columns, and the share that is mixed in at most: it makes room for what is
# shared out.
_SCALINGS, _MIXED = 2_000, 1e-7
# Of a unit, what sums over rows may miss.
_CLOSE = 0.01
# The logarithm of a factor that is infinite, nearly.
_FARTHEST = 700.0


class SoftmaxLoss(Loss):
    """``sum_i s_i log(sum_k exp f_ik) - sum_k y_ik f_ik`` with ``s_i = sum_k y_ik``.

    For rows of probabilities, such as those of one class each, it is minus the log-likelihood of
    ``P(k) = exp f_k / sum_j exp f_j``, up to a constant: the loss of multinomial logistic
    regression. A row times w counts w times. A number that is added to all outputs of a row
    changes nothing.

    Notes
    -----
    The conjugate at -V is ``sum_ik p_ik log(p_ik / s_i)`` for ``P = Y - V >= 0``, on the V
    whose rows have the sum 0 exactly. The curvature of a row is
    ``s (diag(p) - p p')``, at most ``s / 2`` (D. Böhning, Ann. Inst. Statist. Math. 44, 1992).

    Examples
    --------
    >>> import numpy as np
    >>> loss = SoftmaxLoss()
    >>> Y = np.eye(3)
    >>> round(loss.value(np.zeros((3, 3)), Y), 6)  # 3 log 3
    3.295837
    >>> loss.gradient(np.zeros((1, 2)), np.array([[1.0, 0.0]]))
    array([[-0.5,  0.5]])
    """

    has_labels = True
    joins_outputs = True
    takes_any_array = True

    def check(self, y: FloatArray) -> None:
        is_table = y.ndim == 2 and y.shape[1] > 1
        if not is_table or (y < 0.0).any() or not (y.sum(axis=1) > 0.0).all():
            raise InputError(
                "y must have a column for each class for this loss, and numbers >= 0 in each row, "
                "such as 1 for its class and 0 for the others."
            )

    def check_intercept(self, y: FloatArray) -> None:
        empty = np.flatnonzero(y.sum(axis=0) == 0.0)
        if len(empty):
            raise InputError(
                f"y must have rows of every class for an intercept, got none of class {empty[0]}: "
                "it has no best value."
            )

    def repeated(self, y: FloatArray, weights: FloatArray) -> FloatArray:
        return y * weights[:, None]

    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        xp = namespace_of(prediction)
        if xp is not np:
            left = log_sum_exp(prediction)[:, None] - prediction
            return xp.sum(y * left, axis=1)
        # Two sums of terms >= 0; the largest term of the logarithm is 1, exactly.
        largest = np.argmax(prediction, axis=1)[:, None]
        left = prediction - np.take_along_axis(prediction, largest, axis=1)
        others = np.exp(left)
        np.put_along_axis(others, largest, 0.0, axis=1)
        return np.asarray(y.sum(axis=1) * np.log1p(others.sum(axis=1)) + (y * -left).sum(axis=1))

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        return self.values(high, y) + (self.gradient(high, y) * low).sum(axis=1)

    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return _total(y) * softmax(prediction) - y

    def value_and_gradient(self, prediction: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
        # Imported where it is needed, because numba is slow to load.
        from cvxnn.losses.softmax_kernel import value_and_gradient

        gradient = np.empty_like(prediction)
        return float(value_and_gradient(prediction, y, gradient)), gradient

    def slopes(self, prediction: FloatArray, reach: FloatArray, y: FloatArray) -> FloatArray:
        # A probability grows or falls by the factor of its own move and of another's at most.
        p, total = softmax(prediction), _total(y)
        moves = np.exp(np.minimum(reach + reach.max(axis=1, keepdims=True), _FARTHEST))
        above = total * np.minimum(p * moves, 1.0) - y
        return np.maximum(np.abs(above), np.abs(total * (p / moves) - y))

    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        p = softmax(prediction)
        return _total(y) * p * (1.0 - p)

    def factors(self, prediction: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        p, total = softmax(prediction), _total(y)
        return total * p, namespace_of(y).sqrt(total) * p

    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        return namespace_of(y).broadcast_to(0.5 * _total(y), y.shape)

    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        p = y - dual
        # Rows of the sum 0 are asked for by `longest`: those of a multiple are rounded.
        inside = (p >= -4.0 * EPS * np.abs(y)).all(axis=1)
        p = np.maximum(p, 0.0)
        return np.where(inside, _entropies(p, y).sum(axis=1), np.inf)

    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        p = np.maximum(y - dual, 0.0)
        return np.asarray((np.abs(_entropies(p, y)) + p).sum(axis=1))

    def conjugate_error(self, dual: FloatArray, y: FloatArray) -> float:
        # A difference errs by eps of its terms, and ``x log x`` by no more than it would at 0.
        error = 2.0 * EPS * (np.abs(y) + np.abs(dual))
        of_differences = np.abs(_entropies(error, y)) + error
        return super().conjugate_error(dual, y) + 2.0 * float(of_differences.sum())

    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        # At the ends of the domain the prediction is infinite: as far as float64 goes.
        return np.asarray(np.log(np.maximum((y - dual) / _total(y), 1e-300)))

    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """A point of the domain nearby, exactly: rows of the sum 0, none above y.

        Entries are cut to multiples of a number of which sums of them are not rounded, and
        what is left goes to the entry that has the most room.
        """
        p, total = np.maximum(y - dual, 0.0), _total(y)
        sums = p.sum(axis=1, keepdims=True)
        p = np.where(sums > 0.0, p * (total / np.where(sums > 0.0, sums, 1.0)), y)
        unit = _units(total)
        v = np.floor((y - p) / unit) * unit
        v[np.arange(len(v)), np.argmax(y - v, axis=1)] -= v.sum(axis=1)
        inside = _cancels(v) & (v <= y).all(axis=1)
        return np.where(inside[:, None], v, 0.0)

    def balanced(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        # The probabilities of a table whose sums over rows and columns are those of y, found by
        # scaling both in turn (R. Sinkhorn, Amer. Math. Monthly 74, 1967).
        total, counts = _total(y), y.sum(axis=0)
        bits = min(_BITS, 51 - len(y).bit_length())
        unit, share = float(_units(total.max(), bits)), counts[counts > 0.0].min() / counts.sum()
        # As much room in every entry as may be shared out to it.
        room = (len(counts) + 2) * unit / share
        mixed = min(2.0 * room / float(total.min()), _MIXED)
        p = (1.0 - mixed) * np.maximum(y - dual, 0.0) + mixed * total * (counts / counts.sum())
        for _ in range(_SCALINGS):
            sums = p.sum(axis=0)
            p *= counts / np.where(counts > 0.0, sums, 1.0)
            p *= total / p.sum(axis=1, keepdims=True)
            if (np.abs(sums - counts) <= _CLOSE * unit).all():
                break
        # Rows of a small weight, in which there is no room, say nothing.
        p = np.where(total * mixed < room, y, p)
        whole = np.floor((y - p) / unit)
        left, over = -whole.sum(axis=1), -whole.sum(axis=0)
        if min(left.min(), over.min()) < 0.0:
            return np.zeros_like(dual)
        v = (whole + shared_out(left.astype(np.int64), over.astype(np.int64))) * unit
        inside = not v.sum(axis=1).any() and not v.sum(axis=0).any() and bool((v <= y).all())
        return np.asarray(v if inside else np.zeros_like(v))

    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        if not np.isfinite(direction).all() or not _cancels(direction).all():
            return 0.0
        rising = direction > 0.0
        return float((y[rising] / direction[rising]).min(initial=np.inf))

    def unit(self, y: FloatArray) -> float:
        return 1.0


def _cancels(v: FloatArray) -> BoolArray:
    """Which rows have the sum 0, exactly; no is said where it takes more than float64 to tell."""
    unit = _units(np.abs(v).max(axis=1, keepdims=True))
    # Of multiples of one number, and not too large ones, no sum is rounded.
    return np.asarray((np.rint(v / unit) * unit == v).all(axis=1) & (v.sum(axis=1) == 0.0))


def _entropies(p: FloatArray, y: FloatArray) -> FloatArray:
    """``p log(p / total)`` of numbers p >= 0, where a share that is lost counts as the smallest."""
    return np.asarray(xlogy(p, np.maximum(p / _total(y), _SMALLEST)))


def _total(y: FloatArray) -> FloatArray:
    """What a row counts, shape (n, 1)."""
    return namespace_of(y).sum(y, axis=1, keepdims=True)


def _units(sizes: FloatArray, bits: int = _BITS) -> FloatArray:
    """Powers of two, so many bits below numbers >= 0."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.maximum(sizes, _TINY))[1] - bits))
