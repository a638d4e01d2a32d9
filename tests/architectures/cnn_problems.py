"""Small problems of convolutional networks, and their programs written out anew."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from problems import brute_force_cells
from scipy.linalg import dft
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
    """The lowest objective that L-BFGS reaches from random starts, perhaps with gradients."""
    rng = np.random.default_rng(1)
    return min(
        float(minimize(objective, 0.7 * rng.standard_normal(size), jac=jac, method="L-BFGS-B").fun)
        for _ in range(starts)
    )


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


def draw_images(loss: str, shape: tuple[int, ...], seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Images of few grey levels, so that patches repeat, and targets."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-1, 2, shape) + 0.3 * (rng.random(shape) > 0.7)
    y = images.reshape(len(images), -1).max(axis=1) + 0.5 * rng.standard_normal(len(images))
    return images, np.where(y > 1.0, 1.0, -1.0) if as_loss(loss).has_labels else y


def patches_by_loops(
    images: FloatArray, sides: tuple[int, ...], stride: int = 1, padding: int = 0
) -> FloatArray:
    """Patches, shape (n, K, h), of images or signals without channels."""
    padded = np.pad(images, [(0, 0)] + [(padding, padding)] * len(sides))
    starts = itertools.product(
        *(
            range(0, whole - side + 1, stride)
            for whole, side in zip(padded.shape[1:], sides, strict=True)
        )
    )
    windows = [
        (slice(None), *(slice(a, a + side) for a, side in zip(start, sides, strict=True)))
        for start in starts
    ]
    return np.stack([padded[window].reshape(len(images), -1) for window in windows], axis=1)


def shared_filter_program(
    cp: Any, loss: str, patches: FloatArray, y: FloatArray, beta: float, slope: float
) -> float:
    """The optimum of program B.5a on all patterns of the patches, by Clarabel.

    In a cell with mask D the activation is linear, ``phi(Mu) = (D + slope (I - D)) M u``.
    """
    n, n_patches, h = patches.shape
    rows = patches.reshape(-1, h)
    masks, _ = brute_force_cells(rows)
    pooled = np.kron(np.eye(n), np.ones(n_patches))
    plus, minus = cp.Variable((h, len(masks))), cp.Variable((h, len(masks)))
    factors = np.where(masks, 1.0, slope).T
    prediction = pooled @ cp.sum(cp.multiply(factors, rows @ (plus - minus)), axis=1)
    signs = np.where(masks, 1.0, -1.0).T
    penalty = sum(cp.sum(cp.norm(block, axis=0)) for block in (plus, minus))
    program = cp.Problem(
        cp.Minimize(in_cvxpy(cp, loss, prediction, y) + beta * penalty),
        [cp.multiply(signs, rows @ block) >= 0.0 for block in (plus, minus)],
    )
    return float(program.solve(solver="CLARABEL"))


def shared_filter_search(
    patches: FloatArray, y: FloatArray, beta: float, loss: str, m: int, slope: float
) -> float:
    """The lowest objective of L-BFGS from 40 random starts, on m filters with shared weights."""
    h = patches.shape[2]
    chosen = as_loss(loss)

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        U, a = weights[: m * h].reshape(m, h), weights[m * h :]
        sums = patches @ U.T
        pooled = np.where(sums > 0.0, sums, slope * sums).sum(axis=1)
        prediction = pooled @ a
        value = chosen.value(prediction, y) + 0.5 * beta * float(weights @ weights)
        pulled = chosen.gradient(prediction, y)
        through = np.where(sums > 0.0, 1.0, slope) * pulled[:, None, None] * a
        slopes = np.einsum("nkm,nkh->mh", through, patches)
        return value, np.concatenate([slopes.ravel(), pooled.T @ pulled]) + beta * weights

    rng = np.random.default_rng(1)
    size = m * (h + 1)
    return min(
        float(minimize(objective, rng.standard_normal(size), jac=True, method="L-BFGS-B").fun)
        for _ in range(40)
    )


def max_winners(patches: FloatArray, directions: FloatArray) -> FloatArray:
    """The patch of each image with the largest product, or -1 below 0, shape (k, n)."""
    products = np.einsum("nkh,mh->mnk", patches, directions)
    return np.where(products.max(axis=2) > 0.0, products.argmax(axis=2), -1)


def max_pooling_program(
    cp: Any, loss: str, patches: FloatArray, y: FloatArray, beta: float
) -> float:
    """The optimum of program B.5c over the cells of many random directions, by Clarabel."""
    h = patches.shape[2]
    directions = np.random.default_rng(0).standard_normal((100_000, h))
    prediction, penalty, cones = 0.0, 0.0, []
    for winner in np.unique(max_winners(patches, directions), axis=0):
        won = np.stack(
            [
                images[k] if k >= 0 else np.zeros(h)
                for images, k in zip(patches, winner, strict=True)
            ]
        )
        rows = np.concatenate([won[:, None] - patches, won[:, None]], axis=1).reshape(-1, h)
        for sign in (1.0, -1.0):
            z = cp.Variable(h)
            prediction, penalty = prediction + sign * won @ z, penalty + cp.norm(z)
            cones.append(rows @ z >= 0.0)
    objective = in_cvxpy(cp, loss, prediction, y) + beta * penalty
    return float(cp.Problem(cp.Minimize(objective), cones).solve(solver="CLARABEL"))


def max_pooling_search(patches: FloatArray, y: FloatArray, beta: float, loss: str, m: int) -> float:
    """:func:`search` on the weights of m filters, with the gradient of the winners."""
    n, _, h = patches.shape
    chosen = as_loss(loss)

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        U, a = weights[: m * h].reshape(m, h), weights[m * h :]
        products = patches @ U.T
        winner, pooled = products.argmax(axis=1), np.maximum(products.max(axis=1), 0.0)
        prediction = pooled @ a
        value = chosen.value(prediction, y) + 0.5 * beta * float(weights @ weights)
        pulled = chosen.gradient(prediction, y)
        through = (pooled > 0.0) * pulled[:, None] * a
        slopes = np.einsum("nm,nmh->mh", through, patches[np.arange(n)[:, None], winner])
        return value, np.concatenate([slopes.ravel(), pooled.T @ pulled]) + beta * weights

    return search(objective, m * (h + 1), jac=True)
