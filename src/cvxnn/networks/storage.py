"""The two formats of files of networks: ``.npz`` and ``.safetensors``.

Both hold the arrays of a network in float64, under the names of the arguments of its
class, and a ``header``, a JSON object with the keys

- ``format``: 2;
- ``kind``: the name of the class, such as ``"TwoLayerNetwork"``;
- ``settings``: the other arguments of the class, by name;
- ``metadata``: whatever the caller wants to keep with the network;
- ``checksum``: the SHA-256 of all of these, the shapes and the weights, without
  which a changed byte of a ``.safetensors`` file would be a changed weight.

Where a certificate is kept with a network, its bytes are one more array, ``certificate``, and
are part of the checksum.

An ``.npz`` file keeps the header as one more array, of text; a ``.safetensors``
file as an entry of its own metadata. Nothing is pickled, so that reading a file
from a stranger runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cvxnn.archives import Arrays, npz_bytes, read_npz
from cvxnn.array_types import FloatArray
from cvxnn.errors import InputError, ModelFileError
from cvxnn.files import DAMAGE, atomic_write
from cvxnn.verification.certificate import BoundCertificate

FORMAT = 2
SUFFIXES = (".npz", ".safetensors")
# The name of the bytes of a certificate among the arrays of a file.
_CERTIFICATE = "certificate"


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
    certificate : bytes, optional
        Of a :class:`~cvxnn.verification.certificate.BoundCertificate`.
    """

    path: str
    kind: str
    arrays: Arrays
    settings: dict[str, Any]
    metadata: dict[str, Any]
    certificate: bytes | None = None

    @property
    def checksum(self) -> str:
        """Of everything but the path."""
        words = json.dumps([self.kind, self.settings, self.metadata], sort_keys=True)
        digest = hashlib.sha256(words.encode())
        for name, array in sorted(self.arrays.items()):
            digest.update(json.dumps([name, array.shape]).encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        if self.certificate is not None:
            digest.update(self.certificate)
        return digest.hexdigest()

    def stored(self) -> Arrays:
        """All arrays of the file."""
        if self.certificate is None:
            return self.arrays
        return {**self.arrays, _CERTIFICATE: np.frombuffer(self.certificate, dtype=np.uint8)}

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
    certificate: BoundCertificate | None = None,
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
    certificate : BoundCertificate, optional
        The same.

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
    proof = None if certificate is None else certificate.to_bytes()
    new = NetworkFile(os.fspath(path), kind, plain, dict(settings), _plain_json(metadata), proof)
    content = npz_bytes(new.stored(), new.header()) if suffix == ".npz" else _tensor_bytes(new)
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
    if isinstance(header, dict) and _is_of_certificate(header):
        raise ModelFileError(f"{name} holds a certificate alone, and no network.")
    if not isinstance(found, int):
        raise ModelFileError(f"{name} is not a network that cvxnn wrote.")
    if found != FORMAT:
        raise ModelFileError(
            f"{name} has format {found} of networks, and this cvxnn reads format {FORMAT}."
        )
    proof = arrays.pop(_CERTIFICATE, None)
    if any(array.dtype.newbyteorder("=") != np.float64 for array in arrays.values()):
        raise ModelFileError(f"{name} has weights that are not float64.")
    kind, settings, metadata = (header.get(key) for key in ("kind", "settings", "metadata"))
    is_named = isinstance(kind, str) and kind.isidentifier()
    if is_named and isinstance(settings, dict) and isinstance(metadata, dict):
        proof_bytes = None if proof is None else proof.tobytes()
        file = NetworkFile(name, kind, arrays, settings, metadata, proof_bytes)
        if header.get("checksum") == file.checksum:
            return file
    raise _damaged(name)


def load_certificate(path: str | os.PathLike[str]) -> BoundCertificate:
    """Read a certificate: one that was saved alone, or the one in the file of a network.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.npz`` or ``.safetensors``.

    Returns
    -------
    BoundCertificate

    Raises
    ------
    InputError
        If the suffix is neither ``.npz`` nor ``.safetensors``, or the network has no certificate.
    FileNotFoundError, OSError, ImportError
        As :func:`cvxnn.load_network`.
    ModelFileError
        If the file is damaged, or holds none of both.

    Examples
    --------
    >>> import pathlib, tempfile, cvxnn
    >>> from cvxnn import load_certificate
    >>> X, y = [[1.0], [2.0]], [1.0, 1.0]
    >>> solution = cvxnn.solve(X, y, beta=1.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "network.npz")
    ...     solution.network.save(path, certificate=solution.certificate)
    ...     load_certificate(path).verify(X, y, network=cvxnn.load_network(path)[0]).accepted
    True
    """
    name = os.fspath(path)
    if name.lower().endswith(".skops"):
        raise InputError(
            f"path must end in {' or '.join(SUFFIXES)}, got {name!r}, a model of 'cvxnn fit'; "
            "'cvxnn verify' checks that with its table."
        )
    if is_certificate(path):
        return BoundCertificate.from_bytes(_content(path), name)
    file = read_file(path)
    if file.certificate is None:
        raise InputError(f"{name} has no certificate: it was saved without one.")
    return BoundCertificate.from_bytes(file.certificate, f"The certificate in {name}")


def is_certificate(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a certificate alone; the errors of :func:`load_certificate`."""
    if _suffix(path) != ".npz":
        return False
    try:
        _, header = read_npz(_content(path))
    except DAMAGE:
        return False
    return isinstance(header, dict) and _is_of_certificate(header)


def _is_of_certificate(header: dict[str, Any]) -> bool:
    return str(header.get("format")).startswith("cvxnn-certificate")


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


def _read_npz(name: str, content: bytes) -> tuple[Arrays, Any]:
    try:
        return read_npz(content)
    except DAMAGE as error:
        raise _damaged(name) from error


def _tensor_bytes(file: NetworkFile) -> bytes:
    save = _safetensors().numpy.save
    content: bytes = save(file.stored(), metadata={"header": file.header()})
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
