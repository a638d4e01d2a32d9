"""What a loss knows: value, gradient, curvature and conjugate of ``l(f, y)``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cvxnn.array_types import Array, FloatArray
from cvxnn.layers.rows import Rows, power_of_two
from cvxnn.losses.balance import balanced_columns

R = TypeVar("R", bound=Rows)

_EPS = float(np.finfo(float).eps)
# Of a search for a root: halves of an interval down to the smallest numbers.
_MOST_STEPS = 2000


class Root(ABC, Generic[R]):
    """A matrix A with ``A'A = H``, the curvature of a model in the predictions f.

    The model ``g'(f - p) + 1/2 (f - p)'H(f - p)`` is ``1/2 ||A f - z||^2`` up to a
    constant, with ``z = A p - A^-T g``.

    Attributes
    ----------
    root : ndarray, shape (n,)
        Roots of the curvatures of the rows.
    """

    root: FloatArray

    @abstractmethod
    def times(self, prediction: FloatArray) -> FloatArray:
        """``A f``, shape (n,)."""

    @abstractmethod
    def transposed(self, dual: FloatArray) -> FloatArray:
        """``A'v``, shape (n,): a dual point of the model as one of the loss."""

    @abstractmethod
    def solved(self, gradient: FloatArray) -> FloatArray:
        """``A^-T g``, shape (n,)."""

    @abstractmethod
    def applied(self, rows: R) -> R:
        """The rows with predictions ``A f``."""

    @abstractmethod
    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        """Rounding of ``(A'v)'f - v'(A f)`` over ``|f| <= lengths``, both as computed."""


class DiagonalRoot(Root[R]):
    """The root of curvatures h > 0, one for each row."""

    def __init__(self, curvature: FloatArray) -> None:
        self.root = np.sqrt(curvature)

    def times(self, prediction: FloatArray) -> FloatArray:
        return self.root * prediction

    def transposed(self, dual: FloatArray) -> FloatArray:
        return self.root * dual

    def solved(self, gradient: FloatArray) -> FloatArray:
        return gradient / self.root

    def applied(self, rows: R) -> R:
        return rows.weighted(self.root)

    def error(self, dual: FloatArray, lengths: FloatArray) -> float:
        return 8.0 * _EPS * float(np.abs(self.root * dual) @ lengths)


class Loss(ABC):
    """A convex loss ``l(f, y) = sum_i l_i(f_i, y_i)``, a plain sum over the rows.

    The training problem is ``min_f l(f, y) + beta * (gauge of f)``; its dual is
    ``max_v -l*(-v)`` subject to ``M(v) <= beta``, and ``v = -gradient`` at an
    optimum. A loss knows these functions and nothing about networks. Methods in
    the plural return one number for each row; all cost O(n).

    Attributes
    ----------
    is_quadratic : bool
        Whether the curvature is the same everywhere.
    has_labels : bool
        Whether targets stand for labels instead of real numbers: they have no unit.
    has_log_link : bool
        Whether predictions are logarithms of what is expected of targets: those have no unit.
    has_majorizer : bool
        Whether parabolas can be nowhere below it: without, steps have to be tried.
    is_kinked : bool
        Whether it has kinks, where there is no gradient: those of
        ``cvxnn.losses.kinked``, and others made of them.
    joins_outputs : bool
        Whether it is a function of all outputs of a row, and not the sum of one for each. Of
        several outputs predictions, targets and dual points have the shape (n, c); then methods
        in the plural return a number for each row, instead of one for each entry.
    takes_any_array : bool
        Whether values, gradient, curvature, factors and majorizer are also for arrays of other
        libraries than numpy that follow the array API standard.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import HuberLoss
    >>> prediction, y = np.array([0.0, 0.5]), np.array([3.0, 0.0])
    >>> loss = HuberLoss(delta=1.0)
    >>> loss.values(prediction, y), loss.gradient(prediction, y)
    (array([2.5  , 0.125]), array([-1. ,  0.5]))
    >>> loss.value(prediction, y)
    2.625
    """

    is_quadratic: bool = False
    has_labels: bool = False
    has_log_link: bool = False
    has_majorizer: bool = True
    is_kinked: bool = False
    joins_outputs: bool = False
    takes_any_array: bool = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def check(self, y: FloatArray) -> None:  # noqa: B027
        """InputError if targets are none for this loss."""

    def check_intercept(self, y: FloatArray) -> None:  # noqa: B027
        """InputError if an intercept has no best value beside these targets."""

    @abstractmethod
    def values(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """``l_i(f_i, y_i)``, shape (n,)."""

    @abstractmethod
    def gradient(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """``dl/df``, shape (n,)."""

    @abstractmethod
    def curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """The diagonal of the Hessian in ``f``, shape (n,), non-negative."""

    def factors(
        self, prediction: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        """Of several outputs the h and g of a Hessian ``diag(h) - g g'`` in each row, (n, c).

        g is None where it is 0.
        """
        return self.curvature(prediction, y), None

    def summed_curvature(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """Of several outputs: the Hessian in a number added to each, shape (c, c)."""
        h, g = self.factors(prediction, y)
        own = np.diag(h.sum(axis=0))
        return own if g is None else own - g.T @ g

    def slopes(self, prediction: FloatArray, reach: FloatArray, y: FloatArray) -> FloatArray:
        """Bounds on the moduli of the gradient at predictions that differ by `reach` at most."""
        # Each entry is a function of its own prediction, and grows with it.
        ends = self.gradient(prediction + reach, y), self.gradient(prediction - reach, y)
        return np.maximum(np.abs(ends[0]), np.abs(ends[1]))

    @abstractmethod
    def majorizer(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """Curvatures h > 0 of parabolas that touch ``l_i`` at f and are nowhere below it.

        Of a loss that has none: not between f and where ``l_i`` is least.
        """

    def moves(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """How far the rows are from where each would be right, about, shape (n,)."""
        return y - prediction

    def proximal(
        self, prediction: FloatArray, y: FloatArray, theta: float | FloatArray
    ) -> FloatArray | None:
        """The e with the least ``l(e, y) + (e - f)^2 / (2 theta)``, or None without a formula."""
        return None

    @abstractmethod
    def conjugates(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """``l_i*(-v_i) = sup_f  -v_i f - l_i(f, y_i)``; ``+inf`` outside the domain."""

    @abstractmethod
    def conjugate_moduli(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """Sums of the moduli of the terms of :meth:`conjugates`, for the error of rounding."""

    @abstractmethod
    def prediction(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """The f at which ``-gradient`` is the dual point, inside the domain."""

    @abstractmethod
    def project(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """The nearest point of the domain of the conjugate."""

    def balanced(self, dual: FloatArray, y: FloatArray) -> FloatArray:
        """Of several outputs: a point of the domain nearby, of columns with the sum 0 exactly."""
        return balanced_columns(self.project(dual, y))

    @abstractmethod
    def longest(self, direction: FloatArray, y: FloatArray) -> float:
        """The largest t, possibly inf, for which ``t v`` is in the domain of the conjugate."""

    def root(self, curvature: FloatArray) -> Root[Any]:
        """The root of the curvature in f, for a diagonal h > 0 next to :meth:`curvature`."""
        return DiagonalRoot(curvature)

    def take(self, rows: slice | NDArray[np.intp]) -> Loss:
        """The loss of some of the rows, where it differs between them."""
        return self

    def placed(self, place: Callable[[FloatArray], Array]) -> Loss:
        """The loss with its own arrays where a function puts them, such as on a device."""
        return self

    def moved(self, y: FloatArray, offset: float | FloatArray) -> FloatArray | None:
        """Targets z with ``l(f, z) = l(f + offset, y)``, a number or one for each row, or None."""
        return None

    @property
    def steepness(self) -> float:
        """Of a loss with kinks: the largest modulus of its slopes in a row of weight 1."""
        return 1.0

    def smoothed(self, width: float) -> Loss:
        """Of a loss with kinks: a smooth one that is `width` times the loss but next to them."""
        return self

    def kinks(self, y: FloatArray) -> FloatArray | None:
        """The predictions at which a loss has its kinks, of the shape of y; None without any."""
        return None

    def growth(self, y: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Slopes g and constants c, shaped as y, with ``l_i(f) >= g |f - y| - c``, or None."""
        return None

    def repeated(self, y: FloatArray, weights: FloatArray) -> FloatArray | None:
        """Targets z with ``l(f, z) = sum_i w_i l_i(f_i, y_i)`` for weights > 0, or None."""
        return None

    def value(self, prediction: FloatArray, y: FloatArray) -> float:
        """``l(f, y)``, summed over the rows."""
        return float(self.values(prediction, y).sum())

    def value_errors(self, prediction: FloatArray, y: FloatArray) -> FloatArray:
        """Bounds on the errors of :meth:`values` beyond a few roundings of each, their shape."""
        return np.zeros(len(y) if self.joins_outputs else y.shape)

    def value_and_gradient(self, prediction: FloatArray, y: FloatArray) -> tuple[float, FloatArray]:
        """Both at once, for a loss that has parts in common; in the precision of the prediction."""
        return self.value(prediction, y), self.gradient(prediction, y)

    def values_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> FloatArray:
        """``l_i(high_i + low_i, y_i)`` for predictions in twice the precision, shape (n,).

        ``|low| <= eps |high|``. To first order; a loss that has roots needs more.
        """
        return self.values(high, y) + self.gradient(high, y) * low

    def value_of_pair(self, high: FloatArray, low: FloatArray, y: FloatArray) -> float:
        """``l(high + low, y)``, summed over the rows."""
        return float(self.values_of_pair(high, low, y).sum())

    def conjugate(self, dual: FloatArray, y: FloatArray) -> float:
        """``l*(-v) = sup_f  -v'f - l(f, y)``; ``+inf`` outside its domain."""
        return float(self.conjugates(dual, y).sum())

    def conjugate_error(self, dual: FloatArray, y: FloatArray) -> float:
        """Bound on the rounding error of :meth:`conjugate`, for certificates."""
        if not dual.any():
            return 0.0
        # Each term has a few roundings, their sum n; the last part covers underflow.
        moduli = float(self.conjugate_moduli(dual, y).sum())
        return 2.0 * (y.size + 16) * _EPS * moduli + y.size * 1e-300

    def dual_scaling(self, direction: FloatArray, y: FloatArray, largest: float) -> float:
        """The ``t`` in ``[0, largest]`` that maximises ``-l*(-t v)``.

        Its derivative in t is ``v'f`` at the prediction f that ``t v`` belongs to.
        """
        # A step inside the domain, so that the rounding of t v cannot leave it.
        end = min(largest, self.longest(direction, y) * (1.0 - 8.0 * _EPS))
        if end <= 0.0 or not direction.any():
            return 0.0

        start = float(np.vdot(direction, self.prediction(0.0 * direction, y)))
        if start <= 0.0:
            return 0.0

        def slope(t: float) -> float:
            """Relative to that at 0, whose square might leave the range of float64."""
            return float(np.vdot(direction, self.prediction(t * direction, y))) / start

        if not np.isfinite(end):
            end = 1.0
            while slope(end) > 0.0 and end < 1e300:
                end *= 2.0
        if slope(end) >= 0.0:
            return end
        return float(brentq(slope, 0.0, end, xtol=1e-300, rtol=4.0 * _EPS, maxiter=_MOST_STEPS))

    @property
    def weight_unit(self) -> float:
        """The power of two next to the largest weight of a row."""
        return 1.0

    def in_weight_units(self) -> Loss:
        """The loss divided by :attr:`weight_unit`, which rounds nothing."""
        return self

    def unit(self, y: FloatArray) -> float:
        """The power of two next to the size of y by which the problem may be scaled."""
        return power_of_two(y)

    def in_units(self, unit: float) -> Loss:
        """The loss l' with ``l(unit f, unit y) = unit^2 l'(f, y)``."""
        return self
