"""The two file formats of a network: ``.npz`` and ``.safetensors``.

Both hold the arrays ``hidden_weights`` and ``output_weights`` in float64 and a
``header``, a JSON object with the keys

- ``format``: ``"cvxnn-network"``;
- ``version``: 1;
- ``metadata``: whatever the caller wants to keep with the network;
- ``checksum``: the SHA-256 of the metadata, the shapes and the weights, without
  which a changed byte of a ``.safetensors`` file would be a changed weight.

An ``.npz`` file keeps the header as a third array, of text; a ``.safetensors``
file as an entry of its own metadata. Nothing is pickled, so that reading a file
from a stranger runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxnn.errors import InputError, ModelFileError
from cvxnn.files import DAMAGE, atomic_write

FORMAT = "cvxnn-network"
VERSION = 1
SUFFIXES = (".npz", ".safetensors")

Arrays = dict[str, NDArray[Any]]
Metadata = dict[str, Any]


def write_model(
    path: str | os.PathLike[str],
    hidden_weights: NDArray[np.float64],
    output_weights: NDArray[np.float64],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a network to `path`, complete or not at all; O(md).

    Parameters
    ----------
    path : str or path-like
        Its suffix, ``.npz`` or ``.safetensors``, chooses the format.
    hidden_weights : ndarray of shape (m, d)
    output_weights : ndarray of shape (m,)
    metadata : mapping, optional
        What to keep with the network; anything that `json` can write.

    Raises
    ------
    InputError
        If the suffix is another one, or `metadata` is no JSON object.
    ImportError
        If the suffix is ``.safetensors`` and safetensors is not installed.
    OSError
        If the file cannot be written.

    Examples
    --------
    See :meth:`cvxnn.networks.TwoLayerNetwork.save`.
    """
    suffix = _suffix(path)
    # Little-endian on every machine, which is what safetensors demands.
    arrays = {
        "hidden_weights": np.ascontiguousarray(hidden_weights, dtype="<f8"),
        "output_weights": np.ascontiguousarray(output_weights, dtype="<f8"),
    }
    header = _header(arrays, _plain_json(metadata))
    content = _npz_bytes(arrays, header) if suffix == ".npz" else _tensor_bytes(arrays, header)
    with atomic_write(path) as file:
        file.write(content)


def read_model(path: str | os.PathLike[str]) -> tuple[Arrays, Metadata]:
    """Read what :func:`write_model` wrote; O(md).

    Returns
    -------
    arrays : dict
        ``hidden_weights`` and ``output_weights``, float64, with the shapes that
        were written.
    metadata : dict
        The metadata, as `json` reads it: tuples have become lists.

    Raises
    ------
    InputError
        If the suffix is neither ``.npz`` nor ``.safetensors``.
    FileNotFoundError, OSError
        If the file is missing or cannot be read.
    ImportError
        If the suffix is ``.safetensors`` and safetensors is not installed.
    ModelFileError
        If the file is damaged, of a later version, or not from cvxnn.

    Examples
    --------
    See :func:`cvxnn.networks.load_model`.
    """
    suffix = _suffix(path)
    content = _content(path)
    arrays, header = _read_npz(path, content) if suffix == ".npz" else _read_tensors(path, content)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError(f"{os.fspath(path)} is not a network that cvxnn wrote.")
    if header.get("version") != VERSION:
        raise ModelFileError(
            f"{os.fspath(path)} has version {header.get('version')!r} of the format, "
            f"and this cvxnn reads version {VERSION}."
        )
    if any(array.dtype.newbyteorder("=") != np.float64 for array in arrays.values()):
        raise ModelFileError(f"{os.fspath(path)} has weights that are not float64.")
    metadata = header.get("metadata")
    if not isinstance(metadata, dict) or header.get("checksum") != _checksum(arrays, metadata):
        raise _damaged(path)
    return arrays, metadata


def _suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"path must end in {' or '.join(SUFFIXES)}, got {os.fspath(path)!r}.")
    return suffix


def _content(path: str | os.PathLike[str]) -> bytes:
    """The whole file, so that an OSError after this point means damage and not the disk."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        message = "There is no such model file"
        raise FileNotFoundError(error.errno, message, os.fspath(path)) from None


def _damaged(path: str | os.PathLike[str]) -> ModelFileError:
    return ModelFileError(f"{os.fspath(path)} is damaged, or not a network that cvxnn wrote.")


def _plain_json(metadata: Mapping[str, Any] | None) -> Metadata:
    """The metadata as they will be read: the checksum must be of those."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"metadata must be a mapping or None, got a {type(metadata).__name__}.")
    try:
        plain: Metadata = json.loads(json.dumps(dict(metadata or {})))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata must be what JSON can hold, but {error}.") from error
    return plain


def _checksum(arrays: Arrays, metadata: Metadata) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in ("hidden_weights", "output_weights"):
        digest.update(str(arrays[name].shape).encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype="<f8").tobytes())
    return digest.hexdigest()


def _header(arrays: Arrays, metadata: Metadata) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "metadata": metadata,
            "checksum": _checksum(arrays, metadata),
        }
    )


def _npz_bytes(arrays: Arrays, header: str) -> bytes:
    buffer = BytesIO()
    np.savez(
        buffer,
        hidden_weights=arrays["hidden_weights"],
        output_weights=arrays["output_weights"],
        header=np.array(header),
    )
    return buffer.getvalue()


def _read_npz(path: str | os.PathLike[str], content: bytes) -> tuple[Arrays, Any]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            arrays = {
                name: _read_member(archive, f"{name}.npy")
                for name in ("hidden_weights", "output_weights", "header")
            }
        return arrays, json.loads(arrays.pop("header").item())
    except DAMAGE as error:
        raise _damaged(path) from error


def _read_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array; the archive is read to its end first, which verifies its CRC."""
    # savez does not compress: to insist on that bounds what a crafted file can unpack to.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(name)
    member = BytesIO(archive.read(name))
    return np.lib.format.read_array(member, allow_pickle=False)


def _tensor_bytes(arrays: Arrays, header: str) -> bytes:
    content: bytes = _safetensors().numpy.save(arrays, metadata={"header": header})
    return content


def _read_tensors(path: str | os.PathLike[str], content: bytes) -> tuple[Arrays, Any]:
    safetensors = _safetensors()
    try:
        tensors = safetensors.numpy.load(content)
        # load() gives no metadata; the file begins with the length of a JSON object that has them.
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["header"])
        return {name: tensors[name] for name in ("hidden_weights", "output_weights")}, header
    except (*DAMAGE, safetensors.SafetensorError) as error:
        raise _damaged(path) from error


def _safetensors() -> ModuleType:
    """The optional package, imported only where a file asks for it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "A .safetensors file needs the package safetensors: pip install safetensors"
        ) from error
    return safetensors
