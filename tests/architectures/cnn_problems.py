"""Small problems of linear convolutional networks, and their programs written out anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import circulant, dft
from scipy.optimize import minimize

from cvxnn.losses import as_loss

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

LOSSES = ("squared", "huber", "logistic", "squared_hinge")


def draw(loss: str, n: int, K: int, h: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Patches and targets of a network of one filter with noise."""
    rng = np.random.default_rng(seed)
    patches = rng.standard_normal((n, K, h))
    truth = np.outer(rng.standard_normal(K), rng.standard_normal(h))
    y = np.einsum("nkh,kh->n", patches, truth) + 0.3 * rng.standard_normal(n)
    return patches, np.where(y > 0.0, 1.0, -1.0) if as_loss(loss).has_labels else y


def nuclear_objective(
    patches: FloatArray, y: FloatArray, beta: float, loss: str, Z: FloatArray
) -> float:
    """``l(sum_k X^(k) z_k, y) + beta ||Z||_*`` for Z of shape (h, K)."""
    prediction = sum(patches[:, k] @ Z[:, k] for k in range(Z.shape[1]))
    return as_loss(loss).value(prediction, y) + beta * float(np.linalg.norm(Z, "nuc"))


def spectrum_objective(
    X: FloatArray, y: FloatArray, beta: float, loss: str, z: np.ndarray[Any, Any]
) -> float:
    """``l(X F z, y) + beta / sqrt(d) ||z||_1`` for a complex z of shape (d,)."""
    d = len(z)
    prediction = X @ (dft(d, scale="sqrtn").conj() @ z)
    assert np.abs(prediction.imag).max() <= 1e-9 * (1.0 + np.abs(prediction).max())
    return as_loss(loss).value(prediction.real, y) + beta / d**0.5 * float(np.abs(z).sum())


def search(objective: Any, size: int, starts: int = 40, *, jac: bool = False) -> float:
    """The lowest objective that L-BFGS reaches from random starts."""
    rng = np.random.default_rng(1)
    return min(
        float(minimize(objective, 0.7 * rng.standard_normal(size), jac=jac, method="L-BFGS-B").fun)
        for _ in range(starts)
    )


def patch_search(patches: FloatArray, y: FloatArray, beta: float, loss: str, m: int) -> float:
    """:func:`search` on the weights of m filters."""
    _, K, h = patches.shape

    def objective(weights: FloatArray) -> float:
        U, W = weights[: m * h].reshape(m, h), weights[m * h :].reshape(m, K)
        prediction = np.einsum("nkh,mh,mk->n", patches, U, W)
        return as_loss(loss).value(prediction, y) + 0.5 * beta * float(weights @ weights)

    return search(objective, m * (h + K))


def circular_search(X: FloatArray, y: FloatArray, beta: float, loss: str, m: int) -> float:
    """:func:`search` on the weights of m circular filters."""
    d = X.shape[1]

    def objective(weights: FloatArray) -> float:
        U, W = weights.reshape(2, m, d)
        prediction = sum(X @ circulant(u) @ w for u, w in zip(U, W, strict=True))
        return as_loss(loss).value(prediction, y) + 0.5 * beta * float(weights @ weights)

    return search(objective, 2 * m * d)


def in_cvxpy(cp: Any, loss: str, prediction: Any, y: FloatArray) -> Any:
    """A loss as an expression of cvxpy."""
    if loss == "squared":
        return 0.5 * cp.sum_squares(prediction - y)
    if loss == "huber":
        return 0.5 * cp.sum(cp.huber(prediction - y))
    margin = cp.multiply(y, prediction)
    if loss == "logistic":
        return cp.sum(cp.logistic(-margin))
    return 0.5 * cp.sum_squares(cp.pos(1.0 - margin))
