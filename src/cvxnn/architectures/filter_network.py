"""What all convolutional networks are: filters and output weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxnn.errors import InputError
from cvxnn.networks.base import ImmutableNetwork
from cvxnn.validation import as_real_array, check_finite

FloatArray = NDArray[np.float64]


class FilterNetwork(ImmutableNetwork):
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

    @property
    def _weights(self) -> tuple[FloatArray, ...]:
        """Everything that is trained."""
        return self._filters, self._output_weights


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
