"""Two-layer networks with ReLU or leaky activations, with or without a linear skip connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from cvxnn.layers import Layer
from cvxnn.layers.relu import SkipLayer
from cvxnn.methods import METHODS
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.skip.strategy import SkipStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_choice, check_data, check_number

SKIPS = ("penalised", "free")


@dataclass(frozen=True)
class ReLU(Model):
    """``f(X) = sum_j s(X u_j) a_j + X w`` with ``s(t) = t`` for t > 0, else ``slope t``.

    The penalty is ``1/2 sum_j (||u_j||^2 + a_j^2)``, and ``||w||`` for a penalised skip
    connection.

    Parameters
    ----------
    slope : float, default 0.0
        Of the activation below zero, any number: 0 is ReLU, -1 the absolute value, 1 linear.
    skip : {None, "penalised", "free"}
        A linear skip connection w. Penalised it is what weight decay makes of a linear
        neuron; ``"free"`` costs nothing: columns of X that depend on others up to rounding
        then have the weight 0 in w. With the logistic loss a free w needs labels that no
        linear function separates.

    Raises
    ------
    InputError
        If a setting is not as described.

    Notes
    -----
    A leaky activation is a difference of two ReLU, so the program is that of ReLU on the
    same patterns, with ``D + slope (I - D)`` for D. The w of a skip connection is a ridge
    regression inside the loss, whose strength Brent's method finds in some ten searches;
    O(n d) more for each product with the activations.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (2) and (5).

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import solve
    >>> X = np.column_stack([np.linspace(-1.0, 1.0, 9), np.ones(9)])
    >>> solution = solve(X, np.abs(X[:, 0]), beta=1e-3, model=ReLU(slope=-1.0))
    >>> print(solution.status.name, f"{solution.objective:.6f}")
    OPTIMAL 0.001000
    """

    slope: float = 0.0
    skip: str | None = None
    kind: ClassVar[type[TwoLayerNetwork]] = TwoLayerNetwork

    def __post_init__(self) -> None:
        check_number(self.slope, "slope")
        if self.skip is not None:
            check_choice(self.skip, "skip", SKIPS)

    @property
    def capabilities(self) -> Capabilities:
        plain = self.skip is None and self.slope == 0.0
        return Capabilities(
            methods=tuple(METHODS),
            warm_start=self.skip is None,
            certify=plain,
            outputs=("global",) if self.skip is None else (),
            landscape=plain,
        )

    def rows(self, data: ArrayLike) -> Layer | SkipLayer:
        """The rows of X, and those of -X for the slope; X as it is for a skip connection."""
        X = check_data(data)
        layer = Layer(X).with_slope(float(self.slope))
        return layer if self.skip is None else SkipLayer(layer, X, is_free=self.skip == "free")

    def strategy(self, problem: Problem[Any], choices: Choices) -> Strategy:
        if self.skip is None:
            return choices.on_layer(problem)
        return SkipStrategy(problem, choices.on_layer(problem.on(problem.rows.layer)))

    def smooth_strategy(
        self,
        problem: Problem[Any],
        choices: Choices,
        shape: tuple[int, ...],
        *,
        intercept: bool,
    ) -> Strategy:
        """Beside a skip connection an intercept is one weight more, that is free."""
        if not intercept or self.skip is None:
            return super().smooth_strategy(problem, choices, shape, intercept=intercept)
        with_constant = replace(problem.rows, has_constant=True)
        return self.strategy(problem.on(with_constant), choices)

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> TwoLayerNetwork:
        hidden, output = neurons.balanced()
        return TwoLayerNetwork(
            hidden, output[:, 0] if output.shape[1] == 1 else output, slope=self.slope,
            skip_weights=neurons.linear, skip_is_free=self.skip == "free",
        )  # fmt: skip

    def _neurons(self, network: TwoLayerNetwork) -> Neurons:
        return Neurons.of_weights(network.hidden_weights, network.output_weights)
