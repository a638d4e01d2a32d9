"""Libraries of arrays that stand for a device in tests, where they are installed."""

from importlib.util import find_spec

import numpy as np
import pytest

from cvxnn.backends.namespaces import in_numpy, namespace

LIBRARIES = ["array_api_strict", "torch"]


def _is_there(library):
    return all(find_spec(name) is not None for name in ("array_api_compat", library))


each_library = pytest.mark.parametrize(
    "library",
    [
        pytest.param(name, marks=pytest.mark.skipif(not _is_there(name), reason="not installed"))
        for name in LIBRARIES
    ],
)


def placed(library, array, dtype=np.float64):
    """An array of numpy as one of a library."""
    return namespace(library).asarray(np.asarray(array, dtype=dtype))


__all__ = ["each_library", "in_numpy", "namespace", "placed"]
