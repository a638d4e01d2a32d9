"""Gated ReLU networks: training on fixed gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers.gated import GatedRows, pairs_of
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.models.gated_network import GatedNetwork as GatedNetwork
from cvxnn.problems import Problem
from cvxnn.solvers.columns.gate_draws import GateDraws
from cvxnn.solvers.columns.gate_search import GatedNeurons
from cvxnn.solvers.columns.gate_strategy import GateStrategy
from cvxnn.solvers.outputs.gates.strategy import GatedOutputsStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_count, check_data


@dataclass(frozen=True, eq=False, repr=False)
class Gated(Model):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: any number of neurons on given gates ``g_j``.

    The penalty is ``1/2 sum_j (||u_j||^2 + a_j^2)``, and the optimum that of the group lasso::

        min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||

    over the patterns ``D_i`` of the gates, program (5) without its cones. With all
    patterns of X that is a lower bound on the optimum of ReLU networks. The network has at
    most one neuron for each pattern, and at most n.

    With c outputs, y of shape (n, c), neurons have vectors ``a_j``, and the optimum is that of::

        min_Z l(sum_i D_i X Z_i, Y) + beta sum_i ||Z_i||_*

    with matrices ``Z_i`` of shape (d, c) and the nuclear norm, the sum of singular values: a
    singular triple is a neuron, at most min(d, c) for each pattern, and at most n c. The gate 0
    alone, ``Gated(gates=np.zeros((1, d)))``, is the linear network of two layers, a regression
    of low rank.

    With ``depth=3`` a neuron has a gate in each of two layers,
    ``f(X) = sum_j 1[X h_j >= 0] (1[X g_j >= 0] (X u_j) b_j) a_j``, and the penalty
    ``1/3 sum_j (||u_j||^3 + |b_j|^3 + |a_j|^3)``. The program is the same on the distinct products
    ``E_l D_i`` of the patterns of both layers, and its blocks give the weights
    ``u = t w / ||w||``, ``b = a = t`` with ``t = ||w||^(1/3)``: gated depth only means more
    patterns.

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
    depth : {2, 3}
        Layers.
    second_gates : array-like, shape (G', d), optional
        Rows ``h_l``, gates of the second of three layers, each of which goes with each ``g_i``.
        If None, directions of :func:`cvxnn.sample_patterns`.
    n_second_gates : int, default 10
        Directions drawn if `second_gates` is None.

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

    depth: int = 2
    second_gates: ArrayLike | None = None
    n_second_gates: int = 10

    proof_advice: ClassVar[str] = "fewer gates"

    def __post_init__(self) -> None:
        if self.gates is not None:
            check_data(self.gates, "gates")
        check_count(self.n_gates, "n_gates")
        if self.skip not in (None, "penalised"):
            raise InputError(f"skip must be None or 'penalised', got {self.skip!r}.")
        if self.depth not in (2, 3):
            raise InputError(f"depth must be 2 or 3, got {self.depth!r}.")
        if self.second_gates is not None:
            if self.depth == 2:
                raise InputError("second_gates are for depth=3.")
            check_data(self.second_gates, "second_gates")
        check_count(self.n_second_gates, "n_second_gates")
        if self.depth == 2 and self.n_second_gates != Gated.n_second_gates:
            raise InputError("n_second_gates are for depth=3.")

    def __repr__(self) -> str:
        # In a sentence their shape says enough.
        shown = f"gates={_shape(self.gates)}, n_gates={self.n_gates}, skip={self.skip!r}"
        if self.depth == 2:
            return f"Gated({shown})"
        second = f"second_gates={_shape(self.second_gates)}, n_second_gates={self.n_second_gates}"
        return f"Gated({shown}, depth=3, {second})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gated):
            return NotImplemented
        own, others = self._parts, other._parts
        return own[0] == others[0] and all(
            one is two if one is None or two is None else np.array_equal(one, two)
            for one, two in zip(own[1], others[1], strict=True)
        )

    def __hash__(self) -> int:
        settings, arrays = self._parts
        return hash((settings, *(None if each is None else np.shape(each) for each in arrays)))

    @property
    def _parts(self) -> tuple[tuple[Any, ...], tuple[ArrayLike | None, ...]]:
        """The settings that are no arrays, and those that are."""
        settings = (self.n_gates, self.skip, self.depth, self.n_second_gates)
        return settings, (self.gates, self.second_gates)

    def rows(self, data: ArrayLike) -> GatedRows:
        """The rows of X with the gates that are known before the search begins."""
        X = check_data(data)
        d = X.shape[1]
        first, second = self._given("gates", d), self._given("second_gates", d)
        gates = np.zeros((0, (self.depth - 1) * d))
        if self.depth == 2 and first is not None:
            gates = first
        elif first is not None and second is not None:
            gates = pairs_of(first, second)
        if self.skip is not None:
            gates = np.vstack([gates, np.zeros(gates.shape[1])])
        return GatedRows.of(X, gates)

    def _given(self, name: str, d: int) -> FloatArray | None:
        """The gates of a layer, if they are given; InputError if they do not suit X."""
        given = getattr(self, name)
        if given is None:
            return None
        gates = check_data(given, name)
        if gates.shape[1] != d:
            raise InputError(
                f"{name} must have the {d} features of X, its column of ones included, "
                f"got {gates.shape[1]}."
            )
        return gates

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
        rng, d = choices.random_state, problem.rows.n_features
        first = self._given("gates", d)
        if self.depth == 2:
            return None if first is not None else GateDraws(problem.rows.X, self.n_gates, rng)
        second = self._given("second_gates", d)
        if first is not None and second is not None:
            return None
        above = self.n_second_gates if second is None else second
        return GateDraws(problem.rows.X, self.n_gates, rng, first, above)

    def _neurons(self, network: GatedNetwork) -> GatedNeurons:
        hidden, output = network.products, network.output_weights
        output = output[:, None] if output.ndim == 1 else output
        lengths = [np.linalg.norm(part, axis=1)[:, None] for part in (hidden, output)]
        sizes = (lengths[0] * lengths[1])[:, 0]
        alive = sizes > 0.0
        return GatedNeurons(
            hidden[alive] / lengths[0][alive], sizes[alive], output[alive] / lengths[1][alive],
            gates=network.all_gates[alive],
        )  # fmt: skip

    def _network(self, neurons: Any, shape: tuple[int, ...]) -> GatedNetwork:
        if self.depth == 2:
            hidden, output = neurons.balanced()
            return GatedNetwork(neurons.gates, hidden, _heads(output))
        root, d = np.cbrt(neurons.sizes), neurons.gates.shape[1] // 2
        return GatedNetwork(
            neurons.gates[:, :d],
            neurons.directions * root[:, None],
            _heads(neurons.outputs * root[:, None]),
            second_gates=neurons.gates[:, d:],
            inner_weights=root,
        )


def _heads(output: FloatArray) -> FloatArray:
    """Output weights of shape (m, c), of one output (m,)."""
    return output[:, 0] if output.shape[1] == 1 else output


def _shape(gates: ArrayLike | None) -> str | None:
    return None if gates is None else f"array of shape {np.shape(gates)}"
