"""Bounds on the rounding of float64, and numbers that are rounded up."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from cvxnn.array_types import FloatArray

# The unit roundoff of float64, and what is charged for numbers that leave its range below: data
# are scaled to size one, so that squares and products below it do not matter.
U = 2.0**-53
TINY = 1e-150
_LARGEST = Fraction(np.finfo(np.float64).max)


def gamma(count: int) -> float:
    """What a number of roundings, one after the other, change a product by at most, relative.

    ``k u / (1 - k u)`` (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
    2002, lemma 3.1); a sum of k products errs by this times the sum of their moduli at most, in
    whatever order it is formed (section 3.1 there). Rounded up.

    Examples
    --------
    >>> gamma(10) > 10 * 2.0**-53
    True
    """
    share = count * U
    return 1.01 * share / (1.0 - share) if share < 0.001 else np.inf


def norms_up(vectors: FloatArray) -> FloatArray:
    """Upper bounds on the lengths of vectors along the last axis, for entries of size one.

    Examples
    --------
    >>> bool(5.0 <= norms_up(np.array([3.0, 4.0])) < 5.0 + 1e-12)
    True
    """
    count = vectors.shape[-1]
    squares = (vectors * vectors).sum(axis=-1)
    return np.asarray(np.sqrt(squares) * (1.0 + gamma(count + 8)) + count * TINY)


def sum_up(numbers: FloatArray) -> float:
    """An upper bound on the sum of numbers that are not negative.

    Examples
    --------
    >>> sum_up(np.array([1.0, 2.0**-60])) > 1.0
    True
    """
    return float(numbers.sum() * (1.0 + gamma(numbers.size + 4)))


def exact_sums(v: FloatArray, X: FloatArray) -> FloatArray:
    """``X'v`` for numbers of size one, every entry rounded once, shape (d,); O(n d).

    A product of two floats is the sum of two (T. Dekker, Numer. Math. 18, 1971), and a sum of
    floats can be rounded correctly (J. Shewchuk 1997; `math.fsum`).

    Examples
    --------
    >>> exact_sums(np.array([1.0, 2.0**-60, -1.0]), np.ones((3, 1)))
    array([8.67361738e-19])
    """
    products = v[:, None] * X
    halves = [(part, _upper_half(part)) for part in (v[:, None], X)]
    (a, a_high), (b, b_high) = halves
    a_low, b_low = a - a_high, b - b_high
    left = ((a_high * b_high - products) + a_high * b_low + a_low * b_high) + a_low * b_low
    terms = np.concatenate([products, left]).T.tolist()
    return np.array([math.fsum(column) for column in terms])


def _upper_half(numbers: FloatArray) -> FloatArray:
    """The first 26 bits."""
    spread = (2.0**27 + 1.0) * numbers
    return np.asarray(spread - (spread - numbers))


def power_of_two(array: FloatArray) -> float:
    """The power of two by which the largest modulus lies in [1, 2); 1 for zeros.

    Examples
    --------
    >>> power_of_two(np.array([-3.0, 1.0]))
    2.0
    """
    largest = float(np.abs(array).max(initial=0.0))
    return float(np.ldexp(1.0, int(np.frexp(largest)[1]) - 1)) if largest > 0.0 else 1.0


def float_up(number: Fraction) -> float:
    """A float that is not below a fraction.

    Examples
    --------
    >>> Fraction(float_up(Fraction(1, 3))) >= Fraction(1, 3)
    True
    """
    if number > _LARGEST:
        return np.inf
    nearest = float(number)
    return nearest if Fraction(nearest) >= number else float(np.nextafter(nearest, np.inf))


def sum_down(numbers: FloatArray) -> float:
    """A lower bound on the sum of numbers of any sign; -inf where one is.

    Examples
    --------
    >>> sum_down(np.array([1.0, -(2.0**-60)])) < 1.0
    True
    """
    if not numbers.any():
        return 0.0
    error = gamma(numbers.size + 4) * np.abs(numbers).sum()
    return float(np.nextafter(numbers.sum() - error * (1.0 + gamma(8)), -np.inf))
