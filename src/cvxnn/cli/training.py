"""Running :func:`cvxnn.solve` for a command."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.progress import live_progress
from cvxnn.results import Solution


def train(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    beta: float,
    *,
    show_progress: bool,
    **options: Any,
) -> Solution:
    """Solve with a live view; options that are None keep the default of `solve`."""
    given = {name: value for name, value in options.items() if value is not None}
    with live_progress(show_progress) as callback, warnings.catch_warnings():
        # Here and not above: these take seconds, which the live view shows passing.
        from sklearn.exceptions import ConvergenceWarning

        from cvxnn.training import solve

        # The caller shows the status, which says the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return solve(X, y, beta, callback=callback, **given)
