"""Where the rows of a problem are while a rough search looks at them."""

from __future__ import annotations

from cvxnn.layers import Layer
from cvxnn.problems import Problem
from cvxnn.solvers.devices.rows import DeviceRows
from cvxnn.solvers.segments.rows import LocalRows, SegmentedRows


def rows_of(problem: Problem[Layer]) -> SegmentedRows:
    """The rows on the device of a problem, or in the memory of the CPU where it has none.

    Parameters
    ----------
    problem : Problem of Layer
        Without a readout, with a loss that is a sum over the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxnn.losses import SquaredLoss
    >>> type(rows_of(Problem.of(Layer(np.eye(2)), np.ones(2), 1.0, SquaredLoss()))).__name__
    'LocalRows'
    """
    return LocalRows(problem) if problem.device is None else DeviceRows(problem, problem.device)
