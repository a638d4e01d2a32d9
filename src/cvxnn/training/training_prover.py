"""A bound for any network by the training of one: the optimal value is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.certificates import DualProof
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.losses import Loss
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import Progress, Solution
from cvxnn.training.solve import execute, prepare_run

FloatArray = NDArray[np.float64]
Callback = Callable[[Progress], object]


@final
class TrainingProver:
    """A :class:`~cvxnn.certificates.Prover` that trains with ``method="global"``.

    Parameters
    ----------
    layer : Layer
    y : ndarray, shape (n,)
    beta : float
    loss : Loss
    random_state : numpy.random.Generator
    callback : callable, optional
        As for :func:`cvxnn.solve`.

    Attributes
    ----------
    solution : Solution or None
        Of the training, once there has been one.
    """

    def __init__(
        self,
        layer: Layer,
        y: FloatArray,
        beta: float,
        loss: Loss,
        random_state: np.random.Generator,
        callback: Callback | None = None,
    ) -> None:
        self._layer, self._y, self._beta, self._loss = layer, y, beta, loss
        self._random_state, self._callback = random_state, callback
        self.solution: Solution | None = None

    def improve(
        self, incumbent: TwoLayerNetwork, proof: DualProof, tol: float, deadline: Deadline
    ) -> DualProof:
        """The better of a proof and that of the training, which starts anew."""
        if deadline.passed:
            return proof
        # The incumbent may use up tol by itself: the bound must be closer.
        run = prepare_run(
            self._layer, self._y, self._beta, loss=self._loss, tol=tol / 4.0,
            time_limit=deadline.remaining if deadline.limited else None,
            random_state=self._random_state, callback=self._callback,
        )  # fmt: skip
        self.solution = execute(run)
        found = run.problem.unscaled_proof(run.proofs[1], self._beta)
        return max(proof, found, key=lambda p: p.bound(self._loss, self._y, self._beta))
