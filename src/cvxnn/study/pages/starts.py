"""Gradients from random starts, for networks of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from cvxnn.array_types import FloatArray
from cvxnn.baselines.trials import import_torch

if TYPE_CHECKING:
    from torch import Tensor

Objective = Callable[["Tensor"], "Tensor"]


def descend(objective: Objective, starts: FloatArray, iterations: int) -> FloatArray:
    """The objectives at which L-BFGS ends from random weights.

    Parameters
    ----------
    objective : callable
        From a tensor of all weights, shape (p,), to a number.
    starts : ndarray, shape (T, p)
    iterations : int
        Of each trial, at most.

    Returns
    -------
    ndarray, shape (T,)

    References
    ----------
    C. Zhu, R. Byrd, P. Lu and J. Nocedal, "Algorithm 778: L-BFGS-B", ACM TOMS 23, 1997, as in
    SciPy; derivatives are those of PyTorch.
    """
    torch = import_torch()

    def value(weights: FloatArray) -> tuple[float, FloatArray]:
        point = torch.tensor(weights, requires_grad=True)
        result = objective(point)
        (gradient,) = torch.autograd.grad(result, point)
        return result.item(), gradient.numpy()

    options = {"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-14, "gtol": 1e-10}
    return np.array(
        [
            minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun
            for start in starts
        ]
    )
