"""Networks of polynomial activation as a checker sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.eigenvalues import largest_eigenvalue
from cvxnn.verification.images import patches_in, sides_of, sides_on, steps_of
from cvxnn.verification.kinds import (
    CheckedModel,
    Claim,
    Weights,
    number,
    table,
    unlike,
    weights_of,
)
from cvxnn.verification.rounding import U, exact_sums, gamma, norms_up, power_of_two, sum_up
from cvxnn.verification.values import Values, check_width

# Products that are summed up exactly, some seconds; of more every sum is rounded.
_MOST_EXACT = 1 << 21
# Halvings on the way to the best multiplier.
_STEPS = 60

Coefficients = tuple[float, float, float]


@final
@dataclass(frozen=True)
class CheckedPolynomial(CheckedModel):
    """``f(x) = sum_j alpha_j sigma(x'u_j)``, on patches their average, with unit u_j."""

    kind: ClassVar[str] = "polynomial"
    network: ClassVar[str] = "PolynomialNetwork"

    coefficients: Coefficients
    sides: int | tuple[int, ...] | None
    stride: int
    padding: int

    @classmethod
    def read(cls, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        sides = None if settings.get("filter_size") is None else sides_of(settings)
        return cls(_coefficients(settings), sides, *steps_of(settings))

    @classmethod
    def of_network(cls, settings: Mapping[str, Any], arrays: Weights) -> Self:
        hidden = weights_of(arrays, "hidden_weights", 2, 3, 4)
        sides = hidden.shape[1:-1] if hidden.ndim > 2 else None
        return cls(_coefficients(settings), sides, *steps_of(settings))

    @property
    def takes_outputs(self) -> bool:
        return True

    def on(self, data: FloatArray) -> Self:
        return self if self.sides is None else replace(self, sides=sides_on(self.sides, data))

    @property
    def words(self) -> tuple[str, ...]:
        a, b, c = self.coefficients
        found = [f"activation {a:g} t^2 + {b:g} t + {c:g}"]
        if isinstance(self.sides, tuple):
            found += [f"averages over patches of {' x '.join(map(str, self.sides))}"]
            found += [f"stride {self.stride}"] if self.stride != 1 else []
            found += [f"padding {self.padding}"] if self.padding else []
        return tuple(found)

    def difference(self, given: Self) -> str:
        pairs = {
            "the coefficients": (given.coefficients, self.coefficients),
            "filters of sides": (given.sides, self.sides),
            "the stride": (given.stride, self.stride),
            "the padding": (given.padding, self.padding),
        }
        found = (unlike(name, *both) for name, both in pairs.items())
        return next((sentence for sentence in found if sentence), "")

    def largest(
        self, data: FloatArray, v: FloatArray, claim: Claim, deadline: Deadline
    ) -> tuple[float, str]:
        patches = self._patches(data)
        columns = v[:, None] if v.ndim == 1 else v
        bounds = [largest_of_sphere(patches, column, self.coefficients) for column in columns.T]
        return max(bounds), "a semidefinite matrix for each sign"

    def values(self, data: FloatArray, arrays: Weights) -> Values:
        patches = self._patches(data)
        hidden = weights_of(arrays, "hidden_weights", 2, 3, 4)
        output = weights_of(arrays, "output_weights", 1, 2)
        flat = hidden.reshape(len(hidden), int(np.prod(hidden.shape[1:])))
        check_width(flat, output, patches.shape[2])
        return _averages(patches, flat, output, self.coefficients)

    def penalty(self, arrays: Weights) -> tuple[float, float]:
        moduli = np.abs(weights_of(arrays, "output_weights", 1, 2))
        total, rounding = float(moduli.sum()), gamma(moduli.size + 8)
        return total * (1.0 - rounding), total * (1.0 + rounding)

    def _patches(self, data: FloatArray) -> FloatArray:
        if self.sides is None:
            return table(data)[:, None]
        assert isinstance(self.sides, tuple)
        return patches_in(data, self.sides, self.stride, self.padding)


def largest_of_sphere(patches: FloatArray, v: FloatArray, coefficients: Coefficients) -> float:
    """``max |v'phi(u)|`` over unit u, rounded up.

    Parameters
    ----------
    patches : ndarray, shape (n, K, h)
    v : ndarray, shape (n,)
    coefficients : tuple of float
        a, b and c of ``phi(u) = a (x'u)^2 + b x'u + c``, averaged over the K patches.

    Notes
    -----
    On ``p = (u, 1)`` the sum is ``p'B p`` with ``B = [[Q, g], [g', 0]]``, plus a number; and
    ``p'diag(I, -1) p = 0``, ``||p||^2 = 2``. So ``2 lambda_max(B + m diag(I, -1))`` is a bound for
    every m, and the best m gives the maximum itself (S-lemma). The eigenvalue is proven with
    a shift that makes it positive.

    Examples
    --------
    >>> X, v = np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.array([2.0, -1.0])
    >>> round(largest_of_sphere(X, v, (1.0, 0.0, 0.0)), 9)
    2.0
    """
    unit, weight_unit = power_of_two(patches), power_of_two(v)
    rows, v = (patches / unit).reshape(-1, patches.shape[2]), v / weight_unit
    a, b, c = coefficients[0] * unit * unit, coefficients[1] * unit, coefficients[2]
    size = power_of_two(np.array([a, b, c]))
    a, b, c = a / size, b / size, c / size
    K = patches.shape[1]
    weights = np.repeat(v, K)
    (Q, of_squares), (g, of_sums) = _second(weights, rows), _first(weights, rows)
    (total, of_total) = _first(v, np.ones((len(v), 1)))
    h = rows.shape[1]
    B = np.zeros((h + 1, h + 1))
    B[:h, :h], B[:h, h] = (a / K) * Q, (0.5 * b / K) * g
    B[h, :h] = B[:h, h]
    number = c * float(total[0])
    moduli = float(np.abs(B).sum()) + abs(number)
    error = abs(a) / K * of_squares + abs(b) / K * of_sums + abs(c) * of_total
    error = (error + 16.0 * U * moduli) * (1.0 + 16.0 * U) + 1e-140
    signs = (_bordered(sign * B) + sign * number for sign in (1.0, -1.0))
    bound = (max(signs) + error) * (1.0 + 16.0 * U)
    return float(np.nextafter(max(bound, 0.0) * size * weight_unit, np.inf))


def _bordered(B: FloatArray) -> float:
    """A bound on ``p'B p`` over ``p = (u, 1)`` with unit u."""
    size = power_of_two(B)
    B = B / size
    form = np.ones(len(B))
    form[-1] = -1.0
    reach = 2.0 * float(np.sqrt((B * B).sum())) + 1e-100
    low, high = -reach, reach
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        top = np.linalg.eigh(B + np.diag(middle * form))[1][:, -1]
        if float(form @ (top * top)) > 0.0:
            high = middle
        else:
            low = middle
    # Where the largest eigenvalue is double, it may be less at the other end by rounding.
    return min(_shifted(B, m * form) for m in (low, high)) * size


def _shifted(B: FloatArray, diagonal: FloatArray) -> float:
    """Twice a bound on the largest eigenvalue of ``B + diag``, which may be below 0."""
    moduli = np.abs(B).sum(axis=1).max() + np.abs(diagonal).max()
    shift = float(2.0 ** np.ceil(np.log2(moduli + 1e-100)))
    shifted = B + np.diag(diagonal + shift)
    # The diagonal is a sum of three, and what is taken off again one of two.
    rounding = 16.0 * U * (moduli + shift)
    scale = power_of_two(shifted)
    return 2.0 * (largest_eigenvalue(shifted / scale) * scale - shift + rounding)


def _second(weights: FloatArray, rows: FloatArray) -> tuple[FloatArray, float]:
    """``sum_i w_i x_i x_i'``, and a bound on the norm of its error."""
    n, h = rows.shape
    squares = (rows * rows).sum(axis=1) * (1.0 + gamma(h + 4))
    moduli = sum_up(np.abs(weights) * squares)
    if n * h * h <= _MOST_EXACT:
        # The product of two is rounded before the exact sum.
        pairs = (rows[:, :, None] * rows[:, None, :]).reshape(n, h * h)
        return exact_sums(weights, pairs).reshape(h, h), 4.0 * U * moduli + 1e-140
    found = rows.T @ (weights[:, None] * rows)
    return 0.5 * (found + found.T), 2.0 * gamma(n + 8) * moduli + 1e-140


def _first(weights: FloatArray, rows: FloatArray) -> tuple[FloatArray, float]:
    """``sum_i w_i x_i``, and a bound on the norm of its error."""
    found = exact_sums(weights, rows)
    return found, 2.0 * U * float(norms_up(found)) + 1e-140


def _averages(
    patches: FloatArray, hidden: FloatArray, output: FloatArray, coefficients: Coefficients
) -> Values:
    n, K, h = patches.shape
    a, b, c = coefficients
    rows = patches.reshape(n * K, h)
    sums, moduli = rows @ hidden.T, np.abs(rows) @ np.abs(hidden).T
    values = ((a * sums + b) * sums + c) @ output
    size = ((abs(a) * moduli + abs(b)) * moduli + abs(c)) @ np.abs(output)
    # Squares have twice the roundings of their sums; lengths of the u_j are rounded, too.
    lengths = np.abs((hidden * hidden).sum(axis=1) - 1.0)
    if (lengths > 16.0 * (h + 8) * U).any():
        raise InputError("network must be a Network of cvxnn: its hidden_weights have no length 1.")
    rounding = gamma(3 * h + len(output) + 16) + 32.0 * (h + 8) * U
    shape = (n, K, *output.shape[1:])
    means = values.reshape(shape).mean(axis=1)
    sizes = size.reshape(shape).mean(axis=1)
    return Values(means, (rounding + gamma(K + 4)) * sizes * (1.0 + 1e-9))


def _coefficients(settings: Mapping[str, Any]) -> Coefficients:
    return number(settings, "a"), number(settings, "b"), number(settings, "c")
