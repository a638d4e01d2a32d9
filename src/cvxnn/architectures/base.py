"""What the networks of this room have in common: immutable weights, objective, equality."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.validation import as_real_array, check_finite, check_positive, check_target

FloatArray = NDArray[np.float64]


class ImmutableNetwork(ABC):
    """A network of arrays that cannot be written to, so that it can be shared and hashed."""

    __slots__ = ()

    @property
    @abstractmethod
    def _arrays(self) -> tuple[FloatArray, ...]:
        """The arguments of the constructor."""

    @property
    @abstractmethod
    def _layers(self) -> tuple[FloatArray, FloatArray]:
        """The weights of the two layers, which are trained and penalised."""

    @abstractmethod
    def forward(self, data: ArrayLike) -> FloatArray:
        """The outputs, shape (n,)."""

    def penalty(self) -> float:
        """Half the sum of the squared weights of both layers, what beta multiplies."""
        return 0.5 * float(sum(np.vdot(layer, layer) for layer in self._layers))

    def objective(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss | None = None
    ) -> float:
        """``l(f(data), y) + beta * penalty()``: a sum over the rows, no mean.

        Parameters
        ----------
        data : array-like
            As for :meth:`forward`.
        y : array-like, shape (n,)
        beta : float
            Positive.
        loss : Loss, optional
            The squared loss if None.

        Raises
        ------
        InputError
            If an argument is not as described.
        """
        prediction = self.forward(data)
        target, beta = check_target(y, len(prediction)), check_positive(beta, "beta")
        loss = SquaredLoss() if loss is None else loss
        return loss.value(prediction, target) + beta * self.penalty()

    def __eq__(self, other: object) -> bool:
        """Whether kind and weights are the same, in the same order."""
        if not isinstance(other, ImmutableNetwork) or type(other) is not type(self):
            return NotImplemented
        return all(map(np.array_equal, self._arrays, other._arrays))

    def __hash__(self) -> int:
        # Adding 0.0 turns -0.0 into 0.0: they are equal, so their hashes must be.
        return hash(tuple((array.shape, (array + 0.0).tobytes()) for array in self._arrays))

    def __reduce__(self) -> tuple[type[ImmutableNetwork], tuple[FloatArray, ...]]:
        # Arrays come out of a pickle writable, and must go through the constructor.
        return type(self), self._arrays


def frozen_matrix(weights: ArrayLike, name: str, row: str) -> FloatArray:
    """A private copy that cannot be written to; InputError if it is no matrix of numbers."""
    array = as_real_array(weights, name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name} must be 2-D with a row for each {row}, got shape {array.shape}.")
    return frozen(array, name)


def frozen(array: FloatArray, name: str) -> FloatArray:
    """A private copy of finite numbers that cannot be written to."""
    check_finite(array, name)
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
