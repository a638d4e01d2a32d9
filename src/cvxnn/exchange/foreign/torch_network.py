"""Modules of torch that compute Linear, ReLU, Linear."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError
from cvxnn.exchange.foreign.labels import Columns, Signs
from cvxnn.exchange.foreign.network import AS_PAIR, ReadNetwork, detached, from_layers, weights
from cvxnn.exchange.foreign.torch_operations import (
    Kind,
    Operation,
    is_changed,
    operation_of,
    traced_operations,
)

_ROWS = 16
# How far values in the precision of the module may be from those in float64, in roots of its
# unit of rounding.
_ROOTS = 8.0
# A network in the letters of its operations. Normalisation is folded into the layer beside it.
_NETWORK = re.compile("[FN]*L[FN]*R[FN]*L[FN]*[FC]*[SMG]?[FC]*")
# What stands at the end, and what its values are for those before it.
_ENDS: dict[Kind, Callable[[FloatArray], FloatArray]] = {
    Kind.SIGMOID: lambda values: 0.5 + 0.5 * np.tanh(0.5 * values),
    Kind.SOFTMAX: lambda values: softmax(values, axis=1),
    Kind.LOG_SOFTMAX: lambda values: log_softmax(values, axis=1),
}
_END_NAMES = {
    Kind.SIGMOID: "Sigmoid",
    Kind.SOFTMAX: "Softmax",
    Kind.LOG_SOFTMAX: "LogSoftmax",
}


def check_values(model: Any, read: ReadNetwork, end: Kind | None = None) -> None:
    """Compare a module with the network that was read, and its end, on random rows.

    A trace takes one way through the code of the user, with no values at hand: code that
    asks what its argument is may take another one with a tensor.

    Raises
    ------
    InputError
        If they differ by more than rounding, or the module does not run.
    """
    torch = import_module("torch")
    parameter = next(chain(model.parameters(), model.buffers()))
    rows = np.random.default_rng(0).standard_normal((_ROWS, read.n_features))
    given = torch.from_numpy(rows).to(device=parameter.device, dtype=parameter.dtype)
    try:
        with torch.no_grad():
            values = detached(model(given), "its output").reshape(-1)
    # Whatever the code of the user raises.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].removesuffix(".")
        raise InputError(
            f"The {type(model).__name__} does not run on rows of {read.n_features} numbers "
            f"({type(error).__name__}: {reason}); {AS_PAIR}."
        ) from error
    exact = read.network.forward(read.data(detached(given, "X")))
    exact = (exact if end is None else _ENDS[end](exact)).reshape(-1)
    tolerance = _ROOTS * np.sqrt(torch.finfo(parameter.dtype).eps) * max(1.0, np.abs(exact).max())
    if values.shape != exact.shape or not (np.abs(values - exact) <= tolerance).all():
        raise InputError(
            f"The {type(model).__name__} computes something else than its trace by torch.fx, "
            f"which is Linear, ReLU, Linear; {AS_PAIR}."
        )


def read_module(model: Any) -> ReadNetwork:
    """Read a module of torch.

    Raises
    ------
    InputError
        If it does not compute Linear, ReLU, Linear, or has hooks, or would compute something
        else in evaluation mode.
    """
    operations = _listed(model, "network")
    is_traced = operations is None
    if operations is None:
        # Before the trace, which would not see the forward of one instance.
        _check_unchanged(model)
        operations = traced_operations(model)
    _check_form(model, operations)
    read = _composed([step for step in operations if step.kind is not Kind.SAME])
    # After the weights: the hook of a lazy layer says less than that it has no values.
    _check_unchanged(model)
    if is_traced:
        check_values(model, read, _end_of(operations))
    return read


def _end_of(operations: list[Operation]) -> Kind | None:
    """What the values of the last layer go through."""
    return next((step.kind for step in operations if step.kind in _ENDS), None)


def _listed(model: Any, path: str) -> list[Operation] | None:
    """The operations of a Sequential of known layers, without a trace; None for others."""
    known = operation_of(model, path)
    if known is not None:
        return [known]
    if type(model) is not sys.modules["torch.nn"].Sequential:
        return None if _is_traceable(model) else [Operation(Kind.OTHER, type(model).__name__)]
    operations: list[Operation] = []
    for k, layer in enumerate(model):
        inner = _listed(layer, f"{path}[{k}]")
        if inner is None:
            return None
        operations += inner
    return operations


def _is_traceable(model: Any) -> bool:
    """Whether torch may look into it: not into its own layers."""
    module = getattr(sys.modules["torch.nn"], "Module", None)
    is_own = type(model).__module__.startswith("torch.nn")
    return module is not None and isinstance(model, module) and not is_own


def _check_form(model: Any, operations: list[Operation]) -> None:
    steps = [step for step in operations if step.kind is not Kind.SAME]
    letters = "".join(step.kind for step in steps)
    training = [step.label for step in steps if step.kind is Kind.TRAINING]
    # What it would be in evaluation mode decides whether that is the advice.
    if training and _NETWORK.fullmatch(letters.replace(Kind.TRAINING, "")):
        raise InputError(
            f"The torch network is in training mode, in which its {training[0]} depends on chance "
            "or on the batch; call its .eval() first."
        )
    if not _NETWORK.fullmatch(letters):
        last = steps[-1] if steps else None
        if last is not None and last.kind is Kind.OTHER and "softmax" in last.label.lower():
            raise InputError(
                f"The {last.label} at the end of the torch network is not known to be one of each "
                "row; give it dim=1."
            )
        names = ", ".join(step.label for step in operations)
        raise InputError(
            "A torch network must compute Linear, ReLU, Linear, got a "
            f"{type(model).__name__}({names}); pass a ReLU network of another form as a pair "
            "(hidden_weights, output_weights)."
        )


def _check_unchanged(model: Any) -> None:
    if any(map(is_changed, _modules(model))):
        raise InputError(
            "The torch network has hooks or a forward of its own, which may change what it "
            f"computes; remove them, or {AS_PAIR}."
        )


def _modules(model: Any) -> Iterator[Any]:
    """The module and all in it."""
    if hasattr(model, "modules"):
        yield from model.modules()
    else:
        yield model
        for layer in model if hasattr(model, "__iter__") else ():
            yield from _modules(layer)


@dataclass(frozen=True)
class _Affine:
    """``x -> weight x + bias``, the bias None where there is none."""

    weight: FloatArray
    bias: FloatArray | None

    @classmethod
    def of_layer(cls, step: Operation) -> _Affine:
        bias = step.holder.bias
        return cls(
            weights(step.holder.weight, f"{step.path}.weight"),
            None if bias is None else weights(bias, f"{step.path}.bias"),
        )

    def before(self, scale: FloatArray, shift: FloatArray) -> _Affine:
        """This after a normalisation."""
        moved = self.weight @ shift
        return _Affine(self.weight * scale, moved if self.bias is None else self.bias + moved)

    def after(self, scale: FloatArray, shift: FloatArray) -> _Affine:
        """This before a normalisation."""
        moved = shift if self.bias is None else scale * self.bias + shift
        return _Affine(scale[:, np.newaxis] * self.weight, moved)


def _normalisation(step: Operation, size: int) -> tuple[FloatArray, FloatArray]:
    """Scale and shift of ``BatchNorm1d`` in evaluation mode, next to so many columns."""
    module, path = step.holder, step.path
    if module.num_features != size:
        raise InputError(
            f"{path} is a BatchNorm1d of {module.num_features} columns, and the Linear beside it "
            f"has {size}: only one that scales every column by itself can be folded into it."
        )
    mean = weights(module.running_mean, f"{path}.running_mean")
    variance = weights(module.running_var, f"{path}.running_var")
    if variance.min(initial=0.0) < 0.0:
        raise InputError(f"{path}.running_var must be at least 0, got {variance.min():g}.")
    scale = 1.0 / np.sqrt(variance + module.eps)
    if module.weight is not None:
        scale = scale * weights(module.weight, f"{path}.weight")
    shift = -mean * scale
    if module.bias is not None:
        shift = shift + weights(module.bias, f"{path}.bias")
    return scale, shift


def _composed(steps: list[Operation]) -> ReadNetwork:
    """The two layers, with what stands beside them folded into them."""
    relu = next(k for k, step in enumerate(steps) if step.kind is Kind.RELU)
    hidden, output = _folded(steps[:relu]), _folded(steps[relu:])
    _check_sizes(steps, hidden, output)
    read = from_layers(hidden.weight, hidden.bias, output.weight, output.bias)
    remarks: tuple[str, ...] = ()
    if any(step.kind is Kind.NORM for step in steps):
        remarks += (
            "BatchNorm1d is folded into the Linear layer beside it, whose weights count as they "
            "are then.",
        )
    end = _end_of(steps)
    if end is not None:
        remarks += (f"Its values are those before the {_END_NAMES[end]}.",)
    read = replace(read, flattens=steps[0].kind is Kind.FLATTEN, remarks=remarks)
    if end is None:
        return read
    if end is Kind.SIGMOID:
        return replace(read, loss="logistic", labels=Signs((0, 1)))
    return replace(read, loss="softmax", labels=Columns(tuple(range(read.n_outputs))))


def _folded(steps: list[Operation]) -> _Affine:
    """A Linear with the normalisations before and after it."""
    at = next(k for k, step in enumerate(steps) if step.kind is Kind.LINEAR)
    layer = _Affine.of_layer(steps[at])
    norms = [k for k, step in enumerate(steps) if step.kind is Kind.NORM]
    for k in sorted((k for k in norms if k < at), reverse=True):
        layer = layer.before(*_normalisation(steps[k], layer.weight.shape[1]))
    for k in (k for k in norms if k > at):
        layer = layer.after(*_normalisation(steps[k], layer.weight.shape[0]))
    return layer


def _check_sizes(steps: list[Operation], hidden: _Affine, output: _Affine) -> None:
    """Layers fit together, and rows are not cut into others, which X does not have."""
    m, d = hidden.weight.shape
    if output.weight.shape[1] != m:
        raise InputError(
            f"The torch network has {m} hidden neurons, but its last layer reads "
            f"{output.weight.shape[1]}."
        )
    n_outputs = len(output.weight)
    for step in steps:
        if step.kind is Kind.COLUMN and n_outputs > 1:
            raise InputError(
                f"The torch network must keep its {n_outputs} outputs, and its {step.label} makes "
                "one column of them."
            )
        if step.kind in (Kind.SOFTMAX, Kind.LOG_SOFTMAX) and n_outputs == 1:
            raise InputError(
                f"The torch network has one output, and its {step.label} needs several: for two "
                "classes end it in Sigmoid."
            )
        if step.width not in (None, d):
            raise InputError(
                f"The torch network must keep the rows of X: it makes rows of {step.width} "
                f"numbers, and its first layer reads {d}."
            )
