"""What a module of torch does to rows: its operations, from its layers or a trace by torch.fx."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.network import AS_PAIR


class Kind(StrEnum):
    """What an operation is; the letters spell a network, see `torch_network`."""

    LINEAR = "L"
    RELU = "R"
    NORM = "N"  # BatchNorm1d in evaluation mode: an affine map of each column
    FLATTEN = "F"  # images to rows, or rows as they are
    COLUMN = "C"  # one output as a vector
    SIGMOID = "S"
    SOFTMAX = "M"  # of each row
    LOG_SOFTMAX = "G"
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


def softmax_kind(kind: Kind, dim: Any) -> Kind:
    """Softmax of each row, or something else."""
    return kind if dim in (1, -1) else Kind.OTHER


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
    "Softmax": lambda module: softmax_kind(Kind.SOFTMAX, module.dim),
    "LogSoftmax": lambda module: softmax_kind(Kind.LOG_SOFTMAX, module.dim),
    "Identity": lambda module: Kind.SAME,
    "Dropout": lambda module: dropout_kind(module.training, module.p),
    "AlphaDropout": lambda module: dropout_kind(module.training, module.p),
}


def traced_operations(model: Any) -> list[Operation]:
    """What `forward` does to its one argument, in order.

    Raises
    ------
    InputError
        If it cannot be traced, or does not take exactly one argument.
    """
    graph = _graph(model)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1 or str(inputs[0].target).startswith("*"):
        raise InputError(
            f"The forward of the {type(model).__name__} must take X alone, got "
            f"{len(inputs)} arguments; {AS_PAIR}."
        )
    return _Chain(model, inputs[0]).read(graph)


def _graph(model: Any) -> Any:
    fx = import_module("torch.fx")

    class Tracer(fx.Tracer):  # type: ignore[name-defined, misc]
        def is_leaf_module(self, module: Any, name: str) -> bool:
            return operation_of(module, name) is not None or super().is_leaf_module(module, name)

    own = set(vars(model))
    try:
        return Tracer().trace(model)
    # Whatever the code of the user does with a value that is not there.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].removesuffix(".")
        raise InputError(
            f"The forward of the {type(model).__name__} cannot be traced by torch.fx "
            f"({type(error).__name__}: {reason}); {AS_PAIR}."
        ) from error
    finally:
        # The tracer leaves tensors that `forward` makes in the module, which is not ours.
        for name in vars(model).keys() - own:
            delattr(model, name)


class _Chain:
    """A graph that is read from its input to its output, one operation after the other."""

    def __init__(self, model: Any, start: Any) -> None:
        self.model, self.current = model, start
        self.has_layers = False
        self.rows: set[Any] = set()  # nodes that are the number of rows
        self.shapes: set[Any] = set()  # nodes that are a shape

    def read(self, graph: Any) -> list[Operation]:
        operations = []
        for node in graph.nodes:
            if node.op == "output" and node.args[0] is not self.current:
                operations.append(Operation(Kind.OTHER, "more than one output"))
            if node.op in ("placeholder", "get_attr", "output") or self._is_shape(node):
                continue
            operations.append(self._operation(node))
            self.has_layers |= operations[-1].kind is Kind.LINEAR
            self.current = node
        return operations

    def _is_shape(self, node: Any) -> bool:
        """Take note of nodes that compute with shapes only."""
        name, arguments = _name(node), node.args
        if name == "size" and node.op == "call_method":
            (self.rows if arguments[1:] == (0,) else self.shapes).add(node)
        elif name == "getattr" and arguments[1:] == ("shape",):
            self.shapes.add(node)
        elif name == "getitem" and arguments[0] in self.shapes:
            (self.rows if arguments[1] == 0 else self.shapes).add(node)
        else:
            return False
        return True

    def _operation(self, node: Any) -> Operation:
        module = self.model.get_submodule(node.target) if node.op == "call_module" else None
        name = _name(node) if module is None else type(module).__name__
        first, *others = node.args or (node.kwargs.get("input"),)
        other = Operation(Kind.OTHER, name)
        # What is computed from anything but the value before is no chain of layers.
        if first is not self.current or len(first.users.keys() - self._known()) != 1:
            return other
        if module is not None:
            return operation_of(module, f"network.{node.target}") or other
        options = {key: value for key, value in node.kwargs.items() if key != "input"}
        read = _FUNCTIONS.get(name)
        if read is None or not _is_of_torch(node):
            return other
        try:
            found = read(self, *others, **options)
        except TypeError:
            # Arguments that are not those of the simple form.
            return other
        return found if isinstance(found, Operation) else Operation(found, name)

    def _known(self) -> set[Any]:
        return self.rows | self.shapes

    def linear(self, weight: Any, bias: Any = None) -> Operation:
        """``F.linear`` with parameters of the module."""
        holder = SimpleNamespace(weight=self._parameter(weight), bias=self._parameter(bias))
        if holder.weight is None or (bias is not None and holder.bias is None):
            return Operation(Kind.OTHER, "linear with weights that are no parameters")
        return Operation(Kind.LINEAR, "linear", f"network.{weight.target}", holder)

    def _parameter(self, node: Any) -> Any:
        # A tensor that `forward` makes has no name in the module.
        if getattr(node, "op", None) != "get_attr" or node.target.startswith("_tensor_constant"):
            return None
        return operator.attrgetter(node.target)(self.model)

    def clamp(self, min: Any = None, max: Any = None) -> Kind:
        """From zero on, without an end, it is ReLU."""
        return Kind.RELU if _is_zero(min) and max is None else Kind.OTHER

    def dropout(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> Kind:
        """A function that drops without asking for the mode does so in evaluation as well."""
        kind = dropout_kind(training, p)
        return Kind.OTHER if kind is Kind.TRAINING and not self.model.training else kind

    def softmax(
        self, dim: Any = None, _stacklevel: int = 3, dtype: Any = None, *, kind: Kind
    ) -> Kind:
        """Of each row, in the precision that it has; what warnings are about does not matter."""
        return softmax_kind(kind, dim) if dtype is None else Kind.OTHER

    def view(self, *shape: Any) -> Operation:
        """Images as rows, or one output as a vector."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        sizes = tuple(-1 if size in self.rows else size for size in sizes)
        if sizes == (-1,) or (sizes == (-1, 1) and self.has_layers):
            return Operation(Kind.COLUMN, "view")
        if sizes == (-1, -1):
            return Operation(Kind.FLATTEN, "view")
        if len(sizes) == 2 and sizes[0] == -1 and isinstance(sizes[1], int):
            return Operation(Kind.FLATTEN, "view", width=sizes[1])
        return Operation(Kind.OTHER, "view")

    def item(self, index: Any) -> Kind:
        """The one column of the output."""
        everything = slice(None, None, None)
        return Kind.COLUMN if index in ((everything, 0), (..., 0)) else Kind.OTHER


def _name(node: Any) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _is_of_torch(node: Any) -> bool:
    """Whether the function is that of torch, and no other one of the same name."""
    if node.op == "call_method" or node.target is operator.getitem:
        return True
    torch = import_module("torch")
    places = (torch, torch.nn.functional, torch.special)
    return any(getattr(place, _name(node), None) is node.target for place in places)


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 0


_FUNCTIONS: dict[str, Callable[..., Kind | Operation]] = {
    "linear": _Chain.linear,
    "relu": lambda chain, inplace=False: Kind.RELU,
    "relu_": lambda chain: Kind.RELU,
    "clamp": _Chain.clamp,
    "clamp_": _Chain.clamp,
    "clamp_min": lambda chain, min: chain.clamp(min),
    "clamp_min_": lambda chain, min: chain.clamp(min),
    "dropout": _Chain.dropout,
    "sigmoid": lambda chain: Kind.SIGMOID,
    "sigmoid_": lambda chain: Kind.SIGMOID,
    "expit": lambda chain: Kind.SIGMOID,
    "softmax": partial(_Chain.softmax, kind=Kind.SOFTMAX),
    "log_softmax": partial(_Chain.softmax, kind=Kind.LOG_SOFTMAX),
    "flatten": lambda chain, start_dim=0, end_dim=-1: flatten_kind(start_dim, end_dim),
    "squeeze": lambda chain, dim=None: Kind.COLUMN if dim in (None, -1, 1) else Kind.OTHER,
    "view": _Chain.view,
    "reshape": _Chain.view,
    "getitem": _Chain.item,
    "contiguous": lambda chain: Kind.SAME,
    "float": lambda chain: Kind.SAME,
    "double": lambda chain: Kind.SAME,
}
