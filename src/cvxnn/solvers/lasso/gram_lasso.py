"""Non-negative Lasso through the Gram matrix: for few columns of very many rows."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, check_interrupt

# A column whose squared length outside the span of the active ones is below this
# share of the whole counts as dependent.
_DEPENDENT = 1e-12
# Slopes below this share of the sizes that cancel in them are rounding.
_ROUNDING = 1e-13


def gram_lasso(
    gram: FloatArray,
    target: FloatArray,
    start: FloatArray,
    centre: FloatArray | None = None,
    deadline: Deadline = UNLIMITED,
) -> FloatArray:
    """Minimise ``1/2 c'Gc - b'c`` over ``c >= 0`` by an active set.

    The same as :func:`cvxnn.solvers.lasso.nonnegative_lasso.nonnegative_lasso` for
    ``G = A'A`` and ``b = A'y - beta``, at a cost that does not depend on n, with
    half of the digits. The support of the answer has linearly independent columns.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
    target : ndarray, shape (k,)
    start : ndarray, shape (k,)
        A guess; its support, heaviest first, starts the active set.
    centre : ndarray, shape (k,), optional
        Weights at which ``b - G c`` is `target`, instead of zero: what is small there
        keeps the digits that it loses beside a large b.
    deadline : Deadline, optional
        When it passes, the weights are what they are: each step has lowered the value.

    Returns
    -------
    ndarray, shape (k,)

    Notes
    -----
    Lawson and Hanson's method, O(m^3) a step for m active columns.

    Examples
    --------
    >>> import numpy as np
    >>> gram_lasso(np.eye(2), np.array([2.0, -0.5]), np.zeros(2))
    array([2., 0.])
    """
    lengths = np.sqrt(np.maximum(np.diag(gram), 0.0))
    barred = lengths == 0.0
    scale = 1.0 / np.where(barred, 1.0, lengths)
    gram, target = gram * scale * scale[:, None], target * scale
    centre = np.zeros(len(target)) if centre is None else centre / scale
    heaviest = np.argsort(-start, kind="stable")
    members = [int(j) for j in heaviest if start[j] > 0.0 and not barred[j]]
    weights = start / scale
    members = _descend(gram, target, centre, members, weights)
    empty = barred.copy()
    for _ in range(10 * len(target) + 10):
        check_interrupt()
        if deadline.passed:
            break
        slope = _slope(gram, target, centre, weights)
        moved = np.flatnonzero(weights != centre)
        floor = np.abs(gram[:, moved]) @ np.abs(weights[moved] - centre[moved])
        floor = _ROUNDING * (np.abs(target) + floor)
        slope[barred | (slope <= floor)] = 0.0
        slope[members] = 0.0
        if not slope.any():
            break
        entering = int(np.argmax(slope))
        members = _exchange(gram, members, entering, weights)
        members = _descend(gram, target, centre, [*members, entering], weights)
        if entering in members:
            barred = empty.copy()
        else:
            # Rounding: it would come back for ever.
            barred[entering] = True
    return weights * scale


def _slope(
    gram: FloatArray, target: FloatArray, centre: FloatArray, weights: FloatArray
) -> FloatArray:
    moved = np.flatnonzero(weights != centre)
    return np.asarray(target - gram[:, moved] @ (weights[moved] - centre[moved]))


def _exchange(
    gram: FloatArray, members: list[int], entering: int, weights: FloatArray
) -> list[int]:
    """Where the entering column depends on the members: it replaces one of them.

    Its weight grows while the output stays, until a member is used up.
    """
    if not members:
        return members
    factor, _ = _cholesky(gram[np.ix_(members, members)])
    along = scipy.linalg.solve_triangular(
        factor, gram[members, entering], lower=True, check_finite=False
    )
    if 1.0 - float(along @ along) > _DEPENDENT:
        return members
    share = scipy.linalg.solve_triangular(factor, along, lower=True, trans="T", check_finite=False)
    falling = share > 0.0
    if not falling.any():
        return members
    ratios = np.full(len(members), np.inf)
    ratios[falling] = weights[members][falling] / share[falling]
    leaving = int(np.argmin(ratios))
    weights[entering] = ratios[leaving]
    weights[members] = np.maximum(weights[members] - ratios[leaving] * share, 0.0)
    weights[members[leaving]] = 0.0
    return members[:leaving] + members[leaving + 1 :]


def _descend(
    gram: FloatArray,
    target: FloatArray,
    centre: FloatArray,
    members: list[int],
    weights: FloatArray,
) -> list[int]:
    """Move `weights` to the minimiser on the members; those left of them.

    Members that reach zero leave, and so do members that depend on those before.
    """
    while members:
        factor, dependent = _cholesky(gram[np.ix_(members, members)])
        if dependent >= 0:
            weights[members[dependent]] = 0.0
            del members[dependent]
            continue
        now = weights[members]
        if centre.any():
            left = _slope(gram, target, centre, weights)[members]
            goal = now + scipy.linalg.cho_solve((factor, True), left, check_finite=False)
        else:
            goal = scipy.linalg.cho_solve((factor, True), target[members], check_finite=False)
        falling = goal <= 0.0
        if not falling.any():
            weights[:] = 0.0
            weights[members] = goal
            return members
        ratios = np.full(len(now), np.inf)
        ratios[falling] = now[falling] / np.maximum(now[falling] - goal[falling], 1e-300)
        now = np.maximum(now + ratios.min() * (goal - now), 0.0)
        now[int(np.argmin(ratios))] = 0.0
        weights[:] = 0.0
        weights[members] = now
        members = [j for j, c in zip(members, now, strict=True) if c > 0.0]
    weights[:] = 0.0
    return members


def _cholesky(gram: FloatArray) -> tuple[FloatArray, int]:
    """Lower factor, and the first column that depends on those before it, or -1."""
    factor, info = scipy.linalg.lapack.dpotrf(gram, lower=1)
    pivots = np.diag(factor)[: info - 1] if info > 0 else np.diag(factor)
    small = np.flatnonzero(pivots**2 <= _DEPENDENT)
    if len(small):
        return factor, int(small[0])
    return factor, int(info) - 1
