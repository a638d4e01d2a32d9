"""Arrays of numbers ``k 2^e`` with integers k: sums and products of float64 without rounding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

IntArray = np.ndarray[Any, np.dtype[np.object_]]


@dataclass(frozen=True)
class Dyadic:
    """``integers * 2 ** exponent``."""

    integers: IntArray
    exponent: int

    @classmethod
    def of(cls, numbers: Any) -> Dyadic:
        """What float64 numbers are, exactly; a Dyadic is passed on."""
        if isinstance(numbers, Dyadic):
            return numbers
        array = np.asarray(numbers, dtype=np.float64)
        mantissas, exponents = np.frexp(array)
        least = int(exponents[array != 0.0].min(initial=0)) - 53
        whole = np.ldexp(mantissas, 53).ravel()
        shifts = np.maximum(exponents - 53 - least, 0).ravel()
        integers = np.empty(array.size, dtype=object)
        for k in range(array.size):
            integers[k] = int(whole[k]) << int(shifts[k])
        return cls(integers.reshape(array.shape), least)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.integers.shape

    @property
    def T(self) -> Dyadic:  # noqa: N802, as numpy has it
        return Dyadic(self.integers.T, self.exponent)

    def __getitem__(self, index: Any) -> Dyadic:
        return Dyadic(np.asarray(self.integers[index], dtype=object), self.exponent)

    def __add__(self, other: Dyadic) -> Dyadic:
        least = min(self.exponent, other.exponent)
        return Dyadic(self.aligned(least) + other.aligned(least), least)

    def __neg__(self) -> Dyadic:
        return Dyadic(-self.integers, self.exponent)

    def __mul__(self, other: Dyadic) -> Dyadic:
        return Dyadic(self.integers * other.integers, self.exponent + other.exponent)

    def __matmul__(self, other: Dyadic) -> Dyadic:
        product = np.dot(self.integers, other.integers)
        return Dyadic(np.asarray(product, dtype=object), self.exponent + other.exponent)

    def aligned(self, exponent: int) -> IntArray:
        """The integers for a smaller exponent."""
        return self.integers * (1 << (self.exponent - exponent))

    def reshape(self, *shape: int) -> Dyadic:
        return Dyadic(self.integers.reshape(*shape), self.exponent)

    def sum(self, axis: int) -> Dyadic:
        return Dyadic(np.asarray(self.integers.sum(axis=axis), dtype=object), self.exponent)

    def max(self, axis: int) -> Dyadic:
        return Dyadic(np.asarray(self.integers.max(axis=axis), dtype=object), self.exponent)

    def activated(self, slope: float) -> Dyadic:
        """``max(t, 0) + slope min(t, 0)``."""
        above = Dyadic(np.maximum(self.integers, 0), self.exponent)
        if slope == 0.0:
            return above
        below = Dyadic(np.minimum(self.integers, 0), self.exponent)
        return above + below * Dyadic.of(slope)

    def moduli(self) -> Dyadic:
        """The moduli of all numbers."""
        return Dyadic(np.abs(self.integers), self.exponent)

    def scaled(self, power: int) -> Dyadic:
        """Times ``2 ** power``."""
        return Dyadic(self.integers, self.exponent + power)

    def square_sum(self) -> Fraction:
        """The sum of all squares."""
        flat = self.integers.ravel()
        return as_fraction(int(sum(k * k for k in flat)), 2 * self.exponent)

    def fractions(self) -> list[Fraction]:
        """The numbers of a 1-D array."""
        return [as_fraction(int(k), self.exponent) for k in self.integers.ravel()]

    def floats(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The nearest float64."""
        flat = np.array([nearest(number) for number in self.fractions()], dtype=np.float64)
        return flat.reshape(self.shape)


def as_fraction(integer: int, exponent: int) -> Fraction:
    """``integer * 2 ** exponent``."""
    if exponent >= 0:
        return Fraction(integer << exponent)
    return Fraction(integer, 1 << -exponent)


def nearest(number: Fraction) -> float:
    """The nearest float64, infinite beyond its range."""
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf


def root_between(square: Fraction) -> tuple[Fraction, Fraction]:
    """Two numbers, 2^-200 apart relatively, between which the root of a number >= 0 lies."""
    if square == 0:
        return Fraction(0), Fraction(0)
    p, q = square.numerator, square.denominator
    shift = max(400 + q.bit_length() - p.bit_length(), 0)
    shift += shift % 2
    # floor(sqrt(p 2^shift / q)) is isqrt of the floor.
    whole = isqrt((p << shift) // q)
    unit = Fraction(1, 1 << (shift // 2))
    return whole * unit, (whole + 1) * unit
