"""The problem of several outputs behind a call, and its objective in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from adversary.dyadic import Dyadic
from adversary.problem import FloatArray, Interval, row_loss

_CONTEXT = Context(prec=60, Emin=-(10**15), Emax=10**15)
# What sixty digits leave of a logarithm of a few terms, and a gap whose exponential is nothing.
_ERROR, _FAR, _NEGLIGIBLE = Fraction(1, 10**50), 10**6, Fraction(1, 10**4000)
# Some dozens of roundings.
_EPS = Fraction(1, 2**46)


@dataclass(frozen=True)
class OutputsProblem:
    """``min sum_i w_i l(f_i, y_i) + beta/2 (sum of squared weights)``, in the units of the caller.

    Attributes
    ----------
    rows : ndarray, shape (n, p), or (n, K, p)
        The second are patches, over which activations are added up.
    slope : float
        Of the activation below 0.
    Y : ndarray, shape (n, c)
    weights : ndarray, shape (n,)
    beta : float
    loss : {"squared", "huber", "softmax"}
    delta : float
        Of the Huber loss.
    intercept : bool
    """

    rows: FloatArray
    slope: float
    Y: FloatArray
    weights: FloatArray
    beta: float
    loss: str
    delta: float
    intercept: bool

    @property
    def flat(self) -> FloatArray:
        """What neurons look at, shape (n K, p)."""
        return self.rows.reshape(-1, self.rows.shape[-1])

    @property
    def n_patches(self) -> int:
        """Of a row."""
        return self.rows.size // max(len(self.rows) * self.rows.shape[-1], 1)

    @property
    def has_labels(self) -> bool:
        return self.loss == "softmax"


@dataclass(frozen=True)
class OutputsWeights:
    """A network: arrays of float64 or Dyadic, shapes (m, p) and (m, c), and c fractions."""

    hidden: Any
    output: Any
    intercept: tuple[Fraction, ...]


def predictions(problem: OutputsProblem, network: OutputsWeights) -> list[list[Fraction]]:
    """``f``, exactly: a list of c numbers for each row."""
    c = problem.Y.shape[1]
    hidden, output = Dyadic.of(network.hidden), Dyadic.of(network.output)
    none = [Fraction(0)] * len(problem.rows)
    columns = [none] * c
    if hidden.shape[0]:
        active = (Dyadic.of(problem.flat) @ hidden.T).activated(problem.slope)
        active = active.reshape(len(problem.rows), problem.n_patches, hidden.shape[0]).sum(axis=1)
        columns = [(active @ output[:, k]).fractions() for k in range(c)]
    moved = zip(columns, network.intercept, strict=True)
    return [list(row) for row in zip(*([f + b for f in part] for part, b in moved), strict=True)]


def objective(problem: OutputsProblem, network: OutputsWeights) -> Interval:
    """The objective between two rational numbers, equal ones where it is rational."""
    low = high = Fraction(0)
    rows = zip(predictions(problem, network), problem.Y.tolist(), problem.weights, strict=True)
    for f, y, weight in rows:
        least, most = _row(problem, f, [Fraction(target) for target in y])
        low += Fraction(float(weight)) * least
        high += Fraction(float(weight)) * most
    hidden, output = Dyadic.of(network.hidden), Dyadic.of(network.output)
    price = Fraction(problem.beta) * (hidden.square_sum() + output.square_sum()) / 2
    return low + price, high + price


def rounding_of_loss(problem: OutputsProblem, network: OutputsWeights) -> Fraction:
    """How much the loss may err by if predictions are computed in float64."""
    sizes = predictions(
        OutputsProblem(
            np.abs(problem.rows), max(abs(problem.slope), 1.0), problem.Y, problem.weights,
            problem.beta, problem.loss, problem.delta, problem.intercept,
        ),
        OutputsWeights(
            Dyadic.of(network.hidden).moduli(),
            Dyadic.of(network.output).moduli(),
            tuple(abs(b) for b in network.intercept),
        ),
    )  # fmt: skip
    total = Fraction(0)
    rows = zip(
        predictions(problem, network), sizes, problem.Y.tolist(), problem.weights, strict=True
    )
    for f, size, y, weight in rows:
        targets = [Fraction(target) for target in y]
        errors = [_EPS * (s + abs(t)) for s, t in zip(size, targets, strict=True)]
        if problem.loss == "softmax":
            rise = 2 * sum(targets) * max(errors)
        else:
            triples = zip(f, errors, targets, strict=True)
            rise = sum((_rise(problem, *triple) for triple in triples), Fraction(0))
        total += Fraction(float(weight)) * rise
    return total


def _rise(problem: OutputsProblem, f: Fraction, error: Fraction, y: Fraction) -> Fraction:
    most = max(row_loss(problem, f + sign * error, y)[1] for sign in (-1, 1))
    return most - row_loss(problem, f, y)[0] + error**2


def _row(problem: OutputsProblem, f: list[Fraction], y: list[Fraction]) -> Interval:
    if problem.loss != "softmax":
        values = [row_loss(problem, *pair) for pair in zip(f, y, strict=True)]
        return sum(v[0] for v in values), sum(v[1] for v in values)
    gaps = [max(f) - value for value in f]
    linear = sum(target * gap for target, gap in zip(y, gaps, strict=True))
    others = sorted(gaps)[1:]
    near = [gap for gap in others if gap <= _FAR]
    with localcontext(_CONTEXT):
        terms = [(-Decimal(g.numerator) / Decimal(g.denominator)).exp() for g in near]
        bend = Fraction(_log1p(sum(terms, Decimal(0))))
    size = sum(y)
    far = _NEGLIGIBLE * len(others)
    return linear + size * bend * (1 - _ERROR), linear + size * (bend * (1 + _ERROR) + far)


def _log1p(x: Decimal) -> Decimal:
    """``log(1 + x)`` without loss for tiny x >= 0."""
    if x < Decimal("1e-25"):
        return x - x * x / 2 + x * x * x / 3
    return (1 + x).ln()
