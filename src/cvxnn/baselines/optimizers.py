"""The gradient methods of ``torch.optim`` on a batch of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.baselines.parallel_networks import ParallelNetworks, import_torch
from cvxnn.networks import TwoLayerNetwork

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]

_POWER_ITERATIONS = 30
# Pairs of steps and gradient differences that L-BFGS keeps, and the most
# evaluations of its line search in an iteration.
_HISTORY, _LINE_SEARCH = 20, 25


class Optimizer(ABC):
    """An optimiser of ``torch.optim`` at work on a :class:`ParallelNetworks`."""

    def __init__(self, networks: ParallelNetworks, method: Any) -> None:
        self._networks, self._method = networks, method
        networks.parameters.grad = networks.gradient

    @abstractmethod
    def advance(self, iterations: int) -> bool:
        """Take so many iterations; False where more of them would change nothing."""


class Steps(Optimizer):
    """A method that takes one gradient for each step."""

    def advance(self, iterations: int) -> bool:
        for _ in range(iterations):
            self._networks.differentiate(self._networks.residual())
            self._method.step()
        return True


class LineSearches(Optimizer):
    """A method that evaluates the objective of one network as often as it likes in a step."""

    def __init__(self, networks: ParallelNetworks, method: Any) -> None:
        super().__init__(networks, method)
        self._objective = np.inf

    def advance(self, iterations: int) -> bool:
        most = (_LINE_SEARCH + 1) * iterations + 1
        self._method.param_groups[0].update(max_iter=iterations, max_eval=most)
        self._method.step(self._evaluate)
        objective = self._networks.objective(self._networks.residual()).item()
        progress = objective < self._objective
        self._objective = objective
        return progress

    def _evaluate(self) -> Tensor:
        residual = self._networks.residual()
        objective = self._networks.objective(residual)
        self._networks.differentiate(residual)
        return objective[0]


def make_optimizer(
    name: str, networks: ParallelNetworks, step_size: float, momentum: float
) -> Optimizer:
    """``"sgd"`` with its momentum, ``"adam"``, or ``"lbfgs"`` for a batch of one network."""
    optim, parameters = import_torch().optim, [networks.parameters]
    if name == "sgd":
        # foreach is for many tensors; asked for one, it only costs time.
        sgd = optim.SGD(parameters, lr=step_size, momentum=momentum, foreach=False)
        return Steps(networks, sgd)
    if name == "adam":
        return Steps(networks, optim.Adam(parameters, lr=step_size, foreach=False))
    lbfgs = optim.LBFGS(
        parameters,
        lr=step_size,
        history_size=_HISTORY,
        # Rounding ends it, see `advance`, and no tolerance.
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    return LineSearches(networks, lbfgs)


def curvature(X: FloatArray, network: TwoLayerNetwork) -> float:
    """Largest eigenvalue of the Gauss-Newton matrix ``J J'``, J the Jacobian of f(X).

    By power iteration, so from below; each of its 30 rounds is O(nmd).

    Parameters
    ----------
    X : ndarray, shape (n, d)
    network : TwoLayerNetwork

    Examples
    --------
    >>> curvature(np.array([[2.0]]), TwoLayerNetwork([[3.0]], [4.0]))  # (2*4)^2 + (2*3)^2
    100.0
    """
    activations = network.activations(X)
    weighted = (activations > 0.0) * network.output_weights
    vector, value = np.ones(len(X)), 0.0
    for _ in range(_POWER_ITERATIONS):
        hidden = (weighted * vector[:, np.newaxis]).T @ X
        output = activations.T @ vector
        image = (weighted * (X @ hidden.T)).sum(axis=1) + activations @ output
        value = float(np.linalg.norm(image) / np.linalg.norm(vector))
        if value == 0.0:
            break
        vector = image / np.linalg.norm(image)
    return value
