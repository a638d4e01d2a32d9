"""Objective (2) and its gradient for several networks of one width at once, in PyTorch.

PyTorch is imported by the functions, not with the module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import import_optional
from cvxnn.networks import TwoLayerNetwork

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]


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
