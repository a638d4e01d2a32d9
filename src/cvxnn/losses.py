"""Convex losses: value, gradient, curvature and conjugate of ``l(f, y)``."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Loss(ABC):
    """A convex loss ``l(f, y) = sum_i l_i(f_i, y_i)``, a plain sum over the rows.

    The training problem is ``min_f l(f, y) + beta * (gauge of f)``; its dual is
    ``max_v -l*(-v)`` subject to ``M(v) <= beta``, and ``v = -gradient`` at an
    optimum. A loss knows these functions and nothing about networks.

    Attributes
    ----------
    is_quadratic : bool
        Whether the curvature is the same everywhere.
    """

    is_quadratic: bool = False

    @abstractmethod
    def value(self, prediction: Vector, y: Vector) -> float:
        """``l(f, y)``, summed over the rows; O(n)."""

    @abstractmethod
    def gradient(self, prediction: Vector, y: Vector) -> Vector:
        """``dl/df``, shape (n,)."""

    @abstractmethod
    def curvature(self, prediction: Vector, y: Vector) -> Vector:
        """The diagonal of the Hessian in ``f``, shape (n,), non-negative."""

    @abstractmethod
    def conjugate(self, dual: Vector, y: Vector) -> float:
        """``l*(-v) = sup_f  -v'f - l(f, y)``; ``+inf`` outside its domain."""

    @abstractmethod
    def conjugate_error(self, dual: Vector, y: Vector) -> float:
        """Bound on the rounding error of :meth:`conjugate`, for certificates."""

    @abstractmethod
    def dual_scaling(self, direction: Vector, y: Vector, largest: float) -> float:
        """The ``t`` in ``[0, largest]`` that maximises ``-l*(-t v)``."""


class SquaredLoss(Loss):
    """``l(f, y) = 1/2 ||f - y||^2``: the loss of objective (2) of the seed paper.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SquaredLoss()
    >>> loss.value(np.zeros(2), np.array([1.0, 2.0]))
    2.5
    """

    is_quadratic = True

    def value(self, prediction: Vector, y: Vector) -> float:
        residual = prediction - y
        return 0.5 * float(residual @ residual)

    def gradient(self, prediction: Vector, y: Vector) -> Vector:
        return prediction - y

    def curvature(self, prediction: Vector, y: Vector) -> Vector:
        return np.ones_like(y)

    def conjugate(self, dual: Vector, y: Vector) -> float:
        return 0.5 * float(dual @ dual) - float(dual @ y)

    def conjugate_error(self, dual: Vector, y: Vector) -> float:
        if not dual.any():
            return 0.0
        # Two inner products of n terms; one eps more for a scaled dual point.
        moduli = float(np.abs(dual) @ np.abs(y)) + float(dual @ dual)
        # The last term covers products that underflow.
        return 2.0 * (len(y) + 8) * float(np.finfo(float).eps) * moduli + len(y) * 1e-300

    def dual_scaling(self, direction: Vector, y: Vector, largest: float) -> float:
        square = float(direction @ direction)
        if square == 0.0:
            return 0.0
        return float(np.clip(float(direction @ y) / square, 0.0, largest))
