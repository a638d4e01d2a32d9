"""Networks as ONNX models; onnx is not imported with this file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxnn import __version__
from cvxnn.errors import InputError, import_optional
from cvxnn.exchange.exported import Exported, Networks
from cvxnn.exchange.onnx_graph import Graph
from cvxnn.exchange.scaled import Scaling
from cvxnn.files import atomic_write
from cvxnn.layers.images import Sides
from cvxnn.validation import check_choice

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

# Those of onnx 1.12, of 2022: old enough for the runtimes in use.
_IR_VERSION, _OPSET = 8, 17


def to_onnx(
    network: Networks,
    *,
    has_ones: bool = False,
    image_shape: Sides | None = None,
    scaling: Scaling | None = None,
    probabilities: bool = False,
    dtype: str = "float64",
    input_name: str = "X",
    output_name: str = "values",
    metadata: Mapping[str, Any] | None = None,
) -> ModelProto:
    """The network as an ONNX model, such as one of the operators Gemm, Relu and Gemm; O(k m d).

    Parameters
    ----------
    network : network, or list of networks
        Of any kind. One output for each of k networks of the same kind and settings,
        in this order, all on the same data.
    has_ones : bool, default False
        Whether the last column that the network reads is one of ones. Its weights
        become the biases of the hidden layer, and the model takes the other d - 1
        columns. Not for images and patches.
    image_shape : tuple of int, optional
        For a :class:`ConvolutionalNetwork`: the only height and width, or length, that
        the model is to take, with or without channels at the end. Any if None.
    scaling : optional
        What data and targets were divided by before the training, such as ``scaling_`` of a
        fitted estimator: the model takes data and gives values as they were before.
    probabilities : bool, default False
        Whether the model ends in probabilities of classes, for a network that was trained by
        their logarithms: the softmax of several outputs (loss ``"softmax"``), or of one
        output the sigmoid, the probability of the second of two classes (``"logistic"``).
    dtype : {"float64", "float32"}, default "float64"
        Of weights, input and output. ONNX Runtime has convolutions in float32 only.
    input_name, output_name : str, default "X" and "values"
        Names of the input, of shape (n, d) or (n, d - 1), and of the output, of shape
        (n, k); n is free. Images have shape (n, C, height, width) or (n, C, length):
        channels first.
    metadata : mapping of str, optional
        Anything that `json` can write, kept in the model as text in JSON.

    Returns
    -------
    onnx.ModelProto
        IR version 8, opset 17, checked by ``onnx.checker``.

    Raises
    ------
    InputError
        If onnx is not installed, an argument is not as described, a weight is too
        large for float32, or the weights do not fit into 2 GiB, the limit of an ONNX file.

    See Also
    --------
    save_onnx : writes it to a file.

    References
    ----------
    Open Neural Network Exchange, operator schemas: Gemm-13, Relu-14, Conv-11.

    Examples
    --------
    >>> import numpy as np
    >>> from onnx.reference import ReferenceEvaluator
    >>> from cvxnn import ConvolutionalNetwork, TwoLayerNetwork, to_onnx
    >>> network = TwoLayerNetwork([[1.0, -1.0], [2.0, 0.0]], [1.0, 3.0])
    >>> model = to_onnx(network, has_ones=True)
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Relu', 'Gemm']
    >>> ReferenceEvaluator(model).run(None, {"X": np.array([[4.0], [-1.0]])})
    [array([[27.], [ 0.]])]
    >>> model = to_onnx(ConvolutionalNetwork([[[1.0], [-1.0]]], [2.0]))
    >>> [node.op_type for node in model.graph.node]
    ['Conv', 'Relu', 'ReduceSum', 'Flatten', 'Gemm']
    """
    helper = import_optional(
        "onnx.helper", "The export needs onnx; install it with: pip install 'cvxnn[onnx]'."
    )
    exported = Exported.of(network, has_ones, image_shape, scaling, probabilities=probabilities)
    graph = Graph(helper)
    graph.chain(exported.stages, input_name)
    _check_names(graph, input_name, output_name)
    dtype = check_choice(dtype, "dtype", ("float64", "float32"))
    model = helper.make_model(
        _graph_proto(exported, graph, dtype, (input_name, output_name)),
        ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="cvxnn",
        producer_version=__version__,
    )
    helper.set_model_props(model, _as_text({} if metadata is None else metadata))
    import_module("onnx.checker").check_model(model, full_check=True)
    return model


def save_onnx(network: Networks, path: str | os.PathLike[str], **options: Any) -> None:
    """Write the network to an ONNX file, complete or not at all.

    Parameters
    ----------
    network : network, or list of networks
    path : str or path-like
        Ends in ``.onnx``.
    **options
        ``has_ones``, ``image_shape``, ``scaling``, ``probabilities``, ``dtype``, ``input_name``,
        ``output_name`` and ``metadata`` as for :func:`to_onnx`.

    Raises
    ------
    InputError
        As :func:`to_onnx`, or if the suffix is another one.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import onnx, pathlib, tempfile
    >>> from cvxnn import TwoLayerNetwork, save_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.onnx")
    ...     save_onnx(TwoLayerNetwork([[1.0]], [2.0]), path)
    ...     onnx.load(path).opset_import[0].version
    17
    """
    if Path(path).suffix.lower() != ".onnx":
        raise InputError(f"The file of an ONNX model must end in .onnx, got {os.fspath(path)!r}.")
    model = to_onnx(network, **options)
    with atomic_write(path) as file:
        file.write(model.SerializeToString())


def _check_names(graph: Graph, input_name: str, output_name: str) -> None:
    names = (input_name, output_name)
    inner = sorted(graph.names() - set(graph.nodes[-1].output))
    are_names = all(isinstance(name, str) and name and name not in inner for name in names)
    if not are_names or input_name == output_name:
        raise InputError(
            "input_name and output_name must be two different names, none of "
            f"{', '.join(inner)}; got {input_name!r} and {output_name!r}."
        )


def _graph_proto(
    exported: Exported, graph: Graph, dtype: str, names: tuple[str, str]
) -> GraphProto:
    from_array = import_module("onnx.numpy_helper").from_array
    helper = graph.helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    shape = exported.stages[0].input_shape
    if exported.image_sides is not None:
        shape = (shape[0], *exported.image_sides)
    arrays = graph.converted(dtype)
    graph.nodes[-1].output[0] = names[1]
    return helper.make_graph(
        graph.nodes,
        exported.kind,
        [helper.make_tensor_value_info(names[0], kind, ["n", *shape])],
        [helper.make_tensor_value_info(names[1], kind, ["n", exported.n_outputs])],
        [from_array(array, name) for name, array in arrays.items()],
    )


def _as_text(metadata: Mapping[str, Any]) -> dict[str, str]:
    """ONNX keeps text under every key."""
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InputError("metadata must be a mapping whose keys are text, or None.")
    try:
        return {key: json.dumps(value) for key, value in metadata.items()}
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata must be what JSON can hold, but {error}.") from error
