"""Circular linear convolutional networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.layers.images import circular_convolution
from cvxnn.models.bilinear import BilinearModel, BilinearNetwork
from cvxnn.networks.weights import rows_of
from cvxnn.solvers.gauge.programs import CircularProgram
from cvxnn.validation import check_data


class CircularCNN(BilinearNetwork):
    """``f = sum_j X C(u_j) w_j``: circular convolution without activation.

    ``C(u)`` is the circulant matrix whose first column is u, so ``C(u) w`` is the
    circular convolution of the two.

    Parameters
    ----------
    filters, output_weights : array-like, shape (m, d)
        Rows are ``u_j`` and ``w_j``.
    intercept : float, default 0.0
        What is added to every value, without a penalty.

    Raises
    ------
    InputError
        If the weights are not finite numbers of these shapes.

    Examples
    --------
    >>> network = CircularCNN([[0.0, 1.0, 0.0]], [[1.0, 2.0, 3.0]])  # a shift by one
    >>> network
    CircularCNN(n_neurons=1, n_features=3)
    >>> network.forward([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).round(12)
    array([3., 1.])
    """

    __slots__ = ()

    def __init__(
        self, filters: ArrayLike, output_weights: ArrayLike, *, intercept: float = 0.0
    ) -> None:
        super().__init__(filters, output_weights, intercept=intercept)
        if self.filters.shape != self.output_weights.shape:
            raise InputError(
                "filters and output_weights must have the same shape (m, d), got "
                f"{self.filters.shape} and {self.output_weights.shape}."
            )

    @property
    def coefficients(self) -> FloatArray:
        """``sum_j C(u_j) w_j``, shape (d,): what multiplies a row; O(m d log d)."""
        return circular_convolution(self.filters, self.output_weights).sum(axis=0)

    def _moduli(self) -> FloatArray:
        # A Fourier transform errs relative to the length of its vector.
        lengths = np.linalg.norm(self.filters, axis=1) @ np.linalg.norm(self.output_weights, axis=1)
        return np.full(self.filters.shape[1], float(lengths))

    def rows(self, data: ArrayLike) -> CircularProgram:
        return CircularProgram(rows_of(data, self.filters.shape[1]))

    @property
    def _shown(self) -> dict[str, Any]:
        return {"n_neurons": self.n_neurons, "n_features": self.filters.shape[1]}


@dataclass(frozen=True)
class CircularConv(BilinearModel):
    """``f(X) = sum_j X C(u_j) w_j`` with circulant ``C(u)``; one filter suffices.

    The penalty is ``1/2 sum_j (||u_j||^2 + ||w_j||^2)``. With the unitary DFT F the optimum
    is that of::

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

    def rows(self, data: ArrayLike) -> CircularProgram:
        """The rows."""
        return CircularProgram(check_data(data))
