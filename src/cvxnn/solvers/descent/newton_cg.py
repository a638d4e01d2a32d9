"""Newton's method for smooth functions of many variables, by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from cvxnn.array_types import EPS, FloatArray
from cvxnn.interrupts import OutOfTimeError

# The fall that a step has to reach, as a share of the slope; halvings of a step.
_FALL, _HALVINGS = 1e-4, 30
# What is left of the gradient in the equations of a step, as a share of it at most.
_LEFT = 0.1
# Falls below this share of the value are rounding: there the gradient tells what is better.
_NOISE = 64.0 * EPS


class Curvature(Protocol):
    """The Hessian at a point, as a map."""

    def product(self, move: FloatArray) -> FloatArray:
        """The Hessian times a move, shape (p,)."""

    @property
    def sizes(self) -> FloatArray:
        """Numbers above 0 next to its diagonal, shape (p,), which scale the variables."""


class Curved(Protocol):
    """A function with two derivatives."""

    def value_and_gradient(self, point: FloatArray) -> tuple[float, FloatArray]:
        """At a point of shape (p,); OutOfTimeError where the descent is to end."""

    def curvature(self, point: FloatArray) -> Curvature:
        """The Hessian at a point; its products may raise OutOfTimeError, too."""


@final
@dataclass(frozen=True)
class Rest:
    """When a descent by Newton's method is at its end.

    Attributes
    ----------
    gradient : float
        The norm at which it is.
    steps : int
        At most.
    products : int
        With the Hessian, for one step at most.
    """

    gradient: float
    steps: int
    products: int


def newton_minimise(function: Curved, start: FloatArray, rest: Rest) -> FloatArray:
    """The point that Newton's method reaches from `start`.

    Parameters
    ----------
    function : Curved
        Bounded from below; it need not be convex.
    start : ndarray, shape (p,)
    rest : Rest

    Returns
    -------
    ndarray, shape (p,)
        With a value not above that at `start`, up to rounding.

    Notes
    -----
    The equations of a step are solved by conjugate gradients on variables that are scaled by
    the diagonal, up to a share of the gradient that falls with it, so that steps become as good
    as Newton's; where the curvature along a direction is not above 0 the step is what there is
    by then, and the first direction itself at least. Steps are halved until the value falls.
    R. Dembo, S. Eisenstat and T. Steihaug, SIAM J. Numer. Anal. 19, 1982.

    Examples
    --------
    >>> class Squares:
    ...     sizes = np.ones(3)
    ...     def value_and_gradient(self, x):
    ...         return float(x @ (x - 2.0)), 2.0 * (x - 1.0)
    ...     def curvature(self, x):
    ...         return self
    ...     def product(self, move):
    ...         return 2.0 * move
    >>> newton_minimise(Squares(), np.zeros(3), Rest(1e-9, steps=5, products=5))
    array([1., 1., 1.])
    """
    point, steps = start, 0
    try:
        value, gradient = function.value_and_gradient(point)
        first = float(np.linalg.norm(gradient))
        while steps < rest.steps and (length := float(np.linalg.norm(gradient))) > rest.gradient:
            share = min(_LEFT, np.sqrt(length / first))
            enough = max(share * length, _LEFT * rest.gradient)
            move = _move(function.curvature(point), gradient, enough, rest.products)
            further = _moved(function, (point, value, gradient), move)
            if further is None:
                break
            (point, value, gradient), steps = further, steps + 1
    except OutOfTimeError:
        # What was reached counts.
        return point
    return point


def _move(curvature: Curvature, gradient: FloatArray, enough: float, products: int) -> FloatArray:
    """The step of Newton's method, as far as conjugate gradients come."""
    sizes, move, left = curvature.sizes, np.zeros_like(gradient), gradient.copy()
    scaled = left / sizes
    direction, square = -scaled, float(left @ scaled)
    for k in range(products):
        image = curvature.product(direction)
        bend = float(direction @ image)
        if not bend > EPS * float(direction @ (sizes * direction)):
            return move if k > 0 else direction
        share = square / bend
        move += share * direction
        left += share * image
        if float(np.linalg.norm(left)) <= enough:
            break
        scaled = left / sizes
        before, square = square, float(left @ scaled)
        direction = (square / before) * direction - scaled
    return move


_Point = tuple[FloatArray, float, FloatArray]


def _moved(function: Curved, at: _Point, move: FloatArray) -> _Point | None:
    """After as much of a move as lowers the value; None where nothing of it does."""
    point, value, gradient = at
    slope, noise, length = float(gradient @ move), _NOISE * abs(value), 1.0
    for _ in range(_HALVINGS):
        further = point + length * move
        reached, new = function.value_and_gradient(further)
        if -length * slope <= noise:
            is_better = np.linalg.norm(new) < np.linalg.norm(gradient) and reached <= value + noise
            return (further, reached, new) if is_better else None
        if reached <= value + _FALL * length * slope:
            return further, reached, new
        length *= 0.5
    return None
