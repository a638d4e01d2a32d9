"""The best sizes of neurons of given directions, up to float32."""

from __future__ import annotations

from dataclasses import replace

from cvxnn.problems import Neurons
from cvxnn.solvers.descent.parabola import Parabola
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.lasso.coordinate_descent import swept
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import Check, SegmentedRows


def resized(
    rows: SegmentedRows, reached: Reached, beta: float, check: Check, *, intercept: bool
) -> Neurons:
    """The neurons that are left with the best sizes, where the loss is its parabola at them.

    Parameters
    ----------
    rows : SegmentedRows
        With one output.
    reached : Reached
    beta : float
    check : callable
        Raises to end it.
    intercept : bool
        Whether the best intercept goes with the sizes.

    Notes
    -----
    O(n k^2), in float32.
    """
    neurons = reached.neurons
    if len(neurons) == 0:
        return neurons
    parabola = Parabola.at(rows, reached, check, intercept=intercept)
    signs, before = neurons.signs, neurons.sizes
    gram = parabola.gram * signs * signs[:, None]
    sizes = swept(
        gram, signs * parabola.pull + gram @ before - beta, before,
        sweeps=SETTINGS.sweeps, enough=SETTINGS.least_sweep * beta * before.sum(),
    )  # fmt: skip
    b = neurons.intercept
    if intercept:
        b = float(b + parabola.offset(signs * (sizes - before)))
    least = SETTINGS.nothing * sizes.max(initial=0.0)
    return replace(neurons, sizes=sizes, intercept=b).select(sizes > least)
