"""Files of every kind of network."""

from __future__ import annotations

import os
from typing import Any

from cvxnn.architectures.convolutional import ConvolutionalNetwork
from cvxnn.architectures.gated_networks import GatedNetwork
from cvxnn.architectures.networks import CircularCNN, LinearCNN
from cvxnn.errors import ModelFileError
from cvxnn.networks import Network, TwoLayerNetwork
from cvxnn.networks.files import read_file

_KINDS: dict[str, type[Network]] = {
    kind.__name__: kind
    for kind in (TwoLayerNetwork, GatedNetwork, ConvolutionalNetwork, LinearCNN, CircularCNN)
}


def load_network(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Read a network of any kind, and what was kept with it.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.npz`` or ``.safetensors``.

    Returns
    -------
    network : Network
        Of the kind that was saved.
    metadata : dict
        As `json` reads it: tuples have become lists, keys strings.

    Raises
    ------
    InputError, FileNotFoundError, OSError, ImportError, ModelFileError
        As :meth:`cvxnn.networks.Network.load_with_metadata`, which reads one kind only.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     LinearCNN([[1.0, -1.0]], [[2.0, 3.0]]).save(path, metadata={"beta": 0.1})
    ...     load_network(path)
    (LinearCNN(n_filters=1, filter_size=2, n_patches=2), {'beta': 0.1})
    """
    file = read_file(path)
    if file.kind not in _KINDS:
        raise ModelFileError(
            f"{file.path} holds a {file.kind}, which this cvxnn does not know: "
            f"it reads {', '.join(_KINDS)}."
        )
    return _KINDS[file.kind].from_file(file), file.metadata
