"""Three-layer networks of sub-networks side by side, and their training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from cvxnn.errors import InputError
from cvxnn.layers.line import Line
from cvxnn.layers.parallel import ParallelRows
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.models.relu import ReLU
from cvxnn.networks.parallel import ParallelNetwork
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.parallel.neurons import SubNetworks
from cvxnn.solvers.parallel.rough_strategy import RoughSubNetworkStrategy
from cvxnn.solvers.parallel.strategy import ParallelStrategy
from cvxnn.solvers.ramps.neurons import Ramps
from cvxnn.solvers.ramps.search import RampStrategy
from cvxnn.solvers.relaxed import needs_relaxation
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_count, check_data


@dataclass(frozen=True)
class Parallel(Model):
    """``f(X) = sum_k ((X W_k + c_k)_+ b_k + e_k)_+ a_k``: ReLU sub-networks of three layers.

    Any number of sub-networks of any width; the penalty is
    ``1/3 sum_k (||W_k||_F^3 + ||b_k||^3 + |a_k|^3)``, at the best balance
    ``sum_k ||W_k||_F ||b_k|| |a_k|``.

    Without biases the optimum is certified where a tree over the signs of sub-networks gets to
    its end: few rows, of low rank; beyond, the best network is local search's, and the gap is
    what the tree has proven, or in rank 7 and more, with more than 64 distinct rows, a relaxation:
    the smaller beta is, the larger it is. A column of ones in X is a bias of hidden units, which is
    penalised.

    With ``bias="free"``, on one feature, every hidden unit and every sub-network has a bias
    that costs nothing. A sub-network of one hidden unit is then a ramp
    ``s clip(x - t, 0, t' - t)`` at the price ``beta |s|``, or a constant for nothing: there is
    an intercept whether it is asked for or not. Wider sub-networks are sums of ramps at no
    lower a price, so that the optimum over all widths is that of the convex program::

        min_f l(f, y) + beta/2 (|s_1| + sum_j |s_{j+1} - s_j| + |s_{m-1}|)

    over values f at the m distinct points, with the slopes s between them.

    Parameters
    ----------
    depth : {3}
        Layers. Those of two are :class:`ReLU`; three with fixed gates are
        ``Gated(depth=3)``.
    bias : {None, "free"}
        Of hidden units and of sub-networks, at no cost: for X of one column.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    Without biases: the joint dual over leaves of sign choices, whose constraints are neurons
    that an oracle of two layers finds; a round solves a few quadratic programs of O(L n)
    variables for L leaves by Clarabel, and prices 2 L vectors. It ends for few rows of low rank;
    above 1000 rows there are ascents, descents and a bound without choices. In high rank, where
    no oracle of two layers ends, a rough search grows sub-networks from neurons, and the dual
    point, coefficients and the multipliers that bound both vectors are found together by the
    alternating direction method. :doc:`/guide/deep` has the proof.

    With free biases: an active set of knots, whose steps are tridiagonal systems in the basis
    of hats, exact for the squared loss; O(n) for every knot that comes or goes. The bound is
    that of ``v = -t grad l`` of the sum 0, with t such that no ramp violates it: with
    ``D_j = sum_{i > j} v_i (x_i - x_j)`` the largest is ``max D - min D``, summed in twice the
    precision, rounding included. The turns of f are matched on a stack: each pair is a ramp.
    Where x is beyond the data, f is constant.

    Why width does not help: ``(g)_+`` for a g of two layers and the price ``sum_j |w_j b_j|``,
    which is at least the sum of the moduli of its turns, has half of the turns of its slope from
    0 to 0 to pay as ramps. Where it is positive between two zeros, the slopes at both ends are
    turns in between at most; from the last zero on, the slope there is a turn since the zero
    before, or of units that face it.

    References
    ----------
    T. Ergen and M. Pilanci, Global Optimality Beyond Two Layers, ICML 2021; E. Zeger,
    Y. Wang, A. Mishkin, T. Ergen, E. Candes and M. Pilanci, A Library of Mirrors: Deep Neural
    Nets in Low Dimensions are Convex Lasso Models with Reflection Features, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import cvxnn
    >>> from cvxnn import Parallel
    >>> x = np.linspace(-1.0, 1.0, 41)
    >>> plateau = np.clip(2.0 - 4.0 * np.abs(x), 0.0, 1.0)
    >>> deep = cvxnn.solve(x[:, None], plateau, 0.01, model=Parallel(bias="free"))
    >>> print(deep.status.name, f"{deep.objective:.4f}", deep.n_neurons, deep.network.width)
    OPTIMAL 0.0777 5 1
    """

    depth: int = 3
    bias: str | None = None
    kind: ClassVar[type[ParallelNetwork]] = ParallelNetwork
    proof_advice: ClassVar[str] = "fewer rows"

    def __post_init__(self) -> None:
        if check_count(self.depth, "depth") != 3:
            instead = ": networks of two layers are ReLU()" if self.depth == 2 else ""
            raise InputError(f"depth must be 3{instead}, got {self.depth!r}.")
        if self.bias not in (None, "free"):
            raise InputError(f"bias must be None or 'free', got {self.bias!r}.")

    @property
    def has_intercept(self) -> bool:
        return self.bias == "free"

    @property
    def of_two_layers(self) -> Model:
        return ReLU() if self.bias is None else self

    @property
    def takes_ones(self) -> bool:  # type: ignore[override]
        return self.bias is None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def rows(self, data: ArrayLike) -> Line | ParallelRows:
        """The rows, or with free biases the points of the one feature."""
        X = check_data(data)
        if self.bias is None:
            return ParallelRows(X)
        if X.shape[1] != 1:
            raise InputError(
                f"X must have one column for {self.label}, as biases that cost nothing are for one "
                f"feature, got {X.shape[1]}."
            )
        return Line(X[:, 0])

    def strategy(self, problem: Problem[Any], choices: Choices) -> Strategy:
        if self.bias == "free":
            return RampStrategy(problem, choices.start)
        start = choices.start if isinstance(choices.start, SubNetworks) else None
        exact = ParallelStrategy(problem, choices.random_state, start)
        if not needs_relaxation(problem):
            return exact
        return RoughSubNetworkStrategy(exact, problem, choices.random_state, start)

    def smooth_strategy(
        self,
        problem: Problem[Any],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """Ramps and an intercept are one program, and a rough search is one for both."""
        if self.bias == "free":
            return self.strategy(problem, choices)
        exact = super().smooth_strategy(problem, choices, shape, intercept=intercept)
        if not (intercept and needs_relaxation(problem)):
            return exact
        return RoughSubNetworkStrategy(
            exact, problem, choices.random_state, choices.start, intercept=True
        )

    def evaluated(self, problem: Problem[Any], shape: tuple[int, ...], neurons: Neurons) -> Any:
        """Predictions of neurons, and what beta multiplies."""
        if isinstance(neurons, Ramps):
            return neurons.predict(problem.rows.x), float(neurons.sizes.sum())
        return super().evaluated(problem, shape, neurons)

    def _neurons(self, network: ParallelNetwork) -> SubNetworks:
        if self.bias is not None:
            raise InputError(f"{self!r} takes no warm_start.")
        return SubNetworks.of_layers(
            network.hidden_weights, network.inner_weights, network.output_weights
        )

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> ParallelNetwork:
        if isinstance(neurons, SubNetworks):
            return ParallelNetwork(*neurons.balanced())
        assert isinstance(neurons, Ramps)
        parts = neurons.layers()
        return ParallelNetwork(
            parts["hidden_weights"], parts["inner_weights"], parts["output_weights"],
            hidden_biases=parts["hidden_biases"], inner_biases=parts["inner_biases"],
        )  # fmt: skip
