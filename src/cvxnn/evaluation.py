"""The objective of a network in float64, and by how much it may be wrong.

A lower bound proves nothing about a network whose objective is not known: the error of
evaluating it belongs in the gap. Where float64 leaves too much of an error, as beside a
tiny beta, whose residuals are rounding, predictions are formed in twice the precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.layers import Rows
from cvxnn.losses import Loss

Pair = tuple[FloatArray, FloatArray]

_EPS = float(np.finfo(float).eps)
# Relative error of an objective up to which float64 is enough, and the share of a
# tolerance that it may take.
_ENOUGH, _SHARE = 1e-9, 1e-3
# Products that the sums in twice the precision may take: some ten seconds.
_MOST_PRODUCTS = 1 << 30


@dataclass(frozen=True)
class Evaluation:
    """A number, and a bound on its rounding error.

    Examples
    --------
    >>> import cvxnn
    >>> network = cvxnn.TwoLayerNetwork([[1.0, -1.0]], [2.0])
    >>> found = network.evaluate([[3.0, 1.0]], [4.0], 1.0, cvxnn.SquaredLoss())
    >>> found.value, found.error < 1e-12
    (3.0, True)
    """

    value: float
    error: float


@dataclass(frozen=True)
class PrecisePrediction:
    """Predictions ``high + low``, and a bound on the error of that, in arrays of their shape."""

    high: FloatArray
    low: FloatArray
    error: FloatArray


@dataclass(frozen=True)
class Prediction:
    """Predictions of a network with what is known of their rounding.

    Attributes
    ----------
    values : ndarray, shape (n,), or (n, c) for several outputs
        As float64 gives them.
    moduli : ndarray, of the same shape
        For each a bound on the sum of the moduli of its terms; 0 where nothing is rounded.
    roundings : int
        Operations between the weights and a prediction, at most: terms of all nested sums.
    precise : callable, optional
        Gives the same predictions in twice the precision.
    """

    values: FloatArray
    moduli: FloatArray
    roundings: int
    precise: Callable[[], PrecisePrediction] | None = None

    @property
    def error(self) -> FloatArray:
        """Bound on the rounding error of each value."""
        return (self.roundings + 8) * _EPS * self.moduli

    def shifted(self, offset: float | FloatArray) -> Prediction:
        """The predictions with a number added to each, or one for each output."""
        if not np.any(offset):
            return self
        # A number that is added to 0 is not rounded.
        moduli = np.where(self.moduli > 0.0, self.moduli + np.abs(offset), 0.0)
        precise = self.precise
        # A function of its own: `precise` is that of the predictions without the offset.
        further = None if precise is None else partial(_shifted, precise, offset)
        return Prediction(self.values + offset, moduli, self.roundings + 1, further)


def _shifted(
    precise: Callable[[], PrecisePrediction], offset: float | FloatArray
) -> PrecisePrediction:
    from cvxnn.compensated import pair_error, sum_of_pairs

    before = precise()
    high, low = sum_of_pairs(
        (before.high, before.low), (np.full_like(before.high, offset), np.zeros_like(before.low))
    )
    size = np.where(before.high != 0.0, np.abs(before.high) + np.abs(offset), 0.0)
    rounding = 2.0 * pair_error(1) * size
    return PrecisePrediction(high, low, before.error + rounding)


def predict(
    layer: Rows,
    hidden: FloatArray,
    weights: FloatArray,
    linear: Pair | None = None,
    *,
    of_readout: int = 0,
) -> Prediction:
    """Predictions of neurons, and of a linear part ``S w`` beside them.

    Parameters
    ----------
    layer : Rows
    hidden : ndarray, shape (m, d)
    weights : ndarray, shape (m,), or (m, c) for several outputs
    linear : pair of ndarray, optional
        S of shape (n, p) and w of shape (p,), beside one output.
    of_readout : int
        Roundings in the entries of the readout, before any product.

    Examples
    --------
    >>> from cvxnn.layers import Layer
    >>> prediction = predict(Layer(np.array([[2.0]])), np.array([[1.0]]), np.array([-3.0]))
    >>> prediction.values, prediction.moduli
    (array([-6.]), array([6.]))
    """
    values = layer.forward(hidden, weights)
    moduli = layer.moduli(np.abs(hidden).T @ np.abs(weights))
    roundings = layer.terms + len(weights) + of_readout
    if linear is not None:
        S, w = linear
        values = values + S @ w
        moduli = moduli + np.abs(S) @ np.abs(w)
        roundings += len(w)

    forward = _precisely(layer, hidden, weights)
    if forward is None or layer.rows.size * weights.size > _MOST_PRODUCTS:
        return Prediction(values, moduli, roundings)

    def precise() -> PrecisePrediction:
        # Imported where it is needed, because numba is slow to load.
        from cvxnn.compensated import matrix_product, pair_error, sum_of_pairs

        pair = forward()
        if linear is not None:
            high, low = matrix_product(linear[0], linear[1][:, None])
            pair = sum_of_pairs(pair, (high[:, 0], low[:, 0]))
        error = 2.0 * pair_error(roundings) + of_readout * _EPS
        return PrecisePrediction(*pair, error * moduli)

    return Prediction(values, moduli, roundings, precise)


def _precisely(layer: Rows, hidden: FloatArray, weights: FloatArray) -> Callable[[], Pair] | None:
    """What gives the predictions in twice the precision, if there is something: for each output."""
    if weights.ndim == 1:
        return layer.precisely(hidden, weights)
    each = [layer.precisely(hidden, np.ascontiguousarray(output)) for output in weights.T]
    known = [forward for forward in each if forward is not None]
    if len(known) < len(each):
        return None

    def forward() -> Pair:
        high, low = zip(*(output() for output in known), strict=True)
        return np.column_stack(high), np.column_stack(low)

    return forward


def evaluate(
    loss: Loss,
    y: FloatArray,
    prediction: Prediction,
    price: float,
    roundings: int,
    tol: float = 1.0,
) -> Evaluation:
    """The objective: the loss of a prediction, and `price`, what the penalty costs.

    Parameters
    ----------
    loss : Loss
    y : ndarray, shape (n,), or (n, c) for several outputs
    prediction : Prediction
    price : float
        ``beta`` times the penalty, a sum of non-negative terms.
    roundings : int
        Of these terms.
    tol : float
        The relative gap that the objective is held against.

    Notes
    -----
    A prediction that errs by e changes a convex loss by ``e max |l'|`` over the interval
    at most. Losses are sums of non-negative terms, one for each target, each of a few
    roundings.
    """
    value, error = loss.value(prediction.values, y), prediction.error
    of_loss = _spread(loss, y, prediction.values, error, error) + (y.size + 16) * _EPS * value
    if of_loss > min(_ENOUGH, _SHARE * tol) * (value + price) and prediction.precise is not None:
        precise = prediction.precise()
        high, low, error = precise.high, precise.low, precise.error
        value = loss.value_of_pair(high, low, y)
        of_loss = _spread(loss, y, high, error, error + np.abs(low))
        of_loss += (y.size + 16) * _EPS * value
    of_price = (roundings + 8) * _EPS * price
    return Evaluation(value + price, (of_loss + of_price) * (1.0 + 1e-9))


def _spread(
    loss: Loss, y: FloatArray, values: FloatArray, error: FloatArray, reach: FloatArray
) -> float:
    """By how much the loss differs for predictions that differ by `error`.

    Slopes are those within `reach` of `values`.
    """
    slopes = loss.slopes(values, reach, y)
    # Squares of the smallest numbers vanish.
    underflow = y.size * 1e-300 if slopes.any() else 0.0
    return float(np.vdot(slopes, error) + loss.value_errors(values, y).sum()) + underflow
