"""Arrays with a header of JSON in the bytes of an ``.npz`` file; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np

from cvxnn.array_types import Array

Arrays = dict[str, Array]
# Characters of a SHA-256.
_DIGEST = 64


def npz_bytes(arrays: Mapping[str, Array], header: str) -> bytes:
    """The bytes of a file of some arrays and a text; linear in their size.

    Examples
    --------
    >>> content = npz_bytes({"v": np.ones(2)}, '{"beta": 0.5}')
    >>> read_npz(content)
    ({'v': array([1., 1.])}, {'beta': 0.5})
    """
    buffer = BytesIO()
    contents: dict[str, Any] = {**arrays, "header": np.array(header)}
    np.savez(buffer, **contents)
    return buffer.getvalue()


def read_npz(content: bytes) -> tuple[Arrays, Any]:
    """The arrays, and what the JSON of the header says.

    Raises
    ------
    One of :data:`cvxnn.files.DAMAGE`
        If the bytes are none of :func:`npz_bytes`.
    """
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        # Members that share their bytes would be more than there is in the file.
        if sum(member.file_size for member in members) > len(content):
            raise zipfile.BadZipFile("members that overlap")
        arrays = {
            member.filename.removesuffix(".npy"): _read_member(archive, member)
            for member in members
        }
    return arrays, json.loads(arrays.pop("header").item())


def with_seal(content: bytes) -> bytes:
    """The bytes of :func:`npz_bytes` with their SHA-256 as the comment of the archive.

    It covers what no reader looks at, too, such as the times of the members.

    Examples
    --------
    >>> content = with_seal(npz_bytes({}, "{}"))
    >>> read_npz(without_seal(content))
    ({}, {})
    """
    digest = hashlib.sha256(content).hexdigest().encode()
    # The archive ends with the length of its comment, and the comment.
    return content[:-2] + len(digest).to_bytes(2, "little") + digest


def without_seal(content: bytes) -> bytes:
    """The way back; ValueError where a byte is not what it was."""
    plain, seal = content[: -_DIGEST - 2] + b"\0\0", content[-_DIGEST - 2 :]
    if seal != with_seal(plain)[-_DIGEST - 2 :]:
        raise ValueError("bytes that were changed")
    return plain


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One array; the archive is read to its end first, which verifies its CRC."""
    # savez does not compress: to insist on that bounds what a crafted file can unpack to.
    if member.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(member.filename)
    return np.lib.format.read_array(BytesIO(archive.read(member)), allow_pickle=False)
