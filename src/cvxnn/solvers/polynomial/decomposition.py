"""As few neurons as possible: the neural decomposition of a positive semidefinite matrix."""

from __future__ import annotations

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.solvers.polynomial.factors import Factors

# Of the largest eigenvalue: what is none.
_NOTHING = 1e-14


def reduced(factors: Factors, nothing: float = _NOTHING) -> Factors:
    """The same function and price with as many neurons as ranks, at most h + 1 for each sign.

    Parameters
    ----------
    factors : Factors
    nothing : float
        Share of the largest eigenvalue below which one is dropped.

    Notes
    -----
    Neurons of one sign and output are on the rows what ``Z = sum_j p_j p_j'`` with
    ``p = (w, ||w||)`` is, and cost its last entry: any other factors of Z with
    ``p'diag(I, -1) p = 0`` each are as good. They are made of its eigenvectors, two at a time
    (handbook B.7; B. Bartan and M. Pilanci, Neural spectrahedra and semidefinite lifts,
    Math. Program. 2025).
    """
    parts: list[FloatArray] = []
    outputs: list[FloatArray] = []
    for head in np.unique(factors.outputs, axis=0):
        mine = (factors.outputs == head).all(axis=1)
        W = factors.W[mine]
        if len(W) > 1:
            W = decomposed(np.column_stack([W, factors.lengths[mine]]), nothing)
        parts.append(W)
        outputs.append(np.broadcast_to(head, (len(W), len(head))))
    if not parts:
        return factors
    return Factors(np.vstack(parts), np.vstack(outputs), factors.intercept)


def decomposed(P: FloatArray, nothing: float = _NOTHING) -> FloatArray:
    """Factors w of ``P'P = sum_j (w_j, ||w_j||)(w_j, ||w_j||)'``, shape (rank, h).

    Parameters
    ----------
    P : ndarray, shape (k, h + 1)
        With ``tr(P diag(I, -1) P') = 0``.
    nothing : float

    Examples
    --------
    >>> (decomposed(np.array([[1.0, 1.0], [2.0, 2.0]])) ** 2).round(6)
    array([[5.]])
    """
    _, values, vectors = np.linalg.svd(P, full_matrices=False)
    kept = values > np.sqrt(nothing) * values[0]
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
