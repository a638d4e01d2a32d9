"""Gated ReLU networks: fixed gates decide which rows a neuron sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.evaluation import Prediction
from cvxnn.layers.gated import GatedRows, open_gates
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.models.cone_decomposition import relu_network, shared_relu_network
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.stages import Affine, Gate, Stages
from cvxnn.networks.weights import DenseNetwork, dense_layers, frozen
from cvxnn.problems import Problem
from cvxnn.solvers.columns.gate_draws import GateDraws
from cvxnn.solvers.columns.gate_search import GatedNeurons
from cvxnn.solvers.columns.gate_strategy import GateStrategy
from cvxnn.solvers.outputs.gates.strategy import GatedOutputsStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_choice, check_count, check_data


class GatedNetwork(DenseNetwork):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: ReLU with gates apart from the weights.

    A gate is open on its boundary, so that the gate 0 is open everywhere and its
    neurons are a linear skip connection. Gates are fixed: no penalty counts them.

    Parameters
    ----------
    gates : array-like, shape (m, d)
        Row j is ``g_j``.
    hidden_weights : array-like, shape (m, d)
        Row j is ``u_j``.
    output_weights : array-like, shape (m,), or (m, c) for c outputs
        Entry or row j is ``a_j``; neurons are shared by the outputs.
    intercept : float or array-like of shape (c,), default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the arrays are not finite numbers of these shapes.

    References
    ----------
    A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU
    Networks, ICML 2022.

    Examples
    --------
    >>> network = GatedNetwork([[1.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], [2.0, 1.0])
    >>> network
    GatedNetwork(n_neurons=2, n_features=2)
    >>> network.forward([[1.0, 3.0], [-1.0, 3.0]])
    array([10.,  2.])
    >>> GatedNetwork([[1.0]], [[2.0]], [[3.0, -1.0]]).forward([[1.0], [-1.0]])
    array([[ 6., -2.],
           [ 0.,  0.]])
    """

    __slots__ = ()
    _output_axes = (1, 2)

    def __init__(
        self,
        gates: ArrayLike,
        hidden_weights: ArrayLike,
        output_weights: ArrayLike,
        *,
        intercept: float | ArrayLike = 0.0,
    ) -> None:
        arrays = {"gates": frozen(gates, "gates", 2, of="neuron")}
        super().__init__(hidden_weights, output_weights, arrays, {}, intercept)
        if self.gates.shape != self.hidden_weights.shape:
            raise InputError(
                f"gates must be of shape {self.hidden_weights.shape}, one for each row of "
                f"hidden_weights, got shape {self.gates.shape}."
            )

    @property
    def gates(self) -> FloatArray:
        """The ``g_j`` as rows: read-only array, shape (m, d)."""
        return self._arrays["gates"]

    def rows(self, data: ArrayLike) -> GatedRows:
        """Rows of features, shape (n, d)."""
        return GatedRows.of(self._check_data(data), self.gates[:0])

    def _neurons_on(self, rows: GatedRows) -> Prediction:
        # Which gates are open is part of the network: that of float64.
        size = np.abs(self.hidden_weights).T @ np.abs(self.output_weights)
        moduli = np.abs(rows.X) @ size
        on = open_gates(rows.X, self.gates)
        values = (on * (rows.X @ self.hidden_weights.T)) @ self.output_weights
        return Prediction(values, moduli, self.n_features + self.n_neurons)

    def to_relu(self, X: ArrayLike, method: str = "closed_form") -> TwoLayerNetwork:
        """A ReLU network with the same outputs on the rows of X.

        On these rows a neuron ``w = u_j a_j`` is linear where its gate is open. Two
        ReLU neurons with its pattern, v and u of its cone with ``v - u = w``, are the
        same; elsewhere than on X they may differ. Of several outputs it is ``u_j`` that is
        taken apart, and both have the outputs of the neuron.

        Parameters
        ----------
        X : array-like, shape (n, d)
            The data of the training.
        method : {"closed_form", "minimum_norm"}
            ``"closed_form"``: u (or v) on the ray through the middle of the cone, as
            short as it can be. ``"minimum_norm"``: the pair with the least ``||v|| + ||u||``,
            from a small conic program for each pattern.

        Returns
        -------
        TwoLayerNetwork
            Balanced, with at most two neurons for each pattern of the gates on X, or of several
            outputs for each neuron. Its penalty is at least that of this network and can be far
            above the least that a ReLU network needs. The gate 0 gives the exact pair ``(w, -w)``.

        Raises
        ------
        InputError
            If an argument is not as described, or a row lies on the boundary of a gate.

        Notes
        -----
        The middle is the u of length 1 with the largest ``min_k |x_k'u|``, by
        non-negative least squares; O(n d^2) a gate about. The rounding of the
        conic solver is mended by a step towards the middle.

        References
        ----------
        A. Mishkin, A. Sahiner and M. Pilanci, ICML 2022, section 3 (cone decompositions);
        C. Lawson and R. Hanson, Solving Least Squares Problems, 1974, chapter 23.

        Examples
        --------
        >>> network = GatedNetwork([[2.0]], [[-1.0]], [1.0])
        >>> network.forward([[3.0], [-3.0]])
        array([-3.,  0.])
        >>> network.to_relu([[3.0], [-3.0]])
        TwoLayerNetwork(n_neurons=1, n_features=1)
        """
        rows = self._check_data(X)
        method = check_choice(method, "method", ("closed_form", "minimum_norm"))
        least = method == "minimum_norm"
        if self.n_outputs is not None:
            network = shared_relu_network(
                rows, self.gates, self.hidden_weights, self.output_weights, least=least
            )
        else:
            products = self.hidden_weights * self.output_weights[:, None]
            network = relu_network(rows, self.gates, products, least=least)
        return network.with_intercept(self.intercept)

    @classmethod
    def _stages(cls, networks: Sequence[Self]) -> Stages:
        hidden, output = dense_layers(networks)
        gates = np.concatenate([network.gates for network in networks])
        return Gate(Affine("gate", gates), hidden), output


@dataclass(frozen=True, eq=False, repr=False)
class Gated(Model):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: any number of neurons on given gates ``g_j``.

    The penalty is ``1/2 sum_j (||u_j||^2 + a_j^2)``, and the optimum that of the group lasso

        min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||

    over the patterns ``D_i`` of the gates, program (5) without its cones. With all
    patterns of X that is a lower bound on the optimum of ReLU networks. The network has at
    most one neuron for each pattern, and at most n.

    With c outputs, y of shape (n, c), neurons have vectors ``a_j``, and the optimum is that of

        min_Z l(sum_i D_i X Z_i, Y) + beta sum_i ||Z_i||_*

    with matrices ``Z_i`` of shape (d, c) and the nuclear norm, the sum of singular values: a
    singular triple is a neuron, at most min(d, c) for each pattern, and at most n c. The gate 0
    alone, ``Gated(gates=np.zeros((1, d)))``, is the linear network of two layers, a regression
    of low rank.

    Parameters
    ----------
    gates : array-like, shape (G, d), optional
        Rows ``g_i``; of those with the same pattern on X the first is used. If None,
        directions of :func:`cvxnn.sample_patterns`. A gate has an entry for every column
        that the network reads, a column of ones included.
    n_gates : int, default 500
        Directions drawn if `gates` is None.
    skip : {None, "penalised"}
        Adds the gate 0, which is always open: ``x'w`` at the price ``beta ||w||``.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    A primal-dual Newton method on the gates of a working set, into which gates come
    that violate ``||X'D_i v|| <= beta``; O(n^2 k d) a step for k gates in it, or
    O(n (k d)^2) where that is less, and O(n G d) to price all; d is n where rows are
    fewer. A round is a step of it. A small beta is reached by falling ones. The bound is that
    of ``v = -t grad l`` with t such that no gate violates it, rounding included.

    With c outputs gates come in whose ``X'D_i V`` has a singular value above beta, and all
    weights move together, by L-BFGS and Newton's method on the smooth function of balanced
    weights: O(n k (d + c)) a step for k neurons, and O(n G d c) to price all. Below a thousandth
    of the largest beta, where targets are fitted nearly exactly, that takes many rounds.

    References
    ----------
    A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU
    Networks, ICML 2022, problem (C-GReLU); A. Sahiner, T. Ergen, J. Pauly and M. Pilanci,
    Vector-output ReLU Neural Network Problems are Copositive Programs, ICLR 2021.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> model = Gated(gates=cvxnn.enumerate_patterns(X).directions)
    >>> solution = cvxnn.solve(X, y, beta=1.0, model=model)
    >>> print(solution.status.name, f"{solution.objective:.4f}")
    OPTIMAL 2.3848
    >>> classes = np.eye(3)[np.digitize(X[:, 0], [-0.4, 0.4])]
    >>> linear = Gated(gates=np.zeros((1, 3)))
    >>> solution = cvxnn.solve(X, classes, beta=1.0, model=linear, loss="softmax")
    >>> print(solution.status.name, solution.network)
    OPTIMAL GatedNetwork(n_neurons=2, n_features=3, n_outputs=3)
    """

    gates: ArrayLike | None = None
    n_gates: int = 500
    skip: str | None = None
    kind: ClassVar[type[GatedNetwork]] = GatedNetwork

    proof_advice: ClassVar[str] = "fewer gates"

    def __post_init__(self) -> None:
        if self.gates is not None:
            check_data(self.gates, "gates")
        check_count(self.n_gates, "n_gates")
        if self.skip not in (None, "penalised"):
            raise InputError(f"skip must be None or 'penalised', got {self.skip!r}.")

    def __repr__(self) -> str:
        # In a sentence their shape says enough.
        gates = None if self.gates is None else f"array of shape {np.shape(self.gates)}"
        return f"Gated(gates={gates}, n_gates={self.n_gates}, skip={self.skip!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gated):
            return NotImplemented
        same = (self.n_gates, self.skip) == (other.n_gates, other.skip)
        if self.gates is None or other.gates is None:
            return same and self.gates is other.gates
        return same and np.array_equal(self.gates, other.gates)

    def __hash__(self) -> int:
        shape = None if self.gates is None else np.shape(self.gates)
        return hash((shape, self.n_gates, self.skip))

    def rows(self, data: ArrayLike) -> GatedRows:
        """The rows of X with the gates that are known before the search begins."""
        X = check_data(data)
        gates = np.zeros((0, X.shape[1])) if self.gates is None else check_data(self.gates, "gates")
        if gates.shape[1] != X.shape[1]:
            raise InputError(
                f"gates must have the {X.shape[1]} features of X, its column of ones included, "
                f"got {gates.shape[1]}."
            )
        if self.skip is not None:
            gates = np.vstack([gates, np.zeros(X.shape[1])])
        return GatedRows.of(X, gates)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(outputs=("global",), kinks=False)

    def strategy(self, problem: Problem[GatedRows], choices: Choices) -> GateStrategy:
        return GateStrategy(problem, self._draws(problem, choices))

    def strategy_of(
        self,
        problem: Problem[GatedRows],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """Of several outputs intercepts are weights like others, without a price."""
        if problem.n_outputs == 1:
            return super().strategy_of(problem, choices, shape, intercept=intercept)
        draws = self._draws(problem, choices)
        return GatedOutputsStrategy(problem, draws, intercept=intercept)

    def _draws(self, problem: Problem[GatedRows], choices: Choices) -> GateDraws | None:
        """The gates that are still to be drawn, where none are given."""
        if self.gates is not None:
            return None
        return GateDraws(problem.rows.X, self.n_gates, choices.random_state)

    def _neurons(self, network: GatedNetwork) -> GatedNeurons:
        hidden, output = network.hidden_weights, network.output_weights
        output = output[:, None] if output.ndim == 1 else output
        lengths = [np.linalg.norm(part, axis=1)[:, None] for part in (hidden, output)]
        sizes = (lengths[0] * lengths[1])[:, 0]
        alive = sizes > 0.0
        return GatedNeurons(
            hidden[alive] / lengths[0][alive], sizes[alive], output[alive] / lengths[1][alive],
            gates=network.gates[alive],
        )  # fmt: skip

    def _network(self, neurons: Any, shape: tuple[int, ...]) -> GatedNetwork:
        hidden, output = neurons.balanced()
        output = output[:, 0] if output.shape[1] == 1 else output
        return GatedNetwork(neurons.gates, hidden, output)
