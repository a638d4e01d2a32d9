"""A gated network as a PyTorch module; needs PyTorch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Linear, Module


class GatedModule(Module):  # type: ignore[misc]
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``.

    Attributes
    ----------
    gates : Tensor, shape (m, d)
        A buffer: stored, moved and not trained.
    hidden, output : torch.nn.Linear
    """

    def __init__(self, gates: Tensor, hidden: Linear, output: Linear) -> None:
        super().__init__()
        self.register_buffer("gates", gates)
        self.hidden, self.output = hidden, output

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of shape (n, 1) for X of shape (n, d)."""
        return self.output(self.hidden(X) * (X @ self.gates.T >= 0.0))
