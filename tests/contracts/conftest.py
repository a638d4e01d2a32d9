"""The contracts once more with data of another library: `CVXNN_TEST_ARRAYS=torch`, for instance."""

import os
from importlib import import_module

import numpy as np
import pytest

LIBRARY = os.environ.get("CVXNN_TEST_ARRAYS", "numpy")


def of_library(data):
    """Real numbers as an array of the library; anything else, such as what is refused, as it is."""
    from cvxnn.backends.namespaces import namespace

    if type(data) is not np.ndarray or data.dtype != np.float64:
        return data
    return namespace(LIBRARY).asarray(data.copy())


@pytest.fixture(autouse=LIBRARY != "numpy", scope="session")
def arrays_of_another_library():
    """Whatever is trained gets them, and so computes where they are."""
    # The package has a function of the name of one of them.
    modules = [import_module(f"cvxnn.training.{name}") for name in ("solve", "path")]
    prepare = modules[0].prepare

    def prepared(X, y, beta, *, sample_weight=None, **options):
        data = of_library(X), of_library(y)
        return prepare(*data, beta, sample_weight=of_library(sample_weight), **options)

    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "prepare", prepared)
        yield
