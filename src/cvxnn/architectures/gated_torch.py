"""A gated network as a module of PyTorch, which this file imports."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class GatedModule(torch.nn.Module):  # type: ignore[misc]
    """``f(X) = sum_j 1[X g_j >= 0] (X u_j) a_j``, shape (n, 1).

    Attributes
    ----------
    gates : Tensor, shape (m, d)
        A buffer.
    hidden_weights : Parameter, shape (m, d)
    output_weights : Parameter, shape (m,)
    """

    def __init__(
        self,
        gates: FloatArray,
        hidden_weights: FloatArray,
        output_weights: FloatArray,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        gates_, hidden, output = (
            torch.tensor(array, dtype=torch.float64 if dtype is None else dtype)
            for array in (gates, hidden_weights, output_weights)
        )
        self.gates: torch.Tensor
        self.register_buffer("gates", gates_)
        self.hidden_weights = torch.nn.Parameter(hidden)
        self.output_weights = torch.nn.Parameter(output)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The outputs, shape (n, 1)."""
        is_open = rows @ self.gates.T >= 0
        return ((rows @ self.hidden_weights.T) * is_open @ self.output_weights).unsqueeze(-1)
