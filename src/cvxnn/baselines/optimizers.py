"""Gradient methods on a batch of networks; the steps are those of ``torch.optim``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cvxnn.baselines.parallel_networks import ParallelNetworks, import_torch
from cvxnn.networks import TwoLayerNetwork

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]

_POWER_ITERATIONS = 30
# The decay rates and the guard of the division that PyTorch takes for Adam.
_FIRST_DECAY, _SECOND_DECAY, _GUARD = 0.9, 0.999, 1e-8
# Pairs of steps and gradient differences that L-BFGS keeps, and the most
# evaluations of its line search in an iteration.
_HISTORY, _LINE_SEARCH = 20, 25


class Optimizer(Protocol):
    """A method at work on a :class:`ParallelNetworks`."""

    def advance(self, iterations: int) -> bool:
        """Take so many iterations; False where more of them would change nothing."""


class Sgd:
    """``v <- momentum v + g``, ``p <- p - step_size v``, as `torch.optim.SGD`."""

    def __init__(self, networks: ParallelNetworks, step_size: float, momentum: float) -> None:
        self._networks, self._step_size, self._momentum = networks, step_size, momentum
        self._velocity = import_torch().zeros_like(networks.parameters)

    def advance(self, iterations: int) -> bool:
        networks, velocity = self._networks, self._velocity
        for _ in range(iterations):
            networks.differentiate(networks.residual())
            velocity.mul_(self._momentum).add_(networks.gradient)
            networks.parameters.add_(velocity, alpha=-self._step_size)
        return True


class Adam:
    """`torch.optim.Adam` with its default decay rates.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR
    2015, Algorithm 1.
    """

    def __init__(self, networks: ParallelNetworks, step_size: float) -> None:
        torch = import_torch()
        self._networks, self._step_size, self._count = networks, step_size, 0
        self._mean = torch.zeros_like(networks.parameters)
        self._square = torch.zeros_like(networks.parameters)

    def advance(self, iterations: int) -> bool:
        for _ in range(iterations):
            self._networks.differentiate(self._networks.residual())
            self._step(self._networks.gradient)
        return True

    def _step(self, gradient: Tensor) -> None:
        self._count += 1
        first, second = 1.0 - _FIRST_DECAY**self._count, 1.0 - _SECOND_DECAY**self._count
        self._mean.lerp_(gradient, 1.0 - _FIRST_DECAY)
        self._square.mul_(_SECOND_DECAY).addcmul_(gradient, gradient, value=1.0 - _SECOND_DECAY)
        root = self._square.sqrt().div_(second**0.5).add_(_GUARD)
        self._networks.parameters.addcdiv_(self._mean, root, value=-self._step_size / first)


class Lbfgs:
    """`torch.optim.LBFGS` with a strong Wolfe line search, on a batch of one network."""

    def __init__(self, networks: ParallelNetworks, step_size: float) -> None:
        self._networks, self._objective = networks, np.inf
        self._optimizer: Any = import_torch().optim.LBFGS(
            [networks.parameters],
            lr=step_size,
            history_size=_HISTORY,
            # Rounding ends it, see `advance`, and no tolerance.
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
        networks.parameters.grad = networks.gradient

    def advance(self, iterations: int) -> bool:
        most = (_LINE_SEARCH + 1) * iterations + 1
        self._optimizer.param_groups[0].update(max_iter=iterations, max_eval=most)
        self._optimizer.step(self._evaluate)
        objective = self._networks.objective(self._networks.residual()).item()
        progress = objective < self._objective
        self._objective = objective
        return progress

    def _evaluate(self) -> Tensor:
        residual = self._networks.residual()
        objective = self._networks.objective(residual)
        self._networks.differentiate(residual)
        return objective[0]


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
