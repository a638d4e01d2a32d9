"""Layers that PyTorch does not have; needs PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor
from torch.nn import Linear, Module, ModuleList
from torch.nn.functional import linear


class GatedLinear(Module):  # type: ignore[misc]
    """``1[X g_j + c_j >= 0] (X u_j + b_j)`` for every gate g_j and hidden neuron u_j.

    Attributes
    ----------
    gates : Tensor, shape (m, d)
        A buffer: stored, moved and not trained.
    gate_biases : Tensor, shape (m,), or None
        A buffer.
    hidden : torch.nn.Linear or GatedLinear
    """

    def __init__(
        self, gates: Tensor, gate_biases: Tensor | None, hidden: Linear | GatedLinear
    ) -> None:
        super().__init__()
        self.register_buffer("gates", gates)
        self.register_buffer("gate_biases", gate_biases)
        self.hidden = hidden

    def forward(self, X: Tensor) -> Tensor:
        """Activations of shape (n, m) for X of shape (n, d)."""
        return self.hidden(X) * (linear(X, self.gates, self.gate_biases) >= 0.0)


class Sum(Module):  # type: ignore[misc]
    """The sum of what several modules make of the same rows.

    Attributes
    ----------
    branches : torch.nn.ModuleList
    """

    def __init__(self, branches: Sequence[Module]) -> None:
        super().__init__()
        self.branches = ModuleList(branches)

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of shape (n, k) for X of shape (n, d)."""
        return cast(Tensor, sum(branch(X) for branch in self.branches))
