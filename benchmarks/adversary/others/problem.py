"""The problems of degree two, of signs and of three layers, in exact arithmetic.

Every network is ``f = sum_j alpha_j phi_j(x) + intercept`` with a price ``|alpha_j| price_j``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from adversary.dyadic import root_between
from adversary.problem import FloatArray, Interval, loss_between, row_loss

# Of the roots, which are known to 2^-200 of them.
_ROOT_ERROR = Fraction(1, 2**180)
_EPS = Fraction(1, 2**44)


@dataclass(frozen=True)
class OthersProblem:
    """``min l(f, y) + beta sum_j |alpha_j| price_j``, in the units of the caller.

    Attributes
    ----------
    kind : {"polynomial", "quantized", "parallel", "ramps", "gates"}
    X : ndarray, shape (n, d)
    y, weights : ndarray, shape (n,)
    beta : float
    loss : str
    delta : float
        Of the Huber loss.
    intercept : bool
    coefficients : tuple of float
        Of a polynomial.
    """

    kind: str
    X: FloatArray
    y: FloatArray
    weights: FloatArray
    beta: float
    loss: str
    delta: float
    intercept: bool
    coefficients: tuple[float, ...] = ()


@dataclass(frozen=True)
class Terms:
    """A network: a weight for each term, and arrays that say what the term is.

    Attributes
    ----------
    alpha : ndarray, shape (m,)
    arrays : tuple of ndarray
        ``(U,)`` of a polynomial, ``(U, V)`` of signs, ``(W, b, c, e)`` of sub-networks with
        biases, ``(U, open)`` of gates: u_j, and where both gates of a term are open, (m, n).
    intercept : float
    """

    alpha: Any
    arrays: tuple[Any, ...]
    intercept: float = 0.0


def exactly(array: Any) -> Any:
    """Rational numbers."""
    flat = np.asarray(array, dtype=np.float64).ravel()
    numbers = np.empty(flat.size, dtype=object)
    numbers[:] = [Fraction(float(number)) for number in flat]
    return numbers.reshape(np.shape(array))


def predictions(problem: OthersProblem, network: Terms) -> tuple[list[Fraction], list[Fraction]]:
    """``f``, and the sums of the moduli of all of its terms, for each row."""
    X, moduli = exactly(problem.X), exactly(np.abs(problem.X))
    shift = Fraction(float(network.intercept))
    values, sizes = [shift] * len(X), [abs(shift)] * len(X)
    for j, weight in enumerate(network.alpha):
        alpha = Fraction(float(weight))
        arrays = [array[j] for array in network.arrays]
        for i in range(len(X)):
            value, size = _TERMS[problem.kind](problem, X[i], moduli[i], i, arrays)
            values[i] += alpha * value
            sizes[i] += abs(alpha) * size
    return values, sizes


def penalty(problem: OthersProblem, network: Terms) -> Interval:
    """``sum_j |alpha_j| price_j`` between two numbers."""
    low = high = Fraction(0)
    for j, weight in enumerate(network.alpha):
        least = most = abs(Fraction(float(weight)))
        for array in _priced(problem, network):
            square = sum((x * x for x in exactly(array[j]).ravel()), Fraction(0))
            one, two = root_between(square)
            least, most = least * one, most * two
        low, high = low + least, high + most
    return low, high


def objective(problem: OthersProblem, network: Terms) -> Interval:
    """The objective between two rational numbers."""
    low, high = loss_between(problem, predictions(problem, network)[0])  # type: ignore[arg-type]
    least, most = penalty(problem, network)
    beta = Fraction(problem.beta)
    slack = Fraction(0)
    if problem.kind == "polynomial":
        # Directions are divided by their lengths, which are roots.
        nothing = [Fraction(0)] * len(problem.y)
        slack = _ROOT_ERROR * (high + loss_between(problem, nothing)[1])  # type: ignore[arg-type]
    return max(low + beta * least - slack, Fraction(0)), high + beta * most + slack


def rounding_of_loss(problem: OthersProblem, network: Terms) -> Fraction:
    """How much the loss may err by if predictions are computed in float64."""
    total = Fraction(0)
    for f, size, y, weight in zip(
        *predictions(problem, network), problem.y, problem.weights, strict=True
    ):
        target = Fraction(float(y))
        error = _EPS * (size + abs(target))
        most = max(row_loss(problem, f + sign * error, target)[1] for sign in (-1, 1))
        total += Fraction(float(weight)) * (most - row_loss(problem, f, target)[0] + error**2)
    return total


def _polynomial(problem: OthersProblem, x: Any, size: Any, _: int, arrays: Any) -> Any:
    """At the direction of u, whose length in float64 is 1 but for rounding."""
    (u,) = exactly(arrays[0])[None]
    length = root_between((u * u).sum())[0]
    a, b, c = (Fraction(number) for number in problem.coefficients)
    t, most = (x * u).sum() / length, (size * np.abs(u)).sum() / length
    return (a * t + b) * t + c, (abs(a) * most + abs(b)) * most + abs(c)


def _quantized(_: OthersProblem, x: Any, size: Any, __: int, arrays: Any) -> Any:
    u, v = (exactly(array) for array in arrays)
    return (x * u).sum() * (x * v).sum(), size.sum() ** 2


def _sub_network(_: OthersProblem, x: Any, size: Any, __: int, arrays: Any) -> Any:
    W, b, c, e = (exactly(array) for array in arrays)
    hidden, most = W @ x + c, np.abs(W) @ size + np.abs(c)
    inner = sum((max(t, Fraction(0)) * s for t, s in zip(hidden, b, strict=True)), e.item())
    return max(inner, Fraction(0)), (most * np.abs(b)).sum() + abs(e.item())


def _gates(_: OthersProblem, x: Any, size: Any, i: int, arrays: Any) -> Any:
    u, is_open = exactly(arrays[0]), bool(arrays[1][i])
    return ((x * u).sum(), (size * np.abs(u)).sum()) if is_open else (Fraction(0), Fraction(0))


_TERMS = {
    "polynomial": _polynomial,
    "quantized": _quantized,
    "parallel": _sub_network,
    "ramps": _sub_network,
    "gates": _gates,
}


def _priced(problem: OthersProblem, network: Terms) -> tuple[Any, ...]:
    """Arrays whose lengths are factors of the price of a term."""
    many = {"parallel": 2, "ramps": 2, "gates": 1}
    return network.arrays[: many.get(problem.kind, 0)]
