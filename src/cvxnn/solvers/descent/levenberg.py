"""Newton's method with damping, for smooth functions of a few hundred variables."""

from __future__ import annotations

from typing import Protocol, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import OutOfTimeError
from cvxnn.solvers.descent.newton_cg import Rest

# The fall that a step has to reach, and that of a step to be trusted, in shares of what the
# model of second order says.
_FALL, _GOOD = 1e-4, 0.5
# Damping, in shares of the largest curvature: at first, at least, what it grows and falls by.
_FIRST, _LEAST, _MORE, _LESS = 1e-4, 1e-14, 8.0, 0.05
# Tries of one step.
_TRIES = 24
# Falls below this share of the value are rounding: there the gradient tells what is better.
_NOISE = 64.0 * EPS


class DenseCurvature(Protocol):
    """The Hessian at a point, as a matrix."""

    @property
    def matrix(self) -> FloatArray:
        """Symmetric, shape (p, p)."""

    @property
    def sizes(self) -> FloatArray:
        """Numbers above 0 next to its diagonal, shape (p,), which scale the variables."""


class DenselyCurved(Protocol):
    """A function with two derivatives."""

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        """At a point of shape (p,); OutOfTimeError where the descent is to end."""

    def curvature(self, point: FloatArray) -> DenseCurvature:
        """The Hessian at a point."""


def levenberg_minimise(function: DenselyCurved, start: FloatArray, rest: Rest) -> FloatArray:
    """The point that Newton's method with damping reaches from `start`.

    Parameters
    ----------
    function : DenselyCurved
        Bounded from below; it need not be convex.
    start : ndarray, shape (p,)
    rest : Rest
        Its number of products is not needed.

    Returns
    -------
    ndarray, shape (p,)
        With a value not above that at `start`, up to rounding.

    Notes
    -----
    A step solves ``(|H| + lam D) move = -gradient`` with the moduli of the eigenvalues of the
    Hessian, in variables scaled by D, so that it leaves saddle points (Y. Dauphin et al., NeurIPS
    2014). The damping lam grows until the value falls, and falls where the model has been right
    (K. Levenberg, Quart. Appl. Math. 2, 1944). O(p^3) for a step, however ill-conditioned the
    Hessian is, which conjugate gradients are slow for.

    Examples
    --------
    >>> class Squares:
    ...     sizes, matrix = np.ones(3), 2.0 * np.eye(3)
    ...     def value_and_gradient(self, x):
    ...         return float(x @ (x - 2.0)), 2.0 * (x - 1.0)
    ...     def curvature(self, x):
    ...         return self
    >>> levenberg_minimise(Squares(), np.zeros(3), Rest(1e-9, steps=9, products=0)).round(9)
    array([1., 1., 1.])
    """
    point, damping = start, _FIRST
    try:
        value, gradient = function.value_and_gradient(point)
        for _ in range(rest.steps):
            if not float(np.linalg.norm(gradient)) > rest.gradient:
                break
            model = _Model(function.curvature(point), gradient)
            for _ in range(_TRIES):
                move, fall = model.move(damping)
                further = point + move
                reached, new = function.value_and_gradient(further)
                if fall <= _NOISE * abs(value):
                    is_better = np.linalg.norm(new) < np.linalg.norm(gradient)
                    if is_better and reached <= value + _NOISE * abs(value):
                        break
                    return point
                if value - reached >= _FALL * fall:
                    break
                damping = _MORE * max(damping, _LEAST)
            else:
                return point
            if value - reached >= _GOOD * fall:
                damping = max(_LESS * damping, _LEAST)
            point, value, gradient = further, reached, new
    except OutOfTimeError:
        # What was reached counts.
        return point
    return point


@final
class _Model:
    """What the function is next to a point, in eigenvectors of the scaled Hessian."""

    def __init__(self, curvature: DenseCurvature, gradient: FloatArray) -> None:
        self._scales = 1.0 / np.sqrt(curvature.sizes)
        scaled = self._scales[:, None] * curvature.matrix * self._scales
        values, self._vectors = np.linalg.eigh(scaled)
        self._bends = np.abs(values)
        self._slopes = self._vectors.T @ (self._scales * gradient)

    def move(self, damping: float) -> tuple[FloatArray, float]:
        """The step, and how far the model falls along it."""
        bends = self._bends + damping * max(float(self._bends.max()), 1e-300)
        shares = self._slopes / bends
        fall = float(shares @ (self._slopes - 0.5 * self._bends * shares))
        return -self._scales * (self._vectors @ shares), fall
