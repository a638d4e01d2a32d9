"""Two-layer networks whose activation is a polynomial of degree two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import EPS, FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import PrecisePrediction, Prediction
from cvxnn.layers.images import check_sides, check_steps, image_patches
from cvxnn.layers.polynomial import PolynomialRows
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.networks import stages as steps
from cvxnn.networks.base import Network
from cvxnn.networks.weights import frozen, rows_of
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.polynomial.strategy import PolynomialStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_data, check_number

# Products that the sums in twice the precision may take: some ten seconds.
_MOST_PRODUCTS = 1 << 30
# Of an activation that is close to ReLU on [-5, 5]: B. Bartan and M. Pilanci, section 1.
_A, _B, _C = 0.09, 0.5, 0.47


class PolynomialNetwork(Network):
    """``f(x) = sum_j alpha_j sigma(x'u_j)`` with ``sigma(t) = a t^2 + b t + c`` and unit u_j.

    Of filters it is the average over the patches of an image,
    ``sum_j alpha_j / K sum_k sigma(x_k'u_j)``. The penalty is ``sum_j |alpha_j|``.

    Parameters
    ----------
    hidden_weights : array-like, shape (m, d), (m, length, C) or (m, height, width, C)
        Row j is ``u_j``, for rows of data, signals or images; divided by its length unless that
        is 1 up to rounding.
    output_weights : array-like, shape (m,), or (m, c) for c outputs
        The ``alpha_j``.
    a, b, c : float, default 0.09, 0.5 and 0.47
    stride, padding : int, default 1 and 0
        Of filters, see :func:`image_patches`.
    intercept : float or array-like of shape (c,), default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes, or a row is zero.

    Examples
    --------
    >>> network = PolynomialNetwork([[3.0, 4.0]], [2.0], a=1.0, b=0.0, c=0.0)
    >>> network
    PolynomialNetwork(n_neurons=1, n_features=2, a=1.0, b=0.0, c=0.0)
    >>> network.forward([[5.0, 0.0]]), network.penalty()
    (array([18.]), 2.0)
    """

    __slots__ = ()

    def __init__(
        self,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        a: float = _A,
        b: float = _B,
        c: float = _C,
        *,
        stride: int = 1,
        padding: int = 0,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        strides = check_steps(stride, padding)
        arrays = {
            "hidden_weights": _normalised(
                frozen(hidden_weights, "hidden_weights", 2, 3, 4, of="neuron")
            ),
            "output_weights": frozen(output_weights, "output_weights", 1, 2, of="neuron"),
        }
        settings = {
            **dict(zip("abc", _checked_coefficients(a, b, c), strict=True)),
            "stride": strides[0],
            "padding": strides[1],
        }
        super().__init__(arrays, settings, intercept)
        self._check_heads()
        if self.n_neurons != len(self.hidden_weights):
            raise InputError(
                f"output_weights must have a row for each of the {len(self.hidden_weights)} rows "
                f"of hidden_weights, got {self.n_neurons}."
            )

    @property
    def hidden_weights(self) -> FloatArray:
        """The ``u_j``, of length 1: read-only array of shape (m, d), or one of filters."""
        return self._arrays["hidden_weights"]

    @property
    def n_features(self) -> int:
        """Weights of a neuron: the features d, or those of a filter."""
        return int(np.prod(self.hidden_weights.shape[1:]))

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """a, b and c."""
        a, b, c = (float(self._settings[name]) for name in "abc")
        return a, b, c

    @property
    def a(self) -> float:
        """Of the square."""
        return self.coefficients[0]

    @property
    def b(self) -> float:
        """Of the linear term."""
        return self.coefficients[1]

    @property
    def c(self) -> float:
        """The constant of the activation."""
        return self.coefficients[2]

    @property
    def stride(self) -> int:
        """Of filters: pixels from one patch to the next."""
        return int(self._settings["stride"])

    @property
    def padding(self) -> int:
        """Of filters: zeros on each side of an image."""
        return int(self._settings["padding"])

    @property
    def is_convolutional(self) -> bool:
        """Whether it reads images or signals."""
        return self.hidden_weights.ndim > 2

    @property
    def n_outputs(self) -> int | None:
        return self._n_heads

    @property
    def _squared(self) -> tuple[FloatArray, ...]:
        return self.hidden_weights, self.output_weights

    @property
    def penalty_roundings(self) -> int:
        """Operations that round the sum of moduli, at most."""
        return self.output_weights.size

    def penalty(self) -> float:
        """``sum_j |alpha_j|``, what beta multiplies in the objective."""
        return float(np.abs(self.output_weights).sum())

    def flat(self) -> FloatArray:
        """The ``u_j`` as they meet rows or patches, shape (m, h)."""
        hidden = self.hidden_weights
        return hidden.reshape(len(hidden), int(np.prod(hidden.shape[1:])))

    def rows(self, data: ArrayLike) -> PolynomialRows:
        hidden = self.hidden_weights
        if not self.is_convolutional:
            return PolynomialRows(rows_of(data, hidden.shape[1])[:, None], self.coefficients)
        sides, channels = hidden.shape[1:-1], hidden.shape[-1]
        shape = np.shape(data)
        found = shape[-1] if len(shape) == len(sides) + 2 else 1
        if found != channels:
            raise InputError(
                f"images must have the {channels} channels of the filters at the end of their "
                f"shape, got shape {shape}."
            )
        patches = image_patches(data, sides, self.stride, self.padding)
        return PolynomialRows(patches, self.coefficients)

    def _neurons_on(self, rows: PolynomialRows) -> Prediction:
        hidden, weights = self.flat(), self.output_weights
        m, h = hidden.shape
        # A square has twice the roundings of its sum, and lengths of the u_j are rounded, too.
        roundings = 3 * h + m + rows.n_patches + 16
        moduli = rows.moduli(hidden, weights)
        values = rows.forward(hidden, weights)
        if rows.patches.size * max(weights.size, 1) > _MOST_PRODUCTS:
            return Prediction(values, moduli, roundings)

        def precise() -> PrecisePrediction:
            # Imported where it is needed, because numba is slow to load.
            from cvxnn.layers.polynomial_kernels import precise_error, precise_values

            columns = weights[:, None] if weights.ndim == 1 else weights
            pairs = [
                precise_values(rows.table, hidden, column, rows.coefficients, rows.n_patches)
                for column in columns.T
            ]
            high, low = (
                np.column_stack([pair[k] for pair in pairs]).reshape(values.shape) for k in (0, 1)
            )
            return PrecisePrediction(high, low, precise_error(rows.n_patches * m + h) * moduli)

        return Prediction(values, moduli, roundings, precise)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> steps.Stages:
        first = networks[0]
        for name in first._settings.keys() - {"intercept"}:
            steps.common((network._settings[name] for network in networks), name)
        steps.common((network.hidden_weights.shape[1:] for network in networks), "shape of u_j")
        hidden = np.concatenate([network.hidden_weights for network in networks])
        output = steps.output_layer(network.output_weights for network in networks)
        activation = steps.Quadratic(*first.coefficients)
        if not first.is_convolutional:
            return steps.Affine("hidden", hidden), activation, output
        if not len(hidden):
            # No library has convolutions of no filters: one that counts nothing stands for them.
            hidden = np.zeros((1, *hidden.shape[1:]))
            output = steps.Affine("output", np.zeros((len(output.weight), 1)))
        windows = steps.Windows(hidden.shape[1:-1], first.stride, first.padding)
        convolution = steps.Convolution(np.moveaxis(hidden, -1, 1), None, windows)
        pooling = steps.Pooling("average", windows)
        return convolution, activation, pooling, steps.Flatten(), output

    @property
    def _shown(self) -> dict[str, Any]:
        hidden = self.hidden_weights
        size = {"filter_shape": hidden.shape[1:]}
        if not self.is_convolutional:
            size = {"n_features": hidden.shape[1]}
        outputs = {} if self.n_outputs is None else {"n_outputs": self.n_outputs}
        a, b, c = self.coefficients
        strides = {"stride": self.stride, "padding": self.padding}
        others = {name: value for name, value in strides.items() if value != (name == "stride")}
        return {"n_neurons": self.n_neurons, **size, **outputs, "a": a, "b": b, "c": c, **others}


@dataclass(frozen=True)
class Polynomial(Model):
    """``f(x) = sum_j alpha_j sigma(x'u_j)`` with ``sigma(t) = a t^2 + b t + c``, ``||u_j|| = 1``.

    The penalty is ``sum_j |alpha_j|``. The optimum is that of a semidefinite program::

        min  l(f, y) + beta (Z_4 + Z'_4),

        f_i = a x_i'(Z_1 - Z'_1) x_i + b x_i'(Z_2 - Z'_2) + c (Z_4 - Z'_4),

    over positive semidefinite Z and Z' of order d + 1, each ``[[Z_1, Z_2], [Z_2', Z_4]]`` with
    ``tr Z_1 = Z_4``, and needs at most 2 (d + 1) neurons. Of several outputs each neuron
    has one, and each output its own Z and Z'.

    Parameters
    ----------
    a, b, c : float, default 0.09, 0.5 and 0.47
        Not all 0. The defaults are close to ReLU for ``|t| <= 5``: its least squares there, to
        two digits. With b = c = 0 it is a quadratic form, and the penalty a nuclear norm.
    filter_size : int or tuple of int, optional
        A convolutional network on images or signals, ``alpha_j / K sum_k sigma(x_k'u_j)`` with
        the average over the K patches of this size, as for :class:`Conv`. None for rows.
    stride, padding : int, default 1 and 0
        Of the patches, see :func:`image_patches`.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    No semidefinite solver is needed. The dual constraint ``|v'phi(u)| <= beta`` is, for each
    sign, the largest value of a quadratic function on the sphere: eigenvalues and a secular
    equation, the hard case included, O(n d^2 + d^3), of any rank. What is proven comes from weak
    duality of that problem in float64, rounding charged. Column generation adds the neurons that
    the oracle finds; Newton's method moves all of them at once, as ``w_j = alpha_j^(1/2) u_j``,
    by products with the Hessian of O(n d m), or with that itself where it is small. Neurons
    are then as few as the ranks of Z and Z' (neural decomposition). With the plain penalty
    ``sum_j ||u_j||^2 + alpha_j^2`` instead the problem is NP-hard.

    References
    ----------
    B. Bartan and M. Pilanci, "Neural spectrahedra and semidefinite lifts: global convex
    optimization of polynomial activation neural networks in fully polynomial-time",
    arXiv 2101.02429; Math. Program. 2025.

    Examples
    --------
    >>> from cvxnn import solve
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 1.0]])
    >>> solution = solve(X, X[:, 0] * X[:, 1], beta=0.01, model=Polynomial(1.0, 0.0, 0.0))
    >>> print(solution.status.name, f"{solution.objective:.6f}", solution.n_neurons)
    OPTIMAL 0.009975 2
    """

    a: float = _A
    b: float = _B
    c: float = _C
    filter_size: int | tuple[int, ...] | None = None
    stride: int = 1
    padding: int = 0
    kind: ClassVar[type[PolynomialNetwork]] = PolynomialNetwork
    proof_advice: ClassVar[str] = "a larger beta"
    smooths_gradually: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _checked_coefficients(self.a, self.b, self.c)
        check_steps(self.stride, self.padding)
        if self.filter_size is not None:
            check_sides(self.filter_size)

    @property
    def takes_ones(self) -> bool:  # type: ignore[override]
        """Not with filters."""
        return self.filter_size is None

    @property
    def takes_any_size(self) -> bool:  # type: ignore[override]
        """Only with filters."""
        return self.filter_size is not None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(warm_start=True, outputs=("global",))

    @property
    def data_axes(self) -> tuple[int, ...]:
        """2 for rows; those of images, and perhaps channels, with filters."""
        if self.filter_size is None:
            return (2,)
        sides = check_sides(self.filter_size)
        return (2, 3, 4) if isinstance(sides, int) else (len(sides) + 1, len(sides) + 2)

    @property
    def _coefficients(self) -> tuple[float, float, float]:
        return float(self.a), float(self.b), float(self.c)

    def rows(self, data: ArrayLike) -> PolynomialRows:
        """The rows, or the patches of the images."""
        if self.filter_size is None:
            return PolynomialRows(check_data(data)[:, None], self._coefficients)
        patches = image_patches(data, self.filter_size, self.stride, self.padding)
        return PolynomialRows(patches, self._coefficients)

    def strategy(self, problem: Problem[PolynomialRows], choices: Choices) -> Strategy:
        return PolynomialStrategy(problem, choices.start, intercept=False)

    def smooth_strategy(
        self,
        problem: Problem[PolynomialRows],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """One search for all outputs and their intercepts."""
        return PolynomialStrategy(problem, choices.start, intercept=intercept)

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> PolynomialNetwork:
        weights = neurons.sizes[:, None] * neurons.outputs
        return PolynomialNetwork(
            neurons.directions.reshape(len(neurons), *self._hidden_shape(shape)),
            weights[:, 0] if weights.shape[1] == 1 else weights,
            *self._coefficients,
            stride=self.stride,
            padding=self.padding,
        )

    def _hidden_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of a ``u_j``, for samples of this shape."""
        if self.filter_size is None:
            return shape
        sides = check_sides(self.filter_size)
        if isinstance(sides, int):
            sides = (sides,) * (1 if len(shape) == 1 else 2)
        return (*sides, *(shape[len(sides) :] or (1,)))

    def _neurons(self, network: PolynomialNetwork) -> Neurons:
        """A neuron of several outputs is one for each."""
        weights = network.output_weights
        columns = weights[:, None] if weights.ndim == 1 else weights
        places, outputs = np.nonzero(columns)
        alphas = columns[places, outputs]
        heads = np.zeros((len(alphas), columns.shape[1]))
        heads[np.arange(len(alphas)), outputs] = np.sign(alphas)
        return Neurons(network.flat()[places], np.abs(alphas), heads)


def _checked_coefficients(a: object, b: object, c: object) -> tuple[float, float, float]:
    found = check_number(a, "a"), check_number(b, "b"), check_number(c, "c")
    if not any(found):
        raise InputError("a, b and c must not all be 0: the activation would be 0.")
    return found


def _normalised(hidden: FloatArray) -> FloatArray:
    """With rows of length 1; those that are, up to rounding, as they are."""
    flat = hidden.reshape(len(hidden), int(np.prod(hidden.shape[1:])))
    # Relative to the largest entry, whose square might leave the range of float64.
    largest = np.abs(flat).max(axis=1, initial=0.0)
    if not (largest > 0.0).all():
        raise InputError("hidden_weights must have rows of a length above 0.")
    relative = flat / largest[:, None]
    lengths = np.linalg.norm(relative, axis=1)
    is_unit = np.abs(lengths * largest - 1.0) <= 2.0 * (flat.shape[1] + 4) * EPS
    scaled = np.where(is_unit[:, None], flat, relative / lengths[:, None])
    found = scaled.reshape(hidden.shape)
    found.setflags(write=False)
    return found
