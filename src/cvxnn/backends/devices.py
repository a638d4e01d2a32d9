"""Devices: where arrays are put, in which precision, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self, final

import numpy as np

from cvxnn.array_types import Array
from cvxnn.backends.namespaces import Namespace, is_foreign, library_of, namespace
from cvxnn.errors import InputError

# Arrays of (rows x neurons) beside each other in a step of a descent, with room to spare, and the
# bytes of a number.
_ARRAYS, _BYTES = 8, 4
# Numbers of such an array where nobody knows how much memory is free: that of the CPU.
_ENTRIES = 1 << 22


@final
@dataclass(frozen=True)
class Device:
    """A library of arrays, and the device that its arrays are put on.

    Attributes
    ----------
    library : str
        The name of its package.
    place : object
        The device, as the library has it.

    Examples
    --------
    >>> Device.of(np.zeros(2))
    Device(library='numpy', place='cpu')
    """

    library: str
    place: Any

    @classmethod
    def of(cls, array: Any) -> Self:
        """Where an array is."""
        if not is_foreign(array):
            return cls("numpy", "cpu")
        place = array.device() if callable(array.device) else array.device
        return cls(library_of(array), place)

    @classmethod
    def named(cls, name: str) -> Self:
        """A device of PyTorch by its name, such as "cuda", "cuda:1", "mps" or "cpu".

        Raises
        ------
        InputError
            If there is no such device, or a package that it needs is not installed.
        """
        torch = namespace("torch")
        try:
            return cls("torch", torch.zeros(1, device=name).device)
        # Of a device that PyTorch was built without it is an assertion that fails.
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"device={name!r} is none that PyTorch can use: here there is {_devices()}."
            ) from error

    @classmethod
    def chosen(cls, name: str | Self | None, array: Any) -> Self | None:
        """The device, that of a name, or else of an array of another library; None of numpy.

        Raises
        ------
        InputError
            As :meth:`named`, and for a device without double precision.
        """
        if name is None and not is_foreign(array):
            return None
        if not isinstance(name, str | cls | None):
            raise InputError(f"device must be the name of a device of PyTorch, got {name!r}.")
        if name is None:
            device = cls.of(array)
        else:
            device = cls.named(name) if isinstance(name, str) else name
        if not device.has_float64:
            raise InputError(
                f"the device {device.place} has no numbers in double precision, in which "
                "objectives are computed."
            )
        return device

    @property
    def xp(self) -> Namespace:
        """The functions of the library."""
        return np if self.library == "numpy" else namespace(self.library)

    @property
    def has_float64(self) -> bool:
        """Whether it has numbers in double precision."""
        if self.library == "numpy":
            return True
        known = self.xp.__array_namespace_info__().dtypes(device=self.place, kind="real floating")
        return "float64" in known

    def placed(self, array: Any, dtype: str) -> Array:
        """An array there, in "float32" or "float64", of one of numpy or of the library."""
        wanted = getattr(self.xp, dtype)
        if is_foreign(array):
            # Gradients of what a tensor came from are nobody's business here.
            array = array.detach() if self.library == "torch" else array
            return self.xp.astype(array, wanted, copy=False)
        # Of what nobody may write to PyTorch makes no tensor.
        writeable = np.require(array, dtype=dtype, requirements="W")
        return self.xp.asarray(writeable, device=self.place)

    @property
    def entries(self) -> int:
        """Numbers in an array of (rows x neurons) that the memory has room for, about."""
        if self.library == "torch" and self.place.type == "cuda":
            (free, _) = self._torch.cuda.mem_get_info(self.place)
            return max(int(free) // (_ARRAYS * _BYTES), 1)
        if self.library == "cupy":
            (free, _) = self.place.mem_info
            return max(int(free) // (_ARRAYS * _BYTES), 1)
        return _ENTRIES

    @contextmanager
    def in_full_precision(self) -> Iterator[None]:
        """Products of matrices with all 24 bits of float32, where a GPU would take 11 of them."""
        if self.library != "torch":
            yield
            return
        flags = _precision_flags(self._torch)
        before = [getattr(owner, name) for owner, name, _ in flags]
        for owner, name, full in flags:
            setattr(owner, name, full)
        try:
            yield
        finally:
            for (owner, name, _), kept in zip(flags, before, strict=True):
                setattr(owner, name, kept)

    def release(self) -> None:
        """Give back the memory that the library keeps for arrays to come."""
        if self.library == "torch" and self.place.type == "cuda":
            self._torch.cuda.empty_cache()
        if self.library == "cupy":
            import_module("cupy").get_default_memory_pool().free_all_blocks()

    @property
    def _torch(self) -> Any:
        import torch

        return torch


def _devices() -> str:
    """The names of the devices of PyTorch that have double precision."""
    import torch

    found = ["cpu", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
    return ", ".join(f'"{name}"' for name in found)


def _precision_flags(torch: Any) -> list[tuple[Any, str, object]]:
    """What says in which precision PyTorch multiplies, by its owner and name; and all of it.

    Not by the functions for all backends: they raise where a user has set one of them.
    """
    matmul, on_cpu = torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)
    if not hasattr(matmul, "fp32_precision"):
        # Before PyTorch 2.9.
        return [(matmul, "allow_tf32", False)]
    return [(owner, "fp32_precision", "ieee") for owner in (matmul, on_cpu) if owner is not None]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of a device, or of the CPU, was too small.

    Libraries have exceptions of their own for it, which have the name in common.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes"))
    (True, False)
    """
    named = type(error).__name__ == "OutOfMemoryError" or "RESOURCE_EXHAUSTED" in str(error)
    # Of the CPU PyTorch says so in words.
    return named or isinstance(error, MemoryError) or "not enough memory" in str(error)
