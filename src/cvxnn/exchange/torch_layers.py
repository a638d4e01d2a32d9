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


class Quadratic(Module):  # type: ignore[misc]
    """``a t^2 + b t + c``, entry by entry.

    Attributes
    ----------
    a, b, c : float
        Not trained.
    """

    def __init__(self, a: float, b: float, c: float) -> None:
        super().__init__()
        self.a, self.b, self.c = a, b, c

    def forward(self, sums: Tensor) -> Tensor:
        """Activations of the shape of the sums."""
        return (self.a * sums + self.b) * sums + self.c

    def extra_repr(self) -> str:
        """The coefficients."""
        return f"a={self.a}, b={self.b}, c={self.c}"


class Product(Module):  # type: ignore[misc]
    """``(X u_j + b_j) (X v_j + c_j)`` for every pair of weights u_j and v_j.

    Attributes
    ----------
    left, right : Tensor, shape (m, d)
        Buffers: stored, moved and not trained.
    left_biases, right_biases : Tensor, shape (m,), or None
        The same.
    """

    def __init__(
        self, left: tuple[Tensor, Tensor | None], right: tuple[Tensor, Tensor | None]
    ) -> None:
        super().__init__()
        for name, (weights, biases) in {"left": left, "right": right}.items():
            self.register_buffer(name, weights)
            self.register_buffer(f"{name}_biases", biases)

    def forward(self, X: Tensor) -> Tensor:
        """Activations of shape (n, m) for X of shape (n, d)."""
        sides = linear(X, self.left, self.left_biases), linear(X, self.right, self.right_biases)
        return sides[0] * sides[1]


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
