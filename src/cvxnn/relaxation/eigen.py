"""Positive parts of symmetric matrices: few of their eigenvalues are positive."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, final

import numpy as np

from cvxnn.relaxation.moments import Array, Namespace

_TYPES: dict[Any, tuple[str, Any]] = {
    np.dtype(np.float32): ("ssyevr", ctypes.c_float),
    np.dtype(np.float64): ("dsyevr", ctypes.c_double),
}
# Calls between two full decompositions, and eigenvectors that are followed beside those of
# positive eigenvalues: from which others become positive.
_EVERY, _BESIDE = 20, 8
# Orders of a matrix for a dimension of what it is looked for in, at least.
_SMALL_SHARE = 3
# Numbers of LAPACK's workspace for a column, more than it asks for.
_WORK, _INTEGERS = 40, 12


def positive_half(M: Array, xp: Namespace) -> Array:
    """``V sqrt(D)`` for the positive eigenvalues D of each matrix, shape (B, m, k).

    k is the largest number of them; columns of other matrices are filled with zeros.

    Parameters
    ----------
    M : ndarray, shape (B, m, m)
        Symmetric.

    Notes
    -----
    In numpy only eigenvectors that are needed are computed, by LAPACK's `syevr`, with which
    a matrix takes a third of the time. SciPy has it, but holds the interpreter's lock
    meanwhile, so that it is called here without that.

    Examples
    --------
    >>> half = positive_half(np.diag([4.0, -1.0, 0.0])[None], np)
    >>> abs(half).round(12).tolist()
    [[[2.0], [0.0], [0.0]]]
    """
    if _is_known(M, xp):
        return _halves(M, [_positive_pairs(matrix) for matrix in M])
    if not xp.isfinite(M).all():
        # To be seen by who has left the range of the numbers; other libraries raise.
        return xp.nan * M[:, :, :1]
    values, vectors = xp.linalg.eigh(M)
    count = max(1, int((values > 0.0).sum(1).max()))
    return vectors[:, :, -count:] * xp.sqrt(values[:, -count:].clip(0.0))[:, None, :]


@final
class PositiveHalf:
    """:func:`positive_half` of matrices that change little from one call to the next, about.

    Eigenvectors are looked for where those of the last call are, and what the matrix makes of
    them (Rayleigh and Ritz; B. Parlett, The Symmetric Eigenvalue Problem, 1998, chapter 11): of
    order 222 with 20 positive eigenvalues in a third of the time. What is not in there is missing
    until the next full decomposition.

    Examples
    --------
    >>> half = PositiveHalf()
    >>> M = np.diag(np.r_[4.0, 1.0, -np.ones(60)])[None]
    >>> found = [half(k * M, np) for k in (1.0, 1.1)]
    >>> [abs(part[0, :2]).round(6).tolist() for part in found]
    [[[0.0, 2.0], [1.0, 0.0]], [[0.0, 2.097618], [1.048809, 0.0]]]
    """

    def __init__(self) -> None:
        self._calls = 0
        self._spans: list[Array | None] = []

    def __call__(self, M: Array, xp: Namespace) -> Array:
        """For the matrices of the last call, a little changed."""
        if not _is_known(M, xp):
            return positive_half(M, xp)
        if self._calls % _EVERY == 0:
            self._spans = [None] * len(M)
        self._calls += 1
        return _halves(M, [self._pairs(k, matrix) for k, matrix in enumerate(M)])

    def _pairs(self, number: int, M: Array) -> tuple[Array, Array]:
        span = self._spans[number]
        inner = None
        if span is not None:
            basis, _ = np.linalg.qr(np.concatenate([span, M @ span], axis=1))
            inner = basis.T @ (M @ basis)
        if inner is None or not np.isfinite(inner).all():
            values, vectors = _positive_pairs(M)
            self._follow(number, vectors.T, len(values))
            return values, vectors
        values, turned = np.linalg.eigh(inner)
        vectors, count = basis @ turned, int((values > 0.0).sum())
        self._follow(number, vectors, count)
        first = len(values) - count
        return values[first:], vectors[:, first:].T

    def _follow(self, number: int, vectors: Array, count: int) -> None:
        """Keep the last of these columns, where they span a small part of the space."""
        order, wanted = len(vectors), count + _BESIDE
        is_small = count > 0 and _SMALL_SHARE * 2 * wanted <= order
        self._spans[number] = vectors[:, -wanted:] if is_small else None


def _is_known(M: Array, xp: Namespace) -> bool:
    return xp is np and M.dtype in _TYPES


def _halves(M: Array, found: list[tuple[Array, Array]]) -> Array:
    """``V sqrt(D)`` from D, shape (k,), and V', shape (k, m), of each."""
    half = np.zeros((*M.shape[:2], max(1, *(len(values) for values, _ in found))), M.dtype)
    for columns, (values, vectors) in zip(half, found, strict=True):
        columns[:, : len(values)] = vectors.T * np.sqrt(values)
    return half


def _positive_pairs(M: Array) -> tuple[Array, Array]:
    """Positive eigenvalues, shape (k,), and unit eigenvectors, (k, m), of a symmetric matrix."""
    name, real = _TYPES[M.dtype]
    n = len(M)
    A = np.array(M, order="C")
    values, vectors = np.empty(n, A.dtype), np.empty((n, n), A.dtype)
    work, integers = np.empty(_WORK * n, A.dtype), np.empty(_INTEGERS * n, np.intc)
    supports = np.empty(2 * n, np.intc)
    largest = float(np.sqrt(np.vdot(A, A)))
    if not np.isfinite(largest):
        # To be seen by who has left the range of the numbers.
        return np.full(1, np.nan, A.dtype), np.full((1, n), np.nan, A.dtype)
    if largest == 0.0:
        return values[:0], vectors[:0]
    found, info = ctypes.c_int(0), ctypes.c_int(0)
    order, none = ctypes.c_int(n), ctypes.c_int(0)
    _lapack(name)(
        b"V", b"V", b"L", ctypes.byref(order), _at(A), ctypes.byref(order),
        ctypes.byref(real(0.0)), ctypes.byref(real(1.01 * largest)),
        ctypes.byref(none), ctypes.byref(none), ctypes.byref(real(0.0)), ctypes.byref(found),
        _at(values), _at(vectors), ctypes.byref(order), _at(supports),
        _at(work), ctypes.byref(ctypes.c_int(len(work))),
        _at(integers), ctypes.byref(ctypes.c_int(len(integers))), ctypes.byref(info),
    )  # fmt: skip
    if info.value != 0:
        return _by_eigh(M)
    return values[: found.value], vectors[: found.value]


def _by_eigh(M: Array) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(M)
    positive = values > 0.0
    return values[positive], vectors[:, positive].T


def _at(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def _lapack(name: str) -> Any:
    """A routine of the LAPACK of SciPy, all arguments by reference; it runs without the lock."""
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = (
        ctypes.c_char_p, [ctypes.py_object],
    )  # fmt: skip
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    characters, pointers = [ctypes.c_char_p] * 3, [ctypes.c_void_p] * 18
    return ctypes.CFUNCTYPE(None, *characters, *pointers)(address)
