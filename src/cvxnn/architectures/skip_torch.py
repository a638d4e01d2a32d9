"""A PyTorch module with a linear skip connection; needs PyTorch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Linear, Module, Sequential


class SkipModule(Module):  # type: ignore[misc]
    """``network(X) + skip(X)``.

    Attributes
    ----------
    network : torch.nn.Sequential
    skip : torch.nn.Linear
    """

    def __init__(self, network: Sequential, skip: Linear) -> None:
        super().__init__()
        self.network, self.skip = network, skip

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of shape (n, 1) for X of shape (n, d)."""
        return self.network(X) + self.skip(X)
