"""Running :func:`cvxnn.solve` for a command."""

from __future__ import annotations

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
) -> Solution[Any]:
    """Solve with a live view; options that are None keep the default of `solve`."""
    given = {name: value for name, value in options.items() if value is not None}
    with live_progress(show_progress) as callback:
        # Here and not above: this takes seconds, which the live view shows passing.
        from cvxnn.training.solve import solve_quietly

        # The caller shows the status, which says what the warning would.
        return solve_quietly(X, y, beta, callback=callback, **given)
