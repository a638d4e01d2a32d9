"""Predictions of networks from their weights, as computed, and bounds on their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.verification.gates import sides_of
from cvxnn.verification.rounding import U, gamma


@final
@dataclass(frozen=True)
class Values:
    """Predictions as computed, and bounds on their errors, shape (n,), or (n, c) of c outputs.

    Every prediction is a sum of products with a rounding of ``gamma_k`` times the moduli.
    """

    values: FloatArray
    errors: FloatArray

    def shifted(self, intercept: FloatArray) -> Values:
        """With a number added to all, or one for each output.

        The rounding of ``values -+ errors`` is in the errors.
        """
        values = self.values + intercept
        errors = (self.errors + 4.0 * U * (np.abs(values) + np.abs(intercept))) * (1.0 + 1e-9)
        return Values(values, errors + 1e-290)

    def plus(self, X: FloatArray, w: FloatArray) -> Values:
        """With a linear part ``X w``."""
        size = np.abs(X) @ np.abs(w) + np.abs(self.values)
        return Values(self.values + X @ w, self.errors + gamma(len(w) + 8) * size)

    def pooled(self, count: int, *, average: bool) -> Values:
        """The sum or the average of so many in a row."""
        outputs = self.values.shape[1:]
        values, errors = (part.reshape(-1, count, *outputs) for part in (self.values, self.errors))
        worst = errors.sum(axis=1) + gamma(count + 4) * np.abs(values).sum(axis=1)
        share = 1.0 / count if average else 1.0
        return Values(share * values.sum(axis=1), share * worst * (1.0 + 1e-9))


def dense(X: FloatArray, hidden: FloatArray, output: FloatArray, slope: float) -> Values:
    """``s(X hidden') output`` with the slope below zero; of output weights (m, c) c in a row.

    Raises
    ------
    InputError
        If the weights do not suit the columns of X, as in all functions here.

    Examples
    --------
    >>> dense(np.eye(2), np.array([[1.0, -1.0]]), np.array([2.0]), 0.5).values
    array([ 2., -1.])
    """
    check_width(hidden, output, X.shape[1])
    sums, moduli = X @ hidden.T, np.abs(X) @ np.abs(hidden).T
    values = (np.maximum(sums, 0.0) + slope * np.minimum(sums, 0.0)) @ output
    size = max(1.0, abs(slope)) * (moduli @ np.abs(output))
    return Values(values, gamma(X.shape[1] + len(output) + 8) * size)


def gated(X: FloatArray, gates: FloatArray, hidden: FloatArray, output: FloatArray) -> Values:
    """``sum_j 1[X g_j >= 0] (X u_j) a_j``; rows on the boundary of a gate may be on either side.

    Gates of twice the width are pairs, open where both are. Of output weights (m, c)
    there are c values in a row.

    Examples
    --------
    >>> gated(np.eye(2), np.array([[1.0, -1.0]]), np.ones((1, 2)), np.array([2.0])).values
    array([2., 0.])
    """
    check_width(hidden, output, X.shape[1])
    if len(gates) != len(hidden) or gates.shape[1] not in (X.shape[1], 2 * X.shape[1]):
        raise InputError("network must be a Network of cvxnn: it has not one gate for each neuron.")
    terms, size = np.abs(X) @ np.abs(hidden).T, np.abs(output)
    opened, doubt = (part.T for part in sides_of(X, gates))
    # In doubt it is taken to be open.
    values = ((opened | doubt) * (X @ hidden.T)) @ output
    errors = gamma(X.shape[1] + len(output) + 12) * (terms @ size) + (doubt * terms) @ size
    return Values(values, errors)


def patchwise(patches: FloatArray, filters: FloatArray, output: FloatArray) -> Values:
    """``sum_j sum_k x_k'u_j w_jk`` for patches of shape (n, K, h).

    Examples
    --------
    >>> patchwise(np.array([[[5.0, 4.0]]]), np.array([[1.0, -1.0]]), np.array([[2.0]])).values
    array([2.])
    """
    check_width(filters, output, patches.shape[2])
    if output.shape[1] != patches.shape[1]:
        raise InputError(
            f"The network reads {output.shape[1]} patches, and X has {patches.shape[1]}."
        )
    return _linear(patches, output.T @ filters, np.abs(output).T @ np.abs(filters), len(filters))


def circular(X: FloatArray, filters: FloatArray, output: FloatArray) -> Values:
    """``sum_j X C(u_j) w_j`` with circulant ``C(u)`` whose first column is u; O(m d^2 + n d).

    Examples
    --------
    >>> circular(np.eye(3), np.array([[0.0, 1.0, 0.0]]), np.array([[1.0, 2.0, 3.0]])).values
    array([3., 1., 2.])
    """
    d = X.shape[1]
    check_width(filters, output, d)
    if output.shape != filters.shape:
        raise InputError("network must be a Network of cvxnn: it has not an output for each entry.")
    shifts = (np.arange(d)[:, None] - np.arange(d)) % d
    coefficients, moduli = np.zeros(d), np.zeros(d)
    for u, w in zip(filters, output, strict=True):
        coefficients += u[shifts] @ w
        moduli += np.abs(u)[shifts] @ np.abs(w)
    return _linear(X, coefficients, moduli, d * len(filters))


def check_width(hidden: FloatArray, output: FloatArray, width: int) -> None:
    """InputError if neurons do not read so many columns, or have no output weights."""
    if len(hidden) != len(output):
        raise InputError(
            "network must be a Network of cvxnn: it has not an output for each neuron."
        )
    if hidden.shape[1] != width:
        raise InputError(f"The network reads {hidden.shape[1]} features, and X has {width}.")


def _linear(X: FloatArray, coefficients: FloatArray, moduli: FloatArray, terms: int) -> Values:
    """Of coefficients that are sums of so many products."""
    table, size = X.reshape(len(X), -1), moduli.ravel()
    rounding = gamma(terms + table.shape[1] + 8)
    return Values(table @ coefficients.ravel(), rounding * (np.abs(table) @ size))
