"""Running :func:`cvxnn.solve` for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvxnn.progress import live_progress
from cvxnn.results import Solution

if TYPE_CHECKING:
    from cvxnn.array_types import FloatArray


def train(
    X: FloatArray,
    y: FloatArray,
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
