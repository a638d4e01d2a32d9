"""What the modules of torch do to rows, as far as a two-layer network may have them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an operation is; the letters spell a network, see `torch_network`."""

    LINEAR = "L"
    RELU = "R"
    NORM = "N"  # BatchNorm1d in evaluation mode: an affine map of each column
    FLATTEN = "F"  # images to rows, or rows as they are
    COLUMN = "C"  # one output as a vector
    SIGMOID = "S"
    SAME = ""  # nothing
    TRAINING = "T"  # something random, or the statistics of the batch
    OTHER = "?"


@dataclass(frozen=True)
class Operation:
    """One step of a network.

    Attributes
    ----------
    kind : Kind
    label : str
        How messages call it.
    path : str
        Where it is, as in ``network[0]``.
    holder : object
        What has its parameters as attributes, such as a module.
    width : int, optional
        Columns of the rows that it makes, where it says so.
    """

    kind: Kind
    label: str
    path: str = ""
    holder: Any = None
    width: int | None = None


def operation_of(module: Any, path: str) -> Operation | None:
    """The operation of a module of torch; None where it is none of those known here."""
    nn = sys.modules["torch.nn"]
    for name, read in _KINDS.items():
        # Classes are compared by what they compute: a layer with a parametrization is of a
        # subclass, whose weight is the one in use.
        if computes_as(module, getattr(nn, name, None)):
            return Operation(read(module), type(module).__name__, path, module)
    return None


def computes_as(module: Any, kind: Any) -> bool:
    """Whether a module is of this class, or of a subclass that computes the same."""
    own = type(module)
    return (
        isinstance(kind, type)
        and isinstance(module, kind)
        and all(getattr(own, name) is getattr(kind, name) for name in ("forward", "__call__"))
    )


def is_changed(module: Any) -> bool:
    """Whether this one module may compute something else than its class does."""
    return bool(module._forward_pre_hooks or module._forward_hooks or "forward" in vars(module))


def flatten_kind(start: Any, end: Any) -> Kind:
    """Flatten from axis 1 makes rows; from axis 0 it is for outputs only."""
    if end not in (-1, None):
        return Kind.OTHER
    return {1: Kind.FLATTEN, 0: Kind.COLUMN}.get(start, Kind.OTHER)


def dropout_kind(training: bool, p: float) -> Kind:
    """Dropout is nothing where it drops nothing."""
    return Kind.TRAINING if training and p > 0.0 else Kind.SAME


def _norm_kind(module: Any) -> Kind:
    if module.training:
        return Kind.TRAINING
    # Without running statistics those of the batch count in evaluation mode too.
    return Kind.OTHER if module.running_mean is None else Kind.NORM


_KINDS: dict[str, Any] = {
    "Linear": lambda module: Kind.LINEAR,
    "ReLU": lambda module: Kind.RELU,
    "BatchNorm1d": _norm_kind,
    "Flatten": lambda module: flatten_kind(module.start_dim, module.end_dim),
    "Sigmoid": lambda module: Kind.SIGMOID,
    "Identity": lambda module: Kind.SAME,
    "Dropout": lambda module: dropout_kind(module.training, module.p),
    "AlphaDropout": lambda module: dropout_kind(module.training, module.p),
}
