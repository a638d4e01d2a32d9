"""The training problem, and the neurons that solve it.

Whatever the network, the problem is

    min  l(f, Y) + beta sum_j sizes_j,    f = sum_j sizes_j phi(u_j) a_j',

over any number of neurons with ``||u_j|| = ||a_j|| = 1``, where ``phi(u)`` is what the rows
make of a direction u. That is objective (2) of balanced weights ``sqrt(size_j) u_j`` and
``sqrt(size_j) a_j``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.array_types import EPS, BoolArray, FloatArray
from cvxnn.backends.devices import Device
from cvxnn.errors import InputError
from cvxnn.layers.rows import power_of_two
from cvxnn.losses import Loss, SquaredLoss, as_loss
from cvxnn.losses.composed import weighted
from cvxnn.losses.offset import beside
from cvxnn.validation import check_flag, check_positive, check_targets, check_weights

# A neuron this much shorter than the longest is none.
_NOTHING = 1e-13
# The range of beta for data of size one: squares of what it divides stay in float64.
SMALLEST_BETA = 1e-150


@dataclass(frozen=True)
class Neurons:
    """Neurons as unit directions, sizes and unit output weights.

    Attributes
    ----------
    directions : ndarray, shape (k, d)
        The ``u_j``.
    sizes : ndarray, shape (k,)
        ``||w_j|| ||a_j|| >= 0`` of the weights.
    outputs : ndarray, shape (k, c)
        The ``a_j``; for one output the signs.
    linear : ndarray, shape (p,), optional
        Weights of a linear part beside the neurons, where there is one.
    intercept : float, or ndarray of shape (c,) for several outputs
        What is added to every prediction, without a penalty; 0 where there is none.
    """

    directions: FloatArray
    sizes: FloatArray
    outputs: FloatArray
    linear: FloatArray | None = None
    intercept: float | FloatArray = 0.0

    @classmethod
    def of(cls, rays: FloatArray, outputs: FloatArray) -> Neurons:
        """From rays ``size_j u_j``, shape (k, d); those of length zero are dropped."""
        # In units of the largest, whose square might leave the range of float64.
        unit = power_of_two(rays)
        norms = np.linalg.norm(rays / unit, axis=1) * unit
        alive = norms > _NOTHING * norms.max(initial=0.0)
        return cls(rays[alive] / norms[alive, None], norms[alive], outputs[alive])

    @classmethod
    def of_weights(cls, hidden: FloatArray, output: FloatArray) -> Neurons:
        """From weights of shapes (k, d) and (k,) or (k, c), which need not be balanced."""
        output = output[:, None] if output.ndim == 1 else output
        # Relative to the largest entry, whose square might leave the range of float64.
        largest = np.abs(output).max(axis=1, initial=0.0)[:, None]
        relative = output / np.where(largest > 0.0, largest, 1.0)
        lengths = np.linalg.norm(relative, axis=1)[:, None]
        units = relative / np.where(lengths > 0.0, lengths, 1.0)
        return cls.of(hidden * (largest * lengths), units)

    @classmethod
    def none(cls, n_features: int, n_outputs: int = 1) -> Neurons:
        """No neurons."""
        return cls(np.zeros((0, n_features)), np.zeros(0), np.zeros((0, n_outputs)))

    def __len__(self) -> int:
        """The number of neurons k."""
        return len(self.sizes)

    @property
    def signs(self) -> FloatArray:
        """Of one output: its sign for each neuron, shape (k,)."""
        (signs,) = self.outputs.T
        return signs

    @property
    def heads(self) -> FloatArray:
        """The ``a_j`` shaped as targets: (k,) for one output, (k, c) for several."""
        return self.outputs[:, 0] if self.outputs.shape[1] == 1 else self.outputs

    @property
    def rays(self) -> FloatArray:
        """``size_j u_j``, shape (k, d)."""
        return self.directions * self.sizes[:, None]

    def balanced(self) -> tuple[FloatArray, FloatArray]:
        """``sqrt(size_j) u_j`` and ``sqrt(size_j) a_j``, shapes (k, d) and (k, c)."""
        root = np.sqrt(self.sizes)[:, None]
        return self.directions * root, self.outputs * root

    def sized(self, sizes: FloatArray) -> Self:
        """The same directions and output weights with other sizes, shape (k,)."""
        return replace(self, sizes=sizes)

    def turned(self, matrix: FloatArray) -> Self:
        """Directions times a matrix with orthonormal columns or rows, shape (d, r)."""
        return replace(self, directions=self.directions @ matrix)

    def rescaled(self, rows: float, targets: float) -> Self:
        """The neurons of the problem whose rows and targets are multiplied by powers of two."""
        factor = targets / rows
        linear = None if self.linear is None else self.linear * factor
        intercept = self.intercept * targets
        return replace(self, sizes=self.sizes * factor, linear=linear, intercept=intercept)

    def select(self, index: BoolArray | NDArray[np.intp]) -> Self:
        """The neurons in `index`."""
        beside = ("linear", "intercept")
        of_neurons = (field.name for field in fields(self) if field.name not in beside)
        return replace(self, **{name: getattr(self, name)[index] for name in of_neurons})

    def joined(self, directions: FloatArray, outputs: FloatArray) -> Neurons:
        """With candidates of size zero appended."""
        return replace(
            self,
            directions=np.vstack([self.directions, directions]),
            sizes=np.concatenate([self.sizes, np.zeros(len(outputs))]),
            outputs=np.concatenate([self.outputs, outputs]),
        )


class ScalableRows(Protocol):
    """What a problem asks of its rows: their size, and themselves divided by it."""

    @property
    def n_predictions(self) -> int:
        """Number of predictions n."""

    @property
    def unit(self) -> float:
        """The power of two next to the largest entry."""

    def in_units(self, unit: float) -> Self:
        """The rows divided by a power of two, which rounds nothing."""

    def take(self, outputs: NDArray[np.intp]) -> Self:
        """The rows of some of the predictions."""


R = TypeVar("R", bound=ScalableRows, covariant=True)
S = TypeVar("S", bound=ScalableRows)


@dataclass(frozen=True)
class Problem(Generic[R]):
    """``min l(f, Y) + beta sum_j sizes_j`` over neurons on some rows, any number of them.

    Searches, oracles and provers are made from it, and from nothing else.

    Attributes
    ----------
    rows : Rows
        What neurons look at: of a layer, of gates, of a program with a gauge.
    Y : ndarray, shape (n, c)
    beta : float
    loss : Loss
    device : Device, optional
        Where sums over many plain rows are computed; by the CPU where there is none.
    """

    rows: R
    Y: FloatArray
    beta: float
    loss: Loss
    device: Device | None = None

    @classmethod
    def of(cls, rows: S, y: FloatArray, beta: float, loss: Loss) -> Problem[S]:
        """A problem of one output, y of shape (n,)."""
        return Problem(rows, y[:, None], beta, loss)

    def on(self, rows: S) -> Problem[S]:
        """The same on other rows."""
        return Problem(rows, self.Y, self.beta, self.loss, self.device)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The problem on some of the predictions, with beta in proportion."""
        beta = self.beta * len(rows) / len(self.Y)
        return replace(
            self, rows=self.rows.take(rows), Y=self.Y[rows], beta=beta, loss=self.loss.take(rows)
        )

    @classmethod
    def checked(
        cls,
        rows: S,
        y: ArrayLike,
        beta: float,
        loss: str | Loss,
        sample_weight: ArrayLike | None = None,
        intercept: bool = False,
    ) -> Problem[S]:
        """The problem of the rows of weight above 0, from arguments of :func:`cvxnn.solve`.

        Raises
        ------
        InputError
            If an argument is not as described there.
        """
        target, beta = check_targets(y, rows.n_predictions), check_positive(beta, "beta")
        chosen = as_loss(loss)
        chosen.check(target)
        if sample_weight is not None:
            weights = check_weights(sample_weight, len(target))
            counted = np.flatnonzero(weights > 0.0)
            rows = rows.take(counted)
            chosen, target = weighted(chosen, target[counted], weights[counted])
        if check_flag(intercept, "intercept"):
            chosen.check_intercept(target)
        if target.ndim == 1:
            return cls.of(rows, target, beta, chosen)
        return Problem(rows, target, beta, chosen)

    @property
    def n_outputs(self) -> int:
        """Outputs c of a network."""
        return int(self.Y.shape[1])

    @property
    def target(self) -> FloatArray:
        """The targets as losses take them: shape (n,) for one output, (n, c) for several."""
        return self.Y[:, 0] if self.n_outputs == 1 else self.Y

    @property
    def y(self) -> FloatArray:
        """Of one output: the targets, shape (n,)."""
        (y,) = self.Y.T
        return y

    def in_units(self, *, intercept: bool = False) -> tuple[Problem[R], Units]:
        """The problem in the units of the solvers, data of size one, and the way back.

        Beside an intercept targets that are far from 0 are distances from their middle.

        Raises
        ------
        InputError
            If beta does not fit the data at all.
        """
        offset = self._middle if intercept else 0.0
        Y = self.Y - offset
        units = Units(self.rows.unit, self.loss.unit(Y), offset)
        beta = self.beta / units.rows / units.targets
        if not SMALLEST_BETA < beta < 1.0 / SMALLEST_BETA:
            raise InputError(
                f"beta = {self.beta:g} is out of all proportion to X and y, of size "
                f"{units.rows:g} and {units.targets:g}; rescale one of them."
            )
        scaled = Problem(
            self.rows.in_units(units.rows),
            np.ascontiguousarray(Y / units.targets),
            beta,
            self.loss.in_units(units.targets),
            self.device,
        )
        return scaled, units

    @property
    def _middle(self) -> float | FloatArray:
        """What targets are taken from beside an intercept, for each output."""
        if self.loss.has_labels or self.loss.has_log_link:
            return 0.0
        return middle_of(self.Y.min(axis=0), self.Y.max(axis=0))

    def beside(self, offset: float) -> Problem[R]:
        """The problem of predictions to which a number is added."""
        loss, y = beside(self.loss, self.y, offset)
        return replace(self, Y=y[:, None], loss=loss)

    @property
    def is_least_squares(self) -> bool:
        """Whether the loss is the squared one without weights, which most searches are for."""
        return isinstance(self.loss, SquaredLoss)

    def value(self, prediction: FloatArray, total_size: float = 0.0) -> float:
        """The objective of a prediction, shaped as targets, by neurons of this size in all."""
        return self.loss.value(prediction, self.target) + self.beta * total_size

    @property
    def floor(self) -> float:
        """An objective that cannot be told from 0, where it is known what it can be told from.

        The best predictions of counts and amounts are logarithms, which no float is: a loss of
        0 is out of reach. This is the rounding unit times the loss of the predictions 0.
        """
        if not self.loss.has_log_link:
            return 0.0
        return EPS * self.value(np.zeros_like(self.target))

    def residual(self, prediction: FloatArray) -> FloatArray:
        """Minus the gradient of the loss, shaped as targets: the dual point of a prediction."""
        return -self.loss.gradient(prediction, self.target)

    @property
    def residual_at_zero(self) -> FloatArray:
        """The dual point of the network without neurons."""
        return self.residual(np.zeros_like(self.target))


@dataclass(frozen=True)
class Units:
    """Powers of two by which data are divided, and what is taken off before: no rounding.

    With X = a X', Y = b Y' and beta = a b beta' the objective of neurons of size s is ``b^2``
    times that of sizes ``s a / b`` in the scaled problem. Labels are not scaled: there b = 1.

    Attributes
    ----------
    rows, targets : float
        a and b.
    offset : float, or ndarray of shape (c,) for several outputs
        What the targets are less in the scaled problem, before they are divided.
    """

    rows: float
    targets: float
    offset: float | FloatArray = 0.0

    @property
    def objective(self) -> float:
        """Objectives of the original problem over those of the scaled one."""
        return self.targets**2

    @property
    def sizes(self) -> float:
        """The same for the sizes of neurons."""
        return self.targets / self.rows

    def restored(self, neurons: Neurons) -> Neurons:
        """Neurons of the scaled problem as neurons of the original one."""
        found = neurons.rescaled(self.rows, self.targets)
        return replace(found, intercept=found.intercept + self.offset)

    def reduced(self, neurons: Neurons) -> Neurons:
        """Neurons of the original problem as neurons of the scaled one."""
        less = replace(neurons, intercept=neurons.intercept - self.offset)
        return less.rescaled(1.0 / self.rows, 1.0 / self.targets)


def middle_of(smallest: FloatArray, largest: FloatArray) -> float | FloatArray:
    """The middle of targets, shape (c,), where distances from it are not rounded, else 0.

    They are not where a target is between half and twice as large (Sterbenz 1974). With
    others there is nothing to gain: they are not far from 0, as their distances are.

    Examples
    --------
    >>> middle_of(np.array([6.0]), np.array([10.0])), middle_of(np.array([-6.0]), np.array([8.0]))
    (8.0, 0.0)
    """
    middle = 0.5 * smallest + 0.5 * largest
    unit = np.where(middle != 0.0, middle, 1.0)
    shares = np.stack([smallest / unit, largest / unit])
    is_exact = ((shares >= 0.51) & (shares <= 1.99)).all(axis=0)
    return as_intercept(np.where(is_exact, middle, 0.0))


def as_intercept(values: FloatArray) -> float | FloatArray:
    """What is added to the predictions of each output, shape (c,), as neurons have it.

    Examples
    --------
    >>> as_intercept(np.array([2.0])), as_intercept(np.array([2.0, 3.0]))
    (2.0, array([2., 3.]))
    """
    return float(values[0]) if len(values) == 1 else values
