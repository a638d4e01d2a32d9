"""Gated ReLU networks: fixed gates decide which rows a neuron sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.methods import Method
from cvxnn.models.base import Capabilities, Model
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.columns.gates import GateStrategy
from cvxnn.validation import check_count, check_data


@dataclass(frozen=True)
class Gated(Model):
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``: any number of neurons on given gates ``g_j``.

    The penalty is ``1/2 sum_j (||u_j||^2 + a_j^2)``, and the optimum that of the group lasso

        min_w l(sum_i D_i X w_i, y) + beta sum_i ||w_i||

    over the patterns ``D_i`` of the gates, program (5) without its cones. With all
    patterns of X that is a lower bound on the optimum of ReLU networks. The network has at
    most one neuron for each pattern, and at most n.

    Parameters
    ----------
    gates : array-like, shape (G, d), optional
        Rows ``g_i``; of those with the same pattern on X the first is used. If None,
        directions of :func:`cvxnn.sample_patterns`.
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

    References
    ----------
    A. Mishkin, A. Sahiner and M. Pilanci, Fast Convex Optimization for Two-Layer ReLU
    Networks, ICML 2022, problem (C-GReLU).

    Examples
    --------
    >>> import cvxnn
    >>> X, y = cvxnn.load_ring()
    >>> model = Gated(gates=cvxnn.enumerate_patterns(X).directions)
    >>> solution = cvxnn.solve(X, y, beta=1.0, model=model)
    >>> print(solution.status.name, f"{solution.objective:.4f}")
    OPTIMAL 2.3848
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

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(methods=("global",))

    def rows(self, data: ArrayLike) -> Layer:
        """The rows of X; gates come to them when the search begins."""
        layer = Layer(check_data(data))
        if self.gates is not None and np.shape(self.gates)[1] != layer.n_features:
            raise InputError(
                f"gates must have the {layer.n_features} features of X, "
                f"got {np.shape(self.gates)[1]}."
            )
        return layer

    def strategy(
        self,
        problem: Problem[Layer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None,
    ) -> GateStrategy:
        gates = None if self.gates is None else check_data(self.gates, "gates")
        return GateStrategy(problem, gates, self.n_gates, self.skip is not None, random_state)

    def network(self, neurons: Any, shape: tuple[int, ...]) -> GatedNetwork:
        return GatedNetwork(neurons.gates, *neurons.balanced())
