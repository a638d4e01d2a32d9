"""Joint descent of many neurons on objective (2), over all rows."""

from __future__ import annotations

from typing import final

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError, interrupt_pending
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.lbfgs import minimise
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.descent.weights import Weights
from cvxnn.solvers.segments.rows import SegmentedRows


@final
class JointDescent:
    """Moves neurons on objective (2), in balanced weights, whatever cells they cross.

    Parameters
    ----------
    rows : SegmentedRows
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.
    deadline : Deadline, optional
        Checked before every segment, as Ctrl-C is: what was reached comes back.

    Notes
    -----
    O(n k (d + c)) an evaluation, for k neurons and c outputs.
    """

    def __init__(
        self, rows: SegmentedRows, *, intercept: bool = False, deadline: Deadline = UNLIMITED
    ) -> None:
        self._rows, self._intercept, self._deadline = rows, intercept, deadline

    def moved(self, neurons: Neurons, beta: float, *, steps: int, enough: float) -> Neurons:
        """The neurons after L-BFGS; those that reach zero are dropped.

        Parameters
        ----------
        neurons : Neurons
            Of sizes above zero.
        beta : float
        steps : int
            At most.
        enough : float
            Share of the objective that a stretch of steps has to gain: else it ends.
        """
        if len(neurons) == 0:
            return neurons
        weights = Weights.of(neurons, intercept=self._intercept)

        def objective(theta: FloatArray) -> tuple[float, FloatArray]:
            parts = weights.parts(theta)
            sums = self._rows.total("value_and_gradient", (), *parts, check=self._check)
            return weights.with_penalty(theta, beta, sums)

        reached = minimise(
            objective, weights.packed(neurons),
            steps=steps, enough=enough, stretch=SETTINGS.stretch, memory=SETTINGS.memory,
        )  # fmt: skip
        return weights.neurons(reached)

    def _check(self) -> None:
        # Not that of the deadline: Ctrl-C is to end the descent, and be raised later.
        if self._deadline.passed or interrupt_pending():
            raise OutOfTimeError
