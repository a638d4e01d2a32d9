"""The best output weights of neurons of given directions, up to float32, for several outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.parabola import Parabola
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.row_descent import rows_swept
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import Check, SegmentedRows
from cvxnn.solvers.segments.segment import Offset

# Of a move: below it, it is none.
_LEAST_SHARE = 1e-3


def reweighted(
    rows: SegmentedRows, reached: Reached, beta: float, check: Check, *, intercept: bool
) -> Neurons:
    """The neurons that are left with the best output weights, for a parabola in place of the loss.

    A group Lasso on the directions: outputs turn, sizes change, and neurons that the others can
    do without vanish. Its parabola has one curvature for all outputs of a row, the largest.

    Parameters
    ----------
    rows : SegmentedRows
    reached : Reached
    beta : float
    check : callable
        Raises to end it.
    intercept : bool
        Whether the best intercept goes with the weights.

    Notes
    -----
    O(n k^2), in float32.
    """
    neurons = reached.neurons
    if len(neurons) == 0:
        return neurons
    parabola = Parabola.at(rows, reached, check, intercept=intercept)
    before = neurons.outputs * neurons.sizes[:, None]
    weights = rows_swept(
        parabola.gram, parabola.pull + parabola.gram @ before, beta, before,
        sweeps=SETTINGS.sweeps, enough=SETTINGS.least_sweep * beta * neurons.sizes.sum(),
    )  # fmt: skip
    move = weights - before
    moved = parabola.offset(move) if intercept else np.zeros(rows.n_outputs)
    share = _share(rows, reached, beta, move, moved, check)
    weights = before + share * move
    sizes = np.linalg.norm(weights, axis=1)
    outputs = weights / np.where(sizes > 0.0, sizes, 1.0)[:, None]
    b = neurons.intercept + share * moved if intercept else neurons.intercept
    found = replace(neurons, sizes=sizes, outputs=outputs, intercept=b)
    return found.select(sizes > SETTINGS.nothing * sizes.max(initial=0.0))


def _share(
    rows: SegmentedRows,
    reached: Reached,
    beta: float,
    move: FloatArray,
    moved: Offset,
    check: Check,
) -> float:
    """How much of a move of output weights and intercept is one down.

    The parabola is that of the loss here: where that curves more, a whole move goes too far.
    """
    neurons = reached.neurons
    weights = neurons.outputs * neurons.sizes[:, None]
    step = rows.keep("predictions", (), neurons.directions, move, check=check)
    kept, share = (reached.predictions, step), 1.0
    while share > _LEAST_SHARE:
        size = float(np.linalg.norm(weights + share * move, axis=1).sum())
        b = neurons.intercept + share * moved
        (loss,) = rows.total("value_beyond", kept, share, b, check=check)
        if loss + beta * size <= reached.objective(beta):
            return share
        share *= 0.5
    return 0.0
