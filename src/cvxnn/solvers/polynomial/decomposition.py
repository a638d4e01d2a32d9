"""As few neurons as possible: the neural decomposition of a positive semidefinite matrix."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.solvers.polynomial.factors import Factors

# Of the largest eigenvalue: what is none.
_NOTHING = 1e-14


def reduced(factors: Factors, coefficients: tuple[float, float, float]) -> Factors:
    """The same function at no higher a price, with as many neurons as ranks.

    These are at most h + 1 for each sign and output, of a square alone h for both signs.

    Parameters
    ----------
    factors : Factors
    coefficients : tuple of float
        a, b and c.

    Notes
    -----
    Neurons of one sign and output are on the rows what ``Z = sum_j p_j p_j'`` with
    ``p = (w, ||w||)`` is, and cost its last entry: any other factors of Z with
    ``p'diag(I, -1) p = 0`` each are as good. They are made of its eigenvectors, two at a time
    (B. Bartan and M. Pilanci, Neural spectrahedra and semidefinite lifts,
    Math. Program. 2025).
    """
    a, b, c = coefficients
    if c == 0.0 and (a == 0.0 or b == 0.0):
        return _of_both_signs(factors, is_square=b == 0.0)
    parts: list[FloatArray] = []
    outputs: list[FloatArray] = []
    for head in np.unique(factors.outputs, axis=0):
        mine = (factors.outputs == head).all(axis=1)
        W = factors.W[mine]
        if len(W) > 1:
            lengths = factors.lengths[mine]
            W = _axes(W) if b == 0.0 else decomposed(np.column_stack([W, lengths]))
        parts.append(W)
        outputs.append(np.broadcast_to(head, (len(W), len(head))))
    if not parts:
        return factors
    return Factors(np.vstack(parts), np.vstack(outputs), factors.intercept)


def _of_both_signs(factors: Factors, *, is_square: bool) -> Factors:
    """Of a square alone the eigenvectors of the quadratic form, of a line alone its slope."""
    h, count = factors.W.shape[1], factors.outputs.shape[1]
    parts, outputs = [np.zeros((0, h))], [np.zeros((0, count))]
    for k, signs in enumerate(factors.outputs.T):
        scaled = signs[:, None] * factors.W
        if is_square:
            values, vectors = np.linalg.eigh(scaled.T @ factors.W)
        else:
            slope = factors.lengths @ scaled
            length = np.linalg.norm(slope)
            values = np.array([length])
            vectors = slope[:, None] / length if length > 0.0 else slope[:, None]
        kept = np.abs(values) > _NOTHING * np.abs(values).max(initial=0.0)
        parts.append(np.sqrt(np.abs(values[kept]))[:, None] * vectors.T[kept])
        outputs.append(np.sign(values[kept])[:, None] * np.eye(count)[k])
    return Factors(np.vstack(parts), np.vstack(outputs), factors.intercept)


def _axes(W: FloatArray) -> FloatArray:
    """Orthogonal factors of the same ``W'W``."""
    _, values, vectors = np.linalg.svd(W, full_matrices=False)
    kept = values > np.sqrt(_NOTHING) * values[0]
    return np.asarray(values[kept, None] * vectors[kept])


def decomposed(P: FloatArray) -> FloatArray:
    """Factors w of ``P'P = sum_j (w_j, ||w_j||)(w_j, ||w_j||)'``, shape (rank, h).

    Parameters
    ----------
    P : ndarray, shape (k, h + 1)
        With ``tr(P diag(I, -1) P') = 0``.

    Examples
    --------
    >>> (decomposed(np.array([[1.0, 1.0], [2.0, 2.0]])) ** 2).round(6)
    array([[5.]])
    """
    _, values, vectors = np.linalg.svd(P, full_matrices=False)
    kept = values > np.sqrt(_NOTHING) * values[0]
    left = list(values[kept, None] * vectors[kept])
    found: list[FloatArray] = []
    while left:
        first = left.pop()
        form = _form(first, first)
        others = [_form(p, p) for p in left]
        place = int(np.argmin(others) if form > 0.0 else np.argmax(others)) if others else -1
        if place < 0 or form * others[place] >= 0.0:
            found.append(first)
            continue
        second = left[place]
        mixed, other = _form(first, second), others[place]
        # The root of smaller modulus: no difference of numbers of the same size.
        root = np.sqrt(mixed**2 - form * other)
        share = -form / (mixed + np.copysign(root, mixed))
        length = np.sqrt(1.0 + share**2)
        found.append((first + share * second) / length)
        left[place] = (second - share * first) / length
    return np.array([_factor(p) for p in found]).reshape(len(found), P.shape[1] - 1)


def _form(p: FloatArray, q: FloatArray) -> float:
    return float(p[:-1] @ q[:-1] - p[-1] * q[-1])


def _factor(p: FloatArray) -> FloatArray:
    """The w of ``p = (w, ||w||)`` or minus that, of the length that is the price."""
    w = p[:-1] if p[-1] >= 0.0 else -p[:-1]
    length = np.linalg.norm(w)
    return np.asarray(w * (abs(p[-1]) / length) if length > 0.0 else w)
