"""A rough search on many rows and features: cheap ascents, joint descent in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import numpy as np
from numpy.typing import NDArray

from cvxnn.array_types import FloatArray
from cvxnn.interrupts import Deadline
from cvxnn.layers import Layer
from cvxnn.problems import Neurons
from cvxnn.solvers.descent.joint_descent import JointDescent
from cvxnn.solvers.descent.merging import merged
from cvxnn.solvers.descent.output_sizes import reweighted
from cvxnn.solvers.descent.row_ascent import RowAscent, along, first_outputs
from cvxnn.solvers.descent.settings import SETTINGS
from cvxnn.solvers.descent.sizes import resized
from cvxnn.solvers.descent.stirring import Stirring
from cvxnn.solvers.segments.directions import spread_directions
from cvxnn.solvers.segments.reached import Reached
from cvxnn.solvers.segments.rows import SegmentedRows, never


def is_for_tiles(layer: Layer, rank: int) -> bool:
    """Whether the rows are plain, and of so large a rank that exact methods do not end."""
    return layer.readout is None and rank >= SETTINGS.least_rank


@final
class TileSearch:
    """Neurons on plain rows that come to rest up to float32, round by round.

    First many neurons in all directions find their places together, by Adam on objective (2).
    A round looks for more on some of the rows, starts them small, and moves all of them by
    L-BFGS; then the best sizes for their directions drop what is not needed.

    Parameters
    ----------
    rows : SegmentedRows
    beta : float
    to_direction : ndarray, shape (d, r), optional
        Maps evenly spread directions to those of the data; by default it is found from sums.
    random_state : numpy.random.Generator
    deadline : Deadline
    intercept : bool
        Whether a number that costs nothing is added to all predictions, one for each output.

    Attributes
    ----------
    neurons : Neurons
        The best so far.
    objective : float
        Their objective (2), in float64.
    n_new : int
        Neurons that the last round added.

    Notes
    -----
    O(n k (d + c)) a step of the descent for k neurons and c outputs, the same for an ascent on a
    part of the rows. All that is asked of the rows are sums over them and few of them: they may be
    in other memories.
    """

    def __init__(
        self,
        rows: SegmentedRows,
        beta: float,
        to_direction: FloatArray | None,
        random_state: np.random.Generator,
        deadline: Deadline,
        *,
        intercept: bool = False,
    ) -> None:
        self.rows, self.beta, self.deadline, self.intercept = rows, beta, deadline, intercept
        self._random_state = random_state
        if to_direction is None:
            to_direction = spread_directions(rows)
        self._ascent = RowAscent(rows.n_rows, to_direction, random_state)
        # Of one output sizes are a Lasso; of several they come with the outputs.
        self._best_sizes = resized if rows.n_outputs == 1 else reweighted
        self._shuffled: Stirring | None = None
        self.n_new = 0
        self.clear()
        self._rate = self._first_move()

    @property
    def neurons(self) -> Neurons:
        return self._best.neurons

    @property
    def objective(self) -> float:
        return self._best.objective(self.beta)

    def sample(self, rows: slice | NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Some rows, and the dual point of the neurons there, (m,) or (m, c).

        With an intercept the sums of all of it are zero.
        """
        part, neurons = self.rows.gather(rows), self.neurons
        predictions = part.predictions(neurons.rays, neurons.heads)
        return part.X, part.residual(predictions, neurons.intercept)

    def start_from(self, neurons: Neurons) -> None:
        """Take over neurons found elsewhere."""
        self._offer_both(neurons)

    def aim(self, beta: float) -> None:
        """Go on from the neurons, with another beta."""
        self.beta = beta

    def restart(self, neurons: Neurons) -> None:
        """Begin anew from these neurons, whether they are better or not."""
        self._best = self._reached(neurons)

    def clear(self) -> None:
        """Begin anew without neurons."""
        self.restart(Neurons.none(self.rows.n_features, self.rows.n_outputs))

    def advance(self) -> bool:
        """One round; whether the search is over.

        Raises
        ------
        OutOfTimeError
            If the deadline passes before the end; what was reached counts.
        """
        start = self._spread() if len(self.neurons) == 0 else None
        if start is not None:
            self._offer_both(self._stirred(start, SETTINGS.epochs))
            return False
        return self._round(SETTINGS.starts, self._moved)

    def refine(self, starts: int, steps: int = SETTINGS.rough_steps) -> bool:
        """A cheap round for a score, from neurons of a beta nearby; whether it gained nothing.

        Parameters
        ----------
        starts : int
            Of the ascent.
        steps : int, optional
            Of L-BFGS, where rows are not so many that there are epochs instead.

        Raises
        ------
        OutOfTimeError
            As for :meth:`advance`.
        """
        if self.rows.n_rows < SETTINGS.stirred_rows:
            return self._round(starts, partial(self._moved, steps=steps))
        return self._round(starts, partial(self._stirred, epochs=SETTINGS.rough_epochs))

    def _round(self, starts: int, move: Callable[[Neurons], Neurons]) -> bool:
        before = self.objective
        neurons = self._with_new(starts)
        if self.rows.n_outputs > 1:
            # Many ascents lead to one neuron there.
            neurons = merged(neurons, SETTINGS.one)
        if len(neurons) == 0:
            return True
        self._offer_both(move(neurons))
        return before - self.objective <= SETTINGS.done * before

    def _reached(self, neurons: Neurons) -> Reached:
        # One pass without a look at the deadline: what a descent has reached by then counts.
        return Reached.by(self.rows, neurons, never, intercept=self.intercept)

    def _offer_both(self, neurons: Neurons) -> None:
        """The neurons, and with the best sizes."""
        reached = self._reached(neurons)
        self._offer(reached)
        check = self.deadline.check
        sized = self._best_sizes(self.rows, reached, self.beta, check, intercept=self.intercept)
        self._offer(self._reached(sized))

    def _offer(self, reached: Reached) -> None:
        if reached.objective(self.beta) <= self.objective:
            self._best = reached

    def _spread(self) -> Neurons | None:
        """Many neurons in all directions: they find their places together."""
        # More than rows need not be.
        directions = self._ascent.drawn(min(SETTINGS.wide, 1 + self.rows.n_rows // 2))
        pulls, squares = self._pulls(directions)
        outputs = first_outputs(pulls)
        slopes = along(outputs, pulls)
        if slopes.max(initial=0.0) <= self.beta:
            # Such neurons only shrink; the ascent finds better ones, where there are any.
            return None
        self.n_new = len(outputs)
        # Where a neuron points the wrong way at first, it starts with next to nothing.
        reach = np.maximum(slopes, SETTINGS.nothing * slopes.max())
        return self._small(directions, outputs, reach, along(outputs**2, squares))

    def _with_new(self, starts: int) -> Neurons:
        """The neurons, and small ones where the ascent finds that they would help."""
        least = self.beta * (1.0 + SETTINGS.margin)
        # What a part of the rows says is not so sure.
        directions, outputs = self._ascent.found(self.sample, starts, SETTINGS.unsure * least)
        pulls, squares = self._pulls(directions)
        slopes = along(outputs, pulls)
        kept = np.flatnonzero(slopes > least)
        self.n_new = len(kept)
        if self.n_new == 0:
            return self.neurons
        # All of one size: a neuron barely above beta may have the longest way to go.
        reach = np.full(len(kept), self.beta + float(slopes.max()))
        squares = along(outputs**2, squares)[kept]
        return self._small(directions[kept], outputs[kept], reach, squares)

    def _small(
        self, directions: FloatArray, outputs: FloatArray, reach: FloatArray, squares: FloatArray
    ) -> Neurons:
        """The neurons, and new ones of a share of what would fit a residual that reaches so far."""
        # Those that no row sees are of no use, of any size.
        seen = squares > 0.0
        sizes = SETTINGS.small * reach[seen] / squares[seen] / len(outputs)
        joined = self.neurons.joined(directions[seen], outputs[seen])
        return joined.sized(np.concatenate([self.neurons.sizes, sizes]))

    def _pulls(self, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What directions would gain and how much of them is enough; (k,) or (c, k) each."""
        kept, b = (self._best.predictions,), self.neurons.intercept
        pulls, squares = self.rows.total("pulls", kept, b, directions, check=self.deadline.check)
        return pulls, squares

    def _stirred(self, neurons: Neurons, epochs: int) -> Neurons:
        """After some passes over rows in an order of no meaning, in this memory."""
        if self._shuffled is None:
            self._shuffled = self._drawn_rows()
        beta = self.beta * len(self._shuffled) / self.rows.n_rows
        return self._shuffled.stirred(
            neurons, beta, self._random_state, epochs=epochs, rate=self._rate
        )

    def _drawn_rows(self) -> Stirring:
        n = self.rows.n_rows
        if n <= SETTINGS.most_stirred:
            order = self._random_state.permutation(n)
        else:
            order = self._random_state.choice(n, SETTINGS.most_stirred, replace=False)
        return Stirring(self.rows.tiled(order), intercept=self.intercept, deadline=self.deadline)

    def _moved(self, neurons: Neurons, steps: int = SETTINGS.steps) -> Neurons:
        """After a descent on all rows at once, without what it has brought to nothing."""
        descent = JointDescent(self.rows, intercept=self.intercept, deadline=self.deadline)
        moved = descent.moved(neurons, self.beta, steps=steps, enough=SETTINGS.enough)
        return moved.select(moved.sizes > SETTINGS.nothing * moved.sizes.max(initial=0.0))

    def _first_move(self) -> float:
        """Of a weight: they are as large as the root of what is to fit over what rows have."""
        kept, b = (self._best.predictions,), self.neurons.intercept
        of_wanted, of_rows = self.rows.total("squares_of_wanted", kept, b)
        wanted = of_wanted / (self.rows.n_rows * self.rows.n_outputs)
        size = of_rows / max(self.rows.n_rows * self.rows.n_features, 1)
        return float(SETTINGS.rate * (wanted / max(size, 1e-300)) ** 0.25)
