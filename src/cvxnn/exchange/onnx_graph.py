"""Stages as the operators and weights of an ONNX graph; onnx is not imported with this file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError
from cvxnn.networks import stages

if TYPE_CHECKING:
    from onnx import NodeProto


# What Protocol Buffers can hold in one message.
_MAX_BYTES = 2**31 - 2**16


@dataclass
class Graph:
    """A graph that grows by an operator at a time.

    Attributes
    ----------
    helper : module
        ``onnx.helper``.
    weights : dict of ndarray
        By name; also axes, which are integers.
    nodes : list of NodeProto
    """

    helper: Any
    weights: dict[str, Array] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def chain(self, stages: Iterable[stages.Stage], value: str) -> str:
        """Add the operators of these stages on a value; the name of what they make."""
        for stage in stages:
            value = OPERATORS[type(stage)](self, stage, value)
        return value

    def names(self) -> set[str]:
        """All that are in use within the graph."""
        return {*self.weights, *(node.output[0] for node in self.nodes)}

    def converted(self, dtype: str) -> dict[str, Array]:
        """The weights in this precision, by name.

        Raises
        ------
        InputError
            If they do not fit into a file, or one is too large for `dtype`.
        """
        n_weights = sum(array.size for array in self.weights.values())
        if np.dtype(dtype).itemsize * n_weights > _MAX_BYTES:
            raise InputError(
                "The weights do not fit into an ONNX model, which holds 2 GiB at most."
            )
        with np.errstate(over="ignore"):
            converted = {
                name: array.astype(dtype) if array.dtype == np.float64 else array
                for name, array in self.weights.items()
            }
        if not all(np.isfinite(array).all() for array in converted.values()):
            raise InputError(f"A weight is too large for {dtype}; use dtype='float64'.")
        return converted

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        output = self._unused(output)
        self.nodes.append(self.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _weight(self, name: str, array: Array) -> str:
        name = self._unused(name)
        self.weights[name] = array
        return name

    def _unused(self, name: str) -> str:
        """The name, with a number where it is taken."""
        taken, number, wanted = self.names(), 2, name
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        return name

    def _parameters(self, name: str, weight: FloatArray, bias: FloatArray | None) -> list[str]:
        names = [self._weight(f"{name}_weights", weight)]
        return names if bias is None else [*names, self._weight(f"{name}_biases", bias)]

    def affine(self, stage: stages.Affine, value: str) -> str:
        parameters = self._parameters(stage.name, stage.weight, stage.bias)
        return self._add("Gemm", [value, *parameters], "sums", transB=1)

    def activation(self, stage: stages.Activation, value: str) -> str:
        if not stage.slope:
            return self._add("Relu", [value], "activations")
        # The slope of LeakyRelu is an attribute, which ONNX keeps in single precision.
        slope = self._weight("slope", np.array([stage.slope]))
        return self._add("PRelu", [value, slope], "activations")

    def gate(self, stage: stages.Gate, value: str) -> str:
        sides = self.affine(stage.gates, value)
        sums = OPERATORS[type(stage.sums)](self, stage.sums, value)
        zero = self._weight("zero", np.zeros(1))
        is_open = self._add("GreaterOrEqual", [sides, zero], "is_open")
        return self._add("Where", [is_open, sums, zero], "activations")

    def sum(self, stage: stages.Sum, value: str) -> str:
        return self._add("Sum", [self.chain(branch, value) for branch in stage.branches], "sums")

    def convolution(self, stage: stages.Convolution, value: str) -> str:
        n_sides = len(stage.windows.sides)
        return self._add(
            "Conv",
            [value, *self._parameters("hidden", stage.filters, stage.biases)],
            "sums",
            strides=[stage.windows.stride] * n_sides,
            pads=[stage.windows.padding] * (2 * n_sides),
        )

    def pooling(self, stage: stages.Pooling, value: str) -> str:
        axes = range(2, len(stage.windows.sides) + 2)
        if stage.kind == "sum":
            # Since opset 13 the axes of a sum are an input, those of the others an attribute.
            inputs = [value, self._weight("axes", np.array(axes))]
            return self._add("ReduceSum", inputs, "pooled", keepdims=1)
        return self._add(_REDUCTIONS[stage.kind], [value], "pooled", axes=axes, keepdims=1)

    def flatten(self, stage: stages.Flatten, value: str) -> str:
        return self._add("Flatten", [value], "rows", axis=1)

    def probabilities(self, stage: stages.Probabilities, value: str) -> str:
        if stage.n_outputs > 1:
            return self._add("Softmax", [value], "probabilities", axis=1)
        return self._add("Sigmoid", [value], "probabilities")


_REDUCTIONS = {"average": "ReduceMean", "max": "ReduceMax"}

OPERATORS: dict[type[stages.Stage], Callable[[Graph, Any, str], str]] = {
    stages.Affine: Graph.affine,
    stages.Activation: Graph.activation,
    stages.Gate: Graph.gate,
    stages.Sum: Graph.sum,
    stages.Convolution: Graph.convolution,
    stages.Pooling: Graph.pooling,
    stages.Flatten: Graph.flatten,
    stages.Probabilities: Graph.probabilities,
}
