"""Runs of an optimiser from given networks, with a record of what happened."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from cvxnn.array_types import FloatArray, IntArray
from cvxnn.baselines.optimizers import Optimizer
from cvxnn.baselines.parallel_networks import ParallelNetworks
from cvxnn.networks import TwoLayerNetwork


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

    def run(self, batch: range, make_optimizer: Callable[[ParallelNetworks], Optimizer]) -> None:
        """Run the trials of a batch side by side, from `networks`."""
        networks = ParallelNetworks(*self._problem, [self.networks[t] for t in batch])
        optimizer = make_optimizer(networks)
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
