"""Whether a network is one on the data, and how far from being optimal in its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork, check_plain

FloatArray = NDArray[np.float64]


def check_on_features(network: object, name: str, n_features: int) -> TwoLayerNetwork:
    """A network of ReLU on data of so many columns.

    Raises
    ------
    InputError
        If it is anything else.
    """
    checked = check_plain(network, name)
    if checked.n_features != n_features:
        raise InputError(
            f"{name} must have {n_features} features, as X has columns, got {checked.n_features}."
        )
    return checked


def violation(
    network: TwoLayerNetwork,
    directions: FloatArray,
    signs: FloatArray,
    activations: FloatArray,
    fit: FloatArray,
    total: float,
) -> float:
    """The largest of three relative errors; see :meth:`OptimalSet.violation`.

    Parameters
    ----------
    network : TwoLayerNetwork
    directions, signs : ndarray, shapes (k, d) and (k,)
        Of the neurons that optimal networks can have.
    activations : ndarray, shape (n, k)
        Their signed activations.
    fit : ndarray, shape (n,)
        The values of every optimal network.
    total : float
        The sum of the weights of an optimal network; 0 if that is empty, and then
        the size of `network` is returned as it is.
    """
    lengths = np.linalg.norm(network.hidden_weights, axis=1)
    heights = np.abs(network.output_weights)
    unit = total if total > 0.0 else 1.0
    unbalanced = float(np.sqrt(0.5 * np.sum((lengths - heights) ** 2) / unit))
    products = heights[:, None] * network.hidden_weights
    if len(signs) == 0 or total == 0.0:
        return max(unbalanced, float(np.sqrt(np.sum(lengths * heights))))
    along = products @ directions.T
    # A direction of the other sign is no place for a neuron.
    allowed = np.sign(network.output_weights)[:, None] == signs
    along = np.where(allowed, np.maximum(along, 0.0), -1.0)
    nearest = np.argmax(along, axis=1)
    parts = np.maximum(along[np.arange(len(along)), nearest], 0.0)
    off = np.linalg.norm(products - parts[:, None] * directions[nearest], axis=1)
    weights = np.bincount(nearest, weights=parts, minlength=len(signs))
    missed = float(np.linalg.norm(activations @ weights - fit) / np.linalg.norm(fit))
    return max(unbalanced, float(off.sum()) / total, missed)
