"""Networks to polish, better and better."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cvxnn.landscape.rays import RowsOnRays
from cvxnn.networks import TwoLayerNetwork
from cvxnn.training.solve import solve_quietly

# What the optimum is trained to where none is given, or the one given cannot be polished;
# the next where one does not suffice.
_TOLERANCES = (1e-8, 1e-10, 1e-12)
# Beside an intercept training takes longer, and a rough network is polished as well.
_ROUGH = 1e-5


def starts(
    rays: RowsOnRays, beta: float, given: TwoLayerNetwork | None
) -> Iterator[TwoLayerNetwork]:
    """The network given, and trained ones; the next is trained only if it is asked for."""
    if given is not None:
        yield given
    rough = () if rays.constant is None else (_ROUGH,)
    for tol in (*rough, *_TOLERANCES):
        # What training leaves to be desired is judged after polishing.
        yield _trained(rays, beta, tol)


def _trained(rays: RowsOnRays, beta: float, tol: float) -> TwoLayerNetwork:
    constant = rays.constant
    if constant is None:
        return solve_quietly(rays.X, rays.y, beta, tol=tol).network
    # Rows in which an intercept counts t times are t^2 rows in which it counts once.
    X, y = rays.X / constant[:, None], (rays.y.T / constant).T
    weights = None if np.all(constant == 1.0) else constant**2
    return solve_quietly(X, y, beta, tol=tol, intercept=True, sample_weight=weights).network
