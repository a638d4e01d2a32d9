"""Whether a module computes what was read from its trace."""

from __future__ import annotations

from importlib import import_module
from itertools import chain
from typing import Any

import numpy as np

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.layers import AS_PAIR
from cvxnn.exchange.foreign.network import ReadNetwork
from cvxnn.exchange.foreign.tensors import detached

_ROWS = 16
# How far values in the precision of the module may be from those in float64, in roots of its
# unit of rounding.
_ROOTS = 8.0


def check_values(model: Any, read: ReadNetwork) -> None:
    """Compare a module with the network that was read, on random rows.

    A trace takes one way through the code of the user, with no values at hand: code that
    asks what its argument is may take another one with a tensor.

    Raises
    ------
    InputError
        If they differ by more than rounding, or the module does not run.
    """
    torch = import_module("torch")
    parameter = next(chain(model.parameters(), model.buffers()))
    rows = np.random.default_rng(0).standard_normal((_ROWS, read.n_features))
    given = torch.from_numpy(rows).to(device=parameter.device, dtype=parameter.dtype)
    try:
        with torch.no_grad():
            values = detached(model(given), "its output").reshape(-1)
    # Whatever the code of the user raises.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].removesuffix(".")
        raise InputError(
            f"The {type(model).__name__} does not run on rows of {read.n_features} numbers "
            f"({type(error).__name__}: {reason}); {AS_PAIR}."
        ) from error
    exact = read.network.forward(read.data(detached(given, "X")))
    if read.classes is not None:
        exact = 0.5 + 0.5 * np.tanh(0.5 * exact)
    tolerance = _ROOTS * np.sqrt(torch.finfo(parameter.dtype).eps) * max(1.0, np.abs(exact).max())
    if values.shape != exact.shape or not (np.abs(values - exact) <= tolerance).all():
        raise InputError(
            f"The {type(model).__name__} computes something else than its trace by torch.fx, "
            f"which is Linear, ReLU, Linear; {AS_PAIR}."
        )
