"""Newton's method on all neurons at once, with moments instead of rows.

The same objective as in :mod:`cvxnn.solvers.face_newton`,
``1/2 ||sum_j s_j (X w_j)_+ - y||^2 + beta sum_j ||w_j||``, for data of rank two.
A step costs the same for any number of rows, so a neuron may cross as many
hyperplanes as it likes: what counts is that the exact objective falls.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from cvxnn.interrupts import check_interrupt
from cvxnn.solvers.gram_lasso import gram_lasso
from cvxnn.solvers.moments import Moments

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# As in face_newton: a neuron lies on a hyperplane if what is left of two terms
# that cancel is below this share.
TIGHT = 1e-9
# Trial steps of a line search, each this much shorter than the last.
_TRIALS = 8
_SHORTER = 0.3
# Gains below this share of the objective are not worth another step.
_SMALL_GAIN = 1e-13
# Added to the diagonal of the scaled Hessian: rounding can make it indefinite.
_DAMPING = 1e-13


def objective(moments: Moments, beta: float, rays: FloatArray, signs: FloatArray) -> float:
    """Objective (2) of the neurons ``s_j (X w_j)_+``."""
    return moments.loss(rays, signs) + beta * float(np.linalg.norm(rays, axis=1).sum())


def reweigh(
    moments: Moments, beta: float, rays: FloatArray, candidates: FloatArray, signs: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The best weights for the directions of rays and candidates (unit vectors).

    Parameters
    ----------
    moments : Moments
    beta : float
    rays : ndarray, shape (k, 2)
    candidates : ndarray, shape (m, 2)
    signs : ndarray, shape (k + m,)

    Returns
    -------
    rays, signs : ndarray
        Those with positive weight; their activations are linearly independent.
    """
    norms = np.linalg.norm(rays, axis=1)
    units = np.vstack([rays / norms[:, None], candidates])
    k = len(units)
    quadratic = moments.quadratic(units, signs)
    gram = np.einsum("ia,iajb,jb->ij", units, quadratic.gram.reshape(k, 2, k, 2), units)
    target = (units * quadratic.target.reshape(k, 2)).sum(axis=1) - beta
    weights = gram_lasso(gram, target, np.concatenate([norms, np.zeros(len(candidates))]))
    alive = weights > 0.0
    return units[alive] * weights[alive, None], signs[alive]


def merge_arcs(
    moments: Moments, rays: FloatArray, signs: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Add up neurons of one sign that share a closed arc.

    The output stays and the penalty does not grow: on a closed arc the ReLU is
    linear, and ``||p + q|| <= ||p|| + ||q||``.
    """
    p = moments.circle.n_classes
    rays = rays.copy()
    while len(rays) > 1:
        arcs, tight = moments.locate(rays, TIGHT)
        # A neuron on a hyperplane is in the arcs on both sides of it.
        first = arcs - ((tight >= 0) & (tight != arcs % p))
        last = first + (tight >= 0)
        stays = np.ones(len(rays), dtype=np.bool_)
        for sign in (1.0, -1.0):
            group = np.flatnonzero(signs == sign)
            group = group[np.argsort(first[group], kind="stable")]
            _merge_neighbours(rays, group, first, last, 2 * p, stays)
        if stays.all():
            break
        rays, signs = rays[stays], signs[stays]
    return rays, signs


def _merge_neighbours(
    rays: FloatArray,
    group: IntArray,
    first: IntArray,
    last: IntArray,
    n_arcs: int,
    stays: NDArray[np.bool_],
) -> None:
    """Add the second of disjoint pairs of neighbours on the circle to the first."""
    taken = np.zeros(len(rays), dtype=np.bool_)
    for position, i in enumerate(group):
        after = group[(position + 1) % len(group)]
        turn = n_arcs if position + 1 == len(group) else 0
        if i == after or taken[i] or taken[after]:
            continue
        if first[after] + turn <= last[i]:
            rays[i] = rays[i] + rays[after]
            stays[after] = False
            taken[i] = taken[after] = True


def newton(
    moments: Moments, beta: float, rays: FloatArray, signs: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Newton steps with a line search on the exact objective; neurons merge on the way."""
    value = objective(moments, beta, rays, signs)
    for _ in range(steps):
        check_interrupt()
        if len(rays) == 0:
            break
        before = value
        rays, signs, value = _step(moments, beta, rays, signs, value)
        if not value < before:
            break
        rays, signs = merge_arcs(moments, rays, signs)
        value = min(value, objective(moments, beta, rays, signs))
        if before - value <= _SMALL_GAIN * before:
            break
    return rays, signs


def _step(
    moments: Moments, beta: float, rays: FloatArray, signs: FloatArray, value: float
) -> tuple[FloatArray, FloatArray, float]:
    """One step; neurons on a hyperplane change their length only."""
    norms = np.linalg.norm(rays, axis=1)
    units = rays / norms[:, None]
    moves = _direction(moments, beta, rays, signs)
    # A neuron that would turn round stops at zero, and is gone.
    shrinking = -(moves * units).sum(axis=1) / norms
    longest = min(1.0, 1.0 / max(float(shrinking.max()), 1e-300))
    gone = shrinking * longest >= 1.0 - 1e-12
    length = longest
    for trial in range(_TRIALS):
        moved, kept = rays + length * moves, signs
        if trial == 0 and gone.any():
            moved, kept = moved[~gone], signs[~gone]
        reached = objective(moments, beta, moved, kept)
        if reached < value:
            return moved, kept, reached
        length *= _SHORTER
    return rays, signs, value


def _direction(moments: Moments, beta: float, rays: FloatArray, signs: FloatArray) -> FloatArray:
    """Newton's direction of the objective, as if the arcs went on for ever; shape (k, 2).

    The Gram matrix of ReLU features has the square of their large condition
    number. With the slopes G_m of the network on its pieces as variables beside
    the moves z of the neurons, the data term is block diagonal, and what is left
    is a sparse chain, ``G_{m+1} - G_m = sum of what turns on or off``.
    """
    k = len(rays)
    norms = np.linalg.norm(rays, axis=1)
    units = rays / norms[:, None]
    pieces = moments.pieces(rays, TIGHT)
    basis = _basis(units, pieces.tight >= 0)
    across = np.eye(2) - units[:, :, None] * units[:, None, :]
    across += _DAMPING * np.eye(2)
    penalty = scipy.sparse.block_diag(list((beta / norms)[:, None, None] * across), format="csr")
    squares, slope = moments.gradients(pieces, rays, signs)
    data = scipy.sparse.block_diag(list(squares), format="csr")
    m = len(slope)
    turning = np.vstack([pieces.on[:1], np.diff(pieces.on.astype(np.int8), axis=0)]) * signs
    jumps = scipy.sparse.kron(scipy.sparse.csr_matrix(turning), np.eye(2), format="csr") @ basis
    chain = scipy.sparse.eye(2 * m) - scipy.sparse.eye(2 * m, k=-2)
    system = scipy.sparse.bmat(
        [[basis.T @ penalty @ basis, None, -jumps.T], [None, data, chain.T], [-jumps, chain, None]],
        format="csc",
    )
    right = np.concatenate(
        [-beta * (basis.T @ units.reshape(-1)), slope.reshape(-1), np.zeros(2 * m)]
    )
    z = scipy.sparse.linalg.splu(system).solve(right)[: basis.shape[1]]
    return (basis @ z).reshape(k, 2)


def _basis(units: FloatArray, tight: NDArray[np.bool_]) -> scipy.sparse.csr_matrix:
    """Block diagonal: two coordinates for a free neuron, its own direction for a tight one."""
    k = len(units)
    blocks = [u[:, None] if t else np.eye(2) for u, t in zip(units, tight, strict=True)]
    return scipy.sparse.block_diag(blocks, format="csr")
