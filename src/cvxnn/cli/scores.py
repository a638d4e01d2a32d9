"""How good predictions are: the scores of ``cvxnn fit`` and ``cvxnn predict``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cvxnn.array_types import Array, FloatArray

Scores = dict[str, float | None]
# What they are called.
NAMES = {
    "r2": "R2", "d2": "D2", "rmse": "RMSE", "mae": "MAE", "pinball": "pinball loss",
    "accuracy": "accuracy", "log_loss": "log loss",
}  # fmt: skip
# Losses of logarithms, whose score is the deviance that is explained.
_OF_LOGARITHMS = ("poisson", "gamma")


def of_numbers(
    values: FloatArray, predictions: FloatArray, loss: str = "squared", level: float = 0.5
) -> Scores:
    """The scores of one target: errors, and what share of the variance or deviance is explained.

    Parameters
    ----------
    values, predictions : ndarray, shape (n,)
    loss : str
        What was trained: it adds the error that it is a sum of.
    level : float
        Of a quantile.

    Returns
    -------
    scores : dict
        With None for a share of targets that are all equal.

    Examples
    --------
    >>> of_numbers(np.array([1.0, 3.0]), np.array([1.0, 2.0]), "absolute")
    {'rmse': 0.7071067811865476, 'mae': 0.5, 'r2': 0.5}
    """
    errors = values - predictions
    found: Scores = {"rmse": float(np.sqrt(np.mean(errors**2)))}
    if loss == "absolute":
        found["mae"] = float(np.mean(np.abs(errors)))
    if loss == "quantile":
        found["pinball"] = float(np.mean(np.maximum(level * errors, (level - 1.0) * errors)))
    name = explained_by(loss)
    if np.ptp(values) == 0.0:
        return found | {name: None}
    return found | {name: (_r2 if name == "r2" else _d2)(values, predictions, loss)}


def explained_by(loss: str) -> str:
    """Whether it is the variance, "r2", or the deviance, "d2", whose share is a score."""
    return "d2" if loss in _OF_LOGARITHMS else "r2"


def of_classes(
    labels: Array,
    predictions: Array,
    probabilities: FloatArray | None = None,
    classes: Sequence[str] = (),
) -> Scores:
    """The scores of labels; with `commonest`, what the commonest one alone would have as accuracy.

    Parameters
    ----------
    labels, predictions : ndarray of str, shape (n,)
    probabilities : ndarray, shape (n, k), optional
    classes : sequence of str
        Those that have the probabilities.

    Examples
    --------
    >>> of_classes(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]))
    {'accuracy': 0.6666666666666666, 'commonest': 0.6666666666666666}
    """
    _, counts = np.unique(labels, return_counts=True)
    found: Scores = {
        "accuracy": float(np.mean(labels == predictions)),
        "commonest": float(counts.max() / len(labels)),
    }
    places = {name: k for k, name in enumerate(classes)}
    if probabilities is not None and set(labels.tolist()) <= set(places):
        right = probabilities[np.arange(len(labels)), [places[name] for name in labels.tolist()]]
        # As scikit-learn has it: none is impossible.
        found["log_loss"] = float(-np.mean(np.log(np.maximum(right, np.finfo(float).eps))))
    return found


def in_words(scores: Mapping[str, float | None]) -> str:
    """All of them in one line.

    Examples
    --------
    >>> in_words({"accuracy": 0.75, "commonest": 0.5, "log_loss": 0.41})
    'accuracy 0.75 (0.5 by the commonest class), log loss 0.41'
    """
    common = scores.get("commonest")
    beside = "" if common is None else f" ({common:.4g} by the commonest class)"
    return ", ".join(
        f"{words} {value:.4g}{beside if name == 'accuracy' else ''}"
        for name, words in NAMES.items()
        if (value := scores.get(name)) is not None
    )


def _r2(values: FloatArray, predictions: FloatArray, loss: str) -> float:
    left, whole = np.sum((values - predictions) ** 2), np.sum((values - values.mean()) ** 2)
    return float(1.0 - left / whole)


def _d2(values: FloatArray, predictions: FloatArray, loss: str) -> float:
    # Late: they load what trains.
    from cvxnn.estimators.deviance import explained_deviance
    from cvxnn.losses import as_loss

    logarithms = np.log(np.maximum(predictions, np.finfo(float).tiny))
    return explained_deviance(as_loss(loss), logarithms, values, None)
