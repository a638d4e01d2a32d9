"""The two formats of files of networks: ``.npz`` and ``.safetensors``.

Both hold the arrays of a network in float64, under the names of the arguments of its
class, and a ``header``, a JSON object with the keys

- ``format``: 2;
- ``kind``: the name of the class, such as ``"TwoLayerNetwork"``;
- ``settings``: the other arguments of the class, by name;
- ``metadata``: whatever the caller wants to keep with the network;
- ``checksum``: the SHA-256 of all of these, the shapes and the weights, without
  which a changed byte of a ``.safetensors`` file would be a changed weight.

An ``.npz`` file keeps the header as one more array, of text; a ``.safetensors``
file as an entry of its own metadata. Nothing is pickled, so that reading a file
from a stranger runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError, ModelFileError
from cvxnn.files import DAMAGE, atomic_write

FORMAT = 2
SUFFIXES = (".npz", ".safetensors")

Arrays = dict[str, Array]


@dataclass(frozen=True)
class NetworkFile:
    """What a file holds.

    Attributes
    ----------
    path : str
        Where it was.
    kind : str
        The name of the class of the network.
    arrays : dict
        Arguments of that class that are arrays, by name: float64, with the shapes that were
        written.
    settings : dict
        The other arguments.
    metadata : dict
        As `json` reads them: tuples have become lists.
    """

    path: str
    kind: str
    arrays: Arrays
    settings: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def checksum(self) -> str:
        """Of everything but the path."""
        words = json.dumps([self.kind, self.settings, self.metadata], sort_keys=True)
        digest = hashlib.sha256(words.encode())
        for name, array in sorted(self.arrays.items()):
            digest.update(json.dumps([name, array.shape]).encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()

    def header(self) -> str:
        """Everything but the arrays, in JSON."""
        words = {"kind": self.kind, "settings": self.settings, "metadata": self.metadata}
        return json.dumps({"format": FORMAT, **words, "checksum": self.checksum})


def write_file(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, FloatArray],
    settings: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a network to `path`, complete or not at all; linear in its size.

    Parameters
    ----------
    path : str or path-like
        Its suffix, ``.npz`` or ``.safetensors``, chooses the format.
    kind, arrays, settings
        As in :class:`NetworkFile`.
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
    See :meth:`cvxnn.networks.Network.save`.
    """
    suffix = _suffix(path)
    # Little-endian on every machine, which is what safetensors demands.
    plain = {name: np.ascontiguousarray(array, dtype="<f8") for name, array in arrays.items()}
    new = NetworkFile(os.fspath(path), kind, plain, dict(settings), _plain_json(metadata))
    content = _npz_bytes(new) if suffix == ".npz" else _tensor_bytes(new)
    with atomic_write(path) as file:
        file.write(content)


def read_file(path: str | os.PathLike[str]) -> NetworkFile:
    """Read what :func:`write_file` wrote; linear in its size.

    Raises
    ------
    InputError
        If the suffix is neither ``.npz`` nor ``.safetensors``.
    FileNotFoundError, OSError
        If the file is missing or cannot be read.
    ImportError
        If the suffix is ``.safetensors`` and safetensors is not installed.
    ModelFileError
        If the file is damaged, of another format, or not from cvxnn.

    Examples
    --------
    See :meth:`cvxnn.networks.Network.load_with_metadata`.
    """
    suffix, name = _suffix(path), os.fspath(path)
    content = _content(path)
    arrays, header = _read_npz(name, content) if suffix == ".npz" else _read_tensors(name, content)
    found = header.get("format") if isinstance(header, dict) else None
    if found == "cvxnn-network":
        # The first format, which had its number under another name.
        found = 1
    if not isinstance(found, int):
        raise ModelFileError(f"{name} is not a network that cvxnn wrote.")
    if found != FORMAT:
        raise ModelFileError(
            f"{name} has format {found} of networks, and this cvxnn reads format {FORMAT}."
        )
    if any(array.dtype.newbyteorder("=") != np.float64 for array in arrays.values()):
        raise ModelFileError(f"{name} has weights that are not float64.")
    kind, settings, metadata = (header.get(key) for key in ("kind", "settings", "metadata"))
    is_named = isinstance(kind, str) and kind.isidentifier()
    if is_named and isinstance(settings, dict) and isinstance(metadata, dict):
        file = NetworkFile(name, kind, arrays, settings, metadata)
        if header.get("checksum") == file.checksum:
            return file
    raise _damaged(name)


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


def _damaged(name: str) -> ModelFileError:
    return ModelFileError(f"{name} is damaged, or not a network that cvxnn wrote.")


def _plain_json(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata as they will be read: the checksum must be of those."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"metadata must be a mapping or None, got a {type(metadata).__name__}.")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(metadata or {})))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata must be what JSON can hold, but {error}.") from error
    return plain


def _npz_bytes(file: NetworkFile) -> bytes:
    buffer = BytesIO()
    contents: dict[str, Any] = {**file.arrays, "header": np.array(file.header())}
    np.savez(buffer, **contents)
    return buffer.getvalue()


def _read_npz(name: str, content: bytes) -> tuple[Arrays, Any]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            # Members that share their bytes would be more than there is in the file.
            if sum(member.file_size for member in members) > len(content):
                raise zipfile.BadZipFile(name)
            arrays = {
                member.filename.removesuffix(".npy"): _read_member(archive, member)
                for member in members
            }
        return arrays, json.loads(arrays.pop("header").item())
    except DAMAGE as error:
        raise _damaged(name) from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One array; the archive is read to its end first, which verifies its CRC."""
    # savez does not compress: to insist on that bounds what a crafted file can unpack to.
    if member.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(member.filename)
    return np.lib.format.read_array(BytesIO(archive.read(member)), allow_pickle=False)


def _tensor_bytes(file: NetworkFile) -> bytes:
    save = _safetensors().numpy.save
    content: bytes = save(file.arrays, metadata={"header": file.header()})
    return content


def _read_tensors(name: str, content: bytes) -> tuple[Arrays, Any]:
    safetensors = _safetensors()
    try:
        tensors = dict(safetensors.numpy.load(content))
        # load() gives no metadata; the file begins with the length of a JSON object that has them.
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["header"])
        return tensors, header
    except (*DAMAGE, safetensors.SafetensorError) as error:
        raise _damaged(name) from error


def _safetensors() -> ModuleType:
    """The optional package, imported only where a file asks for it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "A .safetensors file needs the package safetensors: pip install safetensors"
        ) from error
    return safetensors
