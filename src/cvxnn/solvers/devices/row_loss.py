"""Losses on a device: those for arrays of any library, and others by way of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, final

from cvxnn.array_types import Array, FloatArray
from cvxnn.backends.devices import Device
from cvxnn.backends.namespaces import in_float64
from cvxnn.losses import Loss


class RowLoss(Protocol):
    """What sums over rows need of a loss, see :class:`~cvxnn.losses.Loss`."""

    @property
    def joins_outputs(self) -> bool: ...

    def take(self, rows: slice) -> Self: ...

    def values(self, prediction: Array, y: Array) -> Array: ...

    def gradient(self, prediction: Array, y: Array) -> Array: ...

    def curvature(self, prediction: Array, y: Array) -> Array: ...

    def majorizer(self, prediction: Array, y: Array) -> Array: ...

    def factors(self, prediction: Array, y: Array) -> tuple[Array, Array | None]: ...


def loss_on(device: Device, loss: Loss, dtype: str) -> RowLoss:
    """A loss for arrays there, in "float32" or "float64"."""
    if loss.takes_any_array:
        return loss.placed(lambda array: device.placed(array, dtype))
    return HostLoss(loss, device, dtype)


@final
class HostLoss:
    """A loss that is for numpy alone, computed by the CPU: O(n c) numbers go there and back.

    Parameters
    ----------
    loss : Loss
    device : Device
    dtype : str
        Of the arrays there.
    """

    def __init__(self, loss: Loss, device: Device, dtype: str) -> None:
        self.loss, self._device, self._dtype = loss, device, dtype

    @property
    def joins_outputs(self) -> bool:
        return self.loss.joins_outputs

    def take(self, rows: slice) -> HostLoss:
        return HostLoss(self.loss.take(rows), self._device, self._dtype)

    def values(self, prediction: Array, y: Array) -> Array:
        return self._there(self.loss.values, prediction, y)

    def gradient(self, prediction: Array, y: Array) -> Array:
        return self._there(self.loss.gradient, prediction, y)

    def curvature(self, prediction: Array, y: Array) -> Array:
        return self._there(self.loss.curvature, prediction, y)

    def majorizer(self, prediction: Array, y: Array) -> Array:
        return self._there(self.loss.majorizer, prediction, y)

    def factors(self, prediction: Array, y: Array) -> tuple[Array, Array | None]:
        h, g = self.loss.factors(in_float64(prediction), in_float64(y))
        place = self._device.placed
        return place(h, self._dtype), None if g is None else place(g, self._dtype)

    def _there(
        self, function: Callable[[FloatArray, FloatArray], FloatArray], prediction: Array, y: Array
    ) -> Array:
        return self._device.placed(function(in_float64(prediction), in_float64(y)), self._dtype)
