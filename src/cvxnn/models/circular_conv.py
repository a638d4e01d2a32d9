"""Circular linear convolutional networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.architectures.networks import CircularCNN
from cvxnn.methods import Method
from cvxnn.models.base import Capabilities, Model
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.gauge.programs import CircularProgram
from cvxnn.solvers.gauge.strategy import GaugeStrategy
from cvxnn.validation import check_data


@dataclass(frozen=True)
class CircularConv(Model):
    """``f(X) = sum_j X C(u_j) w_j`` with circulant ``C(u)``; one filter suffices.

    The penalty is ``1/2 sum_j (||u_j||^2 + ||w_j||^2)``. With the unitary DFT F the optimum
    is that of

        min_z l(X F z, y) + beta / sqrt(d) ||z||_1

    over the spectra z of real vectors; the network has one filter, or none where 0 is
    optimal.

    Notes
    -----
    The method is that of :class:`LinearConv`, with moduli of the spectrum in
    place of singular values: O(nd + d log d) a step. A dual point v is feasible
    where the Fourier coefficients of ``X'v`` have moduli of at most
    ``beta / sqrt(d)``, for the unitary DFT. The filter has the spectrum
    ``|z|^(1/2) / d^(1/4)``, the weights the same with the phases of z.

    References
    ----------
    T. Ergen and M. Pilanci, ICLR 2021, arXiv 2006.14798.

    Examples
    --------
    >>> from cvxnn import solve
    >>> solution = solve(np.eye(2), [2.0, 0.0], beta=0.5, model=CircularConv())
    >>> print(solution.status.name, f"{solution.objective:.4f}", solution.n_neurons)
    OPTIMAL 0.8750 1
    """

    kind: ClassVar[type[CircularCNN]] = CircularCNN
    proof_advice: ClassVar[str] = "fewer features"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(methods=("global",))

    def rows(self, data: ArrayLike) -> CircularProgram:
        """The rows."""
        return CircularProgram(check_data(data))

    def strategy(
        self,
        problem: Problem[CircularProgram],
        method: Method,
        random_state: np.random.Generator,
        start: Neurons | None,
    ) -> GaugeStrategy:
        return GaugeStrategy(problem)

    def network(self, neurons: Neurons, shape: tuple[int, ...]) -> CircularCNN:
        return CircularCNN(*neurons.balanced())
