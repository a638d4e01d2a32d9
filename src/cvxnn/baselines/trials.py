"""Trials of a gradient method that run at the same time, and the steps they take."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.errors import import_optional
from cvxnn.networks import TwoLayerNetwork

if TYPE_CHECKING:
    from torch import Tensor

_POWER_ITERATIONS = 30
# Pairs of steps and gradient differences that L-BFGS keeps, and the most
# evaluations of its line search in an iteration.
_HISTORY, _LINE_SEARCH = 20, 25


def import_torch() -> Any:
    """PyTorch, or an `InputError` that says how to install it."""
    return import_optional(
        "torch", "Gradient methods need PyTorch; install it with: pip install 'cvxnn[study]'."
    )


class ParallelNetworks:
    """T networks of m neurons with their gradients, as views of two flat tensors.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    beta : float
    networks : list of TwoLayerNetwork
        T networks of the same width m: where the weights begin.

    Attributes
    ----------
    parameters, gradient : Tensor, shape (T m (d + 1),)
        All hidden weights, then all output weights, and the gradient of (2) in
        them. An optimiser that works entry by entry sees one vector.
    hidden : Tensor, shape (T, m, d)
    output : Tensor, shape (T, m)
        Views of `parameters`.

    Notes
    -----
    The subgradient of the ReLU at 0 is 0, as in PyTorch. Derivatives are
    written out: with ``M_ji = [u_j' x_i > 0]``, residual r and ``g_j = sum_i M_ji r_i x_i``
    they are ``a_j g_j + beta u_j`` for the hidden weights and
    ``u_j' g_j + beta a_j`` for the output weights, so that one product gives
    both. O(Tnmd) time, and O(Tnm) memory for the activations.
    """

    def __init__(
        self, X: FloatArray, y: FloatArray, beta: float, networks: list[TwoLayerNetwork]
    ) -> None:
        torch = import_torch()
        self.beta = beta
        # Copies in memory of PyTorch, aligned alike in every run: products round alike then.
        self._Xt, self._y = torch.tensor(X.T.copy()), torch.tensor(y)
        hidden = np.stack([network.hidden_weights for network in networks])
        output = np.stack([network.output_weights for network in networks])
        self._shape = hidden.shape
        self.parameters: Tensor = torch.tensor(np.concatenate([hidden.ravel(), output.ravel()]))
        self.gradient: Tensor = torch.zeros_like(self.parameters)
        self.hidden, self.output = self._views(self.parameters)
        self._hidden_gradient, self._output_gradient = self._views(self.gradient)
        trials, width, _ = self._shape
        self._activations: Tensor = torch.empty((trials, width, len(y)), dtype=torch.float64)
        self._torch = torch

    def _views(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        trials, width, features = self._shape
        split = trials * width * features
        return flat[:split].view(self._shape), flat[split:].view(trials, width)

    def residual(self) -> Tensor:
        """``f(X) - y`` of every network, shape (T, n); keeps the activations for the gradient."""
        trials, width, features = self._shape
        rows = self._activations.view(trials * width, -1)
        self._torch.mm(self.hidden.view(trials * width, features), self._Xt, out=rows)
        self._activations.relu_()
        values = self._torch.bmm(self.output.unsqueeze(1), self._activations).squeeze(1)
        return values.sub_(self._y)

    def differentiate(self, residual: Tensor) -> None:
        """Set `gradient`; `residual` is what :meth:`residual` has just returned."""
        mask = self._activations.gt_(0.0)
        # Stored by features: with few of them, four times as fast as stored by rows.
        weighted = residual.unsqueeze(1) * self._Xt
        sums = self._torch.bmm(mask, weighted.transpose(1, 2))
        self._torch.mul(sums, self.output.unsqueeze(2), out=self._hidden_gradient)
        self._torch.sum(sums.mul_(self.hidden), dim=2, out=self._output_gradient)
        self.gradient.add_(self.parameters, alpha=self.beta)

    def objective(self, residual: Tensor) -> Tensor:
        """Objective (2) of every network, shape (T,), from its residual."""
        squares = self.hidden.square().sum(dim=(1, 2)) + self.output.square().sum(dim=1)
        return 0.5 * residual.square().sum(dim=1) + 0.5 * self.beta * squares

    def weights(self, trial: int) -> tuple[FloatArray, FloatArray]:
        """Copies of the weights of one network, shapes (m, d) and (m,)."""
        return self.hidden[trial].numpy().copy(), self.output[trial].numpy().copy()


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


class Trials:
    """The trials of one local search; :meth:`run` fills in the arrays, batch by batch.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    beta : float
    starts : list of TwoLayerNetwork
        The T initial networks.
    iterations : ndarray of int, shape (K,)
        When to record; the first is 0.
    X_monitor : ndarray, shape (p, d), or None
    callback : callable or None
        Called with the fraction of the trials' records that exist.

    Attributes
    ----------
    losses, seconds : ndarray, shape (T, K)
    monitored : ndarray, shape (T, K, p), or None
    networks : list of TwoLayerNetwork
        The last recorded network with a finite objective of each trial.
    """

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        beta: float,
        starts: list[TwoLayerNetwork],
        iterations: IntArray,
        X_monitor: FloatArray | None,
        callback: Callable[[float], object] | None,
    ) -> None:
        shape = (len(starts), len(iterations))
        self._problem, self._iterations = (X, y, beta), iterations
        self._X_monitor, self._callback = X_monitor, callback
        self.losses, self.seconds = np.full(shape, np.inf), np.zeros(shape)
        self.monitored = None if X_monitor is None else np.full((*shape, len(X_monitor)), np.nan)
        self.networks = list(starts)

    def run(self, name: str, step_size: float, momentum: float) -> None:
        """Run all trials from `networks`: side by side, or one after the other."""
        n_trials = len(self.networks)
        # The line search of L-BFGS is one for each network.
        size = 1 if name == "lbfgs" else n_trials
        for first in range(0, n_trials, size):
            batch = range(first, first + size)
            networks = ParallelNetworks(*self._problem, [self.networks[t] for t in batch])
            self._run(batch, networks, make_optimizer(name, networks, step_size, momentum))

    def _run(self, batch: range, networks: ParallelNetworks, optimizer: Optimizer) -> None:
        start, going = time.perf_counter(), True
        for k, steps in enumerate(np.diff(self._iterations, prepend=0)):
            if k > 0:
                going = going and optimizer.advance(int(steps))
            self.seconds[batch, k] = time.perf_counter() - start
            self._record(batch, k, networks)
            self._report(batch, k)

    def _record(self, batch: range, k: int, networks: ParallelNetworks) -> None:
        losses = networks.objective(networks.residual()).numpy()
        for place, trial in enumerate(batch):
            diverged = k > 0 and np.isinf(self.losses[trial, k - 1])
            if diverged or not np.isfinite(losses[place]):
                continue
            self.losses[trial, k] = losses[place]
            self.networks[trial] = TwoLayerNetwork(*networks.weights(place))
            if self.monitored is not None and self._X_monitor is not None:
                self.monitored[trial, k] = self.networks[trial].forward(self._X_monitor)

    def _report(self, batch: range, k: int) -> None:
        if self._callback is not None:
            done = batch.start + len(batch) * (k + 1) / len(self._iterations)
            self._callback(done / len(self.networks))
