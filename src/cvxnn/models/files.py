"""Files of every kind of network."""

from __future__ import annotations

import os
from typing import Any

from cvxnn.errors import ModelFileError
from cvxnn.models.base import known_models
from cvxnn.networks import Network
from cvxnn.networks.files import read_file


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
    >>> from cvxnn import LinearCNN
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     LinearCNN([[1.0, -1.0]], [[2.0, 3.0]]).save(path, metadata={"beta": 0.1})
    ...     load_network(path)
    (LinearCNN(n_neurons=1, filter_size=2, n_patches=2), {'beta': 0.1})
    """
    file = read_file(path)
    kinds = {model.kind.__name__: model.kind for model in known_models().values()}
    if file.kind not in kinds:
        raise ModelFileError(
            f"{file.path} holds a {file.kind}, which this cvxnn does not know: "
            f"it reads {', '.join(kinds)}."
        )
    return kinds[file.kind].from_file(file), file.metadata
