"""What all convolutional networks are: immutable filters and output weights, and an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.losses import Loss, SquaredLoss
from cvxnn.validation import as_real_array, check_finite, check_positive, check_target

FloatArray = NDArray[np.float64]


class FilterNetwork(ABC):
    """A network whose weights are filters and output weights, with a row for each filter."""

    __slots__ = ("_filters", "_output_weights")

    def __init__(self, filters: FloatArray, output_weights: FloatArray) -> None:
        self._filters, self._output_weights = filters, output_weights
        if len(filters) != len(output_weights):
            raise InputError(
                f"output_weights must have a row for each of the {len(filters)} filters, "
                f"got {len(output_weights)}."
            )

    @property
    def filters(self) -> FloatArray:
        """The ``u_j`` as rows: read-only array."""
        return self._filters

    @property
    def output_weights(self) -> FloatArray:
        """The output weights as rows: read-only array."""
        return self._output_weights

    @property
    def n_filters(self) -> int:
        """The number of filters m."""
        return len(self._filters)

    @abstractmethod
    def forward(self, data: ArrayLike) -> FloatArray:
        """``f(data)``, shape (n,), also available by calling the network."""

    def __call__(self, data: ArrayLike) -> FloatArray:
        """The same as :meth:`forward`."""
        return self.forward(data)

    def penalty(self) -> float:
        """Half the sum of all squared weights, what beta multiplies in the objective."""
        return 0.5 * sum(float(np.vdot(part, part)) for part in self._weights)

    def objective(
        self, data: ArrayLike, y: ArrayLike, beta: float, loss: Loss | None = None
    ) -> float:
        """``l(f(data), y) + beta * penalty``: a sum over the rows, no mean.

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

    @property
    def _weights(self) -> tuple[FloatArray, ...]:
        """Everything that is trained."""
        return self._filters, self._output_weights

    @property
    def _settings(self) -> dict[str, Any]:
        """The other arguments of the constructor: hashable values by name."""
        return {}

    def __eq__(self, other: object) -> bool:
        """Whether kind, settings and weights are the same, in the same order."""
        if not isinstance(other, FilterNetwork) or type(other) is not type(self):
            return NotImplemented
        own, others = self._weights, other._weights
        return (
            self._settings == other._settings
            and len(own) == len(others)
            and all(map(np.array_equal, own, others))
        )

    def __hash__(self) -> int:
        # Adding 0.0 turns -0.0 into 0.0: they are equal, so their hashes must be.
        parts = tuple((part.shape, (part + 0.0).tobytes()) for part in self._weights)
        return hash((parts, tuple(self._settings.items())))

    def __reduce__(self) -> tuple[Callable[..., FilterNetwork], tuple[Any, ...]]:
        # Arrays come out of a pickle writable, and must go through the constructor.
        return _rebuilt, (type(self), self._weights, self._settings)


def _rebuilt(
    kind: type[FilterNetwork], weights: tuple[Any, ...], settings: dict[str, Any]
) -> FilterNetwork:
    return kind(*weights, **settings)


def frozen(weights: ArrayLike, name: str, *ndims: int) -> FloatArray:
    """A private copy with a row for each filter that cannot be written to.

    Parameters
    ----------
    weights : array-like
    name : str
        How error messages call it.
    *ndims : int
        Dimensions that it may have.

    Raises
    ------
    InputError
        If they are no finite numbers, of other dimensions, or of rows of length 0.

    Examples
    --------
    >>> frozen([[1.0, 2.0]], "filters", 2).flags.writeable
    False
    """
    array = as_real_array(weights, name)
    if array.ndim not in ndims or 0 in array.shape[1:]:
        expected = " or ".join(f"{ndim}-D" for ndim in ndims)
        raise InputError(
            f"{name} must be {expected} with a row for each filter, got shape {array.shape}."
        )
    check_finite(array.reshape(len(array), int(np.prod(array.shape[1:]))), name)
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
