"""The mathematical problem behind a call, and its objective in exact arithmetic.

Every network of the library is ``f = sum_j read_j(rows, u_j, a_j)`` with rows of shape
(n, K, p): K = 1 for dense networks, the patches for convolutional ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from adversary import deviances
from adversary.dyadic import Dyadic, root_between

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Interval = tuple[Fraction, Fraction]

_CONTEXT = Context(prec=60, Emin=-(10**15), Emax=10**15)
_LOGISTIC_ERROR = Fraction(1, 10**50)
OF_LABELS = ("logistic", "squared_hinge", "hinge")
# Of the quantile loss; no binary number.
LEVEL = 0.9
# Some dozens of roundings.
_EPS = Fraction(1, 2**46)
_NEGLIGIBLE = Fraction(1, 10**4000)


@dataclass(frozen=True)
class Problem:
    """``min l(f, y) + beta/2 (sum of squared weights) + beta ||w||``, in the units of the caller.

    Attributes
    ----------
    rows : ndarray, shape (n, K, p)
    read : {"sum", "average", "max", "gated", "bilinear"}
        What becomes of the K activations of a neuron; ``"bilinear"`` has no activation
        and an output weight for each of them.
    slope : float
        Of the activation below 0.
    skip : {None, "penalised", "free"}
    y, weights : ndarray, shape (n,)
    beta : float
    loss : str
        One of those of :func:`cvxnn.solve` for one output. The quantile is that of the level of
        :data:`LEVEL`.
    delta : float
        Of the Huber loss.
    intercept : bool
        Whether a number without a price is added to all predictions.
    """

    rows: FloatArray
    read: str
    slope: float
    skip: str | None
    y: FloatArray
    weights: FloatArray
    beta: float
    loss: str
    delta: float
    intercept: bool = False

    @property
    def n_features(self) -> int:
        return int(self.rows.shape[2])

    @property
    def has_labels(self) -> bool:
        return self.loss in OF_LABELS

    @property
    def has_log_link(self) -> bool:
        """Whether the logarithm of targets is predicted."""
        return self.loss in ("poisson", "gamma")

    @property
    def has_units(self) -> bool:
        """Whether targets have the unit of predictions."""
        return not (self.has_labels or self.has_log_link)


@dataclass(frozen=True)
class Weights:
    """A network: float64 arrays, or Dyadic where it was refined beyond float64.

    Attributes
    ----------
    hidden : shape (m, p)
    output : shape (m,), or (m, K) for bilinear networks
    skip : shape (p,) or None
    masks : bool, shape (n, m), or None
        Where the gates of a gated network are open.
    intercept : float or Fraction
        What is added to all predictions.
    """

    hidden: Any
    output: Any
    skip: Any = None
    masks: Any = None
    intercept: float | Fraction = 0.0

    @property
    def size(self) -> int:
        return int(self.hidden.shape[0])

    def part(self, kept: Any) -> Weights:
        masks = None if self.masks is None else self.masks[:, kept]
        return replace(self, hidden=self.hidden[kept], output=self.output[kept], masks=masks)


def empty(problem: Problem, skip: Any = None) -> Weights:
    """The network without neurons."""
    n, K, p = problem.rows.shape
    output = np.zeros((0, K)) if problem.read == "bilinear" else np.zeros(0)
    masks = np.zeros((n, 0), dtype=bool) if problem.read == "gated" else None
    if skip is None and problem.skip is not None:
        skip = np.zeros(p)
    return Weights(np.zeros((0, p)), output, skip, masks)


def predictions(problem: Problem, network: Weights) -> list[Fraction]:
    """``f``, exactly."""
    n, K, _ = problem.rows.shape
    rows = Dyadic.of(problem.rows)
    total = Dyadic(np.full(n, 0, dtype=object), 0)
    if network.size:
        total = total + _neurons(problem, network, rows)
    share = Fraction(1, K if problem.read == "average" else 1)
    values = [value * share for value in total.fractions()]
    if problem.skip is not None:
        linear = (rows[:, 0] @ Dyadic.of(network.skip)).fractions()
        values = [a + b for a, b in zip(values, linear, strict=True)]
    return [value + Fraction(network.intercept) for value in values]


def _neurons(problem: Problem, network: Weights, rows: Dyadic) -> Dyadic:
    n, K, p = problem.rows.shape
    hidden, output = Dyadic.of(network.hidden), Dyadic.of(network.output)
    sums = (rows.reshape(n * K, p) @ hidden.T).reshape(n, K, network.size)
    if problem.read == "bilinear":
        product = sums * output.T.reshape(1, K, network.size)
        return product.reshape(n, K * network.size).sum(axis=1)
    if problem.read == "gated":
        opened = Dyadic(np.where(network.masks, sums.integers[:, 0], 0), sums.exponent)
        return opened @ output
    active = sums.activated(problem.slope)
    pooled = active.max(axis=1) if problem.read == "max" else active.sum(axis=1)
    return pooled @ output


def penalty(problem: Problem, network: Weights) -> Interval:
    """``1/2`` of the squared weights, and ``||w||`` for a penalised skip connection."""
    hidden, output = Dyadic.of(network.hidden), Dyadic.of(network.output)
    least = most = (hidden.square_sum() + output.square_sum()) / 2
    if problem.skip == "penalised":
        low, high = root_between(Dyadic.of(network.skip).square_sum())
        least, most = least + low, most + high
    return least, most


def objective(problem: Problem, network: Weights) -> Interval:
    """The objective between two rational numbers, equal ones where it is rational."""
    low, high = loss_between(problem, predictions(problem, network))
    beta = Fraction(problem.beta)
    least, most = penalty(problem, network)
    return low + beta * least, high + beta * most


def loss_between(problem: Problem, values: list[Fraction]) -> Interval:
    """The loss of exact predictions."""
    low = high = Fraction(0)
    for f, y, weight in zip(values, problem.y, problem.weights, strict=True):
        least, most = row_loss(problem, f, Fraction(float(y)))
        low += least * Fraction(float(weight))
        high += most * Fraction(float(weight))
    return low, high


def rounding_of_loss(problem: Problem, network: Weights) -> Fraction:
    """How much the loss may err by if predictions are computed in float64."""
    moduli = predictions(
        replace(problem, rows=np.abs(problem.rows), slope=max(abs(problem.slope), 1.0)),
        Weights(
            np.abs(network.hidden),
            np.abs(network.output),
            None if network.skip is None else np.abs(network.skip),
            network.masks,
            abs(network.intercept),
        ),
    )
    total = Fraction(0)
    for f, size, y, weight in zip(
        predictions(problem, network), moduli, problem.y, problem.weights, strict=True
    ):
        target = Fraction(float(y))
        error = _EPS * (size + abs(_of_prediction(problem, target)))
        most = max(row_loss(problem, f + sign * error, target)[1] for sign in (-1, 1))
        rise = most - row_loss(problem, f, target)[0] + error**2
        total += Fraction(float(weight)) * rise
    return total


def _of_prediction(problem: Problem, y: Fraction) -> Fraction:
    """A target in the unit of predictions."""
    if not problem.has_log_link:
        return y
    return Fraction(float(np.log(float(y)))) if y > 0 else Fraction(0)


class LossOfNumbers(Protocol):
    """What of a problem its loss is read from."""

    @property
    def loss(self) -> str: ...
    @property
    def delta(self) -> float: ...


def kink_sides(loss: str, y: Fraction) -> tuple[Fraction, Fraction] | None:
    """Minus the slopes of a loss beyond its kink at y and before it; None of one without."""
    if loss == "absolute":
        return Fraction(-1), Fraction(1)
    if loss == "quantile":
        return Fraction(LEVEL) - 1, Fraction(LEVEL)
    if loss == "hinge":
        return min(y, Fraction(0)), max(y, Fraction(0))
    return None


def row_loss(problem: LossOfNumbers, f: Fraction, y: Fraction) -> Interval:
    """The loss of one number."""
    sides = kink_sides(problem.loss, y)
    if sides is not None:
        value = max(sides[0] * (y - f), sides[1] * (y - f))
        return value, value
    if problem.loss == "logistic":
        return _logistic(y * f)
    if problem.loss in ("poisson", "gamma"):
        return deviances.row_loss(problem.loss, f, y)
    if problem.loss == "squared":
        value = (f - y) ** 2 / 2
    elif problem.loss == "squared_hinge":
        value = max(1 - y * f, Fraction(0)) ** 2 / 2
    else:
        size, delta = abs(f - y), Fraction(problem.delta)
        inner = min(size, delta)
        value = inner * (size - inner / 2)
    return value, value


def _logistic(margin: Fraction) -> Interval:
    """``log(1 + exp(-margin))`` from 60 digits."""
    linear = max(-margin, Fraction(0))
    if abs(margin) > 10**6:
        return linear, linear + _NEGLIGIBLE
    with localcontext(_CONTEXT):
        m = Decimal(margin.numerator) / Decimal(margin.denominator)
        bend = Fraction(_log1p((-abs(m)).exp()))
    return linear + bend * (1 - _LOGISTIC_ERROR), linear + bend * (1 + _LOGISTIC_ERROR)


def _log1p(x: Decimal) -> Decimal:
    """``log(1 + x)`` without loss for tiny x >= 0."""
    if x < Decimal("1e-25"):
        return x - x * x / 2 + x * x * x / 3
    return (1 + x).ln()
