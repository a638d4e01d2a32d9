"""Networks for other libraries: PyTorch modules and ONNX models, and PyTorch modules back.

Neither library is imported with the module. Several networks on the same columns,
such as those of a classifier for more than two classes, become one model with an
output for each: their hidden layers stacked, their output weights in blocks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from cvxnn import __version__
from cvxnn.errors import InputError
from cvxnn.files import atomic_write
from cvxnn.foreign_networks import read_network
from cvxnn.networks import TwoLayerNetwork
from cvxnn.validation import check_choice, check_flag

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, dtype
    from torch.nn import Linear, Module, Sequential

FloatArray = NDArray[np.float64]
Networks = TwoLayerNetwork | Sequence[TwoLayerNetwork]

# Those of onnx 1.12, of 2022: old enough for the runtimes in use.
_IR_VERSION, _OPSET = 8, 17
# What Protocol Buffers can hold in one message.
_MAX_BYTES = 2**31 - 2**16


@dataclass(frozen=True)
class _Layers:
    """``f(X) = (X hidden' + bias)_+ output'``.

    Attributes
    ----------
    hidden : ndarray, shape (m, p)
    bias : ndarray, shape (m,), optional
        Taken from the column of ones, which X is then without.
    output : ndarray, shape (k, m)
    """

    hidden: FloatArray
    bias: FloatArray | None
    output: FloatArray

    @classmethod
    def of(cls, network: Networks, has_ones: bool) -> _Layers:
        """The layers of one network or of several, after checking them."""
        networks = _as_networks(network)
        hidden = np.vstack([each.hidden_weights for each in networks])
        # A block of no columns still counts as the row of a network without neurons.
        output = block_diag(*[each.output_weights[np.newaxis] for each in networks])
        if not check_flag(has_ones, "has_ones"):
            return cls(hidden, None, output)
        if hidden.shape[1] == 1:
            raise InputError("With has_ones the network must read a column besides that of ones.")
        return cls(hidden[:, :-1], hidden[:, -1], output)


def _as_networks(network: Networks) -> list[TwoLayerNetwork]:
    networks: list[Any] = list(network) if isinstance(network, (list, tuple)) else [network]
    for each in networks:
        if not isinstance(each, TwoLayerNetwork):
            hint = "; pass its attribute network" if hasattr(each, "network") else ""
            raise InputError(
                "network must be a TwoLayerNetwork or a list of them, "
                f"got a {type(each).__name__}{hint}."
            )
    widths = sorted({each.n_features for each in networks})
    if len(widths) != 1:
        found = " and ".join(map(str, widths)) or "no network"
        raise InputError(f"The networks must read the same number of features, got {found}.")
    return networks


def import_optional(module: str, package: str, extra: str) -> Any:
    """A module of an optional package, or an `InputError` that says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"The export needs {package}; install it with: pip install 'cvxnn[{extra}]'."
        ) from error


# --------------------------------------------------------------------------------- PyTorch


def to_torch(
    network: Networks, *, has_ones: bool = False, dtype: dtype | None = None
) -> Sequential:
    """The network as ``torch.nn.Sequential(Linear, ReLU, Linear)``; O(k m d).

    The module is on the CPU, can be trained further, and draws no random numbers
    when it is made.

    Parameters
    ----------
    network : TwoLayerNetwork, or list of TwoLayerNetwork
        One output for each of k networks, in this order, all on the same columns.
    has_ones : bool, default False
        Whether the last column that the network reads is one of ones. Its weights
        become the biases of the hidden layer, and the module takes the other d - 1
        columns. Otherwise the module has no biases and takes all d.
    dtype : torch.dtype, optional
        Of the parameters: ``torch.float64`` if None, else float64, float32, bfloat16
        or float16.

    Returns
    -------
    torch.nn.Sequential
        From shape (n, d) or (n, d - 1) to (n, k), so (n, 1) for one network. With
        float64 its values are those of :meth:`TwoLayerNetwork.forward` to rounding.

    Raises
    ------
    InputError
        If PyTorch is not installed, or an argument is not as described, or a weight
        is too large for `dtype`.

    See Also
    --------
    from_torch : the way back.

    Examples
    --------
    >>> import torch
    >>> from cvxnn import TwoLayerNetwork
    >>> network = TwoLayerNetwork([[1.0, -1.0], [2.0, 0.0]], [1.0, 3.0])
    >>> module = to_torch(network, has_ones=True)
    >>> module
    Sequential(
      (0): Linear(in_features=1, out_features=2, bias=True)
      (1): ReLU()
      (2): Linear(in_features=2, out_features=1, bias=False)
    )
    >>> module(torch.tensor([[4.0]], dtype=torch.float64)).item(), network.forward([4.0, 1.0])
    (27.0, 27.0)
    """
    torch = import_optional("torch", "PyTorch", "torch")
    layers = _Layers.of(network, has_ones)
    dtype = check_dtype(torch, dtype)
    return torch.nn.Sequential(
        linear_layer(torch, layers.hidden, layers.bias, dtype),
        torch.nn.ReLU(),
        linear_layer(torch, layers.output, None, dtype),
    )


def from_torch(module: Module) -> TwoLayerNetwork:
    """A ``torch.nn.Sequential(Linear, ReLU, Linear)`` as a network, in float64; O(m d).

    Parameters
    ----------
    module : torch.nn.Sequential
        With one output; of any dtype, on any device.

    Returns
    -------
    TwoLayerNetwork
        The same function to rounding. Where a layer has a bias, the network reads
        one more feature than the module: a last column of ones, whose weights are
        the hidden biases. An output bias c other than 0 is one more neuron, on that
        column alone, with the weights ``sqrt(|c|)`` and ``sign(c) sqrt(|c|)``. What
        :func:`to_torch` makes of a network comes back as that network.

    Raises
    ------
    InputError
        If the module is of another form, has hooks or several outputs, or its
        parameters are not finite: one sentence says which.

    Examples
    --------
    >>> from cvxnn import TwoLayerNetwork
    >>> network = TwoLayerNetwork([[1.0, -1.0]], [3.0])
    >>> from_torch(to_torch(network, has_ones=True)) == network
    True
    """
    # An instance of a class of torch exists only after torch was imported.
    sequential = getattr(sys.modules.get("torch.nn"), "Sequential", ())
    if not isinstance(module, sequential):
        raise InputError(
            "module must be a torch.nn.Sequential(Linear, ReLU, Linear), "
            f"got a {type(module).__name__}."
        )
    read = read_network(module)
    if read.classes is not None:
        raise InputError(
            "module must end in Linear: what goes through a Sigmoid is no such network."
        )
    return read.network


def check_dtype(torch: Any, dtype: dtype | None) -> dtype:
    accepted = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    if dtype is None:
        return torch.float64
    if dtype not in accepted:
        names = ", ".join(map(str, accepted))
        raise InputError(f"dtype must be one of {names}, got {dtype!r}.")
    return dtype


def linear_layer(torch: Any, weight: FloatArray, bias: FloatArray | None, dtype: dtype) -> Linear:
    """A layer with these parameters."""
    # Made without values and of size 1: the constructor would draw random weights, which
    # moves the global generator, and warns where there are none to draw.
    layer = torch.nn.Linear(1, 1, bias=bias is not None, device="meta")
    layer.out_features, layer.in_features = weight.shape
    layer.weight = torch.nn.Parameter(as_tensor(torch, weight, dtype))
    if bias is not None:
        layer.bias = torch.nn.Parameter(as_tensor(torch, bias, dtype))
    return layer


def as_tensor(torch: Any, array: FloatArray, dtype: dtype) -> Tensor:
    tensor = torch.tensor(array, dtype=dtype, device="cpu")
    if not torch.isfinite(tensor).all():
        raise InputError(f"A weight is too large for {dtype}; use dtype=torch.float64.")
    return tensor


# ------------------------------------------------------------------------------------ ONNX


def to_onnx(
    network: Networks,
    *,
    has_ones: bool = False,
    dtype: str = "float64",
    input_name: str = "X",
    output_name: str = "values",
    metadata: Mapping[str, Any] | None = None,
) -> ModelProto:
    """The network as an ONNX model of the operators Gemm, Relu and Gemm; O(k m d).

    Parameters
    ----------
    network : TwoLayerNetwork, or list of TwoLayerNetwork
        One output for each of k networks, in this order, all on the same columns.
    has_ones : bool, default False
        Whether the last column that the network reads is one of ones. Its weights
        become the biases of the hidden layer, and the model takes the other d - 1
        columns.
    dtype : {"float64", "float32"}, default "float64"
        Of weights, input and output.
    input_name, output_name : str, default "X" and "values"
        Names of the input, of shape (n, d) or (n, d - 1), and of the output, of shape
        (n, k); n is free.
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
    Open Neural Network Exchange, operator schemas: Gemm-13 and Relu-14.

    Examples
    --------
    >>> from onnx.reference import ReferenceEvaluator
    >>> from cvxnn import TwoLayerNetwork
    >>> network = TwoLayerNetwork([[1.0, -1.0], [2.0, 0.0]], [1.0, 3.0])
    >>> model = to_onnx(network, has_ones=True)
    >>> [node.op_type for node in model.graph.node]
    ['Gemm', 'Relu', 'Gemm']
    >>> ReferenceEvaluator(model).run(None, {"X": np.array([[4.0], [-1.0]])})
    [array([[27.], [ 0.]])]
    """
    helper = import_optional("onnx.helper", "onnx", "onnx")
    layers = _Layers.of(network, has_ones)
    _check_names(input_name, output_name)
    weights = _initializers(layers, check_choice(dtype, "dtype", ("float64", "float32")))
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(
        _graph(helper, layers, weights, (input_name, output_name)),
        ir_version=_IR_VERSION,
        opset_imports=[opset],
        producer_name="cvxnn",
        producer_version=__version__,
    )
    helper.set_model_props(model, _as_text({} if metadata is None else metadata))
    import_module("onnx.checker").check_model(model, full_check=True)
    return model


def save_onnx(
    network: Networks,
    path: str | os.PathLike[str],
    *,
    has_ones: bool = False,
    dtype: str = "float64",
    input_name: str = "X",
    output_name: str = "values",
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write the network to an ONNX file, complete or not at all.

    Parameters
    ----------
    network : TwoLayerNetwork, or list of TwoLayerNetwork
    path : str or path-like
        Ends in ``.onnx``.
    has_ones, dtype, input_name, output_name, metadata
        As for :func:`to_onnx`.

    Raises
    ------
    InputError
        As :func:`to_onnx`, or if the suffix is another one.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import onnx, pathlib, tempfile
    >>> from cvxnn import TwoLayerNetwork
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.onnx")
    ...     save_onnx(TwoLayerNetwork([[1.0]], [2.0]), path)
    ...     onnx.load(path).opset_import[0].version
    17
    """
    if Path(path).suffix.lower() != ".onnx":
        raise InputError(f"The file of an ONNX model must end in .onnx, got {os.fspath(path)!r}.")
    model = to_onnx(
        network,
        has_ones=has_ones,
        dtype=dtype,
        input_name=input_name,
        output_name=output_name,
        metadata=metadata,
    )
    with atomic_write(path) as file:
        file.write(model.SerializeToString())


# The names of the weights and of what flows between the operators.
_HIDDEN, _BIAS, _OUTPUT = "hidden_weights", "hidden_biases", "output_weights"
_SUMS, _ACTIVATIONS = "sums", "activations"


def _check_names(*names: str) -> None:
    inner = (_ACTIVATIONS, _BIAS, _HIDDEN, _OUTPUT, _SUMS)
    are_names = all(isinstance(name, str) and name and name not in inner for name in names)
    if not are_names or len(set(names)) < len(names):
        raise InputError(
            "input_name and output_name must be two different names, none of "
            f"{', '.join(inner)}; got {' and '.join(map(repr, names))}."
        )


def _initializers(layers: _Layers, dtype: str) -> dict[str, NDArray[Any]]:
    """The weights of the graph by name."""
    arrays = {_HIDDEN: layers.hidden, _OUTPUT: layers.output}
    if layers.bias is not None:
        arrays[_BIAS] = layers.bias
    if np.dtype(dtype).itemsize * sum(array.size for array in arrays.values()) > _MAX_BYTES:
        raise InputError("The weights do not fit into an ONNX model, which holds 2 GiB at most.")
    with np.errstate(over="ignore"):
        converted = {name: array.astype(dtype) for name, array in arrays.items()}
    if not all(np.isfinite(array).all() for array in converted.values()):
        raise InputError(f"A weight is too large for {dtype}; use dtype='float64'.")
    return converted


def _graph(
    helper: Any, layers: _Layers, weights: dict[str, NDArray[Any]], names: tuple[str, str]
) -> Any:
    from_array = import_module("onnx.numpy_helper").from_array
    kind = helper.np_dtype_to_tensor_dtype(weights[_HIDDEN].dtype)
    (name, values), (n_outputs, _) = names, layers.output.shape
    bias = [_BIAS] if _BIAS in weights else []
    return helper.make_graph(
        [
            helper.make_node("Gemm", [name, _HIDDEN, *bias], [_SUMS], transB=1),
            helper.make_node("Relu", [_SUMS], [_ACTIVATIONS]),
            helper.make_node("Gemm", [_ACTIVATIONS, _OUTPUT], [values], transB=1),
        ],
        "two_layer_relu_network",
        [helper.make_tensor_value_info(name, kind, ["n", layers.hidden.shape[1]])],
        [helper.make_tensor_value_info(values, kind, ["n", n_outputs])],
        [from_array(array, key) for key, array in weights.items()],
    )


def _as_text(metadata: Mapping[str, Any]) -> dict[str, str]:
    """ONNX keeps text under every key."""
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InputError("metadata must be a mapping whose keys are text, or None.")
    try:
        return {key: json.dumps(value) for key, value in metadata.items()}
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata must be what JSON can hold, but {error}.") from error
