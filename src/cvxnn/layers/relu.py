"""The hidden layer of a network as a linear map of activations: ``f = sum_j R (M u_j)_+ a_j``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeAlias, final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.layers.mixture import Mixture
from cvxnn.layers.rows import Rows, row_chunks
from cvxnn.layers.spectral import spectral_bound

# An array of scipy.sparse, which has no static types, an ndarray, a Mixture, or None.
Readout: TypeAlias = Any

_EPS = float(np.finfo(float).eps)
# Products up to which an eigenvalue takes no time.
_QUICK_WORK = 1 << 27


@final
@dataclass(frozen=True)
class Layer(Rows):
    """The rows of ReLU, whose activations a linear map makes predictions.

    Nearly all networks with one hidden layer of piecewise linear activations that are
    trained here have the form ``f = sum_j R (M u_j)_+ a_j``:

    ==========================  =======================  ====================
    network                     rows M                   readout R
    ==========================  =======================  ====================
    ReLU                        ``X``                    identity
    leaky ReLU of slope k       ``[X; -X]``              ``[I, -k I]``
    absolute value              ``[X; -X]``              ``[I, I]``
    filters summed over         all patches of all       ``I (x) 1'``
    K patches                   samples
    ==========================  =======================  ====================

    Patterns, cells and the oracle belong to M: ``v'f = (R'v)'(M u)_+``. Loss, targets
    and dual points belong to the n predictions.

    Attributes
    ----------
    rows : ndarray, shape (N, d)
    readout : sparse array, ndarray or Mixture, shape (n, N), or None
        None is the identity.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Layer(np.array([[1.0], [2.0]])).with_slope(-1.0)
    >>> layer.activations(np.array([[1.0], [-3.0]]))
    array([[1., 3.],
           [2., 6.]])
    """

    rows: FloatArray
    readout: Readout = None

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return len(self.rows) if self.readout is None else int(self.readout.shape[0])

    def read(self, activations: FloatArray) -> FloatArray:
        """``R a`` for columns a, shape (N,) or (N, k)."""
        return activations if self.readout is None else np.asarray(self.readout @ activations)

    def pull(self, v: FloatArray) -> FloatArray:
        """``R'v``: a dual point v, shape (n,), as weights of the rows, shape (N,)."""
        return v if self.readout is None else np.asarray(self.readout.T @ v)

    def attraction(self, v: FloatArray) -> FloatArray:
        """That of :meth:`pull`."""
        return self.pull(v)

    def scores(self, v: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``v'f(u)`` for the rows u of `directions`, shape (k,), and its gradients, (k, d)."""
        weights = self.pull(v)
        slopes = np.zeros(directions.shape)
        for part in row_chunks(len(self.rows), len(directions)):
            on = self.rows[part] @ directions.T > 0.0
            slopes += (on * weights[part, None]).T @ self.rows[part]
        # Between two kinks the function is linear, and 0 at 0.
        return np.einsum("ij,ij->i", slopes, directions), slopes

    def pull_error(self, v: FloatArray) -> float:
        """By how much ``(R'v)'(M u)_+`` may err for ``||u|| <= 1``, because R'v is rounded."""
        if self.readout is None:
            return 0.0
        terms = self._size.T @ np.abs(v)
        # Sums of at most n terms, nested in sums of p in a mixture, where the terms are those of
        # both; and of N products with lengths over d columns.
        nested = self.readout.left.shape[1] + 2 if self._is_mixed else 0
        share = 2.0 * (self.n_predictions + nested + 4) * _EPS
        return float(share * (terms @ self._row_lengths)) * (1.0 + sum(self.rows.shape) * _EPS)

    def bound(self, v: FloatArray, *, quick: bool = False) -> float:
        """From one eigenvalue for each sign, see :func:`spectral_bound`; O(N d min(N, d))."""
        quick = quick and self.rows.size * min(self.rows.shape) > _QUICK_WORK
        return spectral_bound(self.rows, self.pull(v), quick=quick) + self.pull_error(v)

    def activations(self, directions: FloatArray) -> FloatArray:
        """``R (M u)_+`` for the rows u of `directions`, shape (n, k)."""
        return self.read(np.maximum(self.rows @ directions.T, 0.0))

    def forward(self, hidden: FloatArray, weights: FloatArray) -> FloatArray:
        """``sum_j R (M u_j)_+ a_j``, shape (n,) or (n, c), without an (N, k) array."""
        total = np.empty((len(self.rows), *weights.shape[1:]))
        for part in row_chunks(len(total), len(weights)):
            total[part] = np.maximum(self.rows[part] @ hidden.T, 0.0) @ weights
        return self.read(total)

    def value_and_gradient(
        self, hidden: FloatArray, weights: FloatArray, y: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """``1/2 ||f - y||^2``, and its gradients in the weights of both layers.

        Parameters
        ----------
        hidden : ndarray, shape (k, d)
        weights : ndarray, shape (k,)
        y : ndarray, shape (n,)
        """
        activations = self.rows @ hidden.T
        on = activations > 0.0
        np.maximum(activations, 0.0, out=activations)
        left = self.read(activations @ weights) - y
        pull = self.pull(left)
        slopes = weights[:, None] * ((on * pull[:, None]).T @ self.rows)
        return 0.5 * float(left @ left), slopes, pull @ activations

    def moduli(self, size: FloatArray) -> FloatArray:
        """See :meth:`Rows.moduli`: terms are ``|r_ik m_kl u_jl a_j|``."""
        sums = np.abs(self.rows) @ size
        return sums if self.readout is None else np.asarray(self._size @ sums)

    @property
    def terms(self) -> int:
        """Terms of the sums over features and rows behind a prediction, at most."""
        if self.readout is None:
            return self.n_features
        if scipy.sparse.issparse(self.readout):
            return self.n_features + int(np.diff(self.readout.indptr).max(initial=0))
        return self.n_features + (self.readout.terms if self._is_mixed else len(self.rows))

    def precisely(
        self, hidden: FloatArray, weights: FloatArray
    ) -> Callable[[], tuple[FloatArray, FloatArray]] | None:
        """None for a dense readout and for a mixture."""
        if not (self.readout is None or scipy.sparse.issparse(self.readout)):
            return None

        def forward() -> tuple[FloatArray, FloatArray]:
            # Imported where it is needed, because numba is slow to load.
            from cvxnn.compensated import network_output, sparse_product

            pair = network_output(self.rows, hidden, weights)
            return pair if self.readout is None else sparse_product(self.readout, pair)

        return forward

    def weighted(self, root: FloatArray) -> Layer:
        """The layer with predictions multiplied by `root` > 0, shape (n,).

        ReLU is positively homogeneous: without a readout, rows are multiplied.
        """
        if self.readout is None:
            return Layer(self.rows * root[:, None])
        if scipy.sparse.issparse(self.readout):
            return Layer(self.rows, scipy.sparse.csr_array(self.readout.multiply(root[:, None])))
        if self._is_mixed:
            return Layer(self.rows, self.readout.weighted(root))
        return Layer(self.rows, self.readout * root[:, None])

    def with_readout(self) -> Layer:
        """The same layer with the identity written out: weights then leave the rows alone."""
        if self.readout is not None:
            return self
        return Layer(self.rows, scipy.sparse.eye_array(len(self.rows), format="csr"))

    def mixed(self, matrix: Mixture) -> Layer:
        """The layer with predictions multiplied by a matrix, shape (m, n)."""
        return Layer(self.rows, matrix.after(self.readout))

    def unmixed(self) -> Layer:
        """Plain rows with the predictions that a mixture mixes, where it reads each once.

        The layer itself where there are no such rows.
        """
        scales = self.readout.scales if self._is_mixed else None
        return self if scales is None else Layer(self.rows * scales[:, None])

    def with_slope(self, slope: float) -> Layer:
        """The layer of leaky activations ``(t)_+ - slope (-t)_+``; slope -1 is the modulus.

        Any slope is allowed; 0 is ReLU and 1 linear.
        """
        if slope == 0.0:
            return self
        read = self.with_readout().readout
        if self._is_mixed:
            both = read.beside(-slope)
        elif scipy.sparse.issparse(read):
            both = scipy.sparse.hstack([read, -slope * read], format="csr")
        else:
            both = np.hstack([read, -slope * read])
        return Layer(np.vstack([self.rows, -self.rows]), both)

    def turned(self, basis: FloatArray) -> Layer:
        """The layer in coordinates ``w = basis'u``: rows ``M basis``."""
        return Layer(np.ascontiguousarray(self.rows @ basis), self.readout)

    def take(self, outputs: slice | NDArray[np.integer]) -> Layer:
        """The layer of some of the predictions, with the rows that they read."""
        if self.readout is None:
            return Layer(self.rows[outputs])
        read = self.readout[outputs]
        if not scipy.sparse.issparse(read):
            return Layer(self.rows, read)
        used = np.unique(read.indices)
        if len(used) == 0:
            # Predictions that read nothing, such as of blank images: a row that nobody reads.
            used = np.zeros(1, dtype=np.intp)
        return Layer(self.rows[used], read[:, used])

    def tiles(self, width: int) -> Iterator[tuple[slice, Self]]:
        """See :meth:`Rows.tiles`; a mixture, whose predictions read all rows, is one tile."""
        if self._is_mixed:
            yield slice(0, self.n_predictions), self
        else:
            yield from super().tiles(width)

    @cached_property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of the predictions over ``||u|| <= 1``, shape (n,)."""
        return (
            self._row_lengths
            if self.readout is None
            else np.asarray(self._size @ self._row_lengths)
        )

    @property
    def _is_mixed(self) -> bool:
        return isinstance(self.readout, Mixture)

    @cached_property
    def _row_lengths(self) -> FloatArray:
        return np.asarray(np.linalg.norm(self.rows, axis=1))

    @cached_property
    def _size(self) -> Readout:
        return abs(self.readout)


@final
@dataclass(frozen=True)
class SkipLayer:
    """Rows that neurons look at, and a linear part ``S w`` beside the neurons.

    Attributes
    ----------
    layer : Layer
    linear : ndarray, shape (n, p)
        S.
    is_free : bool
        Whether w costs nothing; else it costs ``||w||``, as weight decay makes of a linear
        neuron.
    has_constant : bool
        Whether a free w has a last entry more, an intercept.

    Examples
    --------
    >>> rows = SkipLayer(Layer(np.array([[1.0], [-2.0]])), np.array([[1.0], [-2.0]]), False)
    >>> rows.forward(np.array([[3.0]]), np.array([2.0]), np.array([10.0]))
    array([ 16., -20.])
    """

    layer: Layer
    linear: FloatArray
    is_free: bool
    has_constant: bool = False

    @property
    def columns(self) -> FloatArray:
        """S, with a last column of ones where there is a constant, shape (n, p)."""
        if not self.has_constant:
            return self.linear
        return np.column_stack([self.linear, np.ones(len(self.linear))])

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""
        return self.layer.n_predictions

    @property
    def n_features(self) -> int:
        """Length d of a neuron's weights."""
        return self.layer.n_features

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry of the layer's rows."""
        return self.layer.unit

    @property
    def lengths(self) -> FloatArray:
        """Bounds on the moduli of predictions of neurons and w of size 1, shape (n,)."""
        return np.maximum(self.layer.lengths, np.linalg.norm(self.linear, axis=1))

    def in_units(self, unit: float) -> SkipLayer:
        """Rows and S divided by a power of two.

        S in the unit of the rows makes w a size like those of the neurons: where targets
        are b times larger and rows a times, the sizes and w are ``b / a`` times larger, and
        both terms of the penalty stay beside each other.
        """
        return replace(self, layer=self.layer.in_units(unit), linear=self.linear / unit)

    def take(self, outputs: slice | NDArray[np.integer]) -> SkipLayer:
        """The rows of some of the predictions."""
        return replace(self, layer=self.layer.take(outputs), linear=self.linear[outputs])

    def forward(self, hidden: FloatArray, weights: FloatArray, linear: FloatArray) -> FloatArray:
        """``sum_j R (M u_j)_+ a_j + S w``, shape (n,), for w of shape (p,)."""
        return np.asarray(self.layer.forward(hidden, weights) + self.linear @ linear)
