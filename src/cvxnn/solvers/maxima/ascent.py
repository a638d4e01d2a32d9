"""Local maxima of ``|v'f(u)|``, f_i(u) the largest activation of image i, on the sphere."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt
from cvxnn.layers.max_pooling import MaxLayer
from cvxnn.oracle import Proposals
from cvxnn.oracle.ascent import distinct
from cvxnn.problems import Neurons

# Evaluations of a climb, and how far the first step goes, in lengths of a direction.
_STEPS, _FIRST = 40, 4.0
# Directions with a cosine above this are one.
_SAME = 1.0 - 1e-6


def maxima(
    layer: MaxLayer,
    v: FloatArray,
    threshold: float,
    random_state: np.random.Generator,
    n_starts: int,
    *,
    neurons: Neurons | None = None,
    most: int = 20,
    deadline: Deadline = UNLIMITED,
) -> Proposals:
    """Local maxima above a threshold, at most so many for each sign.

    Parameters
    ----------
    layer : MaxLayer
    v : ndarray, shape (n,)
        Dual point.
    threshold : float
    random_state : Generator
        Half of the starts are random directions, half of them patches.
    n_starts : int
        For each sign.
    neurons : Neurons, optional
        Further starts, each for its own sign.
    most : int
    deadline : Deadline, optional

    Notes
    -----
    Steps along the subgradient in which each image counts with its largest patch, twice as long
    after one that goes up and half as long after one that does not. O(n K h) for a step of a
    start, and no proof.

    Examples
    --------
    >>> layer = MaxLayer(np.array([[3.0, 0.0], [0.0, 4.0]]), n_patches=2)
    >>> found = maxima(layer, np.array([2.0]), 1.0, np.random.default_rng(0), 8)
    >>> found.values.round(6).tolist()
    [8.0, 6.0]
    """
    found = []
    for sign in (1.0, -1.0):
        starts = [_drawn(layer, random_state, n_starts)]
        if neurons is not None:
            starts.append(neurons.directions[neurons.signs == sign])
        directions, values = _climbed(layer, sign * v, np.vstack(starts), deadline)
        directions, values = distinct(directions, values, most, _SAME)
        above = values > threshold
        heads = np.full((int(above.sum()), 1), sign)
        found.append(Proposals(directions[above], heads, values[above]))
    return Proposals.joined(*found)


def _drawn(layer: MaxLayer, random_state: np.random.Generator, count: int) -> FloatArray:
    drawn = random_state.standard_normal((count, layer.n_features))
    picked = random_state.integers(0, len(layer.rows), count // 2)
    drawn[: count // 2] = layer.rows[picked]
    return _units(drawn)


def _climbed(
    layer: MaxLayer, v: FloatArray, points: FloatArray, deadline: Deadline
) -> tuple[FloatArray, FloatArray]:
    """Where climbs on ``v'f(u)`` from these directions lead, and the values there."""
    points = points.copy()
    values, slopes = layer.scores(v, points)
    steps = np.full(len(points), _FIRST)
    for _ in range(_STEPS):
        check_interrupt()
        deadline.check()
        ahead = _units(points + steps[:, None] * _units(slopes))
        reached, turned = layer.scores(v, ahead)
        better = reached > values
        points[better], values[better], slopes[better] = (
            ahead[better], reached[better], turned[better]
        )  # fmt: skip
        steps *= np.where(better, 2.0, 0.5)
    return points, values


def _units(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))
