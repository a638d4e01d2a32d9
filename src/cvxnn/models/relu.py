"""Two-layer networks with ReLU or leaky activations, with or without a linear skip connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.layers.costs import SHAPES, Costs, check_l1_ratio, check_monotone
from cvxnn.layers.groups import GroupedLayer, check_features, groups_of
from cvxnn.layers.relu import SkipLayer
from cvxnn.methods import METHODS
from cvxnn.models.base import Capabilities, Choices, Model
from cvxnn.networks import TwoLayerNetwork
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.additive.strategy import AdditiveStrategy
from cvxnn.solvers.skip.strategy import SkipStrategy
from cvxnn.solvers.strategy import Strategy
from cvxnn.validation import check_choice, check_data, check_number

SKIPS = ("penalised", "free")


@dataclass(frozen=True)
class ReLU(Model):
    """``f(X) = sum_j s(X u_j) a_j + X w`` with ``s(t) = t`` for t > 0, else ``slope t``.

    The penalty is ``1/2 sum_j (||u_j||^2 + a_j^2)``, and ``||w||`` for a penalised skip
    connection. The last four settings are for ReLU without a skip connection.

    Parameters
    ----------
    slope : float, default 0.0
        Of the activation below zero, any number: 0 is ReLU, -1 the absolute value, 1 linear.
    skip : {None, "penalised", "free"}
        A linear skip connection w. Penalised it is what weight decay makes of a linear
        neuron; ``"free"`` costs nothing: columns of X that depend on others up to rounding
        then have the weight 0 in w. With the logistic loss a free w needs labels that no
        linear function separates.
    features : int or list of lists of int, optional
        How many columns of X a neuron sees: 1 is an additive model, a sum of functions of one
        column each, 2 has functions of pairs; or groups of columns, such as ``[[0], [1, 2]]``.
        A last column of ones, the bias, is seen by all neurons. By default they see all columns.
    monotonic_cst : array-like of int, optional
        For each column of X 1 if the function must not fall with it, -1 if it must not rise, and
        0 if it may do either; a last column of ones needs none. Each neuron by itself does what
        is asked: ``a_j u_jk >= 0``, or ``<= 0``.
    shape : {None, "convex", "concave"}
        The curvature of the function: output weights are all ``>= 0``, or all ``<= 0``.
    l1_ratio : float, default 0.0
        r in [0, 1]: of hidden weights the penalty takes
        ``1/2 ((1 - r) ||u_j|| + r ||u_j||_1)^2``, so that neurons see few columns, and the network
        fewer.

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

    With `features` the dual constraint is a maximum over groups of columns, each of which an
    oracle of low rank decides: one feature and the bias have rank two, where it is exact, so
    that the optimum is proven in any dimension. A bound is one on networks of such neurons, and
    so it is with `monotonic_cst` and `shape`: a function can be monotone, or convex, without
    each of its neurons being so, and no bound is about those networks.

    Constraints and the 1-norm are a few rows more that the oracle looks at, so that what is
    proven of plain networks is proven of these: groups of two columns in any dimension, others
    up to rank five or so.

    References
    ----------
    M. Pilanci and T. Ergen, ICML 2020, arXiv 2002.10553; seed paper, (2) and (5). The 1-norm of
    hidden weights: F. Bach, "Breaking the curse of dimensionality with convex neural networks",
    JMLR 18, 2017. Convex networks: B. Amos, L. Xu and J. Z. Kolter, "Input convex neural
    networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn import ReLU, solve
    >>> X = np.column_stack([np.linspace(-1.0, 1.0, 9), np.ones(9)])
    >>> solution = solve(X, np.abs(X[:, 0]), beta=1e-3, model=ReLU(slope=-1.0))
    >>> print(solution.status.name, f"{solution.objective:.6f}")
    OPTIMAL 0.001000

    Functions of one feature each:

    >>> X = np.array([[-1.0, 2.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [2.0, -1.0, 1.0]])
    >>> solution = solve(X, X[:, 0] ** 2, beta=0.01, model=ReLU(features=1))
    >>> bool((solution.network.hidden_weights[:, :2] != 0.0).sum(axis=1).max() == 1)
    True
    """

    slope: float = 0.0
    skip: str | None = None
    features: int | Sequence[Sequence[int]] | None = None
    monotonic_cst: Sequence[int] | None = None
    shape: str | None = None
    l1_ratio: float = 0.0
    kind: ClassVar[type[TwoLayerNetwork]] = TwoLayerNetwork

    def __post_init__(self) -> None:
        check_number(self.slope, "slope")
        if self.skip is not None:
            check_choice(self.skip, "skip", SKIPS)
        # In numbers of Python, which files and certificates hold.
        if self.features is not None:
            object.__setattr__(self, "features", check_features(self.features))
        if self.monotonic_cst is not None:
            object.__setattr__(self, "monotonic_cst", check_monotone(self.monotonic_cst))
        if self.shape is not None:
            check_choice(self.shape, "shape", tuple(SHAPES))
        object.__setattr__(self, "l1_ratio", check_l1_ratio(self.l1_ratio))
        names = [name for name, value in self._beside.items() if value]
        if names and (self.skip is not None or self.slope != 0.0):
            raise InputError(
                f"{' and '.join(names)} must be left out for neurons of another slope or beside a "
                f"skip connection, got {self.label}."
            )

    @property
    def _beside(self) -> dict[str, Any]:
        """The settings of neurons that see, do or pay something else, by name."""
        names = ("features", "monotonic_cst", "shape", "l1_ratio")
        return {name: getattr(self, name) for name in names}

    @property
    def _is_constrained(self) -> bool:
        """Whether neurons have costs: see :class:`~cvxnn.layers.costs.Costs`."""
        return any(self.monotonic_cst or ()) or self.shape is not None or self.l1_ratio > 0.0

    @property
    def _is_grouped(self) -> bool:
        return self.features is not None or self._is_constrained

    def __repr__(self) -> str:
        shown = "".join(f", {name}={value!r}" for name, value in self._beside.items() if value)
        return f"ReLU(slope={self.slope!r}, skip={self.skip!r}{shown})"

    @property
    def capabilities(self) -> Capabilities:
        if self._is_grouped:
            return Capabilities(warm_start=True)
        plain = self.skip is None and self.slope == 0.0
        return Capabilities(
            methods=tuple(METHODS),
            warm_start=self.skip is None,
            certify=plain,
            outputs=("global",) if self.skip is None else (),
            landscape=plain,
        )

    def rows(self, data: ArrayLike) -> Layer | SkipLayer | GroupedLayer:
        """The rows of X, and those of -X for the slope; X as it is for a skip connection."""
        X = check_data(data)
        costs = Costs.for_data(X, self.monotonic_cst, self.shape, self.l1_ratio)
        if self._is_grouped:
            every = (tuple(range(X.shape[1])),)
            groups = every if self.features is None else groups_of(self.features, X)
            return GroupedLayer(X, groups, costs if self._is_constrained else None)
        layer = Layer(X).with_slope(float(self.slope))
        return layer if self.skip is None else SkipLayer(layer, X, is_free=self.skip == "free")

    def strategy(self, problem: Problem[Any], choices: Choices) -> Strategy:
        if self._is_grouped:
            return AdditiveStrategy(problem, choices.method, choices.random_state, choices.start)
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

    def check_warm_start(self, network: object, rows: Any, shape: tuple[int, ...]) -> None:
        """Also InputError if a neuron sees or does what it must not."""
        super().check_warm_start(network, rows, shape)
        if not self._is_grouped:
            return
        neurons = self.neurons(network)
        outside = rows.group_of(neurons.directions) < 0
        if outside.any():
            raise InputError(
                f"warm_start must have neurons that see one group of columns each for "
                f"{self.label}, and {int(outside.sum())} of them see more."
            )
        if rows.costs is not None:
            fit = rows.costs.fit(neurons.directions, neurons.signs)
            if not fit.all():
                raise InputError(
                    f"warm_start must have neurons that are each as {self.label} asks, and "
                    f"{int((~fit).sum())} of them are not."
                )

    def _network(self, neurons: Neurons, shape: tuple[int, ...]) -> TwoLayerNetwork:
        hidden, output = neurons.balanced()
        return TwoLayerNetwork(
            hidden, output[:, 0] if output.shape[1] == 1 else output, slope=self.slope,
            skip_weights=neurons.linear, skip_is_free=self.skip == "free",
            l1_ratio=self.l1_ratio,
        )  # fmt: skip

    def _neurons(self, network: TwoLayerNetwork) -> Neurons:
        neurons = Neurons.of_weights(network.hidden_weights, network.output_weights)
        if self.l1_ratio == 0.0:
            return neurons
        norms = network.norms(neurons.directions)
        return replace(
            neurons, directions=neurons.directions / norms[:, None], sizes=neurons.sizes * norms
        )
