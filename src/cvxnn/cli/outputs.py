"""What commands read and write: models, standard output, strict JSON; paths are checked first."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cvxnn.cli.reporting import discard, stdout_error
from cvxnn.errors import InputError
from cvxnn.networks import TwoLayerNetwork
from cvxnn.networks.files import SUFFIXES


def write_stdout(text: str) -> None:
    """Write to stdout; a reader that has gone away, as in ``| head``, is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise stdout_error(error) from error


def strict(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with null for numbers that JSON does not have: infinities and NaN."""
    return {key: _strict_value(value) for key, value in record.items()}


def write_json(record: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout."""
    write_stdout(json.dumps(strict(record), indent=2, allow_nan=False) + "\n")


def check_model_name(path: Path) -> None:
    """Raise `InputError` if `path` does not end like a model file that can be used here."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"A model file ends in {' or '.join(SUFFIXES)}, got {str(path)!r}.")
    if suffix == ".safetensors" and find_spec("safetensors") is None:
        raise InputError(
            "A .safetensors file needs the package safetensors: pip install safetensors"
        )


def load_model(path: Path) -> tuple[TwoLayerNetwork, dict[str, Any]]:
    """The network in a file that 'cvxnn fit' has saved, and its metadata."""
    check_model_name(path)
    return TwoLayerNetwork.load_with_metadata(path)


def counted(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_writable(path: Path) -> None:
    """Raise `OSError` if no file could be written at `path`, before hours are spent on one."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OSError(errno.EISDIR, "Cannot write the file, it is a folder", str(path))
    if not target.parent.is_dir():
        message = "Cannot write the file, its folder does not exist"
        raise OSError(errno.ENOENT, message, str(path))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        message = "Cannot write the file, its folder is not writable"
        raise OSError(errno.EACCES, message, str(path))


def _strict_value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return strict(value)
    if isinstance(value, (list, tuple)):
        return [_strict_value(item) for item in value]
    return value
