"""Networks that need no search: those that limits of the data and of beta are made of."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from adversary.dyadic import Dyadic
from adversary.intercept import with_best_intercept
from adversary.problem import FloatArray, Problem, Weights, empty

Vector = list[Fraction]
Matrix = list[list[Fraction]]

# A sum that is below this share of its terms may be 0 but for rounding.
_DEPENDENT = Fraction(1, 10**14)
# Single rows of the largest pull that are fitted alone.
_MOST_ROWS = 6


def simple_candidates(problem: Problem) -> Iterator[Weights]:
    """The empty network, the best fit of single rows, and exact linear fits of skip connections."""
    yield empty(problem)
    if problem.skip is not None:
        for ridge in (False, True):
            yield empty(problem, skip=weighted_fit(problem, ridge))
    if problem.read in ("sum", "average", "max") and problem.rows.shape[1] == 1:
        yield from _single_rows(problem)


def _single_rows(problem: Problem) -> Iterator[Weights]:
    """Neurons along one row that fit it alone, as if the others were not there."""
    for goals in _goals(problem):
        yield from _along_rows(problem, goals)


def _goals(problem: Problem) -> Iterator[Vector]:
    """What single rows are to be fitted to: targets, and their distances from constants."""
    y = _fractions(problem.y)
    yield y
    if problem.intercept:
        best = Fraction(with_best_intercept(problem, empty(problem)).intercept)
        most = max(y, key=lambda value: abs(value - best))
        others = [value for value in y if value != most] or [best]
        for constant in (best, sum(others, Fraction(0)) / len(others)):
            yield [value - constant for value in y]


def _along_rows(problem: Problem, goals: Vector) -> Iterator[Weights]:
    weights = _fractions(problem.weights)
    order = sorted(range(len(goals)), key=lambda i: -weights[i] * goals[i] ** 2)
    for i in order[:_MOST_ROWS]:
        row, y = problem.rows[i, 0], goals[i]
        peak = float(np.abs(row).max())
        if peak == 0.0 or y == 0:
            continue
        length = peak * float(np.linalg.norm(row / peak))
        # f_i = s c length for the neuron s c (x'u)_+, u = x / length, at the price beta c.
        price = Fraction(problem.beta) / (weights[i] * Fraction(length))
        goal = max(abs(y) - price, Fraction(0)) / Fraction(length)
        size = float(goal) if goal < Fraction(10) ** 300 else 0.0
        if size == 0.0:
            continue
        root = float(np.sqrt(size))
        yield Weights(
            root * (row / length)[None],
            np.array([root if y > 0 else -root]),
            None if problem.skip is None else np.zeros(len(row)),
        )


def weighted_fit(problem: Problem, ridge: bool) -> Dyadic:
    """Weighted least squares of the rows without neurons, solved in rational numbers.

    Without `ridge`, columns that depend on others up to rounding have the weight 0, as the
    library promises for a free skip connection. With it a multiple of the identity that is
    small beside the matrix is added.
    """
    rows, weights = _fractions(problem.rows[:, 0]), _fractions(problem.weights)
    y, p = _fractions(problem.y), problem.n_features
    columns = list(range(p)) if ridge else _independent(rows)
    fit = _least_squares(rows, columns, weights, y, Fraction(1, 2**60) if ridge else Fraction(0))
    solution = [Fraction(0)] * p
    for column, value in zip(columns, fit, strict=True):
        solution[column] = value
    return _rounded(solution)


def _independent(rows: Matrix) -> list[int]:
    """Columns none of which is a combination of those before but for rounding in every row."""
    chosen: list[int] = []
    # Rows count alike, whatever their units.
    peaks = [max((abs(x) for x in row), default=Fraction(0)) for row in rows]
    alike = [1 / peak**2 if peak else Fraction(0) for peak in peaks]
    for column in range(len(rows[0])):
        target = [row[column] for row in rows]
        fit = _least_squares(rows, chosen, alike, target, Fraction(0))
        for row, value in zip(rows, target, strict=True):
            terms = [value, *(-row[c] * a for c, a in zip(chosen, fit, strict=True))]
            moduli = sum((abs(term) for term in terms), Fraction(0))
            if abs(sum(terms, Fraction(0))) > _DEPENDENT * moduli:
                chosen.append(column)
                break
    return chosen


def _least_squares(
    rows: Matrix, columns: list[int], weights: Vector, y: Vector, ridge: Fraction
) -> Vector:
    """Coefficients of the columns, exactly; the ridge is relative to the largest diagonal."""
    p, count = len(columns), range(len(rows))
    picked = [[row[c] for c in columns] for row in rows]
    heavy = [[weights[k] * x for x in picked[k]] for k in count]
    zero = Fraction(0)
    matrix = [
        [sum((heavy[k][i] * picked[k][j] for k in count), zero) for j in range(p)] for i in range(p)
    ]
    extra = ridge * max((matrix[i][i] for i in range(p)), default=zero)
    for i in range(p):
        matrix[i][i] += extra
    return _solved(matrix, [sum((heavy[k][i] * y[k] for k in count), zero) for i in range(p)])


def _fractions(array: FloatArray) -> Any:
    if array.ndim == 2:
        return [_fractions(row) for row in array]
    return [Fraction(float(x)) for x in array]


def _solved(matrix: Matrix, right: Vector) -> Vector:
    """Gauss and Jordan, with zeros for the unknowns that the equations leave free."""
    p = len(right)
    work = [[*matrix[i], right[i]] for i in range(p)]
    pivots: list[tuple[int, int]] = []
    top = 0
    for column in range(p):
        best = max(range(top, p), key=lambda i: abs(work[i][column]), default=None)
        if best is None or work[best][column] == 0:
            continue
        work[top], work[best] = work[best], work[top]
        work[top] = [value / work[top][column] for value in work[top]]
        for i in range(p):
            if i != top and work[i][column] != 0:
                factor = work[i][column]
                work[i] = [a - factor * b for a, b in zip(work[i], work[top], strict=True)]
        pivots.append((top, column))
        top += 1
    solution = [Fraction(0)] * p
    for row, column in pivots:
        solution[column] = work[row][-1]
    return solution


def _rounded(numbers: list[Fraction]) -> Dyadic:
    """To multiples of 2^-200 of the largest: more than 50 digits."""
    largest = max((abs(number) for number in numbers), default=Fraction(0))
    if largest == 0:
        return Dyadic.of(np.zeros(len(numbers)))
    power = largest.numerator.bit_length() - largest.denominator.bit_length() - 200
    integers = np.array([round(number / Fraction(2) ** power) for number in numbers], dtype=object)
    return Dyadic(integers, power)
