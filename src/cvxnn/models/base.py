"""What a kind of network is: its rows, its neurons, and what can be done with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.layers import Layer
from cvxnn.methods import Method
from cvxnn.networks.base import Network
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.layer_strategy import LayerStrategy
from cvxnn.solvers.strategy import Strategy

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Capabilities:
    """What can be done with a kind of network, beside training, files and exports.

    Attributes
    ----------
    methods : tuple of str
        By which it is trained.
    warm_start : bool
        Whether a network may be given to start from.
    certify : bool
        Whether :func:`cvxnn.certify` takes one.
    landscape : bool
        Whether there are a :class:`cvxnn.ConvexProgram`, a :class:`cvxnn.OptimalSet` and
        a :func:`cvxnn.descent_path` for it.
    """

    methods: tuple[str, ...]
    warm_start: bool = False
    certify: bool = False
    landscape: bool = False


class Model(ABC):
    """A kind of network with its settings: a frozen dataclass of them.

    It is what :func:`cvxnn.solve` and the estimators take as `model`. Settings are checked
    when they are set, and kept as they were given.

    Attributes
    ----------
    kind : type
        Of the networks.
    proof_advice : str
        How a proof that did not finish may.
    """

    kind: ClassVar[type[Network]]
    proof_advice: ClassVar[str]

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What can be done with such networks."""

    @abstractmethod
    def rows(self, data: ArrayLike) -> Any:
        """Data as the neurons of this kind look at them.

        Raises
        ------
        InputError
            If they are no data for such a network.
        """

    @abstractmethod
    def strategy(
        self,
        problem: Problem[Any],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None,
    ) -> Strategy:
        """How the optimum of a problem in the units of the solvers is looked for."""

    @abstractmethod
    def network(self, neurons: Neurons, shape: tuple[int, ...]) -> Network:
        """The balanced network of neurons on the rows, for samples of this shape."""

    def neurons(self, network: Any) -> Neurons:
        """The neurons of a network of this kind; only for those that may be a warm start."""
        raise InputError(f"{self!r} takes no warm_start.")

    def check_method(self, method: Method) -> None:
        """InputError if such networks are not trained by a method; says which can."""
        accepted = self.capabilities.methods
        if method.name not in accepted:
            names = " or ".join(f"method={name!r}" for name in accepted)
            raise InputError(f"{self!r} is trained by {names}, not by method={method.name!r}.")

    def check_warm_start(self, network: object, rows: Any, shape: tuple[int, ...]) -> None:
        """InputError if a network is none to start from, on rows of samples of this shape."""
        if not self.capabilities.warm_start:
            raise InputError(f"{self!r} takes no warm_start.")
        if not isinstance(network, self.kind):
            raise InputError(
                f"warm_start must be a {self.kind.__name__} or None for {self!r}, "
                f"got {type(network).__name__}."
            )
        neurons = self.neurons(network)
        found = neurons.directions.shape[1]
        if found != rows.n_features:
            raise InputError(
                f"warm_start must have the {rows.n_features} features of X, got {found}."
            )
        if not self.network(neurons, shape).is_like(network):
            raise InputError(f"warm_start must be a network of {self!r}, got {network!r}.")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


class LayerModel(Model):
    """Networks ``f = sum_j R (M u_j)_+ a_j`` on the rows M of a layer with a readout R.

    All that such a kind says is which layer it is, and which network its neurons are.
    """

    @abstractmethod
    def rows(self, data: ArrayLike) -> Layer:
        """The layer."""

    def strategy(
        self,
        problem: Problem[Layer],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None,
    ) -> Strategy:
        return LayerStrategy(problem, method, random_state, start)
