"""Rows of linear networks: gauge, its dual norm with proof, and the map to weights and back.

Both programs are ``min_t l(A t, y) + beta G(t)`` with a gauge G that is the least
``1/2 (||u||^2 + ||w||^2)`` of weights whose product is t, so that the gauge needs
no activation patterns and the program no cones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import EPS, FloatArray
from cvxnn.layers.images import circular_convolution
from cvxnn.layers.rows import power_of_two
from cvxnn.problems import Neurons

Weights = tuple[FloatArray, FloatArray]


class GaugeProgram(ABC):
    """Rows, and a gauge of coefficients, which are vectors of shape (p,).

    Neurons are filters: their directions and outputs are unit filters and unit output
    weights, and their sizes the products of the lengths.

    Attributes
    ----------
    matrix : ndarray, shape (n, p)
        What a row makes of the coefficients.
    n_features : int
        Length of a filter.
    """

    def __init__(self, matrix: FloatArray) -> None:
        self.matrix = matrix
        self.n_features = matrix.shape[1]
        self._row_lengths = np.linalg.norm(matrix, axis=1)

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.matrix)

    @property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of predictions over ``G(t) <= 1``, shape (n,)."""
        return self._sensitivity * self._row_lengths

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry of the rows; 1 for zeros."""
        return power_of_two(self.matrix)

    def in_units(self, unit: float) -> Self:
        """The program of rows divided by a power of two: without rounding."""
        return self._of(self.matrix / unit)

    def take(self, outputs: NDArray[np.intp]) -> Self:
        """The program of some of the rows."""
        return self._of(self.matrix[outputs])

    @abstractmethod
    def _of(self, matrix: FloatArray) -> Self:
        """The same program of other rows."""

    @abstractmethod
    def gauge(self, coefficients: FloatArray) -> float:
        """``G(t)``."""

    @abstractmethod
    def shrink(self, coefficients: FloatArray, amount: float) -> FloatArray:
        """``argmin_s 1/2 ||s - t||^2 + amount * G(s)``."""

    @abstractmethod
    def weights(self, coefficients: FloatArray) -> Weights:
        """Balanced filters and output weights of product t with ``G(t)`` as penalty."""

    @abstractmethod
    def product(self, filters: FloatArray, output: FloatArray) -> FloatArray:
        """The coefficients of a network."""

    def neurons(self, coefficients: FloatArray) -> Neurons:
        """The :meth:`weights` as neurons, whose sizes add up to ``G(t)``."""
        filters, output = self.weights(coefficients)
        norms, output_norms = (np.linalg.norm(part, axis=1) for part in (filters, output))
        return Neurons(
            filters / norms[:, None], norms * output_norms, output / output_norms[:, None]
        )

    def coefficients(self, neurons: Neurons) -> FloatArray:
        """The coefficients of the network of these neurons."""
        root = np.sqrt(neurons.sizes)[:, None]
        return self.product(neurons.directions * root, neurons.outputs * root)

    @abstractmethod
    def pull_back(self, slope: FloatArray, filters: FloatArray, output: FloatArray) -> Weights:
        """The gradient in filters and output weights of ``slope' product``."""

    @abstractmethod
    def _dual_norm(self, slope: FloatArray) -> tuple[float, float]:
        """``max_{G(t) <= 1} slope't`` for a slope in float64: a value, and its error."""

    def dual_norm_bound(self, v: FloatArray) -> float:
        """Proven upper bound on ``max_{G(t) <= 1} v'A t``, rounding included; O(np).

        An error e of the gradient ``A'v`` changes the maximum by ``||e||`` at most
        times the largest ``||t||_2`` with ``G(t) <= 1``.
        """
        # Scaled by a power of two, so without rounding: products with a small v would vanish.
        unit = power_of_two(v)
        v = v / unit
        moduli = float(np.abs(v) @ self._row_lengths)
        value, error = self._dual_norm(self.matrix.T @ v)
        n, p = self.matrix.shape
        rounding = 2.0 * (n + 8) * EPS * self._sensitivity * moduli + p * n * 1e-300
        return (value + error + rounding) * unit * (1.0 + 8.0 * EPS)

    @property
    @abstractmethod
    def _sensitivity(self) -> float:
        """``max ||t||_2`` over ``G(t) <= 1``."""


@final
class PatchProgram(GaugeProgram):
    """Weights for every patch: t is the matrix ``Z'`` of shape (K, h), G the nuclear norm.

    Examples
    --------
    >>> import numpy as np
    >>> program = PatchProgram(np.eye(4).reshape(4, 2, 2))
    >>> round(program.gauge(np.array([3.0, 0.0, 0.0, 4.0])), 12)
    7.0
    """

    def __init__(self, patches: FloatArray) -> None:
        super().__init__(patches.reshape(len(patches), -1))
        self._shape, self.n_features = patches.shape[1:], patches.shape[2]

    def _of(self, matrix: FloatArray) -> Self:
        return type(self)(matrix.reshape(-1, *self._shape))

    @property
    def _sensitivity(self) -> float:
        return 1.0

    def gauge(self, coefficients: FloatArray) -> float:
        return float(np.linalg.svd(coefficients.reshape(self._shape), compute_uv=False).sum())

    def shrink(self, coefficients: FloatArray, amount: float) -> FloatArray:
        left, values, right = self._svd(coefficients)
        values = np.maximum(values - amount, 0.0)
        return np.ravel((left * values) @ right)

    def weights(self, coefficients: FloatArray) -> Weights:
        left, values, right = self._svd(coefficients)
        kept = values > 8.0 * max(self._shape) * EPS * values[0]
        roots = np.sqrt(values[kept])
        return roots[:, None] * right[kept], roots[:, None] * left[:, kept].T

    def product(self, filters: FloatArray, output: FloatArray) -> FloatArray:
        return np.ravel(output.T @ filters)

    def pull_back(self, slope: FloatArray, filters: FloatArray, output: FloatArray) -> Weights:
        matrix = slope.reshape(self._shape)
        return output @ matrix, filters @ matrix.T

    def _dual_norm(self, slope: FloatArray) -> tuple[float, float]:
        # Whatever the SVD returns, ||G|| <= ||U|| s_1 ||V|| + ||G - U S V'||: both are checked.
        left, values, right = self._svd(slope)
        rank, size = len(values), sum(self._shape)
        skew = sum(
            float(np.linalg.norm(gram - np.eye(rank))) + 2.0 * (size + 2) * rank * EPS
            for gram in (left.T @ left, right @ right.T)
        )
        rest = float(np.linalg.norm(slope.reshape(self._shape) - (left * values) @ right))
        top = float(values[0])
        return top, top * (skew + 4.0 * (rank + 8) * rank * EPS) + rest * (1.0 + size**2 * EPS)

    def _svd(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        left, values, right = np.linalg.svd(coefficients.reshape(self._shape), full_matrices=False)
        return left, values, right


@final
class CircularProgram(GaugeProgram):
    """Circular filters: t of shape (d,), ``G(t) = ||F't||_1 / sqrt(d)``, F the unitary DFT.

    The program over spectra ``z = F't`` in the basis of the rows, where conjugate
    symmetry is that t is real.

    Examples
    --------
    >>> import numpy as np
    >>> program = CircularProgram(np.eye(4))
    >>> program.gauge(np.array([1.0, 0.0, 0.0, 0.0]))
    1.0
    """

    def _of(self, matrix: FloatArray) -> Self:
        return type(self)(matrix)

    @property
    def _sensitivity(self) -> float:
        return float(np.sqrt(self.matrix.shape[1]))

    def gauge(self, coefficients: FloatArray) -> float:
        return float(np.abs(np.fft.fft(coefficients)).sum()) / len(coefficients)

    def shrink(self, coefficients: FloatArray, amount: float) -> FloatArray:
        # The spectrum in the scaling of numpy is sqrt(d) times the unitary one.
        spectrum = np.fft.rfft(coefficients)
        sizes = np.abs(spectrum)
        factors = np.maximum(sizes - amount, 0.0) / np.where(sizes > 0.0, sizes, 1.0)
        return np.asarray(np.fft.irfft(spectrum * factors, n=len(coefficients)))

    def weights(self, coefficients: FloatArray) -> Weights:
        if not coefficients.any():
            return np.zeros((0, len(coefficients))), np.zeros((0, len(coefficients)))
        spectrum = np.fft.rfft(coefficients)
        sizes = np.abs(spectrum)
        roots = np.sqrt(sizes)
        phases = spectrum / np.where(sizes > 0.0, sizes, 1.0)
        d = len(coefficients)
        return np.fft.irfft(roots, n=d)[None], np.fft.irfft(roots * phases, n=d)[None]

    def product(self, filters: FloatArray, output: FloatArray) -> FloatArray:
        return circular_convolution(filters, output).sum(axis=0)

    def pull_back(self, slope: FloatArray, filters: FloatArray, output: FloatArray) -> Weights:
        spectrum, d = np.fft.rfft(slope), len(slope)
        return (
            np.fft.irfft(np.conj(np.fft.rfft(output)) * spectrum, n=d),
            np.fft.irfft(np.conj(np.fft.rfft(filters)) * spectrum, n=d),
        )

    def _dual_norm(self, slope: FloatArray) -> tuple[float, float]:
        # An FFT errs by a few eps log(d) of ||spectrum|| = sqrt(d) ||slope||; the error of
        # plain sums, d eps of the sum of moduli, with its constants is above that for all d.
        value = float(np.abs(np.fft.rfft(slope)).max())
        return value, 8.0 * (len(slope) + 16) * EPS * float(np.abs(slope).sum())
