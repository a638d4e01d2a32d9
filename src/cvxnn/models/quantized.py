"""Quantised networks: a product of two sums with weights of -1 and 1 for each neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.quantized import QuantizedRows
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.networks.base import Network
from cvxnn.networks.stages import Affine, Product, Stages, common, output_layer
from cvxnn.networks.weights import frozen, rows_of
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.quantized.neurons import QuantizedNeurons
from cvxnn.solvers.quantized.strategy import QuantizedStrategy
from cvxnn.validation import check_data


class QuantizedNetwork(Network):
    """``f(X) = sum_j (X u_j)(X v_j) a_j`` with vectors u and v of the signs -1 and 1.

    The penalty is ``sum_j |a_j|``: signs cost nothing, and cannot be made smaller.

    Parameters
    ----------
    left_signs, right_signs : array-like, shape (m, d)
        Rows j are ``u_j`` and ``v_j``.
    output_weights : array-like, shape (m,)
        Entry j is ``a_j``.
    intercept : float, default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes, or a sign is neither -1 nor 1.

    References
    ----------
    B. Bartan and M. Pilanci, Training quantized neural networks to global optimality via
    semidefinite programming, ICML 2021.

    Examples
    --------
    >>> from cvxnn import QuantizedNetwork
    >>> network = QuantizedNetwork([[1, 1]], [[1, -1]], [2.0])
    >>> network
    QuantizedNetwork(n_neurons=1, n_features=2)
    >>> network.forward([[3.0, 1.0]])  # 2 (3 + 1) (3 - 1)
    array([16.])
    >>> network.penalty(), network.n_bits
    (2.0, 66)
    """

    __slots__ = ()

    def __init__(
        self,
        left_signs: ArrayLike,
        right_signs: ArrayLike,
        output_weights: ArrayLike,
        *,
        intercept: float = 0.0,
    ) -> None:
        arrays = {
            "left_signs": _signs(left_signs, "left_signs"),
            "right_signs": _signs(right_signs, "right_signs"),
            "output_weights": frozen(output_weights, "output_weights", 1, of="neuron"),
        }
        super().__init__(arrays, {}, intercept)
        shapes = [self.left_signs.shape, self.right_signs.shape]
        if shapes[0] != shapes[1] or shapes[0][0] != self.n_neurons:
            raise InputError(
                f"left_signs and right_signs must have a row for each of the {self.n_neurons} "
                f"output_weights, and one shape, got {shapes[0]} and {shapes[1]}."
            )

    @property
    def left_signs(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array of shape (m, d)."""
        return self._arrays["left_signs"]

    @property
    def right_signs(self) -> FloatArray:
        """The ``v_j`` as rows: read-only array of shape (m, d)."""
        return self._arrays["right_signs"]

    @property
    def n_features(self) -> int:
        """The number of features d."""
        return int(self.left_signs.shape[1])

    @property
    def n_bits(self) -> int:
        """Bits that the neurons need: d - 1 for each vector of signs, and 64 for its weight.

        The first sign of each vector may be 1, as -u beside -a is u beside a.
        """
        return self.n_neurons * (2 * (self.n_features - 1) + 64)

    def to_ternary(self) -> TernaryNetwork:
        """The same function as squares of sums with weights -1, 0 and 1; O(m d).

        ``(x'u)(x'v) = (x'p)^2 - (x'q)^2`` with ``p = (u + v) / 2`` and ``q = (u - v) / 2``, of
        which no feature is in both. Sums that are empty are left out.

        Examples
        --------
        >>> from cvxnn import QuantizedNetwork
        >>> ternary = QuantizedNetwork([[1, 1]], [[1, -1]], [2.0]).to_ternary()
        >>> ternary.hidden_weights, ternary.output_weights
        (array([[1., 0.],
               [0., 1.]]), array([ 2., -2.]))
        >>> ternary([[3.0, 1.0]])
        array([16.])
        """
        u, v = self.left_signs, self.right_signs
        hidden = np.vstack([(u + v) / 2.0, (u - v) / 2.0])
        output = np.concatenate([self.output_weights, -self.output_weights])
        seen = hidden.any(axis=1)
        return TernaryNetwork(hidden[seen], output[seen], float(self.intercept))

    def penalty(self) -> float:
        """``sum_j |a_j|``, what beta multiplies in the objective."""
        return float(np.abs(self.output_weights).sum())

    @property
    def penalty_roundings(self) -> int:
        return self.n_neurons

    def rows(self, data: ArrayLike) -> QuantizedRows:
        """The rows of X; InputError if X is none of shape (n, d)."""
        return QuantizedRows(rows_of(data, self.n_features))

    def _neurons_on(self, rows: QuantizedRows) -> Prediction:
        activations = rows.activations(self.left_signs, self.right_signs)
        moduli = rows.lengths * self.penalty()
        # Two sums of d terms, whose product is one of m.
        roundings = 2 * self.n_features + self.n_neurons + 2
        return Prediction(activations @ self.output_weights, moduli, roundings)

    @property
    def _shown(self) -> dict[str, Any]:
        return {"n_neurons": self.n_neurons, "n_features": self.n_features}

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        common((network.n_features for network in networks), "number of features")
        left = np.concatenate([network.left_signs for network in networks])
        right = np.concatenate([network.right_signs for network in networks])
        output = output_layer(network.output_weights for network in networks)
        return Product(Affine("left", left), Affine("right", right)), output


@dataclass(frozen=True, eq=False)
class TernaryNetwork:
    """``f(X) = sum_j a_j (X w_j)^2`` with weights -1, 0 and 1 in every w.

    Attributes
    ----------
    hidden_weights : ndarray, shape (m, d)
        Row j is ``w_j``.
    output_weights : ndarray, shape (m,)
        Entry j is ``a_j``.
    intercept : float
        What is added to every value.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.models.quantized import TernaryNetwork
    >>> network = TernaryNetwork(np.array([[1.0, 0.0], [1.0, -1.0]]), np.array([2.0, -1.0]))
    >>> network([[3.0, 1.0]])  # 2 * 3^2 - (3 - 1)^2
    array([14.])
    """

    hidden_weights: FloatArray
    output_weights: FloatArray
    intercept: float = 0.0

    def __call__(self, X: ArrayLike) -> FloatArray:
        """``f(X)``, shape (n,); InputError if X is not of shape (n, d)."""
        rows = rows_of(X, self.hidden_weights.shape[1])
        squares = (rows @ self.hidden_weights.T) ** 2
        return np.asarray(squares @ self.output_weights + self.intercept)


@dataclass(frozen=True)
class Quantized(Model):
    """``f(X) = sum_j (X u_j)(X v_j) a_j`` with vectors u and v of the signs -1 and 1.

    The penalty is ``sum_j |a_j|``, so that the objective is ``l(f(X), y) + beta sum_j |a_j|``. A
    column of ones in X gives every sum a bias of -1 or 1. As signs have no scale, features should
    be of one size: standardise them.

    Notes
    -----
    Training is a Lasso over ``4^d`` pairs of signs, of which those are generated that help: a
    round climbs from random signs to pairs of a large ``u'N v``, where
    ``N = X'diag(v) X`` for v minus the gradient of the loss, and sizes all pairs anew; O(n d^2 + s
    d^2) for s climbs. The optimum is certified by a tree over the signs of one of the two vectors,
    which proves that no pair is above beta, in time that grows exponentially with d. Where it does
    not end, the bound is that of a semidefinite relaxation, below the optimum: the status is
    STATIONARY then, and the gap is proven. The relaxation is solved on its factors,
    and multipliers that are checked by eigenvalues make a bound of any point of it.

    At most n neurons are needed.

    References
    ----------
    B. Bartan and M. Pilanci, Training quantized neural networks to global optimality via
    semidefinite programming, ICML 2021; S. Burer and R. Monteiro, Math. Prog. 95 (2003).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import Quantized, solve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 3))
    >>> y = (X @ [1, -1, 1]) * (X @ [1, 1, 1])
    >>> solution = solve(X, y, beta=1.0, model=Quantized())
    >>> print(solution.status.name, f"{solution.objective:.3f}")  # one weight of 1, nearly
    OPTIMAL 0.999
    >>> bool(abs(solution.network(X) - y).max() < 0.1)
    True
    """

    kind: ClassVar[type[QuantizedNetwork]] = QuantizedNetwork
    proof_advice: ClassVar[str] = "fewer features"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(warm_start=True)

    def rows(self, data: ArrayLike) -> QuantizedRows:
        """The rows of X."""
        return QuantizedRows(check_data(data))

    def strategy(self, problem: Problem[QuantizedRows], choices: Choices) -> QuantizedStrategy:
        return QuantizedStrategy(
            problem, choices.method, choices.random_state, choices.start, choices.proof_time
        )

    def _network(self, neurons: Any, shape: tuple[int, ...]) -> QuantizedNetwork:
        # The first sign of each vector is 1, and the weight has the sign that is left.
        left, right = neurons.directions, neurons.partners
        signs = right[:, 0] * left[:, 0]
        left, right = left * left[:, :1], right * right[:, :1]
        return QuantizedNetwork(left, right, neurons.sizes * neurons.signs * signs)

    def _neurons(self, network: QuantizedNetwork) -> Neurons:
        output = network.output_weights
        alive = output != 0.0
        right = network.right_signs * np.sign(output)[:, None]
        return QuantizedNeurons.pairs(
            network.left_signs[alive], right[alive], np.abs(output[alive])
        )


def _signs(signs: ArrayLike, name: str) -> FloatArray:
    array = frozen(signs, name, 2, of="neuron")
    if not (np.abs(array) == 1.0).all():
        raise InputError(f"{name} must be of -1 and 1.")
    return array
