"""The parts of a path to an optimum, each a family of networks for fractions 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.pruning import columns_of, prune_scales


@dataclass(frozen=True)
class Stage:
    """One part of a path: networks of m neurons for fractions 0 to 1.

    Attributes
    ----------
    label : str
    network : callable
        Takes a fraction to the network there.
    n_moves : int
        Straight parts.
    """

    label: str
    network: Callable[[float], TwoLayerNetwork]
    n_moves: int = 1


def balancing(network: TwoLayerNetwork) -> tuple[Stage, bool]:
    """``(u_j c_j^t, a_j c_j^-t)`` to ``||u_j|| = ||a_j||``: the function stays.

    The penalty is convex in t and least at the end. Neurons with u = 0 or a = 0
    do nothing, and shrink to 0.

    Returns
    -------
    stage : Stage
    is_needed : bool
        Whether some neuron is not balanced up to rounding.
    """
    hidden, output = network.hidden_weights, network.output_weights
    lengths, heights = _lengths(hidden), _heights(output)
    alive = (lengths > 0.0) & (heights > 0.0)
    logs = np.zeros(len(output))
    logs[alive] = 0.5 * (np.log(heights[alive]) - np.log(lengths[alive]))

    def at(fraction: float) -> TwoLayerNetwork:
        factors = np.exp(fraction * logs)
        shrink = np.where(alive, 1.0, 1.0 - fraction)
        return TwoLayerNetwork(
            (shrink * factors)[:, None] * hidden, _scaled(output, shrink, factors),
            intercept=network.intercept,
        )  # fmt: skip

    dead = ~alive & ((lengths > 0.0) | (heights > 0.0))
    return Stage("balance", at), bool(dead.any() or (np.abs(logs) > 1e-14).any())


def scaling(
    label: str, network: TwoLayerNetwork, scales: FloatArray, intercepts: FloatArray | None = None
) -> Stage:
    """Products ``||a_j|| u_j`` times scales that are linear between given rows of them.

    Parameters
    ----------
    label : str
    network : TwoLayerNetwork
        Balanced.
    scales : ndarray, shape (moves + 1, m)
        None negative.
    intercepts : ndarray, shape (moves + 1,), or (moves + 1, c) for c outputs, optional
        Linear between its rows, too; that of the network throughout by default.
    """
    n_moves = len(scales) - 1
    if intercepts is None:
        intercepts = np.array([network.intercept] * len(scales))

    def at(fraction: float) -> TwoLayerNetwork:
        position = fraction * n_moves
        move = min(int(position), n_moves - 1)
        t = position - move
        roots = np.sqrt((1.0 - t) * scales[move] + t * scales[move + 1])
        return TwoLayerNetwork(
            roots[:, None] * network.hidden_weights, _scaled(network.output_weights, roots),
            intercept=(1.0 - t) * intercepts[move] + t * intercepts[move + 1],
        )  # fmt: skip

    return Stage(label, at, n_moves)


def pruning(balanced: TwoLayerNetwork, X: FloatArray) -> FloatArray:
    """Scales at the corners of the pruning, shape (moves + 1, m).

    The columns ``vec((X u_j)_+ a_j')`` that are left, of n c entries, are linearly independent.
    """
    output = balanced.output_weights
    activations = np.maximum(X @ balanced.hidden_weights.T, 0.0)
    columns = columns_of(activations, output)
    sizes = _heights(output) ** 2
    seen = columns.any(axis=0)
    corners = [np.where(sizes > 0.0, 1.0, 0.0)]
    if (~seen & (sizes > 0.0)).any():
        # Neurons that no row sees only cost: they shrink in a move of their own.
        corners.append(np.where(seen, 1.0, 0.0))
    for part in prune_scales(columns[:, seen], sizes[seen]):
        corner = np.zeros(len(sizes))
        corner[seen] = part
        corners.append(corner)
    return np.array(corners)


def growth(balanced: TwoLayerNetwork, scales: FloatArray, goal: TwoLayerNetwork) -> Stage:
    """From the pruned network to the goal, in places that are free; the intercept to its own."""
    roots = np.sqrt(scales)
    hidden = np.array(balanced.hidden_weights) * roots[:, None]
    output = _scaled(np.array(balanced.output_weights), roots)
    free = np.flatnonzero(scales == 0.0)[: goal.n_neurons]
    hidden[free], output[free] = goal.hidden_weights, goal.output_weights
    before = np.where(scales > 0.0, 1.0, 0.0)
    after = np.zeros(len(scales))
    after[free] = 1.0
    intercepts = np.array([balanced.intercept, goal.intercept])
    return scaling("grow", TwoLayerNetwork(hidden, output), np.array([before, after]), intercepts)


def _lengths(rows: FloatArray) -> FloatArray:
    # Largest entry first: the squares of small or large weights leave float64.
    largest = np.abs(rows).max(axis=1)
    safe = np.where(largest > 0.0, largest, 1.0)
    lengths: FloatArray = largest * np.linalg.norm(rows / safe[:, None], axis=1)
    return lengths


def _heights(output: FloatArray) -> FloatArray:
    """``||a_j||`` of output weights of shape (m,) or (m, c)."""
    return np.abs(output) if output.ndim == 1 else _lengths(output)


def _scaled(
    output: FloatArray, factors: FloatArray | float, divisors: FloatArray | float = 1.0
) -> FloatArray:
    """Output weights of shape (m,) or (m, c) with each neuron's times its factor."""
    scaled: FloatArray = (factors * output.T / divisors).T
    return scaled
